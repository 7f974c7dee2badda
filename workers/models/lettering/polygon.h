/* SPDX-License-Identifier: MIT */
/* Polygons on the integer grid: several closed loops in one array of points. */
#ifndef LET_POLYGON_H
#define LET_POLYGON_H

#include <stdbool.h>
#include <stddef.h>

#include "geom.h"

struct let_polygon {
    struct let_point *points; /* loops one after the other, without repeating the first point */
    size_t count, capacity;
    size_t *ends; /* index after the last point of each loop */
    size_t loops, loops_capacity;
};

enum let_rule { LET_NONZERO, LET_EVEN_ODD };

void let_polygon_init(struct let_polygon *polygon);
void let_polygon_done(struct let_polygon *polygon);

/* Append a point to the loop being built. */
void let_polygon_add(struct let_polygon *polygon, struct let_point point);

/* End the loop being built; one without points is no loop. */
void let_polygon_close(struct let_polygon *polygon);

/* Append all loops of `other`, moved by `by`. */
void let_polygon_append(struct let_polygon *polygon, const struct let_polygon *other,
                        struct let_point by);

/* First point of loop `loop`; its end is polygon->ends[loop]. */
static inline size_t let_polygon_start(const struct let_polygon *polygon, size_t loop)
{
    return loop ? polygon->ends[loop - 1] : 0;
}

/* Twice the signed area of one loop: > 0 counter-clockwise. */
int64_t let_polygon_area2(const struct let_polygon *polygon, size_t loop);

struct let_box let_polygon_box(const struct let_polygon *polygon);

/* Resolve `in` (any loops: crossing, overlapping, repeated, of either direction) under `rule`.
 * ret_out: initialised and empty before. After: simple loops that share no point with each other,
 * outer ones counter-clockwise, holes clockwise, no three consecutive points on a line, equal to
 * the input up to a few grid units. May be empty. Same input, same output.
 * Returns 0, or -1 when it did not converge (not seen). */
int let_polygon_clean(const struct let_polygon *in, enum let_rule rule,
                      struct let_polygon *ret_out);

/* Do two clean polygons, the second moved by `by`, share any point? */
bool let_polygon_meet(const struct let_polygon *a, const struct let_polygon *b,
                      struct let_point by);

#endif
