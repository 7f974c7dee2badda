/* SPDX-License-Identifier: MIT */
/* Grouping glyphs that touch or overlap.
 *
 * Letters of their own are built once and used again wherever they occur. Where two share even a
 * point (combining accents, tight kerning, box drawing) they must become one solid, else their
 * walls would share edges or cut each other. Boxes are compared in order of x, outlines only
 * where boxes meet, and never for two that are known to belong together. */
#include "cluster.h"

#include <stdlib.h>

#include "alloc.h"

struct entry {
    int64_t x0;
    size_t index;
};

static int entry_order(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;

    if (a->x0 != b->x0)
        return a->x0 < b->x0 ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

/* The first instance of the group of `i`, halving the way there. */
static size_t root(struct let_instance *instances, size_t i)
{
    while (instances[i].cluster != i) {
        instances[i].cluster = instances[instances[i].cluster].cluster;
        i = instances[i].cluster;
    }
    return i;
}

static void compare(struct let_instance *instances, size_t i, size_t j)
{
    const struct let_instance *a = &instances[i], *b = &instances[j];
    size_t group = root(instances, i), other = root(instances, j);
    struct let_point by = {b->at.x - a->at.x, b->at.y - a->at.y};

    if (group == other || !let_box_meet(a->box, b->box) ||
        !let_polygon_meet(a->polygon, b->polygon, by))
        return;
    if (group < other)
        instances[other].cluster = group;
    else
        instances[group].cluster = other;
}

void let_cluster_find(struct let_instance *instances, size_t count)
{
    struct entry *entries = let_alloc(count, sizeof(*entries));

    for (size_t i = 0; i < count; i++) {
        instances[i].cluster = i;
        entries[i] = (struct entry){instances[i].box.x0, i};
    }
    if (count)
        qsort(entries, count, sizeof(*entries), entry_order);
    for (size_t i = 0; i < count; i++)
        for (size_t j = i + 1; j < count && entries[j].x0 <= instances[entries[i].index].box.x1;
             j++)
            compare(instances, entries[i].index, entries[j].index);
    for (size_t i = 0; i < count; i++)
        instances[i].cluster = root(instances, i);
    free(entries);
}
