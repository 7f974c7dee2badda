/* SPDX-License-Identifier: MIT */
/* From UTF-8 to glyphs with places. */
#ifndef LET_TEXT_H
#define LET_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "font.h"
#include "params.h"

#define LET_MAX_CHARACTERS 10000
#define LET_MAX_LINES 1000
#define LET_MAX_LINE_EM 4096 /* width of a line, in ems: keeps places exact in 32-bit floats */
#define LET_MAX_WARNINGS 4

struct let_placement {
    uint32_t glyph;
    int64_t x, y; /* of the pen, font units; y = 0 is the baseline of the last line */
};

struct let_text {
    struct let_placement *items; /* in reading order; blanks have none */
    size_t count, capacity;
    size_t characters, lines;
    size_t missing; /* characters the font has no glyph for */
    char warnings[LET_MAX_WARNINGS][256];
    size_t warning_count;
};

/* Decode strictly: no overlong forms, no surrogates, nothing above U+10FFFF.
 * ret_characters: to be freed by the caller. Errors: LET_INVALID_UTF8, LET_TOO_LARGE. */
int let_utf8_decode(const char *bytes, size_t length, uint32_t **ret_characters, size_t *ret_count,
                    struct let_error *err);

/* Break into lines, map to glyphs, kern, align. Characters the font lacks become glyph 0.
 * ret_text: let_text_done() frees it.
 * Errors: LET_EMPTY_PROMPT, LET_INVALID_UTF8, LET_TOO_LARGE. */
int let_text_layout(const char *bytes, size_t length, const struct let_font *font,
                    const struct let_params *params, struct let_text *ret_text,
                    struct let_error *err);
void let_text_done(struct let_text *text);

#endif
