/* SPDX-License-Identifier: MIT */
/* Extrusion.
 *
 * The surface is a stack of rings, each the polygon or its inset at some z, front to back, joined
 * by bands of two triangles an edge, and closed by two caps. All of it uses the same points, so
 * that neighbours share whole edges and the solid is closed whatever the polygon looks like.
 * Front, back, walls and bevels meet in hard edges; along a band the normals are shared across
 * edges that turn less than the crease angle when the profile asks for it.
 * Positions are grid integers here: moving and scaling them is scene.c's work and is exact. */
#include "solid.h"

#include <math.h>
#include <stdlib.h>

#include "alloc.h"
#include "bevel.h"
#include "triangulate.h"

#define CREASE_COSINE 0.766 /* cos 40 degrees */

struct ring {
    const struct let_polygon *polygon;
    double z;
};

struct band {
    const struct let_polygon *outline; /* whose edges say where the wall faces */
    struct ring upper, lower;
    double rise;  /* metres in z over which the wall leans, 0 = upright */
    double front; /* which way it leans: 1, 0 or -1 in z */
};

void let_solid_init(struct let_solid *solid)
{
    *solid = (struct let_solid){0};
}

void let_solid_done(struct let_solid *solid)
{
    free(solid->vertices);
    free(solid->indices);
    let_solid_init(solid);
}

static uint32_t add_vertex(struct let_solid *solid, struct let_point p, double z,
                           const double normal[3])
{
    double length = sqrt(normal[0] * normal[0] + normal[1] * normal[1] + normal[2] * normal[2]);

    solid->vertices = let_grow(solid->vertices, &solid->vertex_capacity, solid->vertex_count + 1,
                               sizeof(*solid->vertices));
    solid->vertices[solid->vertex_count] = (struct let_vertex){
        (int32_t)p.x,
        (int32_t)p.y,
        (float)z,
        {(float)(normal[0] / length), (float)(normal[1] / length), (float)(normal[2] / length)}};
    return (uint32_t)solid->vertex_count++;
}

static void add_triangle(struct let_solid *solid, uint32_t a, uint32_t b, uint32_t c)
{
    solid->indices = let_grow(solid->indices, &solid->index_capacity, solid->index_count + 3,
                              sizeof(*solid->indices));
    solid->indices[solid->index_count++] = a;
    solid->indices[solid->index_count++] = b;
    solid->indices[solid->index_count++] = c;
}

/* The face at `ring`, looking to +z (side 1) or -z (side -1). */
static void add_cap(struct let_solid *solid, const struct ring *ring,
                    const struct let_triangles *triangles, int side)
{
    uint32_t first = (uint32_t)solid->vertex_count;

    for (size_t i = 0; i < ring->polygon->count; i++)
        (void)add_vertex(solid, ring->polygon->points[i], ring->z, (double[]){0, 0, side});
    for (size_t i = 0; i < triangles->count; i++) {
        const int *t = triangles->items[i];
        uint32_t a = first + (uint32_t)t[0], b = first + (uint32_t)t[1], c = first + (uint32_t)t[2];

        if (side > 0)
            add_triangle(solid, a, b, c);
        else
            add_triangle(solid, a, c, b);
    }
}

/* The direction out of the polygon at edge a -> b, of length 1. */
static void outward(struct let_point a, struct let_point b, double out[2])
{
    double x = (double)(b.y - a.y), y = (double)(a.x - b.x), length = hypot(x, y);

    out[0] = x / length;
    out[1] = y / length;
}

/* Normal of a band at point i when the wall faces `out`: it leans as far as the inset went. */
static void lean(const struct band *band, double grid, size_t i, const double out[2],
                 double normal[3])
{
    struct let_point u = band->upper.polygon->points[i], l = band->lower.polygon->points[i];
    double run = fabs((double)(u.x - l.x) * out[0] + (double)(u.y - l.y) * out[1]) * grid;

    normal[0] = band->rise > 0 ? out[0] * band->rise : out[0];
    normal[1] = band->rise > 0 ? out[1] * band->rise : out[1];
    normal[2] = band->rise > 0 ? band->front * run : 0;
}

static void add_pair(struct let_solid *solid, const struct band *band, double grid, size_t i,
                     const double out[2], uint32_t pair[2])
{
    double normal[3];

    lean(band, grid, i, out, normal);
    pair[0] = add_vertex(solid, band->upper.polygon->points[i], band->upper.z, normal);
    pair[1] = add_vertex(solid, band->lower.polygon->points[i], band->lower.z, normal);
}

/* Vertices of point i for the edge that comes (pair 0) and the one that goes (pair 1). */
static void add_corner(struct let_solid *solid, const struct band *band,
                       const struct let_profile *profile, const size_t around[3],
                       uint32_t pairs[2][2])
{
    const struct let_point *p = band->outline->points;
    double in[2], out[2], both[2];

    outward(p[around[0]], p[around[1]], in);
    outward(p[around[1]], p[around[2]], out);
    if (profile->smooth && in[0] * out[0] + in[1] * out[1] > CREASE_COSINE) {
        double length = hypot(in[0] + out[0], in[1] + out[1]);

        both[0] = (in[0] + out[0]) / length;
        both[1] = (in[1] + out[1]) / length;
        add_pair(solid, band, profile->grid, around[1], both, pairs[0]);
        pairs[1][0] = pairs[0][0];
        pairs[1][1] = pairs[0][1];
        return;
    }
    add_pair(solid, band, profile->grid, around[1], in, pairs[0]);
    add_pair(solid, band, profile->grid, around[1], out, pairs[1]);
}

/* The wall between two rings of the same loops. */
static void add_band(struct let_solid *solid, const struct band *band,
                     const struct let_profile *profile)
{
    const struct let_polygon *polygon = band->outline;
    uint32_t(*pairs)[2][2] = let_alloc(polygon->count, sizeof(*pairs));

    for (size_t loop = 0; loop < polygon->loops; loop++) {
        size_t start = let_polygon_start(polygon, loop), end = polygon->ends[loop];

        for (size_t i = start; i < end; i++)
            add_corner(solid, band, profile,
                       (size_t[]){i > start ? i - 1 : end - 1, i, i + 1 < end ? i + 1 : start},
                       pairs[i]);
        for (size_t i = start; i < end; i++) {
            const uint32_t *here = pairs[i][1], *next = pairs[i + 1 < end ? i + 1 : start][0];

            add_triangle(solid, here[1], next[1], next[0]);
            add_triangle(solid, here[1], next[0], here[0]);
        }
    }
    free(pairs);
}

int let_solid_build(const struct let_polygon *polygon, const struct let_profile *profile,
                    struct let_solid *ret_solid)
{
    double half = profile->depth / 2, edge = half - profile->bevel;
    struct let_polygon inset;
    struct let_triangles triangles;
    struct ring front = {polygon, half}, back = {polygon, -half};
    int status;

    let_polygon_init(&inset);
    if (profile->bevel > 0) {
        let_bevel(polygon, profile->bevel / profile->grid, &inset);
        front.polygon = back.polygon = &inset;
    }
    status = let_triangulate(front.polygon, &triangles);
    if (!status) {
        struct ring upper = {polygon, edge}, lower = {polygon, -edge};

        add_cap(ret_solid, &front, &triangles, 1);
        if (profile->bevel > 0)
            add_band(ret_solid, &(struct band){polygon, front, upper, profile->bevel, 1}, profile);
        add_band(ret_solid, &(struct band){polygon, upper, lower, 0, 0}, profile);
        if (profile->bevel > 0)
            add_band(ret_solid, &(struct band){polygon, lower, back, profile->bevel, -1}, profile);
        add_cap(ret_solid, &back, &triangles, -1);
    }
    free(triangles.items);
    let_polygon_done(&inset);
    return status;
}
