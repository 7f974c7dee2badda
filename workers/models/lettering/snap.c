/* SPDX-License-Identifier: MIT */
/* Iterated snap rounding (Halperin and Packer 2002) on weighted edges.
 *
 * Guarantees, because it stops only when a whole pass finds nothing to do: edges meet at common
 * end points and nowhere else, and every vertex is at least half a grid unit away from every edge
 * that does not end in it. That is what the triangulation and the winding count rely on.
 * A pass makes every end point and every rounded crossing "hot" and bends each edge through the
 * hot grid cells it visits. Neighbours are found with buckets.c, so work is near linear.
 * Does not know loops or fill rules: that is clean.c. */
#include "snap.h"

#include <stdlib.h>

#include "alloc.h"
#include "buckets.h"

#define MAX_PASSES 64

struct points {
    struct let_point *items;
    size_t count, capacity;
};

/* What a pass needs, kept from one to the next. */
struct work {
    struct points hot, found;
    struct let_box *boxes;
    size_t box_capacity;
    struct let_buckets buckets; /* of `boxes`: first the edges', then the hot points' */
};

void let_edges_add(struct let_edges *edges, struct let_point from, struct let_point to)
{
    int order = let_point_order(from, to);

    if (!order)
        return;
    edges->items =
        let_grow(edges->items, &edges->capacity, edges->count + 1, sizeof(*edges->items));
    edges->items[edges->count++] =
        order < 0 ? (struct let_edge){from, to, 1} : (struct let_edge){to, from, -1};
}

void let_edges_done(struct let_edges *edges)
{
    free(edges->items);
    *edges = (struct let_edges){0};
}

static int edge_order(const void *left, const void *right)
{
    const struct let_edge *a = left, *b = right;
    int order = let_point_order(a->a, b->a);

    return order ? order : let_point_order(a->b, b->b);
}

static int point_order(const void *left, const void *right)
{
    return let_point_order(*(const struct let_point *)left, *(const struct let_point *)right);
}

static void points_add(struct points *points, struct let_point p)
{
    points->items =
        let_grow(points->items, &points->capacity, points->count + 1, sizeof(*points->items));
    points->items[points->count++] = p;
}

/* Sort, and make equal edges one. */
static void merge(struct let_edges *edges)
{
    size_t kept = 0;

    if (edges->count)
        qsort(edges->items, edges->count, sizeof(*edges->items), edge_order);
    for (size_t i = 0; i < edges->count;) {
        struct let_edge edge = edges->items[i++];

        while (i < edges->count && !edge_order(&edge, &edges->items[i]))
            edge.weight += edges->items[i++].weight;
        if (edge.weight)
            edges->items[kept++] = edge;
    }
    edges->count = kept;
}

/* numerator / denominator to the nearest integer, halves up; denominator > 0 */
static int64_t divide(__int128 numerator, __int128 denominator)
{
    __int128 twice = 2 * numerator + denominator;
    __int128 quotient = twice / (2 * denominator);

    if (twice % (2 * denominator) < 0)
        quotient--;
    return (int64_t)quotient;
}

static struct let_point crossing(const struct let_edge *e, const struct let_edge *f)
{
    int64_t c = let_orient(f->a, f->b, e->a);
    int64_t d = let_orient(f->a, f->b, e->b);
    __int128 part = c, whole = (__int128)c - d; /* the crossing is at part/whole of e */

    if (whole < 0) {
        part = -part;
        whole = -whole;
    }
    return (struct let_point){e->a.x + divide(part * (e->b.x - e->a.x), whole),
                              e->a.y + divide(part * (e->b.y - e->a.y), whole)};
}

static void find_hot(const struct let_edges *edges, struct work *work)
{
    struct points *hot = &work->hot;
    size_t kept = 0;

    work->boxes = let_grow(work->boxes, &work->box_capacity, edges->count, sizeof(*work->boxes));
    for (size_t i = 0; i < edges->count; i++)
        work->boxes[i] = let_box_of(edges->items[i].a, edges->items[i].b);
    let_buckets_init(&work->buckets, work->boxes, edges->count);
    hot->count = 0;
    for (size_t i = 0; i < edges->count; i++) {
        const struct let_edge *e = &edges->items[i];
        struct let_near near;
        size_t j;

        points_add(hot, e->a);
        points_add(hot, e->b);
        let_near_start(&near, &work->buckets, work->boxes[i]);
        while (let_near_next(&near, &j)) {
            const struct let_edge *f = &edges->items[j];

            if (j > i && let_cross(e->a, e->b, f->a, f->b))
                points_add(hot, crossing(e, f));
        }
    }
    let_buckets_done(&work->buckets);
    if (hot->count)
        qsort(hot->items, hot->count, sizeof(*hot->items), point_order);
    for (size_t i = 0; i < hot->count; i++)
        if (!kept || !let_same(hot->items[kept - 1], hot->items[i]))
            hot->items[kept++] = hot->items[i];
    hot->count = kept;
}

static void index_hot(struct work *work)
{
    work->boxes = let_grow(work->boxes, &work->box_capacity, work->hot.count, sizeof(*work->boxes));
    for (size_t i = 0; i < work->hot.count; i++)
        work->boxes[i] = let_box_of(work->hot.items[i], work->hot.items[i]);
    let_buckets_init(&work->buckets, work->boxes, work->hot.count);
}

/* Does the edge visit the unit cell around p, which is in the edge's box? Cells are half open, so
 * that each place belongs to one: a line through a corner visits the cell to the upper right of
 * it. With closed cells the two diagonals of a unit square would send each other round for ever. */
static bool visits(const struct let_edge *e, struct let_point p)
{
    int64_t side = 2 * let_orient(e->a, e->b, p);
    int64_t reach = (e->b.x - e->a.x) + llabs(e->b.y - e->a.y);

    return llabs(side) < reach || (side == reach && e->b.y < e->a.y);
}

/* The hot points other than its ends whose cell the edge visits, in its order. */
static void find_visited(const struct let_edge *e, struct work *work)
{
    struct points *found = &work->found;
    struct let_near near;
    size_t i;

    found->count = 0;
    let_near_start(&near, &work->buckets, let_box_of(e->a, e->b));
    while (let_near_next(&near, &i)) {
        struct let_point p = work->hot.items[i];
        size_t at;

        if (let_same(p, e->a) || let_same(p, e->b) || !visits(e, p))
            continue;
        points_add(found, p);
        for (at = found->count - 1;
             at && let_dot(e->a, e->b, found->items[at - 1]) > let_dot(e->a, e->b, p); at--)
            found->items[at] = found->items[at - 1];
        found->items[at] = p;
    }
}

static void add_weighted(struct let_edges *edges, struct let_point from, struct let_point to,
                         int weight)
{
    size_t before = edges->count;

    let_edges_add(edges, from, to);
    if (edges->count > before)
        edges->items[before].weight *= weight;
}

/* One pass from `edges` to `next`. Returns whether anything was split. */
static bool pass(const struct let_edges *edges, struct let_edges *next, struct work *work)
{
    bool changed = false;

    next->count = 0;
    find_hot(edges, work);
    index_hot(work);
    for (size_t i = 0; i < edges->count; i++) {
        const struct let_edge *e = &edges->items[i];
        struct let_point from = e->a;

        find_visited(e, work);
        changed |= work->found.count > 0;
        for (size_t k = 0; k < work->found.count; k++) {
            add_weighted(next, from, work->found.items[k], e->weight);
            from = work->found.items[k];
        }
        add_weighted(next, from, e->b, e->weight);
    }
    let_buckets_done(&work->buckets);
    return changed;
}

int let_snap(struct let_edges *edges)
{
    struct work work = {0};
    struct let_edges next = {0};
    bool changed = true;

    merge(edges);
    for (int passes = 0; changed && passes < MAX_PASSES; passes++) {
        struct let_edges swap = *edges;

        changed = pass(edges, &next, &work);
        *edges = next;
        next = swap;
        merge(edges);
    }
    free(work.hot.items);
    free(work.found.items);
    free(work.boxes);
    let_edges_done(&next);
    return changed ? -1 : 0;
}
