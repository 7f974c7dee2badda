/* SPDX-License-Identifier: MIT */
/* Moving the border of a polygon inwards. */
#ifndef LET_BEVEL_H
#define LET_BEVEL_H

#include "polygon.h"

/* Move each point of a clean polygon inwards so that its edges move by about `width` grid units,
 * less where there is no room, down to 0.
 * ret_inset: initialised and empty before; the same loops with as many points each, in the same
 * order, clean but for points on a line; edge i of it runs in the direction of edge i of `polygon`,
 * and the lines between a point and where it went cross nothing. */
void let_bevel(const struct let_polygon *polygon, double width, struct let_polygon *ret_inset);

#endif
