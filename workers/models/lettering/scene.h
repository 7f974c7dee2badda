/* SPDX-License-Identifier: MIT */
/* From placed glyphs to one mesh. */
#ifndef LET_SCENE_H
#define LET_SCENE_H

#include "error.h"
#include "events.h"
#include "font.h"
#include "mesh.h"
#include "params.h"
#include "text.h"

/* Build the mesh of the text: centred on x = 0 and z = 0, baseline of the last line at y = 0,
 * facing +z. Progress from 0.1 to 0.6. ret_mesh: let_mesh_done() frees it.
 * Errors: LET_BAD_FONT, LET_EMPTY_PROMPT (no glyph has an outline), LET_TOO_LARGE, LET_GEOMETRY. */
int let_scene_build(const struct let_text *text, const struct let_font *font,
                    const struct let_params *params, const struct let_events *events,
                    struct let_mesh *ret_mesh, struct let_error *err);

#endif
