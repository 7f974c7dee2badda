/* SPDX-License-Identifier: MIT */
/* Constrained Delaunay triangulation in exact integers.
 *
 * Points go in one by one (walk to the triangle, split it, flip what is no longer Delaunay:
 * Lawson 1977); edges are forced in by flipping what crosses them (Sloan 1993). The enclosing
 * triangle is far enough away that each point is strictly inside. The predicates are exact:
 * orientation in 64 bits, in-circle in 128, so no input can make it loop or overlap.
 * Coordinates within +-2^27 need 2^30 for the corners and 2^124 for in-circle.
 * What is inside a polygon and what is not is decided in triangulate.c. */
#include "delaunay.h"

#include <stdlib.h>
#include <string.h>

#include "alloc.h"

static int next3(int i)
{
    return i == 2 ? 0 : i + 1;
}

static int before3(int i)
{
    return i ? i - 1 : 2;
}

static int64_t orient(const struct let_delaunay *mesh, int a, int b, int c)
{
    return let_orient(mesh->points[a], mesh->points[b], mesh->points[c]);
}

/* Is point d strictly inside the circle through a, b, c (counter-clockwise)? */
static bool in_circle(const struct let_delaunay *mesh, int a, int b, int c, int d)
{
    struct let_point o = mesh->points[d];
    int64_t ax = mesh->points[a].x - o.x, ay = mesh->points[a].y - o.y;
    int64_t bx = mesh->points[b].x - o.x, by = mesh->points[b].y - o.y;
    int64_t cx = mesh->points[c].x - o.x, cy = mesh->points[c].y - o.y;
    __int128 sum = (__int128)(ax * ax + ay * ay) * (bx * cy - by * cx);

    sum += (__int128)(bx * bx + by * by) * (cx * ay - cy * ax);
    sum += (__int128)(cx * cx + cy * cy) * (ax * by - ay * bx);
    return sum > 0;
}

/* The place in triangle `t` of its neighbour `other`. */
static int side_of(const struct let_delaunay *mesh, int t, int other)
{
    const struct let_triangle *it = &mesh->items[t];

    return it->n[0] == other ? 0 : (it->n[1] == other ? 1 : 2);
}

/* Tell triangle `t` (may be -1) that its neighbour `was` is now `is`. */
static void relink(struct let_delaunay *mesh, int t, int was, int is)
{
    if (t >= 0)
        mesh->items[t].n[side_of(mesh, t, was)] = is;
}

static void set(struct let_delaunay *mesh, int t, const int v[3], const int n[3],
                const bool fixed[3])
{
    struct let_triangle *it = &mesh->items[t];

    for (int i = 0; i < 3; i++) {
        it->v[i] = v[i];
        it->n[i] = n[i];
        it->fixed[i] = fixed[i];
        mesh->any[v[i]] = t;
    }
}

static int new_triangle(struct let_delaunay *mesh)
{
    return mesh->count++; /* let_delaunay_init() made room for all there can be */
}

static void push(struct let_delaunay *mesh, int t)
{
    mesh->stack = let_grow(mesh->stack, &mesh->stack_capacity, (size_t)mesh->stack_count + 1,
                           sizeof(*mesh->stack));
    mesh->stack[mesh->stack_count++] = t;
}

/* Turn the diagonal opposite v[i] of triangle `t`. After: the point that was v[i] is v[0] of both
 * `t` and the triangle returned, which share the new diagonal. */
static int flip(struct let_delaunay *mesh, int t, int i)
{
    struct let_triangle one = mesh->items[t];
    int u = one.n[i], j = side_of(mesh, u, t);
    struct let_triangle two = mesh->items[u];
    int p = one.v[i], a = one.v[next3(i)], b = one.v[before3(i)], d = two.v[j];
    int pa = before3(i), pb = next3(i), ad = next3(j), db = before3(j);

    set(mesh, t, (int[]){p, a, d}, (int[]){two.n[ad], u, one.n[pa]},
        (bool[]){two.fixed[ad], false, one.fixed[pa]});
    set(mesh, u, (int[]){p, d, b}, (int[]){two.n[db], one.n[pb], t},
        (bool[]){two.fixed[db], one.fixed[pb], false});
    relink(mesh, two.n[ad], u, t);
    relink(mesh, one.n[pb], t, u);
    return u;
}

/* Should the edge opposite v[i] of `t` be flipped? */
static bool is_bad(const struct let_delaunay *mesh, int t, int i)
{
    const struct let_triangle *it = &mesh->items[t];
    int u = it->n[i];

    return u >= 0 && !it->fixed[i] &&
           in_circle(mesh, it->v[0], it->v[1], it->v[2], mesh->items[u].v[side_of(mesh, u, t)]);
}

/* Flip around the new point, which is v[0] of each triangle on the stack, until Delaunay. */
static void legalize(struct let_delaunay *mesh)
{
    while (mesh->stack_count) {
        int t = mesh->stack[--mesh->stack_count];

        if (is_bad(mesh, t, 0)) {
            push(mesh, flip(mesh, t, 0));
            push(mesh, t);
        }
    }
}

/* Walk to the triangle that holds p. ret_side: the edge it is on, or -1. In a Delaunay
 * triangulation the walk cannot go round in circles. */
static int locate(const struct let_delaunay *mesh, int p, int *ret_side)
{
    int t = mesh->recent;

    for (;;) {
        const struct let_triangle *it = &mesh->items[t];
        int out = -1;

        *ret_side = -1;
        for (int i = 0; i < 3 && out < 0; i++) {
            int64_t side = orient(mesh, it->v[next3(i)], it->v[before3(i)], p);

            if (side < 0)
                out = i;
            else if (!side)
                *ret_side = i;
        }
        if (out < 0)
            return t;
        t = it->n[out];
    }
}

static const bool loose[3] = {false, false, false};

/* p is inside t: three triangles instead of one. */
static void split_triangle(struct let_delaunay *mesh, int t, int p)
{
    struct let_triangle old = mesh->items[t];
    int parts[3] = {t, new_triangle(mesh), new_triangle(mesh)};

    for (int i = 0; i < 3; i++) {
        int after = parts[next3(i)], earlier = parts[before3(i)];

        set(mesh, parts[i], (int[]){p, old.v[next3(i)], old.v[before3(i)]},
            (int[]){old.n[i], after, earlier}, loose);
        relink(mesh, old.n[i], t, parts[i]);
        push(mesh, parts[i]);
    }
}

/* p is on the edge of t opposite v[i]: four triangles instead of two. */
static void split_edge(struct let_delaunay *mesh, int t, int i, int p)
{
    struct let_triangle one = mesh->items[t];
    int u = one.n[i], j = side_of(mesh, u, t);
    struct let_triangle two = mesh->items[u];
    int c = one.v[i], a = one.v[next3(i)], b = one.v[before3(i)], d = two.v[j];
    int t2 = new_triangle(mesh), u2 = new_triangle(mesh);

    /* around p: (c,a) in t, (b,c) in t2, (d,b) in u, (a,d) in u2 */
    set(mesh, t, (int[]){p, c, a}, (int[]){one.n[before3(i)], u2, t2}, loose);
    set(mesh, t2, (int[]){p, b, c}, (int[]){one.n[next3(i)], t, u}, loose);
    set(mesh, u, (int[]){p, d, b}, (int[]){two.n[before3(j)], t2, u2}, loose);
    set(mesh, u2, (int[]){p, a, d}, (int[]){two.n[next3(j)], u, t}, loose);
    relink(mesh, one.n[next3(i)], t, t2);
    relink(mesh, two.n[next3(j)], u, u2);
    push(mesh, t);
    push(mesh, t2);
    push(mesh, u);
    push(mesh, u2);
}

void let_delaunay_init(struct let_delaunay *mesh, const struct let_point *points, int count)
{
    struct let_point low = points[0], high = points[0];
    int64_t span;

    *mesh = (struct let_delaunay){.point_count = count};
    mesh->points = let_alloc((size_t)count + 3, sizeof(*points));
    memcpy(mesh->points, points, (size_t)count * sizeof(*points));
    for (int i = 1; i < count; i++) {
        low = (struct let_point){let_min(low.x, points[i].x), let_min(low.y, points[i].y)};
        high = (struct let_point){let_max(high.x, points[i].x), let_max(high.y, points[i].y)};
    }
    span = let_max(high.x - low.x, high.y - low.y) + 1;
    mesh->points[count] = (struct let_point){low.x - span, low.y - span};
    mesh->points[count + 1] = (struct let_point){low.x + 4 * span, low.y - span};
    mesh->points[count + 2] = (struct let_point){low.x - span, low.y + 4 * span};

    mesh->items = let_alloc(2 * (size_t)count + 1, sizeof(*mesh->items));
    mesh->any = let_alloc((size_t)count + 3, sizeof(*mesh->any));
    set(mesh, new_triangle(mesh), (int[]){count, count + 1, count + 2}, (int[]){-1, -1, -1}, loose);
    for (int p = 0; p < count; p++) {
        int side, t = locate(mesh, p, &side);

        if (side < 0)
            split_triangle(mesh, t, p);
        else
            split_edge(mesh, t, side, p);
        legalize(mesh);
        mesh->recent = mesh->any[p];
    }
}

void let_delaunay_done(struct let_delaunay *mesh)
{
    free(mesh->points);
    free(mesh->items);
    free(mesh->any);
    free(mesh->stack);
    *mesh = (struct let_delaunay){0};
}

/* The triangle that has the directed edge x -> y; ret_side: the place of its third point.
 * Returns -1 when there is none. x must not be a corner of the enclosing triangle. */
static int find_edge(const struct let_delaunay *mesh, int x, int y, int *ret_side)
{
    int first = mesh->any[x], t = first;

    do {
        const struct let_triangle *it = &mesh->items[t];
        int i = it->v[0] == x ? 0 : (it->v[1] == x ? 1 : 2);

        if (it->v[next3(i)] == y) {
            *ret_side = before3(i);
            return t;
        }
        t = it->n[next3(i)]; /* across the edge v[before3(i)] -> x */
    } while (t != first && t >= 0);
    return -1;
}

/* The edge x-y in either direction; one of its ends is inside the enclosing triangle. */
static int find_either(const struct let_delaunay *mesh, int x, int y, int *ret_side)
{
    if (x < mesh->point_count)
        return find_edge(mesh, x, y, ret_side);
    return find_edge(mesh, y, x, ret_side);
}

/* The triangle at a through whose far edge the segment a -> b leaves; -1 = none. */
static int first_crossed(const struct let_delaunay *mesh, int a, int b, int *ret_side)
{
    int first = mesh->any[a], t = first;

    do {
        const struct let_triangle *it = &mesh->items[t];
        int i = it->v[0] == a ? 0 : (it->v[1] == a ? 1 : 2);

        if (orient(mesh, a, it->v[next3(i)], b) > 0 && orient(mesh, a, it->v[before3(i)], b) < 0) {
            *ret_side = i;
            return t;
        }
        t = it->n[next3(i)];
    } while (t != first && t >= 0);
    return -1;
}

struct pair {
    int x, y;
};

struct queue {
    struct pair *items;
    size_t first, count, capacity;
};

static void enqueue(struct queue *queue, int x, int y)
{
    queue->items =
        let_grow(queue->items, &queue->capacity, queue->count + 1, sizeof(*queue->items));
    queue->items[queue->count++] = (struct pair){x, y};
}

/* All edges that a -> b crosses. */
static int find_crossed(const struct let_delaunay *mesh, int a, int b, struct queue *crossed)
{
    int i, t = first_crossed(mesh, a, b, &i);

    while (t >= 0) {
        const struct let_triangle *it = &mesh->items[t];
        int u = it->n[i], right = it->v[next3(i)], left = it->v[before3(i)], j, d;
        int64_t side;

        if (it->fixed[i] || u < 0)
            return -1;
        enqueue(crossed, right, left);
        j = side_of(mesh, u, t);
        d = mesh->items[u].v[j];
        if (d == b)
            return 0;
        side = orient(mesh, a, b, d);
        if (!side)
            return -1;
        /* in u the edge is left -> right: d, left, right counter-clockwise */
        i = side > 0 ? next3(j) : before3(j);
        t = u;
    }
    return -1;
}

/* Flip the crossed edges away; one whose four points are not convex waits for the others. */
static int remove_crossed(struct let_delaunay *mesh, int a, int b, struct queue *crossed)
{
    size_t patience = 64 + crossed->count * crossed->count * 8;

    while (crossed->first < crossed->count) {
        struct pair edge = crossed->items[crossed->first++];
        int i, t = find_either(mesh, edge.x, edge.y, &i), p, d;

        if (t < 0 || !patience--)
            return -1;
        p = mesh->items[t].v[i];
        d = mesh->items[mesh->items[t].n[i]].v[side_of(mesh, mesh->items[t].n[i], t)];
        if (let_sign(orient(mesh, p, d, edge.x)) * let_sign(orient(mesh, p, d, edge.y)) >= 0) {
            enqueue(crossed, edge.x, edge.y);
            continue;
        }
        (void)flip(mesh, t, i);
        if (p != a && p != b && d != a && d != b &&
            let_sign(orient(mesh, a, b, p)) * let_sign(orient(mesh, a, b, d)) < 0)
            enqueue(crossed, p, d);
    }
    return 0;
}

int let_delaunay_fix(struct let_delaunay *mesh, int a, int b)
{
    struct queue crossed = {0};
    int i, t = find_edge(mesh, a, b, &i), status = 0;

    if (t < 0) {
        status = find_crossed(mesh, a, b, &crossed);
        if (!status)
            status = remove_crossed(mesh, a, b, &crossed);
        free(crossed.items);
        t = status ? -1 : find_edge(mesh, a, b, &i);
    }
    if (t < 0)
        return -1;
    mesh->items[t].fixed[i] = true;
    t = find_edge(mesh, b, a, &i);
    if (t >= 0)
        mesh->items[t].fixed[i] = true;
    return 0;
}

void let_delaunay_restore(struct let_delaunay *mesh)
{
    bool changed = true;

    while (changed) {
        changed = false;
        for (int t = 0; t < mesh->count; t++)
            for (int i = 0; i < 3; i++)
                if (is_bad(mesh, t, i)) {
                    (void)flip(mesh, t, i);
                    changed = true;
                }
    }
}
