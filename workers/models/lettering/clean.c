/* SPDX-License-Identifier: MIT */
/* From any loops to valid ones: let_polygon_clean().
 *
 * Real fonts overlap their own contours, repeat points and touch themselves. The steps:
 *   1. snap.c splits everything until edges meet only at their ends;
 *   2. the winding numbers left and right of each edge are counted along a ray, exactly; an edge
 *      stays when exactly one side is filled, turned so that the filled side is on its left;
 *   3. a point where the border passes twice would make a wall edge with four triangles: a tiny
 *      diamond is welded over it and steps 1 and 2 run again;
 *   4. the edges, now one in and one out at each point, are chained; points on a line vanish.
 * Guarantees what polygon.h promises; the tests check it on every glyph of the fonts. */
#include "polygon.h"

#include <stdlib.h>

#include "alloc.h"
#include "buckets.h"
#include "snap.h"

#define MAX_WELDS 16
#define FIRST_WELD 2 /* grid units; doubled each round */

/* A border edge: filled on its left. */
struct border {
    struct let_point from, to;
};

struct borders {
    struct border *items; /* sorted by from */
    size_t count, capacity;
};

static int border_order(const void *left, const void *right)
{
    const struct border *a = left, *b = right;
    int order = let_point_order(a->from, b->from);

    return order ? order : let_point_order(a->to, b->to);
}

/* Half of it, rounded down. */
static int64_t half(int64_t value)
{
    return value >= 0 ? value / 2 : -((1 - value) / 2);
}

/* Twice the side of `middle2` (a point in half grid units) relative to a -> b. */
static int64_t side2(struct let_point a, struct let_point b, struct let_point middle2)
{
    return (b.x - a.x) * (middle2.y - 2 * a.y) - (b.y - a.y) * (middle2.x - 2 * a.x);
}

/* Winding number just above the middle of edge `self`, which is not vertical: a ray upwards. */
static int winding_above(const struct let_edges *edges, size_t self,
                         const struct let_buckets *buckets)
{
    const struct let_edge *e = &edges->items[self];
    struct let_point middle2 = {e->a.x + e->b.x, e->a.y + e->b.y};
    int64_t x = half(middle2.x), y = half(middle2.y);
    struct let_near near;
    int winding = 0;
    size_t i;

    let_near_start(&near, buckets, (struct let_box){x, y, x + 1, buckets->bounds.y1});
    while (let_near_next(&near, &i)) {
        const struct let_edge *f = &edges->items[i];

        if (i != self && 2 * f->a.x <= middle2.x && middle2.x < 2 * f->b.x &&
            side2(f->a, f->b, middle2) < 0)
            winding -= f->weight;
    }
    return winding;
}

/* Winding number just right of the middle of the vertical edge `self`: a ray to the right. */
static int winding_right(const struct let_edges *edges, size_t self,
                         const struct let_buckets *buckets)
{
    const struct let_edge *e = &edges->items[self];
    struct let_point middle2 = {e->a.x + e->b.x, e->a.y + e->b.y};
    int64_t y = half(middle2.y);
    struct let_near near;
    int winding = 0;
    size_t i;

    let_near_start(&near, buckets, (struct let_box){e->a.x, y, buckets->bounds.x1, y + 1});
    while (let_near_next(&near, &i)) {
        const struct let_edge *f = &edges->items[i];
        bool up = f->b.y > f->a.y;
        int64_t low = up ? f->a.y : f->b.y, high = up ? f->b.y : f->a.y, side;

        if (i == self || 2 * low > middle2.y || middle2.y >= 2 * high)
            continue;
        side = side2(f->a, f->b, middle2);
        if (up ? side > 0 : side < 0)
            winding += up ? f->weight : -f->weight;
    }
    return winding;
}

static bool filled(int winding, enum let_rule rule)
{
    return rule == LET_EVEN_ODD ? winding % 2 != 0 : winding != 0;
}

static void find_borders(const struct let_edges *edges, enum let_rule rule, struct borders *borders)
{
    struct let_box *boxes = let_alloc(edges->count, sizeof(*boxes));
    struct let_buckets buckets;

    borders->count = 0;
    for (size_t i = 0; i < edges->count; i++)
        boxes[i] = let_box_of(edges->items[i].a, edges->items[i].b);
    let_buckets_init(&buckets, boxes, edges->count);
    for (size_t i = 0; i < edges->count; i++) {
        const struct let_edge *e = &edges->items[i];
        int left, right;

        if (e->a.x == e->b.x) {
            right = winding_right(edges, i, &buckets);
            left = right + e->weight;
        } else {
            left = winding_above(edges, i, &buckets);
            right = left - e->weight;
        }
        if (filled(left, rule) == filled(right, rule))
            continue;
        borders->items = let_grow(borders->items, &borders->capacity, borders->count + 1,
                                  sizeof(*borders->items));
        borders->items[borders->count++] =
            filled(left, rule) ? (struct border){e->a, e->b} : (struct border){e->b, e->a};
    }
    let_buckets_done(&buckets);
    free(boxes);
    if (borders->count)
        qsort(borders->items, borders->count, sizeof(*borders->items), border_order);
}

static void add_diamond(struct let_edges *edges, struct let_point p, int64_t radius)
{
    struct let_point corners[4] = {
        {p.x + radius, p.y}, {p.x, p.y + radius}, {p.x - radius, p.y}, {p.x, p.y - radius}};

    for (int i = 0; i < 4; i++)
        let_edges_add(edges, corners[i], corners[(i + 1) % 4]);
}

/* Make `edges` the border with a diamond over each point it passes more than once.
 * Returns false, and leaves `edges` alone, when there is no such point. */
static bool weld(const struct borders *borders, struct let_edges *edges, int64_t radius)
{
    bool pinched = false;

    for (size_t i = 1; i < borders->count && !pinched; i++)
        pinched = let_same(borders->items[i - 1].from, borders->items[i].from);
    if (!pinched)
        return false;
    edges->count = 0;
    for (size_t i = 0; i < borders->count; i++) {
        struct let_point from = borders->items[i].from;

        let_edges_add(edges, from, borders->items[i].to);
        if (i && let_same(borders->items[i - 1].from, from))
            add_diamond(edges, from, radius);
    }
    return true;
}

static size_t find_from(const struct borders *borders, struct let_point from)
{
    size_t low = 0, high = borders->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (let_point_order(borders->items[middle].from, from) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Close the loop in `polygon` that began at `start`, without points that lie on a line. */
static void close_straightened(struct let_polygon *polygon, size_t start)
{
    struct let_point *p = polygon->points + start;
    size_t count = polygon->count - start, kept = 0;
    struct let_point last = p[count - 1];

    for (size_t i = 0; i < count; i++) {
        struct let_point here = p[i], next = i + 1 < count ? p[i + 1] : p[0];

        /* `last` is the last point kept, or the one before the first: the first point kept makes
         * the same line with it, so one round is enough */
        if (!let_orient(last, here, next))
            continue;
        last = p[kept++] = here;
    }
    polygon->count = start + kept;
    let_polygon_close(polygon);
}

static void chain(const struct borders *borders, struct let_polygon *out)
{
    bool *used = let_alloc(borders->count, sizeof(*used));

    for (size_t i = 0; i < borders->count; i++) {
        size_t start = out->count;

        if (used[i])
            continue;
        for (size_t at = i; !used[at]; at = find_from(borders, borders->items[at].to)) {
            used[at] = true;
            let_polygon_add(out, borders->items[at].from);
        }
        close_straightened(out, start);
    }
    free(used);
}

int let_polygon_clean(const struct let_polygon *in, enum let_rule rule, struct let_polygon *ret_out)
{
    struct let_edges edges = {0};
    struct borders borders = {0};
    int64_t radius = FIRST_WELD;
    int status = -1;

    for (size_t loop = 0; loop < in->loops; loop++) {
        struct let_point last = in->points[in->ends[loop] - 1];

        for (size_t i = let_polygon_start(in, loop); i < in->ends[loop]; i++) {
            let_edges_add(&edges, last, in->points[i]);
            last = in->points[i];
        }
    }
    for (int round = 0; round < MAX_WELDS; round++, radius *= 2) {
        if (let_snap(&edges) < 0)
            break;
        find_borders(&edges, rule, &borders);
        rule = LET_NONZERO; /* from here on the input is the border itself */
        if (!weld(&borders, &edges, radius)) {
            chain(&borders, ret_out);
            status = 0;
            break;
        }
    }
    let_edges_done(&edges);
    free(borders.items);
    return status;
}
