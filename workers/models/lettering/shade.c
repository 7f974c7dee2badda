/* SPDX-License-Identifier: MIT */
/* Light and background of the thumbnail.
 *
 * A key light from the upper right, a weak cool fill from the left, a sky that is brighter above,
 * and for the gloss a reflected sky and a highlight that narrows as roughness falls. Enough to
 * tell faces, bevels and curves apart in a small picture; it is not a physical renderer.
 * All colours here are linear. */
#include "camera.h"

static float clamp01(float value)
{
    return fminf(fmaxf(value, 0), 1);
}

static struct let_vec mix(struct let_vec a, struct let_vec b, float part)
{
    return (struct let_vec){a.x + (b.x - a.x) * part, a.y + (b.y - a.y) * part,
                            a.z + (b.z - a.z) * part};
}

static struct let_vec times(struct let_vec a, struct let_vec b)
{
    return (struct let_vec){a.x * b.x, a.y * b.y, a.z * b.z};
}

static struct let_vec sky(struct let_vec direction)
{
    const struct let_vec ground = {0.20F, 0.18F, 0.17F}, high = {0.75F, 0.80F, 0.90F};
    float part = clamp01(direction.y * 0.6F + 0.5F);

    return mix(ground, high, part * part * (3 - 2 * part));
}

static float highlight(struct let_vec n, struct let_vec light, struct let_vec toward,
                       float roughness)
{
    struct let_vec half = let_vec_unit(let_vec_add(light, toward, 1));
    float smoothness = 1 - roughness;
    float power = 4 + 180 * smoothness * smoothness;

    return powf(clamp01(let_vec_dot(n, half)), power) * (0.15F + 1.6F * smoothness * smoothness);
}

struct let_vec let_key_light(void)
{
    return let_vec_unit((struct let_vec){0.55F, 0.85F, 1.0F});
}

struct let_vec let_shade(const struct let_material *material, struct let_vec n,
                         struct let_vec toward)
{
    const struct let_vec key = let_key_light();
    const struct let_vec fill = let_vec_unit((struct let_vec){-0.9F, 0.15F, 0.35F});
    const struct let_vec key_color = {1.05F, 1.0F, 0.93F}, fill_color = {0.16F, 0.19F, 0.25F};
    const struct let_vec dull = {0.04F, 0.04F, 0.04F}, white = {1, 1, 1};
    float facing = clamp01(let_vec_dot(n, toward)), edge = powf(1 - facing, 5);
    struct let_vec reflected =
        let_vec_add((struct let_vec){-toward.x, -toward.y, -toward.z}, n, 2 * facing);
    struct let_vec light = {0, 0, 0}, gloss = sky(reflected);
    struct let_vec mirror = mix(dull, material->color, material->metallic);

    light = let_vec_add(light, sky(n), 0.55F);
    light = let_vec_add(light, key_color, 0.85F * clamp01(let_vec_dot(n, key)));
    light = let_vec_add(light, fill_color, clamp01(let_vec_dot(n, fill)));
    light = times(light, material->color);
    gloss = (struct let_vec){gloss.x * 1.1F, gloss.y * 1.1F, gloss.z * 1.1F};
    gloss = let_vec_add(gloss, key_color, 5 * highlight(n, key, toward, material->roughness));
    mirror = mix(mirror, white, edge * (1 - material->roughness));
    light = let_vec_add((struct let_vec){0, 0, 0}, light, 1 - 0.85F * material->metallic);
    return let_vec_add(light, times(gloss, mirror), 1);
}

struct let_vec let_backdrop(float x, float y)
{
    const struct let_vec light = {0.90F, 0.915F, 0.94F}, dark = {0.50F, 0.545F, 0.61F};
    float far = sqrtf(x * x + (y - 0.15F) * (y - 0.15F)) / 1.55F;

    return mix(light, dark, clamp01(far * far));
}
