/* SPDX-License-Identifier: MIT */
/* Points on the integer grid and the exact predicates on them.
 *
 * Coordinates stay within +-2^27, so a cross product of two differences fits int64_t. All decisions
 * about shape are made here, in integers: none depends on rounding. */
#ifndef LET_GEOM_H
#define LET_GEOM_H

#include <stdbool.h>
#include <stdint.h>

struct let_point {
    int64_t x, y; /* grid units */
};

struct let_box {
    int64_t x0, y0, x1, y1; /* grid units, inclusive; empty when x0 > x1 */
};

static inline bool let_same(struct let_point a, struct let_point b)
{
    return a.x == b.x && a.y == b.y;
}

/* Order by x, then y. */
static inline int let_point_order(struct let_point a, struct let_point b)
{
    if (a.x != b.x)
        return a.x < b.x ? -1 : 1;
    return a.y == b.y ? 0 : (a.y < b.y ? -1 : 1);
}

/* Twice the area of a, b, c: > 0 when c is to the left of a -> b, 0 when on its line. */
static inline int64_t let_orient(struct let_point a, struct let_point b, struct let_point c)
{
    return (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);
}

static inline int64_t let_dot(struct let_point a, struct let_point b, struct let_point c)
{
    return (b.x - a.x) * (c.x - a.x) + (b.y - a.y) * (c.y - a.y);
}

static inline int let_sign(int64_t value)
{
    return (value > 0) - (value < 0);
}

static inline int64_t let_min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t let_max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static inline struct let_box let_box_of(struct let_point a, struct let_point b)
{
    return (struct let_box){let_min(a.x, b.x), let_min(a.y, b.y), let_max(a.x, b.x),
                            let_max(a.y, b.y)};
}

/* Do the boxes share a point, their borders included? */
static inline bool let_box_meet(struct let_box a, struct let_box b)
{
    return a.x0 <= b.x1 && b.x0 <= a.x1 && a.y0 <= b.y1 && b.y0 <= a.y1;
}

/* Do the segments cross at one point inside both? */
static inline bool let_cross(struct let_point a, struct let_point b, struct let_point c,
                             struct let_point d)
{
    return let_sign(let_orient(a, b, c)) * let_sign(let_orient(a, b, d)) < 0 &&
           let_sign(let_orient(c, d, a)) * let_sign(let_orient(c, d, b)) < 0;
}

/* Do the closed segments share any point? */
static inline bool let_touch(struct let_point a, struct let_point b, struct let_point c,
                             struct let_point d)
{
    return let_box_meet(let_box_of(a, b), let_box_of(c, d)) &&
           let_sign(let_orient(a, b, c)) * let_sign(let_orient(a, b, d)) <= 0 &&
           let_sign(let_orient(c, d, a)) * let_sign(let_orient(c, d, b)) <= 0;
}

#endif
