/* SPDX-License-Identifier: MIT */
/* Framing the mesh.
 *
 * The direction of view is fixed: a three-quarter view reads well for words of any length. The eye
 * is placed by trial: project the corners of the bounding box, move sideways until they are
 * centred, move back or forth until they fill the picture but for a margin, and again; a few
 * rounds are enough. Does not draw. */
#include "camera.h"

#define ROUNDS 24
#define FILL 0.86F   /* of the picture, for the larger side of what is seen */
#define YAW (-0.46F) /* radians to the right */
#define PITCH 0.24F
#define ZOOM 3.4F

struct bounds {
    float x0, y0, x1, y1;
};

struct let_vec let_camera_project(const struct let_camera *camera, struct let_vec point)
{
    struct let_vec from = let_vec_add(point, camera->eye, -1);
    float distance = -let_vec_dot(from, camera->toward);

    return (struct let_vec){camera->zoom * let_vec_dot(from, camera->right) / distance,
                            camera->zoom * let_vec_dot(from, camera->up) / distance, 1 / distance};
}

static struct bounds seen(const struct let_camera *camera, const struct let_mesh *mesh)
{
    struct bounds bounds = {INFINITY, INFINITY, -INFINITY, -INFINITY};

    for (int corner = 0; corner < 8; corner++) {
        struct let_vec p = {corner & 1 ? mesh->high[0] : mesh->low[0],
                            corner & 2 ? mesh->high[1] : mesh->low[1],
                            corner & 4 ? mesh->high[2] : mesh->low[2]};

        p = let_camera_project(camera, p);
        bounds = (struct bounds){fminf(bounds.x0, p.x), fminf(bounds.y0, p.y),
                                 fmaxf(bounds.x1, p.x), fmaxf(bounds.y1, p.y)};
    }
    return bounds;
}

struct let_camera let_camera_frame(const struct let_mesh *mesh)
{
    struct let_vec target = {(mesh->low[0] + mesh->high[0]) / 2, (mesh->low[1] + mesh->high[1]) / 2,
                             (mesh->low[2] + mesh->high[2]) / 2};
    struct let_vec size = {mesh->high[0] - mesh->low[0], mesh->high[1] - mesh->low[1],
                           mesh->high[2] - mesh->low[2]};
    float radius = sqrtf(let_vec_dot(size, size)) / 2, distance = 2 * ZOOM * radius;
    struct let_camera camera = {
        .right = {cosf(YAW), 0, -sinf(YAW)},
        .up = {-sinf(PITCH) * sinf(YAW), cosf(PITCH), -sinf(PITCH) * cosf(YAW)},
        .toward = {cosf(PITCH) * sinf(YAW), sinf(PITCH), cosf(PITCH) * cosf(YAW)},
        .zoom = ZOOM};

    for (int round = 0; round < ROUNDS; round++) {
        struct bounds b;
        float extent;

        camera.eye = let_vec_add(target, camera.toward, distance);
        b = seen(&camera, mesh);
        target = let_vec_add(target, camera.right, (b.x0 + b.x1) / 2 * distance / ZOOM);
        target = let_vec_add(target, camera.up, (b.y0 + b.y1) / 2 * distance / ZOOM);
        extent = fmaxf(b.x1 - b.x0, b.y1 - b.y0) / (2 * FILL);
        distance = fmaxf(distance * extent, 1.05F * radius); /* the eye stays outside */
    }
    camera.eye = let_vec_add(target, camera.toward, distance);
    return camera;
}
