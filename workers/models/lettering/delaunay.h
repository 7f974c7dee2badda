/* SPDX-License-Identifier: MIT */
/* A triangulation of points that can be made to contain given edges. Used by triangulate.c only. */
#ifndef LET_DELAUNAY_H
#define LET_DELAUNAY_H

#include <stdbool.h>
#include <stddef.h>

#include "geom.h"

struct let_triangle {
    int v[3];      /* points, counter-clockwise */
    int n[3];      /* triangle across the edge opposite v[i], -1 = none */
    bool fixed[3]; /* that edge must stay */
};

struct let_delaunay {
    struct let_point *points; /* the caller's, then the 3 corners of the enclosing triangle */
    int point_count;          /* without the 3 corners */
    struct let_triangle *items;
    int count, capacity;
    int *any;   /* one triangle at each point, -1 = none yet */
    int *stack; /* triangles to look at, see legalize() */
    int stack_count;
    size_t stack_capacity;
    int recent; /* where the last search ended */
};

/* Triangulate `count` distinct points, Delaunay, inside a triangle much larger than they are. */
void let_delaunay_init(struct let_delaunay *mesh, const struct let_point *points, int count);
void let_delaunay_done(struct let_delaunay *mesh);

/* Make the segment a-b an edge and fix it. It must not cross a fixed edge nor pass through a point.
 * Returns 0, or -1 when it does. */
int let_delaunay_fix(struct let_delaunay *mesh, int a, int b);

/* Make all edges that are not fixed Delaunay again: no needless slivers. */
void let_delaunay_restore(struct let_delaunay *mesh);

#endif
