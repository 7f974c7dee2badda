/* SPDX-License-Identifier: MIT */
/* The mesh as a binary glTF 2.0 file. */
#ifndef LET_GLB_H
#define LET_GLB_H

#include "error.h"
#include "mesh.h"
#include "params.h"

/* Write `mesh` with the material of `params` to `path`, whole or not at all.
 * Errors: LET_IO. */
int let_glb_write(const char *path, const struct let_mesh *mesh, const struct let_params *params,
                  struct let_error *err);

#endif
