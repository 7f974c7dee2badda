/* SPDX-License-Identifier: MIT */
/* One opened font: its measures, its glyphs by character, their outlines on the grid. */
#ifndef LET_FONT_H
#define LET_FONT_H

#include <stdint.h>

#include "error.h"
#include "polygon.h"

struct let_font {
    void *library, *face;    /* FreeType's */
    const char *name;        /* the file name, borrowed */
    double units_per_em;     /* font units; all int64_t below are font units too */
    double cap_height;       /* of "H" */
    int64_t line_height;     /* baseline to baseline */
    int64_t ascent, descent; /* highest and lowest any glyph reaches, from the font's box */
};

/* Open the file `name`, a bare file name, in `directory`.
 * ret_font: let_font_done() frees it; `name` must outlive it.
 * Errors: LET_BAD_FONT. */
int let_font_open(const char *directory, const char *name, struct let_font *ret_font,
                  struct let_error *err);
void let_font_done(struct let_font *font);

/* Glyph of a Unicode character; 0 = the font has none. */
uint32_t let_font_glyph(const struct let_font *font, uint32_t character);

/* How far the pen goes; 0 for a glyph that cannot be read. */
int64_t let_font_advance(const struct let_font *font, uint32_t glyph);

/* What to add between two glyphs. */
int64_t let_font_kerning(const struct let_font *font, uint32_t left, uint32_t right);

/* Outline of a glyph, curves replaced by chords no further than `tolerance` grid units away,
 * `scale` grid units per font unit, origin at the pen.
 * ret_raw: initialised and empty before; loops as the font has them, to be cleaned under ret_rule.
 * Errors: LET_BAD_FONT. */
int let_font_outline(const struct let_font *font, uint32_t glyph, double scale, double tolerance,
                     struct let_polygon *ret_raw, enum let_rule *ret_rule, struct let_error *err);

#endif
