/* SPDX-License-Identifier: MIT */
/* Constrained triangulation of polygons with holes.
 *
 * The points are triangulated, the polygon's edges forced in (delaunay.c), and what is inside is
 * found by flooding from the outside: crossing a polygon edge changes sides. The result is checked
 * before it is handed out: the number of triangles must be the one Euler's formula gives and the
 * areas must add up, so a polygon that is not clean is an error here and never a broken mesh. */
#include "triangulate.h"

#include <stdlib.h>

#include "alloc.h"
#include "delaunay.h"

/* Mark each triangle 1 = inside, 0 = outside. */
static void flood(const struct let_delaunay *mesh, signed char *inside)
{
    int *stack = let_alloc((size_t)mesh->count, sizeof(*stack));
    int depth = 0;

    for (int t = 0; t < mesh->count; t++)
        inside[t] = -1;
    stack[depth++] = mesh->any[mesh->point_count]; /* at a corner of the enclosing triangle */
    inside[stack[0]] = 0;
    while (depth) {
        int t = stack[--depth];

        for (int i = 0; i < 3; i++) {
            int u = mesh->items[t].n[i];

            if (u < 0 || inside[u] >= 0)
                continue;
            inside[u] = (signed char)(mesh->items[t].fixed[i] ? !inside[t] : inside[t]);
            stack[depth++] = u;
        }
    }
    free(stack);
}

/* Copy the inside out. Returns -1 when their number or area is not the polygon's. */
static int collect(const struct let_polygon *polygon, const struct let_delaunay *mesh,
                   const signed char *inside, struct let_triangles *triangles)
{
    int64_t area = 0, expected = 0;
    size_t holes = 0;

    for (size_t loop = 0; loop < polygon->loops; loop++) {
        int64_t part = let_polygon_area2(polygon, loop);

        expected += part;
        holes += part < 0;
    }
    triangles->items = let_alloc((size_t)mesh->count, sizeof(*triangles->items));
    triangles->count = 0;
    for (int t = 0; t < mesh->count; t++) {
        const int *v = mesh->items[t].v;

        if (inside[t] != 1)
            continue;
        for (int i = 0; i < 3; i++) {
            if (v[i] >= mesh->point_count)
                return -1;
            triangles->items[triangles->count][i] = v[i];
        }
        triangles->count++;
        area += let_orient(polygon->points[v[0]], polygon->points[v[1]], polygon->points[v[2]]);
    }
    if (area != expected || triangles->count != polygon->count + 4 * holes - 2 * polygon->loops)
        return -1;
    return 0;
}

int let_triangulate(const struct let_polygon *polygon, struct let_triangles *ret_triangles)
{
    struct let_triangles triangles = {0};
    struct let_delaunay mesh;
    signed char *inside;
    int status = 0;

    *ret_triangles = triangles;
    if (!polygon->count)
        return 0;
    let_delaunay_init(&mesh, polygon->points, (int)polygon->count);
    for (size_t loop = 0; loop < polygon->loops && !status; loop++) {
        size_t last = polygon->ends[loop] - 1;

        for (size_t i = let_polygon_start(polygon, loop); i < polygon->ends[loop] && !status; i++) {
            status = let_delaunay_fix(&mesh, (int)last, (int)i);
            last = i;
        }
    }
    if (!status) {
        let_delaunay_restore(&mesh);
        inside = let_alloc((size_t)mesh.count, sizeof(*inside));
        flood(&mesh, inside);
        status = collect(polygon, &mesh, inside, &triangles);
        free(inside);
    }
    let_delaunay_done(&mesh);
    if (status) {
        free(triangles.items);
        return -1;
    }
    *ret_triangles = triangles;
    return 0;
}
