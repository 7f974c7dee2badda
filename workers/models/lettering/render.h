/* SPDX-License-Identifier: MIT */
/* A picture of the mesh. */
#ifndef LET_RENDER_H
#define LET_RENDER_H

#include <stdint.h>

#include "error.h"
#include "mesh.h"
#include "params.h"

#define LET_PICTURE 512 /* pixels a side */

/* Draw the mesh, lit, from the left, on a soft background.
 * Returns LET_PICTURE * LET_PICTURE * 3 bytes of sRGB, top row first; free(). */
uint8_t *let_render(const struct let_mesh *mesh, const struct let_params *params);

/* Write such a picture as PNG to `path`, whole or not at all. Errors: LET_IO. */
int let_png_write(const char *path, const uint8_t *pixels, struct let_error *err);

#endif
