/* SPDX-License-Identifier: MIT */
/* Binary glTF 2.0 (Khronos, "glTF 2.0 Specification", sections 3 and 4).
 *
 * One scene, node, mesh, primitive, material; three buffer views: positions, normals, indices,
 * with 16-bit indices where they reach. Bounds are the floats of the file, exactly. The bytes
 * depend on the input alone: no time, no host, members in a fixed order.
 * The result passes the Khronos validator without a message of any kind; the tests run it. */
#include "glb.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "file.h"

enum { FLOAT = 5126, UNSIGNED_SHORT = 5123, UNSIGNED_INT = 5125, ARRAY = 34962, ELEMENTS = 34963 };

struct layout {
    bool short_indices;
    size_t positions, normals, indices; /* bytes in the buffer, each a multiple of 4 but the last */
};

static size_t padded(size_t length)
{
    return (length + 3) & ~(size_t)3;
}

static json_t *vector3(const float v[3])
{
    return json_pack("[f, f, f]", (double)v[0], (double)v[1], (double)v[2]);
}

static json_t *view(size_t offset, size_t length, int target)
{
    return json_pack("{s:i, s:I, s:I, s:i}", "buffer", 0, "byteOffset", (json_int_t)offset,
                     "byteLength", (json_int_t)length, "target", target);
}

static json_t *accessor(int index, int component, size_t count, const char *type)
{
    return json_pack("{s:i, s:i, s:I, s:s}", "bufferView", index, "componentType", component,
                     "count", (json_int_t)count, "type", type);
}

static json_t *material(const struct let_params *params)
{
    return json_pack("{s:s, s:{s:[f, f, f, f], s:f, s:f}, s:b}", "name", "lettering",
                     "pbrMetallicRoughness", "baseColorFactor", params->color[0], params->color[1],
                     params->color[2], 1.0, "metallicFactor", params->metallic, "roughnessFactor",
                     params->roughness, "doubleSided", 0);
}

static json_t *describe(const struct let_mesh *mesh, const struct let_params *params,
                        const struct layout *layout)
{
    json_t *positions = accessor(0, FLOAT, mesh->vertex_count, "VEC3");
    size_t total = layout->positions + layout->normals + layout->indices;

    (void)json_object_set_new(positions, "min", vector3(mesh->low));
    (void)json_object_set_new(positions, "max", vector3(mesh->high));
    return json_pack("{s:{s:s, s:s}, s:i, s:[{s:s, s:[i]}], s:[{s:s, s:i}],"
                     " s:[{s:s, s:[{s:{s:i, s:i}, s:i, s:i, s:i}]}],"
                     " s:[o], s:[o, o, o], s:[o, o, o], s:[{s:I}]}",
                     "asset", "version", "2.0", "generator", "P3D lettering", "scene", 0, "scenes",
                     "name", "lettering", "nodes", 0, "nodes", "name", "lettering", "mesh", 0,
                     "meshes", "name", "lettering", "primitives", "attributes", "POSITION", 0,
                     "NORMAL", 1, "indices", 2, "material", 0, "mode", 4, "materials",
                     material(params), "accessors", positions,
                     accessor(1, FLOAT, mesh->vertex_count, "VEC3"),
                     accessor(2, layout->short_indices ? UNSIGNED_SHORT : UNSIGNED_INT,
                              mesh->index_count, "SCALAR"),
                     "bufferViews", view(0, layout->positions, ARRAY),
                     view(layout->positions, layout->normals, ARRAY),
                     view(layout->positions + layout->normals, layout->indices, ELEMENTS),
                     "buffers", "byteLength", (json_int_t)total);
}

static void put32(unsigned char *at, size_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (unsigned char)(value >> (8 * i) & 0xFF);
}

static uint16_t *shorten(const struct let_mesh *mesh)
{
    uint16_t *indices = let_alloc(mesh->index_count, sizeof(*indices));

    for (size_t i = 0; i < mesh->index_count; i++)
        indices[i] = (uint16_t)mesh->indices[i];
    return indices;
}

int let_glb_write(const char *path, const struct let_mesh *mesh, const struct let_params *params,
                  struct let_error *err)
{
    static const unsigned char zeros[4] = {0};
    size_t vectors = mesh->vertex_count * 3 * sizeof(float);
    bool small = mesh->vertex_count < 65536; /* 65535 itself is not a valid index */
    struct layout layout = {small, vectors, vectors, mesh->index_count * (small ? 2 : 4)};
    size_t binary = 2 * vectors + layout.indices, json_length;
    uint16_t *shorts = small ? shorten(mesh) : NULL;
    json_t *object = describe(mesh, params, &layout);
    char *json = object ? json_dumps(object, JSON_COMPACT) : NULL;
    unsigned char head[20], middle[8];
    int status;

    if (!json)
        abort(); /* out of memory: all values are finite numbers and ASCII */
    json_length = strlen(json);
    memcpy(head, "glTF", 4);
    put32(head + 4, 2);
    put32(head + 8, 12 + 8 + padded(json_length) + 8 + padded(binary));
    put32(head + 12, padded(json_length));
    memcpy(head + 16, "JSON", 4);
    put32(middle, padded(binary));
    memcpy(middle + 4, "BIN", 4);

    struct let_piece pieces[] = {{head, sizeof(head)},
                                 {json, json_length},
                                 {"   ", padded(json_length) - json_length},
                                 {middle, sizeof(middle)},
                                 {mesh->positions, vectors},
                                 {mesh->normals, vectors},
                                 {small ? (const void *)shorts : mesh->indices, layout.indices},
                                 {zeros, padded(binary) - binary}};

    status = let_file_write(path, pieces, sizeof(pieces) / sizeof(pieces[0]), err);
    json_decref(object);
    free(json);
    free(shorts);
    return status;
}
