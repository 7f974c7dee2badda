/* SPDX-License-Identifier: MIT */
/* The mesh of the whole text, as it goes into the file and onto the thumbnail. */
#ifndef LET_MESH_H
#define LET_MESH_H

#include <stddef.h>
#include <stdint.h>

#define LET_MAX_VERTICES 12000000 /* 24 bytes each in the result, about as much again to make it   \
                                   */

struct let_mesh {
    float *positions; /* x y z, metres */
    float *normals;   /* x y z, of length 1 */
    uint32_t *indices;
    size_t vertex_count, index_count;
    size_t vertex_capacity, normal_capacity, index_capacity;
    float low[3], high[3]; /* bounds of the positions, exactly */
};

void let_mesh_init(struct let_mesh *mesh);
void let_mesh_done(struct let_mesh *mesh);

#endif
