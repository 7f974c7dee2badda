/* SPDX-License-Identifier: MIT
 *
 * Content types by extension: what clients of 3D services expect. A new type is a row.
 */
#include <string.h>
#include <strings.h>

#include "p3d/artifact.h"

static const struct {
    const char *extension, *type;
} types[] = {
    {".glb", "model/gltf-binary"},
    {".gltf", "model/gltf+json"},
    {".obj", "application/wavefront-obj"},
    {".fbx", "model/fbx"},
    {".ply", "model/ply"},
    {".stl", "model/stl"},
    {".png", "image/png"},
    {".jpg", "image/jpeg"},
    {".jpeg", "image/jpeg"},
    {".webp", "image/webp"},
    {".bmp", "image/bmp"},
    {".tiff", "image/tiff"},
    {".tif", "image/tiff"},
    {".tga", "image/x-tga"},
    {".json", "application/json"},
    {".txt", "text/plain; charset=utf-8"},
    {".log", "text/plain; charset=utf-8"},
    {".csv", "text/csv; charset=utf-8"},
    {".zip", "application/zip"},
};

const char *p3d_content_type(const char *name)
{
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof types / sizeof *types; i++)
        if (!strcasecmp(dot, types[i].extension))
            return types[i].type;
    return "application/octet-stream";
}
