/* SPDX-License-Identifier: MIT */
/* Small vectors and the camera of the thumbnail. Private to render.c, camera.c,
 * shade.c and shadow.c. */
#ifndef LET_CAMERA_H
#define LET_CAMERA_H

#include <math.h>

#include "mesh.h"

struct let_vec {
    float x, y, z;
};

static inline float let_vec_dot(struct let_vec a, struct let_vec b)
{
    return a.x * b.x + a.y * b.y + a.z * b.z;
}

static inline struct let_vec let_vec_add(struct let_vec a, struct let_vec b, float times)
{
    return (struct let_vec){a.x + b.x * times, a.y + b.y * times, a.z + b.z * times};
}

static inline struct let_vec let_vec_unit(struct let_vec v)
{
    float length = sqrtf(let_vec_dot(v, v));

    return length > 0 ? (struct let_vec){v.x / length, v.y / length, v.z / length} : v;
}

struct let_camera {
    struct let_vec eye;               /* metres */
    struct let_vec right, up, toward; /* axes; `toward` points from the scene to the eye */
    float zoom;                       /* of the lens: half a picture at distance 1 is 1 / zoom */
};

/* A view from the front, a little from the left and above, that shows the whole mesh. */
struct let_camera let_camera_frame(const struct let_mesh *mesh);

/* Where a point falls: x right and y up, -1..1 in the picture; z = 1 / distance, > 0. */
struct let_vec let_camera_project(const struct let_camera *camera, struct let_vec point);

/* Colour, linear, of a surface of normal `n` seen from direction `toward`. */
struct let_material {
    struct let_vec color;
    float metallic, roughness;
};
struct let_vec let_shade(const struct let_material *material, struct let_vec n,
                         struct let_vec toward);

/* Direction of the strongest light, of length 1, from the scene. */
struct let_vec let_key_light(void);

/* Shadow of the mesh, lit from `light` (z > 0), on the plane of its backs as the camera sees it.
 * Returns side * side values, 0 = none to 1 = full, top row first; free(). */
float *let_shadow(const struct let_camera *camera, const struct let_mesh *mesh,
                  struct let_vec light, int side);

/* Linear colour of the background, x and y -1..1. */
struct let_vec let_backdrop(float x, float y);

#endif
