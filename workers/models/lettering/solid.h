/* SPDX-License-Identifier: MIT */
/* A polygon made solid: caps, walls, bevels, normals. */
#ifndef LET_SOLID_H
#define LET_SOLID_H

#include <stdint.h>

#include "polygon.h"

struct let_vertex {
    int32_t x, y;    /* grid units */
    float z;         /* metres */
    float normal[3]; /* of length 1 */
};

struct let_solid {
    struct let_vertex *vertices;
    size_t vertex_count, vertex_capacity;
    uint32_t *indices; /* three a triangle, counter-clockwise seen from outside */
    size_t index_count, index_capacity;
};

struct let_profile {
    double depth; /* metres; the solid reaches from -depth/2 to depth/2 in z */
    double bevel; /* metres, less than depth/2; 0 = none */
    double grid;  /* metres per grid unit */
    bool smooth;  /* one normal for both sides of an edge between faces that meet gently */
};

/* Build the closed surface of a clean polygon, appending to ret_solid (initialised; may be empty).
 * Each edge is in exactly two triangles, in opposite directions, going by positions; no triangle
 * has area 0. Returns 0, or -1 when the polygon is not clean. */
int let_solid_build(const struct let_polygon *polygon, const struct let_profile *profile,
                    struct let_solid *ret_solid);

void let_solid_init(struct let_solid *solid);
void let_solid_done(struct let_solid *solid);

#endif
