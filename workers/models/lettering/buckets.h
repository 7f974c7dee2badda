/* SPDX-License-Identifier: MIT */
/* Finding the boxes that meet a box without looking at all of them. */
#ifndef LET_BUCKETS_H
#define LET_BUCKETS_H

#include <stddef.h>
#include <stdint.h>

#include "geom.h"

struct let_buckets {
    const struct let_box *boxes; /* the caller's, must stay */
    struct let_box bounds;       /* of all of them */
    int64_t cell;                /* side of a bucket, grid units */
    size_t columns, rows;
    size_t *starts;  /* of each bucket in `items`, one more at the end */
    uint32_t *items; /* numbers of boxes, ascending in each bucket */
};

void let_buckets_init(struct let_buckets *buckets, const struct let_box *boxes, size_t count);
void let_buckets_done(struct let_buckets *buckets);

/* A search under way: let_near_start(), then let_near_next() until it returns false. */
struct let_near {
    const struct let_buckets *buckets;
    struct let_box box;
    size_t column0, column1, row0, row1; /* buckets to visit, inclusive */
    size_t column, row, at;              /* where it is */
};

void let_near_start(struct let_near *near, const struct let_buckets *buckets, struct let_box box);

/* The next box that meets the one searched for, borders included; each comes once. */
bool let_near_next(struct let_near *near, size_t *ret_item);

#endif
