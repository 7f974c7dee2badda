/* SPDX-License-Identifier: MIT */
/* Filling a clean polygon with triangles. */
#ifndef LET_TRIANGULATE_H
#define LET_TRIANGULATE_H

#include "polygon.h"

struct let_triangles {
    int (*items)[3]; /* indices into polygon->points, counter-clockwise, area > 0 */
    size_t count;
};

/* Triangulate a polygon as let_polygon_clean() makes them: its points and no others, each edge of
 * the polygon in exactly one triangle, the areas adding up to the polygon's.
 * ret_triangles: free(items). Returns 0, or -1 when the polygon is not clean. */
int let_triangulate(const struct let_polygon *polygon, struct let_triangles *ret_triangles);

#endif
