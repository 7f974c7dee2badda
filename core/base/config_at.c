/* SPDX-License-Identifier: MIT
 *
 * Saying where in the configuration something is wrong: "config.yaml:12: server.port". A place is a
 * chain of steps on the stacks of the functions that read, so the text is made only when there is
 * something to complain about.
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "config_internal.h"

#define DEPTH_MAX 40

/* A long path is shown from its last part: the line and the key must stay readable. */
static const char *source_name(const char *name)
{
    const char *slash = strrchr(name, '/');
    return strlen(name) > 90 && slash && slash[1] ? slash + 1 : name;
}

void p3d_cfg_where(const struct p3d_cfg_at *at, char *dst, size_t size)
{
    const struct p3d_cfg_at *steps[DEPTH_MAX];
    size_t n = 0;
    int line = 0;
    for (; at->up && n < DEPTH_MAX; at = at->up) {
        steps[n++] = at;
        line = line ? line : at->line;
    }
    while (at->up)
        at = at->up;
    struct p3d_buf b;
    p3d_buf_init(&b, 0);
    p3d_buf_addz(&b, source_name(at->name));
    line = line ? line : at->line;
    if (line)
        p3d_buf_addf(&b, ":%d", line);
    for (size_t i = n; i-- > 0;)
        p3d_buf_addf(&b, "%s%s",
                     i + 1 == n                 ? ": "
                     : steps[i]->name[0] == '[' ? ""
                                                : ".",
                     steps[i]->name);
    (void)p3d_format(dst, size, "%s", b.p);
    p3d_buf_done(&b);
}

int p3d_cfg_fail(const struct p3d_cfg_at *at, struct p3d_error *err, const char *fmt, ...)
{
    if (!err)
        return P3D_E_CONFIG;
    va_list ap;
    va_start(ap, fmt);
    char text[1024];
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    struct p3d_str cut = p3d_utf8_cut(p3d_str_z(text), sizeof err->detail - 1);
    err->code = P3D_E_CONFIG;
    (void)p3d_format(err->detail, sizeof err->detail, "%.*s", (int)cut.n, cut.p);
    p3d_cfg_where(at, err->where, sizeof err->where);
    return P3D_E_CONFIG;
}

/* Levenshtein distance, texts of at most 63 bytes. */
static size_t distance(const char *a, const char *b)
{
    size_t row[64], n = strlen(b);
    if (strlen(a) > 63 || n > 63)
        return 99;
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t best =
                diagonal + (tolower((unsigned char)a[i - 1]) != tolower((unsigned char)b[j - 1]));
            diagonal = row[j];
            best = best < row[j] + 1 ? best : row[j] + 1;
            row[j] = best < row[j - 1] + 1 ? best : row[j - 1] + 1;
        }
    }
    return row[n];
}

int p3d_cfg_fail_unknown(const struct p3d_cfg_at *at, struct p3d_error *err, const char *what,
                         const char *given, const char *(*name_of)(const void *table, size_t i),
                         const void *table, size_t n)
{
    char best[64] = "";
    size_t least = strlen(given) > 3 ? 3 : 2; /* more edits than this is another word */
    for (size_t i = 0; i < n; i++) {
        const char *name = name_of(table, i);
        size_t d = distance(given, name);
        if (d < least) {
            least = d;
            (void)p3d_format(best, sizeof best, "%s", name);
        }
    }
    if (best[0])
        return p3d_cfg_fail(at, err, "unknown %s; did you mean '%s'?", what, best);
    return p3d_cfg_fail(at, err, "unknown %s", what);
}
