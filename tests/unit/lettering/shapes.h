/* SPDX-License-Identifier: MIT */
/* Shapes and checks that the lettering tests share. */
#ifndef LET_TEST_SHAPES_H
#define LET_TEST_SHAPES_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

#include "polygon.h"

/* xorshift64*: the same numbers on every machine. */
static inline uint64_t shape_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545F4914F6CDD1DULL >> 16;
}

static inline void shape_loop(struct let_polygon *polygon, const int (*points)[2], size_t count)
{
    for (size_t i = 0; i < count; i++)
        let_polygon_add(polygon, (struct let_point){points[i][0], points[i][1]});
    let_polygon_close(polygon);
}

#define SHAPE_LOOP(polygon, ...)                                                                   \
    do {                                                                                           \
        static const int shape_points[][2] = {__VA_ARGS__};                                        \
        shape_loop(polygon, shape_points, sizeof(shape_points) / sizeof(shape_points[0]));         \
    } while (0)

static inline void shape_rectangle(struct let_polygon *polygon, int x0, int y0, int x1, int y1)
{
    const int points[4][2] = {{x0, y0}, {x1, y0}, {x1, y1}, {x0, y1}};

    shape_loop(polygon, points, 4);
}

static inline int64_t shape_area2(const struct let_polygon *polygon)
{
    int64_t area = 0;

    for (size_t loop = 0; loop < polygon->loops; loop++)
        area += let_polygon_area2(polygon, loop);
    return area;
}

/* Winding number of a point given in half units, so that it can be off every grid line. */
static inline int shape_winding(const struct let_polygon *polygon, struct let_point p2)
{
    int winding = 0;

    for (size_t loop = 0; loop < polygon->loops; loop++) {
        struct let_point a = polygon->points[polygon->ends[loop] - 1];

        for (size_t i = let_polygon_start(polygon, loop); i < polygon->ends[loop]; i++) {
            struct let_point b = polygon->points[i];
            struct let_point a2 = {2 * a.x, 2 * a.y}, b2 = {2 * b.x, 2 * b.y};

            if (a2.y <= p2.y && b2.y > p2.y && let_orient(a2, b2, p2) > 0)
                winding++;
            if (a2.y > p2.y && b2.y <= p2.y && let_orient(a2, b2, p2) < 0)
                winding--;
            a = b;
        }
    }
    return winding;
}

/* What let_polygon_clean() promises: no two edges share a point but the one that joins them. */
static inline void shape_assert_clean(const struct let_polygon *polygon)
{
    size_t count = polygon->count;
    size_t *next = calloc(count + 1, sizeof(*next));

    assert_non_null(next);
    for (size_t loop = 0; loop < polygon->loops; loop++) {
        size_t start = let_polygon_start(polygon, loop);

        assert_true(polygon->ends[loop] >= start + 3);
        for (size_t i = start; i < polygon->ends[loop]; i++)
            next[i] = i + 1 < polygon->ends[loop] ? i + 1 : start;
    }
    for (size_t i = 0; i < count; i++) {
        const struct let_point *p = polygon->points;

        assert_int_not_equal(let_orient(p[i], p[next[i]], p[next[next[i]]]), 0);
        for (size_t j = i + 1; j < count; j++)
            if (next[i] != j && next[j] != i)
                assert_false(let_touch(p[i], p[next[i]], p[j], p[next[j]]));
    }
    free(next);
}

#endif
