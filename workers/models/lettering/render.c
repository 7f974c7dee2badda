/* SPDX-License-Identifier: MIT */
/* A small software rasteriser.
 *
 * Perspective, back faces dropped, a depth buffer of 1/distance (linear on the screen), normals
 * interpolated and lit per sample (shade.c), SAMPLES x SAMPLES samples a pixel averaged in linear
 * light. Memory is fixed by the size of the picture, time grows with the triangles.
 * Knows nothing of files: png.c writes the picture. */
#include "render.h"

#include <math.h>
#include <stdlib.h>

#include "alloc.h"
#include "camera.h"

#define SAMPLES 3
#define SIDE (LET_PICTURE * SAMPLES)
#define SHADOW 0.55F /* of the light is missing in full shadow */

struct canvas {
    struct let_camera camera;
    struct let_material material;
    struct let_vec *color; /* SIDE * SIDE, linear */
    float *nearness;       /* 1 / distance, 0 = nothing there */
};

struct corner {
    struct let_vec at; /* x right, y down, in samples; z = 1 / distance */
    struct let_vec normal;
};

static struct corner corner_of(const struct canvas *canvas, const struct let_mesh *mesh,
                               uint32_t index)
{
    const float *p = mesh->positions + 3 * (size_t)index, *n = mesh->normals + 3 * (size_t)index;
    struct let_vec at = let_camera_project(&canvas->camera, (struct let_vec){p[0], p[1], p[2]});

    at.x = (at.x + 1) * (SIDE / 2.0F);
    at.y = (1 - at.y) * (SIDE / 2.0F);
    return (struct corner){at, {n[0], n[1], n[2]}};
}

static int to_sample(float place)
{
    return (int)fminf(fmaxf(place, 0), SIDE);
}

static float edge(struct let_vec a, struct let_vec b, float x, float y)
{
    return (b.x - a.x) * (y - a.y) - (b.y - a.y) * (x - a.x);
}

static void draw_triangle(struct canvas *canvas, const struct corner c[3])
{
    float area = edge(c[0].at, c[1].at, c[2].at.x, c[2].at.y);
    int x0 = to_sample(floorf(fminf(c[0].at.x, fminf(c[1].at.x, c[2].at.x)) - 0.5F));
    int x1 = to_sample(ceilf(fmaxf(c[0].at.x, fmaxf(c[1].at.x, c[2].at.x)) + 0.5F));
    int y0 = to_sample(floorf(fminf(c[0].at.y, fminf(c[1].at.y, c[2].at.y)) - 0.5F));
    int y1 = to_sample(ceilf(fmaxf(c[0].at.y, fmaxf(c[1].at.y, c[2].at.y)) + 0.5F));

    if (!(area < 0)) /* y points down: what turns left is seen from behind */
        return;
    for (int y = y0; y < y1; y++)
        for (int x = x0; x < x1; x++) {
            float px = (float)x + 0.5F, py = (float)y + 0.5F;
            float a = edge(c[1].at, c[2].at, px, py) / area;
            float b = edge(c[2].at, c[0].at, px, py) / area, d = 1 - a - b;
            float near = a * c[0].at.z + b * c[1].at.z + d * c[2].at.z;
            size_t at = (size_t)y * SIDE + (size_t)x;
            struct let_vec n = {0, 0, 0};

            if (a < 0 || b < 0 || d < 0 || near <= canvas->nearness[at])
                continue;
            n = let_vec_add(n, c[0].normal, a);
            n = let_vec_add(n, c[1].normal, b);
            n = let_vec_unit(let_vec_add(n, c[2].normal, d));
            canvas->nearness[at] = near;
            canvas->color[at] = let_shade(&canvas->material, n, canvas->camera.toward);
        }
}

static uint8_t to_srgb(float linear)
{
    float soft = linear / (1 + 0.18F * linear * linear); /* highlights roll off */
    float value = soft <= 0.0031308F ? 12.92F * soft : 1.055F * powf(soft, 1 / 2.4F) - 0.055F;

    return (uint8_t)(fminf(fmaxf(value, 0), 1) * 255 + 0.5F);
}

static void paint_backdrop(struct canvas *canvas, const struct let_mesh *mesh)
{
    float *shadow = let_shadow(&canvas->camera, mesh, let_key_light(), LET_PICTURE);

    for (size_t y = 0; y < SIDE; y++)
        for (size_t x = 0; x < SIDE; x++) {
            float dark = shadow[y / SAMPLES * LET_PICTURE + x / SAMPLES];

            canvas->color[y * SIDE + x] = let_vec_add(
                (struct let_vec){0, 0, 0},
                let_backdrop((float)x * (2.0F / SIDE) - 1, 1 - (float)y * (2.0F / SIDE)),
                1 - SHADOW * dark);
        }
    free(shadow);
}

static uint8_t *average(const struct canvas *canvas)
{
    uint8_t *pixels = let_alloc((size_t)LET_PICTURE * LET_PICTURE, 3);

    for (size_t y = 0; y < LET_PICTURE; y++)
        for (size_t x = 0; x < LET_PICTURE; x++) {
            struct let_vec sum = {0, 0, 0};
            uint8_t *pixel = pixels + 3 * (y * LET_PICTURE + x);

            for (size_t sample = 0; sample < SAMPLES * SAMPLES; sample++) {
                size_t row = y * SAMPLES + sample / SAMPLES,
                       column = x * SAMPLES + sample % SAMPLES;
                struct let_vec c = canvas->color[row * SIDE + column];

                /* a sample brighter than white would keep edges jagged */
                c = (struct let_vec){fminf(c.x, 1.6F), fminf(c.y, 1.6F), fminf(c.z, 1.6F)};
                sum = let_vec_add(sum, c, 1.0F / (SAMPLES * SAMPLES));
            }
            pixel[0] = to_srgb(sum.x);
            pixel[1] = to_srgb(sum.y);
            pixel[2] = to_srgb(sum.z);
        }
    return pixels;
}

uint8_t *let_render(const struct let_mesh *mesh, const struct let_params *params)
{
    struct canvas canvas = {
        .camera = let_camera_frame(mesh),
        .material = {{(float)params->color[0], (float)params->color[1], (float)params->color[2]},
                     (float)params->metallic,
                     (float)params->roughness},
        .color = let_alloc((size_t)SIDE * SIDE, sizeof(*canvas.color)),
        .nearness = let_alloc((size_t)SIDE * SIDE, sizeof(*canvas.nearness))};
    uint8_t *pixels;

    paint_backdrop(&canvas, mesh);
    for (size_t i = 0; i + 2 < mesh->index_count; i += 3) {
        struct corner corners[3];

        for (size_t k = 0; k < 3; k++)
            corners[k] = corner_of(&canvas, mesh, mesh->indices[i + k]);
        draw_triangle(&canvas, corners);
    }
    pixels = average(&canvas);
    free(canvas.color);
    free(canvas.nearness);
    return pixels;
}
