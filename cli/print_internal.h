/* SPDX-License-Identifier: MIT
 *
 * What a person or a program reads on stdout.
 */
#pragma once
#include "p3d/json.h"

void p3d_print_json(json_t *value); /* one line; takes the reference */

/* A table: heads[n], then rows, an array of arrays of n strings. Columns are as wide as their widest text; an empty one
 * is '-'; what would move a terminal's cursor is shown as '?'. */
void p3d_print_table(const char *const *heads, size_t n, const json_t *rows);

/* A copy that a terminal can be given; cut to size. Returns dst. */
const char *p3d_print_safe(const char *z, char *dst, size_t size);

/* A time for people: "2024-01-01T00:00:00Z", or "never" for 0. dst holds P3D_TIME_SIZE. Returns dst. */
const char *p3d_print_time(int64_t wall_ms, char *dst);
