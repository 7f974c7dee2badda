/* SPDX-License-Identifier: MIT */
/* Memory that cannot fail: the program aborts when there is none, its parent retries elsewhere. */
#ifndef LET_ALLOC_H
#define LET_ALLOC_H

#include <stddef.h>

/* Zeroed memory for `count` items of `size` bytes, never NULL. Free with free(). */
void *let_alloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull));

/* Make room for at least `need` items of `size` bytes in the array `items` (may be NULL).
 * Returns the array, perhaps moved, and updates *capacity. New items are not zeroed. */
void *let_grow(void *items, size_t *capacity, size_t need, size_t size)
    __attribute__((returns_nonnull));

#endif
