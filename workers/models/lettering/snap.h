/* SPDX-License-Identifier: MIT */
/* Weighted edges on the grid, and splitting them until they meet only at their ends. */
#ifndef LET_SNAP_H
#define LET_SNAP_H

#include <stddef.h>

#include "geom.h"

struct let_edge {
    struct let_point a, b; /* a before b in let_point_order() */
    int weight;            /* times it runs a -> b, less the times it runs b -> a; never 0 */
};

struct let_edges {
    struct let_edge *items; /* sorted by a, then b, after let_snap() */
    size_t count, capacity;
};

/* Add the directed segment from -> to; one of no length is dropped. */
void let_edges_add(struct let_edges *edges, struct let_point from, struct let_point to);
void let_edges_done(struct let_edges *edges);

/* Split and round until no edge crosses another and none passes within half a grid unit of a
 * vertex that is not its end; equal edges become one with the sum of the weights, 0 vanishes.
 * Returns 0, or -1 when it did not converge in 64 passes (not seen). */
int let_snap(struct let_edges *edges);

#endif
