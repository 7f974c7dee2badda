/* SPDX-License-Identifier: MIT
 *
 * Tables and JSON. Guarantee: no text that came out of the store reaches a terminal with control
 * characters in it (a username or an address in the audit could else rewrite the lines above it).
 * Does not: know what is printed.
 */
#include "print_internal.h"

#include <stdio.h>
#include <string.h>

#include "p3d/clock.h"

void p3d_print_json(json_t *value)
{
    char *text P3D_CLEANUP(p3d_freep) = p3d_json_dump(value, NULL);
    (void)printf("%s\n", text);
    json_decref(value);
}

const char *p3d_print_safe(const char *z, char *dst, size_t size)
{
    struct p3d_str text = p3d_utf8_cut(p3d_str_z(z), size - 1);
    size_t n = 0;
    if (!p3d_utf8_valid(text)) {
        (void)p3d_format(dst, size, "?");
        return dst;
    }
    for (size_t i = 0; i < text.n;) {
        size_t control = p3d_utf8_control(text, i);
        dst[n++] = control > 0 ? '?' : text.p[i];
        i += control > 0 ? control : 1;
    }
    dst[n] = '\0';
    return dst;
}

const char *p3d_print_time(int64_t wall_ms, char *dst)
{
    if (wall_ms == 0)
        (void)p3d_format(dst, P3D_TIME_SIZE, "never");
    else
        p3d_time_format(wall_ms, P3D_TIME_ZULU, dst);
    return dst;
}

enum { COLUMNS = 16, CELL = 1024 };

static size_t width_of(const char *text)
{
    char cell[CELL];
    return p3d_utf8_count(p3d_str_z(p3d_print_safe(text, cell, sizeof(cell))));
}

static void print_cell(const char *text, size_t width, bool last)
{
    char cell[CELL];
    (void)fputs(p3d_print_safe(text, cell, sizeof(cell)), stdout);
    /* printf pads by bytes; a letter may have several. */
    for (size_t n = width_of(text); !last && n < width + 2; n++)
        (void)putchar(' ');
    if (last)
        (void)putchar('\n');
}

static const char *text_at(const json_t *row, size_t column)
{
    const char *text = json_string_value(json_array_get(row, column));
    return text != NULL && *text != '\0' ? text : "-"; /* so that columns can be counted */
}

void p3d_print_table(const char *const *heads, size_t n, const json_t *rows)
{
    size_t width[COLUMNS] = {0};
    if (n > COLUMNS)
        n = COLUMNS;
    for (size_t c = 0; c < n; c++) {
        width[c] = strlen(heads[c]);
        for (size_t i = 0; i < json_array_size(rows); i++) {
            size_t w = width_of(text_at(json_array_get(rows, i), c));
            width[c] = w > width[c] ? w : width[c];
        }
    }
    for (size_t c = 0; c < n; c++)
        print_cell(heads[c], width[c], c + 1 == n);
    for (size_t i = 0; i < json_array_size(rows); i++)
        for (size_t c = 0; c < n; c++)
            print_cell(text_at(json_array_get(rows, i), c), width[c], c + 1 == n);
}
