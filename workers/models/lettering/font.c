/* SPDX-License-Identifier: MIT */
/* FreeType lives here and in no other file.
 *
 * Outlines are taken unscaled and unhinted, in the font's own integer units, and each curve is cut
 * into equal steps of its parameter, as many as its bend needs to stay within the tolerance. The
 * loops come out as the font draws them, with whatever faults it has: clean.c repairs them.
 * Characters are mapped one by one, with the font's kern table between neighbours; there is no
 * shaping (ligatures, Arabic joining). */
#include "font.h"

#include <ft2build.h>
#include FT_FREETYPE_H
#include FT_OUTLINE_H
#include FT_TRUETYPE_TABLES_H

#include <math.h>
#include <stdio.h>
#include <sys/stat.h>

#define MAX_STEPS 256
#define MAX_FONT_BYTES (64 << 20)

struct pen {
    struct let_polygon *out;
    double scale, tolerance;
    double x, y; /* where the pen is, grid units */
};

static double measure_cap_height(FT_Face face)
{
    const TT_OS2 *os2 = FT_Get_Sfnt_Table(face, FT_SFNT_OS2);
    FT_UInt glyph = FT_Get_Char_Index(face, 'H');

    if (glyph && !FT_Load_Glyph(face, glyph, FT_LOAD_NO_SCALE | FT_LOAD_NO_HINTING) &&
        face->glyph->metrics.horiBearingY > 0)
        return (double)face->glyph->metrics.horiBearingY;
    if (os2 && os2->version != 0xFFFF && os2->version >= 2 && os2->sCapHeight > 0)
        return os2->sCapHeight;
    return 0.7 * face->units_per_EM;
}

int let_font_open(const char *directory, const char *name, struct let_font *ret_font,
                  struct let_error *err)
{
    struct stat info;
    char path[4096];
    FT_Library library;
    FT_Face face;
    int length = snprintf(path, sizeof(path), "%s/%s", directory, name);

    if (length < 0 || (size_t)length >= sizeof(path) || stat(path, &info) < 0 ||
        !S_ISREG(info.st_mode))
        return let_fail(err, LET_BAD_FONT,
                        "font \"%s\" (parameter \"font\") is not in the font directory", name);
    if (info.st_size > MAX_FONT_BYTES)
        return let_fail(err, LET_BAD_FONT, "font \"%s\" is larger than 64 MiB", name);
    if (FT_Init_FreeType(&library))
        return let_fail(err, LET_BAD_FONT, "FreeType does not start");
    if (FT_New_Face(library, path, 0, &face)) {
        (void)FT_Done_FreeType(library);
        return let_fail(err, LET_BAD_FONT, "font \"%s\" cannot be read as a font", name);
    }
    if (!FT_IS_SCALABLE(face) || !face->units_per_EM) {
        (void)FT_Done_Face(face);
        (void)FT_Done_FreeType(library);
        return let_fail(err, LET_BAD_FONT, "font \"%s\" has no outlines", name);
    }
    *ret_font =
        (struct let_font){.library = library,
                          .face = face,
                          .name = name,
                          .units_per_em = face->units_per_EM,
                          .cap_height = measure_cap_height(face),
                          .line_height = face->height > 0 ? face->height : face->units_per_EM,
                          .ascent = face->bbox.yMax,
                          .descent = face->bbox.yMin};
    return 0;
}

void let_font_done(struct let_font *font)
{
    if (font->face)
        (void)FT_Done_Face(font->face);
    if (font->library)
        (void)FT_Done_FreeType(font->library);
    *font = (struct let_font){0};
}

uint32_t let_font_glyph(const struct let_font *font, uint32_t character)
{
    return FT_Get_Char_Index(font->face, character);
}

int64_t let_font_advance(const struct let_font *font, uint32_t glyph)
{
    FT_Face face = font->face;

    if (FT_Load_Glyph(face, glyph, FT_LOAD_NO_SCALE | FT_LOAD_NO_HINTING))
        return 0;
    return face->glyph->metrics.horiAdvance;
}

int64_t let_font_kerning(const struct let_font *font, uint32_t left, uint32_t right)
{
    FT_Vector by = {0, 0};

    if (!left || !right || FT_Get_Kerning(font->face, left, right, FT_KERNING_UNSCALED, &by))
        return 0;
    return by.x;
}

static void draw_to(struct pen *pen, double x, double y)
{
    let_polygon_add(pen->out, (struct let_point){llround(x), llround(y)});
}

static int move(const FT_Vector *to, void *user)
{
    struct pen *pen = user;

    let_polygon_close(pen->out);
    pen->x = (double)to->x * pen->scale;
    pen->y = (double)to->y * pen->scale;
    draw_to(pen, pen->x, pen->y);
    return 0;
}

static int line(const FT_Vector *to, void *user)
{
    struct pen *pen = user;

    pen->x = (double)to->x * pen->scale;
    pen->y = (double)to->y * pen->scale;
    draw_to(pen, pen->x, pen->y);
    return 0;
}

/* Steps that keep chords within the tolerance of a curve whose second derivative is at most
 * `bend`: a chord over 1/n of it is off by bend / (8 n^2). */
static int steps(const struct pen *pen, double bend)
{
    double wanted = ceil(sqrt(bend / (8 * pen->tolerance)));

    return wanted < 1 ? 1 : (wanted > MAX_STEPS ? MAX_STEPS : (int)wanted);
}

static int conic(const FT_Vector *control, const FT_Vector *to, void *user)
{
    struct pen *pen = user;
    double x0 = pen->x, x1 = (double)control->x * pen->scale, x2 = (double)to->x * pen->scale;
    double y0 = pen->y, y1 = (double)control->y * pen->scale, y2 = (double)to->y * pen->scale;
    int count = steps(pen, 2 * hypot(x0 - 2 * x1 + x2, y0 - 2 * y1 + y2));

    for (int i = 1; i <= count; i++) {
        double t = (double)i / count, s = 1 - t;

        draw_to(pen, s * s * x0 + 2 * s * t * x1 + t * t * x2,
                s * s * y0 + 2 * s * t * y1 + t * t * y2);
    }
    pen->x = x2;
    pen->y = y2;
    return 0;
}

static int cubic(const FT_Vector *control1, const FT_Vector *control2, const FT_Vector *to,
                 void *user)
{
    struct pen *pen = user;
    double x0 = pen->x, x1 = (double)control1->x * pen->scale;
    double x2 = (double)control2->x * pen->scale, x3 = (double)to->x * pen->scale;
    double y0 = pen->y, y1 = (double)control1->y * pen->scale;
    double y2 = (double)control2->y * pen->scale, y3 = (double)to->y * pen->scale;
    int count = steps(pen, 6 * fmax(hypot(x0 - 2 * x1 + x2, y0 - 2 * y1 + y2),
                                    hypot(x1 - 2 * x2 + x3, y1 - 2 * y2 + y3)));

    for (int i = 1; i <= count; i++) {
        double t = (double)i / count, s = 1 - t;
        double a = s * s * s, b = 3 * s * s * t, c = 3 * s * t * t, d = t * t * t;

        draw_to(pen, a * x0 + b * x1 + c * x2 + d * x3, a * y0 + b * y1 + c * y2 + d * y3);
    }
    pen->x = x3;
    pen->y = y3;
    return 0;
}

int let_font_outline(const struct let_font *font, uint32_t glyph, double scale, double tolerance,
                     struct let_polygon *ret_raw, enum let_rule *ret_rule, struct let_error *err)
{
    static const FT_Outline_Funcs pens = {move, line, conic, cubic, 0, 0};
    struct pen pen = {ret_raw, scale, tolerance, 0, 0};
    FT_Face face = font->face;

    if (FT_Load_Glyph(face, glyph, FT_LOAD_NO_SCALE | FT_LOAD_NO_HINTING) ||
        face->glyph->format != FT_GLYPH_FORMAT_OUTLINE ||
        FT_Outline_Decompose(&face->glyph->outline, &pens, &pen))
        return let_fail(err, LET_BAD_FONT, "font \"%s\": glyph %u has no readable outline",
                        font->name, glyph);
    let_polygon_close(ret_raw);
    *ret_rule = face->glyph->outline.flags & FT_OUTLINE_EVEN_ODD_FILL ? LET_EVEN_ODD : LET_NONZERO;
    return 0;
}
