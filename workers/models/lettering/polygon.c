/* SPDX-License-Identifier: MIT */
/* The container for loops, and the questions asked of it.
 *
 * Owns the arrays of struct let_polygon. Making loops valid is clean.c; this file only stores,
 * measures and compares them. Everything is exact integer arithmetic. */
#include "polygon.h"

#include <stdlib.h>

#include "alloc.h"

void let_polygon_init(struct let_polygon *polygon)
{
    *polygon = (struct let_polygon){0};
}

void let_polygon_done(struct let_polygon *polygon)
{
    free(polygon->points);
    free(polygon->ends);
    let_polygon_init(polygon);
}

void let_polygon_add(struct let_polygon *polygon, struct let_point point)
{
    polygon->points =
        let_grow(polygon->points, &polygon->capacity, polygon->count + 1, sizeof(*polygon->points));
    polygon->points[polygon->count++] = point;
}

void let_polygon_close(struct let_polygon *polygon)
{
    size_t start = polygon->loops ? polygon->ends[polygon->loops - 1] : 0;

    if (polygon->count == start)
        return;
    polygon->ends = let_grow(polygon->ends, &polygon->loops_capacity, polygon->loops + 1,
                             sizeof(*polygon->ends));
    polygon->ends[polygon->loops++] = polygon->count;
}

void let_polygon_append(struct let_polygon *polygon, const struct let_polygon *other,
                        struct let_point by)
{
    for (size_t loop = 0; loop < other->loops; loop++) {
        for (size_t i = let_polygon_start(other, loop); i < other->ends[loop]; i++) {
            struct let_point p = other->points[i];

            let_polygon_add(polygon, (struct let_point){p.x + by.x, p.y + by.y});
        }
        let_polygon_close(polygon);
    }
}

int64_t let_polygon_area2(const struct let_polygon *polygon, size_t loop)
{
    size_t start = let_polygon_start(polygon, loop);
    int64_t sum = 0;

    /* relative to the first point, which keeps the products small */
    for (size_t i = start + 1; i + 1 < polygon->ends[loop]; i++)
        sum += let_orient(polygon->points[start], polygon->points[i], polygon->points[i + 1]);
    return sum;
}

struct let_box let_polygon_box(const struct let_polygon *polygon)
{
    struct let_box box = {INT64_MAX, INT64_MAX, INT64_MIN, INT64_MIN};

    for (size_t i = 0; i < polygon->count; i++) {
        box.x0 = let_min(box.x0, polygon->points[i].x);
        box.y0 = let_min(box.y0, polygon->points[i].y);
        box.x1 = let_max(box.x1, polygon->points[i].x);
        box.y1 = let_max(box.y1, polygon->points[i].y);
    }
    return box;
}

/* Is `p` inside a clean polygon? Its border is not asked for. */
static bool contains(const struct let_polygon *polygon, struct let_point p)
{
    bool inside = false;

    for (size_t loop = 0; loop < polygon->loops; loop++) {
        size_t start = let_polygon_start(polygon, loop);
        size_t end = polygon->ends[loop];
        struct let_point a = polygon->points[end - 1];

        for (size_t i = start; i < end; i++) {
            struct let_point b = polygon->points[i];

            if ((a.y <= p.y) != (b.y <= p.y)) {
                int64_t side = let_orient(a, b, p);

                if (b.y > a.y ? side > 0 : side < 0)
                    inside = !inside;
            }
            a = b;
        }
    }
    return inside;
}

static bool edge_meets(const struct let_polygon *polygon, struct let_point a, struct let_point b)
{
    for (size_t loop = 0; loop < polygon->loops; loop++) {
        struct let_point c = polygon->points[polygon->ends[loop] - 1];

        for (size_t i = let_polygon_start(polygon, loop); i < polygon->ends[loop]; i++) {
            struct let_point d = polygon->points[i];

            if (let_touch(a, b, c, d))
                return true;
            c = d;
        }
    }
    return false;
}

static struct let_point moved(struct let_point p, struct let_point by, int sign)
{
    return (struct let_point){p.x + sign * by.x, p.y + sign * by.y};
}

bool let_polygon_meet(const struct let_polygon *a, const struct let_polygon *b, struct let_point by)
{
    struct let_box box = let_polygon_box(a);

    for (size_t loop = 0; loop < b->loops; loop++) {
        struct let_point p = moved(b->points[b->ends[loop] - 1], by, 1);

        if (contains(a, p))
            return true;
        for (size_t i = let_polygon_start(b, loop); i < b->ends[loop]; i++) {
            struct let_point q = moved(b->points[i], by, 1);

            if (let_box_meet(box, let_box_of(p, q)) && edge_meets(a, p, q))
                return true;
            p = q;
        }
    }
    for (size_t loop = 0; loop < a->loops; loop++)
        if (contains(b, moved(a->points[a->ends[loop] - 1], by, -1)))
            return true;
    return false;
}
