/* SPDX-License-Identifier: MIT */
/* The soft shadow that the letters throw on a wall behind them.
 *
 * Faces that see the light are moved along it onto the plane of the backs, drawn into a mask of the
 * picture's own size, and the mask is blurred about as much as the letters are deep. Only the
 * background takes the shadow; letters do not shade each other. */
#include <stdlib.h>

#include "alloc.h"
#include "camera.h"

struct mask {
    float *cells; /* side * side, 0 = light, 1 = shadow */
    int side;
};

static int to_cell(const struct mask *mask, float place)
{
    return (int)fminf(fmaxf(place, 0), (float)mask->side);
}

static float turn(struct let_vec a, struct let_vec b, float x, float y)
{
    return (b.x - a.x) * (y - a.y) - (b.y - a.y) * (x - a.x);
}

static void fill(const struct mask *mask, const struct let_vec c[3])
{
    int x0 = to_cell(mask, floorf(fminf(c[0].x, fminf(c[1].x, c[2].x))));
    int x1 = to_cell(mask, ceilf(fmaxf(c[0].x, fmaxf(c[1].x, c[2].x))));
    int y0 = to_cell(mask, floorf(fminf(c[0].y, fminf(c[1].y, c[2].y))));
    int y1 = to_cell(mask, ceilf(fmaxf(c[0].y, fmaxf(c[1].y, c[2].y))));

    for (int y = y0; y < y1; y++)
        for (int x = x0; x < x1; x++) {
            float px = (float)x + 0.5F, py = (float)y + 0.5F;
            float a = turn(c[0], c[1], px, py), b = turn(c[1], c[2], px, py);
            float d = turn(c[2], c[0], px, py);

            if ((a <= 0 && b <= 0 && d <= 0) || (a >= 0 && b >= 0 && d >= 0))
                mask->cells[(size_t)y * (size_t)mask->side + (size_t)x] = 1;
        }
}

/* Running mean of 2 * radius + 1 cells along a row (step 1) or a column (step side). */
static void blur_line(float *cells, size_t step, int side, int radius, float *copy)
{
    float sum = 0;

    for (int i = 0; i < side; i++)
        copy[i] = cells[(size_t)i * step];
    for (int i = -radius; i < side; i++) {
        sum += i + radius < side ? copy[i + radius] : 0;
        sum -= i - radius - 1 >= 0 ? copy[i - radius - 1] : 0;
        if (i >= 0)
            cells[(size_t)i * step] = fmaxf(sum, 0) / (float)(2 * radius + 1);
    }
}

static void blur(const struct mask *mask, int radius)
{
    size_t side = (size_t)mask->side;
    float *copy = let_alloc(side, sizeof(*copy));

    for (int round = 0; round < 3; round++)
        for (size_t line = 0; line < side; line++)
            blur_line(mask->cells + line * side, 1, mask->side, radius, copy);
    for (int round = 0; round < 3; round++)
        for (size_t line = 0; line < side; line++)
            blur_line(mask->cells + line, side, mask->side, radius, copy);
    free(copy);
}

float *let_shadow(const struct let_camera *camera, const struct let_mesh *mesh,
                  struct let_vec light, int side)
{
    struct mask mask = {let_alloc((size_t)side * (size_t)side, sizeof(float)), side};
    struct let_vec middle = {(mesh->low[0] + mesh->high[0]) / 2, (mesh->low[1] + mesh->high[1]) / 2,
                             mesh->low[2]};
    float depth = (mesh->high[2] - mesh->low[2]) * camera->zoom *
                  let_camera_project(camera, middle).z * (float)side / 2;

    for (size_t i = 0; i + 2 < mesh->index_count; i += 3) {
        const float *n = mesh->normals + 3 * (size_t)mesh->indices[i];
        struct let_vec corners[3];

        if (let_vec_dot((struct let_vec){n[0], n[1], n[2]}, light) <= 0)
            continue;
        for (size_t k = 0; k < 3; k++) {
            const float *p = mesh->positions + 3 * (size_t)mesh->indices[i + k];
            struct let_vec at = let_vec_add((struct let_vec){p[0], p[1], p[2]}, light,
                                            -(p[2] - mesh->low[2]) / light.z);

            at = let_camera_project(camera, at);
            corners[k] =
                (struct let_vec){(at.x + 1) * (float)side / 2, (1 - at.y) * (float)side / 2, 0};
        }
        fill(&mask, corners);
    }
    blur(&mask, (int)fminf(fmaxf(depth * 0.16F, 1), 9));
    return mask.cells;
}
