/* SPDX-License-Identifier: MIT */
/* The whole text as one mesh.
 *
 * Chooses the grid: a power of two metres, so fine that a letter has 2^15 steps to the em and so
 * coarse that no coordinate of the text needs more than 24 bits. Every position is then an integer
 * times a power of two and exact in a 32-bit float, so what the integer geometry guarantees
 * (closed, no triangle without area) holds in the file, at any size and any place.
 * Each glyph is cleaned once and, unless it touches another, built once; each group of touching
 * glyphs becomes one solid of its own. */
#include "scene.h"

#include <math.h>
#include <stdlib.h>

#include "alloc.h"
#include "cluster.h"
#include "solid.h"

#define EM_BITS 16           /* grid units per em: 2^15 .. 2^16 unless the text is very wide */
#define FLOAT_LIMIT 16e6     /* just below 2^24 */
#define FINE_CHORDS 3000.0   /* chord tolerance: em / this */
#define COARSE_CHORDS 1200.0 /* the same for long texts */
#define LONG_TEXT 300        /* glyphs */

struct glyph {
    uint32_t index;
    struct let_polygon shape; /* clean, grid units, origin at the pen */
    struct let_solid solid;   /* of the shape alone; built when first needed */
};

struct scene {
    const struct let_font *font;
    const struct let_events *events;
    struct let_profile profile;
    double scale;         /* grid units per font unit */
    double tolerance;     /* grid units */
    struct glyph *glyphs; /* sorted by index, one per different glyph */
    size_t glyph_count;
    struct let_instance *instances; /* one per placement that shows something */
    struct glyph **owners;          /* of the instances, same order */
    size_t instance_count;
    struct let_point shift; /* to centre the text, grid units */
};

void let_mesh_init(struct let_mesh *mesh)
{
    *mesh = (struct let_mesh){.low = {INFINITY, INFINITY, INFINITY},
                              .high = {-INFINITY, -INFINITY, -INFINITY}};
}

void let_mesh_done(struct let_mesh *mesh)
{
    free(mesh->positions);
    free(mesh->normals);
    free(mesh->indices);
    let_mesh_init(mesh);
}

static void choose_grid(struct scene *scene, const struct let_text *text,
                        const struct let_params *params)
{
    double metres = params->height / scene->font->cap_height; /* per font unit */
    double em = metres * scene->font->units_per_em;
    double reach = 0; /* font units from the origin, generously */
    double grid = exp2(floor(log2(em)) + 1 - EM_BITS);

    for (size_t i = 0; i < text->count; i++) {
        const struct let_placement *p = &text->items[i];

        reach = fmax(reach, fabs((double)p->x));
        reach = fmax(reach, fabs((double)p->y));
    }
    reach += 8 * scene->font->units_per_em +
             (double)let_max(llabs(scene->font->ascent), llabs(scene->font->descent));
    while (reach * metres / grid > FLOAT_LIMIT)
        grid *= 2;
    scene->profile.grid = grid;
    scene->scale = metres / grid;
    scene->tolerance = em / grid / (text->count > LONG_TEXT ? COARSE_CHORDS : FINE_CHORDS);
}

static int glyph_order(const void *left, const void *right)
{
    const struct glyph *a = left, *b = right;

    return a->index < b->index ? -1 : a->index > b->index;
}

static struct glyph *find_glyph(struct scene *scene, uint32_t index)
{
    struct glyph key = {.index = index};

    return bsearch(&key, scene->glyphs, scene->glyph_count, sizeof(key), glyph_order);
}

static int clean_glyph(struct scene *scene, struct glyph *glyph, struct let_error *err)
{
    struct let_polygon raw;
    enum let_rule rule;
    int status;

    let_polygon_init(&raw);
    status = let_font_outline(scene->font, glyph->index, scene->scale, scene->tolerance, &raw,
                              &rule, err);
    if (!status && let_polygon_clean(&raw, rule, &glyph->shape) < 0)
        status = let_fail(err, LET_GEOMETRY, "glyph %u of font \"%s\" cannot be made solid",
                          glyph->index, scene->font->name);
    let_polygon_done(&raw);
    return status;
}

static int load_glyphs(struct scene *scene, const struct let_text *text, struct let_error *err)
{
    size_t kept = 0;

    scene->glyphs = let_alloc(text->count, sizeof(*scene->glyphs));
    for (size_t i = 0; i < text->count; i++)
        scene->glyphs[i].index = text->items[i].glyph;
    qsort(scene->glyphs, text->count, sizeof(*scene->glyphs), glyph_order);
    for (size_t i = 0; i < text->count; i++)
        if (!kept || scene->glyphs[kept - 1].index != scene->glyphs[i].index)
            scene->glyphs[kept++].index = scene->glyphs[i].index;
    scene->glyph_count = kept;
    for (size_t i = 0; i < kept; i++) {
        int status = clean_glyph(scene, &scene->glyphs[i], err);

        if (status)
            return status;
        if (i % 64 == 63)
            let_events_progress(scene->events, 0.1 + 0.2 * (double)i / (double)kept, "outlines");
    }
    return 0;
}

static int place_glyphs(struct scene *scene, const struct let_text *text, struct let_error *err)
{
    struct let_box all = {INT64_MAX, INT64_MAX, INT64_MIN, INT64_MIN};

    scene->instances = let_alloc(text->count, sizeof(*scene->instances));
    scene->owners = let_alloc(text->count, sizeof(*scene->owners));
    for (size_t i = 0; i < text->count; i++) {
        struct glyph *glyph = find_glyph(scene, text->items[i].glyph);
        struct let_point at = {llround((double)text->items[i].x * scene->scale),
                               llround((double)text->items[i].y * scene->scale)};
        struct let_box box;

        if (!glyph->shape.count)
            continue;
        box = let_polygon_box(&glyph->shape);
        box = (struct let_box){box.x0 + at.x, box.y0 + at.y, box.x1 + at.x, box.y1 + at.y};
        all = (struct let_box){let_min(all.x0, box.x0), let_min(all.y0, box.y0),
                               let_max(all.x1, box.x1), let_max(all.y1, box.y1)};
        scene->owners[scene->instance_count] = glyph;
        scene->instances[scene->instance_count++] =
            (struct let_instance){&glyph->shape, at, box, 0};
    }
    if (!scene->instance_count)
        return let_fail(err, LET_EMPTY_PROMPT, "no character of the prompt has a shape");
    scene->shift = (struct let_point){-((all.x0 + all.x1) / 2), 0};
    if (let_max(let_max(llabs(all.x0 + scene->shift.x), llabs(all.x1 + scene->shift.x)),
                let_max(llabs(all.y0), llabs(all.y1))) > (1 << 24))
        return let_fail(err, LET_TOO_LARGE, "a glyph of font \"%s\" is too wide",
                        scene->font->name);
    let_cluster_find(scene->instances, scene->instance_count);
    return 0;
}

static int append(struct let_mesh *mesh, const struct let_solid *solid, struct let_point at,
                  double grid, struct let_error *err)
{
    size_t vertices = mesh->vertex_count + solid->vertex_count;
    size_t indices = mesh->index_count + solid->index_count;

    if (vertices > LET_MAX_VERTICES)
        return let_fail(err, LET_TOO_LARGE, "the mesh would have more than %d vertices",
                        LET_MAX_VERTICES);
    mesh->positions =
        let_grow(mesh->positions, &mesh->vertex_capacity, vertices, 3 * sizeof(*mesh->positions));
    mesh->normals =
        let_grow(mesh->normals, &mesh->normal_capacity, vertices, 3 * sizeof(*mesh->normals));
    mesh->indices = let_grow(mesh->indices, &mesh->index_capacity, indices, sizeof(*mesh->indices));
    for (size_t i = 0; i < solid->vertex_count; i++) {
        const struct let_vertex *v = &solid->vertices[i];
        float place[3] = {(float)((double)(v->x + at.x) * grid),
                          (float)((double)(v->y + at.y) * grid), v->z};

        for (size_t axis = 0; axis < 3; axis++) {
            mesh->positions[3 * (mesh->vertex_count + i) + axis] = place[axis];
            mesh->normals[3 * (mesh->vertex_count + i) + axis] = v->normal[axis];
            mesh->low[axis] = fminf(mesh->low[axis], place[axis]);
            mesh->high[axis] = fmaxf(mesh->high[axis], place[axis]);
        }
    }
    for (size_t i = 0; i < solid->index_count; i++)
        mesh->indices[mesh->index_count + i] = solid->indices[i] + (uint32_t)mesh->vertex_count;
    mesh->vertex_count = vertices;
    mesh->index_count = indices;
    return 0;
}

/* Union of the instances of one group, relative to the first of them. */
static int unite(const struct scene *scene, size_t first, struct let_polygon *shape)
{
    struct let_polygon parts;
    struct let_point origin = scene->instances[first].at;
    int status;

    let_polygon_init(&parts);
    for (size_t i = first; i < scene->instance_count; i++) {
        const struct let_instance *it = &scene->instances[i];

        if (it->cluster == first)
            let_polygon_append(&parts, it->polygon,
                               (struct let_point){it->at.x - origin.x, it->at.y - origin.y});
    }
    status = let_polygon_clean(&parts, LET_NONZERO, shape);
    let_polygon_done(&parts);
    return status;
}

/* Add the group whose first instance is `first`; `alone` when it has no other. */
static int add_group(struct scene *scene, size_t first, bool alone, struct let_mesh *mesh,
                     struct let_error *err)
{
    struct let_point at = scene->instances[first].at;
    struct glyph *glyph = scene->owners[first];
    struct let_polygon shape;
    struct let_solid merged;
    struct let_solid *solid = alone ? &glyph->solid : &merged;
    int status = 0;

    let_polygon_init(&shape);
    let_solid_init(&merged);
    if (!alone)
        status = unite(scene, first, &shape);
    if (!status && !solid->index_count)
        status = let_solid_build(alone ? &glyph->shape : &shape, &scene->profile, solid);
    if (status)
        status = let_fail(err, LET_GEOMETRY, "glyph %u of font \"%s\" cannot be made solid",
                          glyph->index, scene->font->name);
    else
        status =
            append(mesh, solid, (struct let_point){at.x + scene->shift.x, at.y + scene->shift.y},
                   scene->profile.grid, err);
    let_polygon_done(&shape);
    let_solid_done(&merged);
    return status;
}

static int add_all(struct scene *scene, struct let_mesh *mesh, struct let_error *err)
{
    size_t *sizes = let_alloc(scene->instance_count, sizeof(*sizes));
    int status = 0;

    for (size_t i = 0; i < scene->instance_count; i++)
        sizes[scene->instances[i].cluster]++;
    for (size_t i = 0; i < scene->instance_count && !status; i++) {
        if (sizes[i])
            status = add_group(scene, i, sizes[i] == 1, mesh, err);
        if (i % 256 == 255)
            let_events_progress(scene->events,
                                0.3 + 0.3 * (double)i / (double)scene->instance_count, "solids");
    }
    free(sizes);
    return status;
}

static void done(struct scene *scene)
{
    for (size_t i = 0; i < scene->glyph_count; i++) {
        let_polygon_done(&scene->glyphs[i].shape);
        let_solid_done(&scene->glyphs[i].solid);
    }
    free(scene->glyphs);
    free(scene->instances);
    free(scene->owners);
}

int let_scene_build(const struct let_text *text, const struct let_font *font,
                    const struct let_params *params, const struct let_events *events,
                    struct let_mesh *ret_mesh, struct let_error *err)
{
    struct scene scene = {
        .font = font,
        .events = events,
        .profile = {.depth = params->depth, .bevel = params->bevel, .smooth = params->smooth}};
    struct let_mesh mesh;
    int status;

    let_mesh_init(&mesh);
    choose_grid(&scene, text, params);
    let_events_progress(events, 0.1, "outlines");
    status = load_glyphs(&scene, text, err);
    if (!status) {
        let_events_progress(events, 0.3, "solids");
        status = place_glyphs(&scene, text, err);
    }
    if (!status)
        status = add_all(&scene, &mesh, err);
    done(&scene);
    if (status) {
        let_mesh_done(&mesh);
        return status;
    }
    let_events_progress(events, 0.6, "mesh ready");
    *ret_mesh = mesh;
    return 0;
}
