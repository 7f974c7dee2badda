/* SPDX-License-Identifier: MIT */
/* Which glyphs of a text touch each other. */
#ifndef LET_CLUSTER_H
#define LET_CLUSTER_H

#include "polygon.h"

/* A clean polygon at a place. */
struct let_instance {
    const struct let_polygon *polygon; /* relative to `at` */
    struct let_point at;               /* grid units */
    struct let_box box;                /* of the polygon at its place */
    size_t cluster; /* let_cluster_find(): equal for instances that touch, directly or through
                       others; the number of the first of them */
};

/* Fill in `cluster` of all instances. */
void let_cluster_find(struct let_instance *instances, size_t count);

#endif
