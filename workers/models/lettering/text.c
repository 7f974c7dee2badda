/* SPDX-License-Identifier: MIT */
/* Layout: characters to glyphs, lines, kerning, alignment.
 *
 * All in font units, so the result does not depend on the size asked for. Guarantees at least one
 * placement, lines no wider than LET_MAX_LINE_EM, and a warning for whatever was not shown as
 * written: a missing character becomes the font's box, a control character nothing.
 * Does not shape: a script that needs it gets its letters one after the other, left to right. */
#include "text.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"

#define TAB_SPACES 4
#define LISTED 8 /* missing characters named in the warning */

struct layout {
    const struct let_font *font;
    const struct let_params *params;
    struct let_text *text;
    int64_t pen, line_end; /* font units; line_end: after the last glyph that is not blank */
    size_t line_first;     /* first placement of this line */
    uint32_t previous;     /* glyph to kern with, 0 = none */
    uint32_t listed[LISTED];
    size_t listed_count, controls, unshaped;
};

struct range {
    uint32_t first, last;
};

static bool in_ranges(uint32_t character, const struct range *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (character >= ranges[i].first && character <= ranges[i].last)
            return true;
    return false;
}

#define IN_RANGES(character, ranges)                                                               \
    in_ranges(character, ranges, sizeof(ranges) / sizeof((ranges)[0]))

static bool is_space(uint32_t c)
{
    static const struct range spaces[] = {{0x20, 0x20},     {0xA0, 0xA0},     {0x1680, 0x1680},
                                          {0x2000, 0x200A}, {0x202F, 0x202F}, {0x205F, 0x205F},
                                          {0x3000, 0x3000}, {0x2800, 0x2800}};

    return IN_RANGES(c, spaces);
}

/* Marks that only steer a shaping engine or a line breaker. */
static bool is_invisible(uint32_t c)
{
    static const struct range marks[] = {
        {0xAD, 0xAD},     {0x034F, 0x034F}, {0x061C, 0x061C}, {0x180B, 0x180E}, {0x200B, 0x200F},
        {0x202A, 0x202E}, {0x2060, 0x206F}, {0xFE00, 0xFE0F}, {0xFEFF, 0xFEFF}, {0xE0000, 0xE0FFF}};

    return IN_RANGES(c, marks);
}

static bool is_control(uint32_t c)
{
    return c < 0x20 || (c >= 0x7F && c < 0xA0);
}

static bool is_line_end(uint32_t c)
{
    return c == '\n' || c == 0x2028 || c == 0x2029;
}

static bool needs_shaping(uint32_t c)
{
    static const struct range scripts[] = {
        {0x0590, 0x08FF}, {0x0900, 0x0DFF}, {0x1000, 0x109F}, {0x1780, 0x17FF}};

    return IN_RANGES(c, scripts);
}

static void note_missing(struct layout *layout, uint32_t character)
{
    layout->text->missing++;
    for (size_t i = 0; i < layout->listed_count; i++)
        if (layout->listed[i] == character)
            return;
    if (layout->listed_count < LISTED)
        layout->listed[layout->listed_count++] = character;
}

static void place(struct layout *layout, uint32_t character)
{
    struct let_text *text = layout->text;
    uint32_t glyph = let_font_glyph(layout->font, character);

    if (!glyph)
        note_missing(layout, character);
    if (needs_shaping(character))
        layout->unshaped++;
    layout->pen += let_font_kerning(layout->font, layout->previous, glyph);
    text->items = let_grow(text->items, &text->capacity, text->count + 1, sizeof(*text->items));
    text->items[text->count++] = (struct let_placement){glyph, layout->pen, (int64_t)text->lines};
    layout->pen += let_font_advance(layout->font, glyph);
    layout->line_end = layout->pen;
    layout->previous = glyph;
}

static void advance_blank(struct layout *layout, uint32_t character)
{
    uint32_t glyph = let_font_glyph(layout->font, character == '\t' ? ' ' : character);
    int64_t width = glyph ? let_font_advance(layout->font, glyph) : 0;

    if (!glyph)
        width = llround(layout->font->units_per_em * (character == 0x3000 ? 1 : 0.3));
    layout->pen += let_font_kerning(layout->font, layout->previous, glyph);
    layout->pen += character == '\t' ? TAB_SPACES * width : width;
    layout->previous = glyph;
}

/* Align the line that ends here, and begin the next. */
static int end_line(struct layout *layout, struct let_error *err)
{
    struct let_text *text = layout->text;
    int64_t shift = 0;

    if ((double)layout->line_end > LET_MAX_LINE_EM * layout->font->units_per_em)
        return let_fail(err, LET_TOO_LARGE, "line %zu is wider than %d ems: break it",
                        text->lines + 1, LET_MAX_LINE_EM);
    if (layout->params->align == LET_CENTER)
        shift = layout->line_end / 2;
    else if (layout->params->align == LET_RIGHT)
        shift = layout->line_end;
    for (size_t i = layout->line_first; i < text->count; i++)
        text->items[i].x -= shift;
    layout->line_first = text->count;
    layout->pen = layout->line_end = 0;
    layout->previous = 0;
    if (++text->lines > LET_MAX_LINES)
        return let_fail(err, LET_TOO_LARGE, "the prompt has more than %d lines", LET_MAX_LINES);
    return 0;
}

static int place_all(struct layout *layout, const uint32_t *characters, size_t count,
                     struct let_error *err)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t c = characters[i];

        if (is_line_end(c)) {
            int status = end_line(layout, err);

            if (status)
                return status;
        } else if (c == '\t' || is_space(c)) {
            advance_blank(layout, c);
        } else if (is_control(c)) {
            layout->controls += c != '\r';
        } else if (!is_invisible(c)) {
            place(layout, c);
        }
    }
    return end_line(layout, err);
}

static char *new_warning(struct let_text *text)
{
    return text->warnings[text->warning_count++];
}

static void warn(struct layout *layout)
{
    struct let_text *text = layout->text;
    const size_t size = sizeof(text->warnings[0]);

    if (text->missing) {
        char *note = new_warning(text);
        int used =
            snprintf(note, size, "%zu character%s not in %.100s, shown as a box:", text->missing,
                     text->missing == 1 ? " is" : "s are", layout->font->name);

        for (size_t i = 0; i < layout->listed_count && used > 0 && (size_t)used < size; i++)
            used +=
                snprintf(note + used, size - (size_t)used, " U+%04X", (unsigned)layout->listed[i]);
    }
    if (layout->controls)
        (void)snprintf(new_warning(text), size, "%zu control character%s ignored", layout->controls,
                       layout->controls == 1 ? "" : "s");
    if (layout->unshaped)
        (void)snprintf(new_warning(text), size,
                       "%zu character%s of a script that needs shaping: set unjoined, left to "
                       "right",
                       layout->unshaped, layout->unshaped == 1 ? "" : "s");
}

int let_text_layout(const char *bytes, size_t length, const struct let_font *font,
                    const struct let_params *params, struct let_text *ret_text,
                    struct let_error *err)
{
    struct let_text text = {0};
    struct layout layout = {.font = font, .params = params, .text = &text};
    double line_height = (double)font->line_height * params->line_spacing;
    int64_t last_line;
    uint32_t *characters;
    int status;

    status = let_utf8_decode(bytes, length, &characters, &text.characters, err);
    if (status)
        return status;
    status = place_all(&layout, characters, text.characters, err);
    free(characters);
    if (!status && !text.count)
        status = let_fail(err, LET_EMPTY_PROMPT,
                          length ? "the prompt has only white space" : "the prompt is empty");
    if (status) {
        let_text_done(&text);
        return status;
    }
    last_line = text.items[text.count - 1].y; /* blank lines at the end do not count */
    for (size_t i = 0; i < text.count; i++)
        text.items[i].y = llround((double)(last_line - text.items[i].y) * line_height);
    warn(&layout);
    *ret_text = text;
    return 0;
}

void let_text_done(struct let_text *text)
{
    free(text->items);
    *text = (struct let_text){0};
}
