/* SPDX-License-Identifier: MIT */
/* The inset that makes the bevel.
 *
 * Each point moves along the mitre of its two edges. The moved border is then checked exactly: no
 * two edges may touch, none may turn round, and the "spokes" from old to new place may cross
 * neither the old border nor the new one. Points to blame get a smaller width, their neighbours
 * along the border no more than a gentle slope above it, and the check runs again. With all widths
 * 0 the inset is the polygon itself, which is clean, so the loop always ends with something valid:
 * at worst a bevel that fades out where strokes are thinner than twice its width.
 * Points keep their number and order, so walls and caps share all their edges (solid.c). */
#include "bevel.h"

#include <math.h>
#include <stdlib.h>

#include "alloc.h"
#include "buckets.h"

#define MITRE_LIMIT 2.5
#define SHRINK 0.7    /* of the width of a blamed point, each round */
#define PATIENCE 12   /* rounds before a blamed point goes to 0 */
#define MAX_ROUNDS 64 /* before all go to 0 */
#define SLOPE 0.5     /* change of width per distance along the border */

struct vector {
    double x, y;
};

enum kind {
    EDGE,  /* of the inset, from point i to next[i] */
    SPOKE, /* the way of point i */
    BORDER /* of the polygon, from point i to next[i] */
};

struct segment {
    struct let_point a, b;
    size_t i;
    enum kind kind;
};

struct inset {
    const struct let_polygon *from;
    struct let_point *to; /* where the points went */
    size_t *next;         /* the point after each, round its loop */
    struct vector *mitre; /* per unit of width */
    double *width;        /* per point */
    bool *blamed;
    struct segment *segments;
    struct let_box *boxes; /* of the segments */
    size_t segment_count;
};

static struct vector unit(struct let_point a, struct let_point b)
{
    double x = (double)(b.x - a.x), y = (double)(b.y - a.y), length = hypot(x, y);

    return (struct vector){x / length, y / length};
}

/* Way of a corner whose edges, of directions `in` and `out`, both move left by 1. */
static struct vector mitre_of(struct vector in, struct vector out)
{
    struct vector sum = {-in.y - out.y, in.x + out.x};
    double length = hypot(sum.x, sum.y), reach;

    if (length < 1e-6) { /* a needle: its tip goes back, or on where the needle is cut out */
        double turn = in.x * out.y - in.y * out.x;

        sum = (struct vector){turn < 0 ? in.x : -in.x, turn < 0 ? in.y : -in.y};
        length = 1;
        reach = MITRE_LIMIT;
    } else {
        reach = fmin(2 / length, MITRE_LIMIT); /* 1 / cos of half the turn */
    }
    return (struct vector){sum.x / length * reach, sum.y / length * reach};
}

static void prepare(struct inset *inset, const struct let_polygon *polygon, double width)
{
    size_t count = polygon->count;

    *inset = (struct inset){.from = polygon,
                            .to = let_alloc(count, sizeof(*inset->to)),
                            .next = let_alloc(count, sizeof(*inset->next)),
                            .mitre = let_alloc(count, sizeof(*inset->mitre)),
                            .width = let_alloc(count, sizeof(*inset->width)),
                            .blamed = let_alloc(count, sizeof(*inset->blamed)),
                            .segments = let_alloc(3 * count, sizeof(*inset->segments))};
    inset->boxes = let_alloc(3 * count, sizeof(*inset->boxes));
    for (size_t loop = 0; loop < polygon->loops; loop++) {
        size_t start = let_polygon_start(polygon, loop), end = polygon->ends[loop];
        size_t last = end - 1;

        for (size_t i = start; i < end; last = i++) {
            const struct let_point *p = polygon->points;

            inset->next[i] = i + 1 < end ? i + 1 : start;
            inset->mitre[i] = mitre_of(unit(p[last], p[i]), unit(p[i], p[inset->next[i]]));
            inset->width[i] = width;
        }
    }
}

static void done(struct inset *inset)
{
    free(inset->to);
    free(inset->next);
    free(inset->mitre);
    free(inset->width);
    free(inset->blamed);
    free(inset->segments);
    free(inset->boxes);
}

static void move_points(struct inset *inset)
{
    for (size_t i = 0; i < inset->from->count; i++) {
        struct let_point p = inset->from->points[i];

        inset->to[i] = (struct let_point){p.x + llround(inset->mitre[i].x * inset->width[i]),
                                          p.y + llround(inset->mitre[i].y * inset->width[i])};
    }
}

static void add_segment(struct inset *inset, struct let_point a, struct let_point b, size_t i,
                        enum kind kind)
{
    inset->boxes[inset->segment_count] = let_box_of(a, b);
    inset->segments[inset->segment_count++] = (struct segment){a, b, i, kind};
}

static void collect_segments(struct inset *inset)
{
    const struct let_point *from = inset->from->points, *to = inset->to;

    inset->segment_count = 0;
    for (size_t i = 0; i < inset->from->count; i++) {
        add_segment(inset, from[i], from[inset->next[i]], i, BORDER);
        add_segment(inset, to[i], to[inset->next[i]], i, EDGE);
        if (!let_same(from[i], to[i]))
            add_segment(inset, from[i], to[i], i, SPOKE);
    }
}

/* Blame the points that decide where a segment is; the border cannot help it. */
static void blame(struct inset *inset, const struct segment *segment)
{
    if (segment->kind != BORDER)
        inset->blamed[segment->i] = true;
    if (segment->kind == EDGE)
        inset->blamed[inset->next[segment->i]] = true;
}

/* Must these two keep apart? Not when they are joined at a point. */
static bool apart(const struct inset *inset, const struct segment *s, const struct segment *t)
{
    if (s->kind == SPOKE && t->kind == SPOKE)
        return true;
    if (s->kind == SPOKE)
        return s->i != t->i && s->i != inset->next[t->i];
    if (t->kind == SPOKE)
        return t->i != s->i && t->i != inset->next[s->i];
    return s->kind == EDGE && t->kind == EDGE && inset->next[s->i] != t->i &&
           inset->next[t->i] != s->i;
}

/* Two edges in a row that lie on each other: the second goes back. */
static bool folded(const struct inset *inset, size_t i)
{
    struct let_point a = inset->to[i], b = inset->to[inset->next[i]];
    struct let_point c = inset->to[inset->next[inset->next[i]]];

    return !let_orient(a, b, c) && let_dot(b, a, c) > 0;
}

/* Has edge i turned round, or vanished, by moving? */
static bool reversed(const struct inset *inset, size_t i)
{
    struct let_point a = inset->from->points[i], b = inset->from->points[inset->next[i]];
    struct let_point c = inset->to[i], d = inset->to[inset->next[i]];

    return (b.x - a.x) * (d.x - c.x) + (b.y - a.y) * (d.y - c.y) <= 0;
}

/* Blame what touches and must not. Returns whether anything does. */
static bool find_touching(struct inset *inset)
{
    struct let_buckets buckets;
    bool wrong = false;

    let_buckets_init(&buckets, inset->boxes, inset->segment_count);
    for (size_t i = 0; i < inset->segment_count; i++) {
        const struct segment *s = &inset->segments[i];
        struct let_near near;
        size_t j;

        let_near_start(&near, &buckets, inset->boxes[i]);
        while (let_near_next(&near, &j)) {
            const struct segment *t = &inset->segments[j];

            if (j <= i || !apart(inset, s, t) || !let_touch(s->a, s->b, t->a, t->b))
                continue;
            wrong = true;
            blame(inset, s);
            blame(inset, t);
        }
    }
    let_buckets_done(&buckets);
    return wrong;
}

/* Find what is wrong and blame it. Returns whether anything was. */
static bool check(struct inset *inset)
{
    bool wrong = false;

    for (size_t i = 0; i < inset->from->count; i++)
        inset->blamed[i] = false;
    for (size_t i = 0; i < inset->from->count; i++)
        if (reversed(inset, i) || folded(inset, i)) {
            wrong = true;
            inset->blamed[i] = inset->blamed[inset->next[i]] = true;
            inset->blamed[inset->next[inset->next[i]]] |= folded(inset, i);
        }
    return find_touching(inset) || wrong;
}

static double length_of(const struct inset *inset, size_t i)
{
    struct let_point a = inset->from->points[i], b = inset->from->points[inset->next[i]];

    return hypot((double)(b.x - a.x), (double)(b.y - a.y));
}

/* Limit the change of width along one loop; twice each way round, because a loop has no end. */
static void slope_loop(struct inset *inset, size_t start, size_t end)
{
    for (int turn = 0; turn < 2; turn++)
        for (size_t i = start; i < end; i++) {
            double most = inset->width[i] + SLOPE * length_of(inset, i);
            size_t j = inset->next[i];

            inset->width[j] = fmin(inset->width[j], most);
        }
    for (int turn = 0; turn < 2; turn++)
        for (size_t i = end; i-- > start;) {
            double most = inset->width[inset->next[i]] + SLOPE * length_of(inset, i);

            inset->width[i] = fmin(inset->width[i], most);
        }
}

static void reduce(struct inset *inset, int round)
{
    for (size_t i = 0; i < inset->from->count; i++) {
        if (inset->blamed[i])
            inset->width[i] = round < PATIENCE ? inset->width[i] * SHRINK : 0;
        if (round == MAX_ROUNDS)
            inset->width[i] = 0;
    }
    for (size_t loop = 0; loop < inset->from->loops; loop++)
        slope_loop(inset, let_polygon_start(inset->from, loop), inset->from->ends[loop]);
}

void let_bevel(const struct let_polygon *polygon, double width, struct let_polygon *ret_inset)
{
    struct inset inset;

    prepare(&inset, polygon, width);
    for (int round = 0; round <= MAX_ROUNDS + 1; round++) {
        move_points(&inset);
        collect_segments(&inset);
        if (!check(&inset))
            break;
        reduce(&inset, round);
    }
    for (size_t loop = 0; loop < polygon->loops; loop++) {
        for (size_t i = let_polygon_start(polygon, loop); i < polygon->ends[loop]; i++)
            let_polygon_add(ret_inset, inset.to[i]);
        let_polygon_close(ret_inset);
    }
    done(&inset);
}
