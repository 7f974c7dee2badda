/* SPDX-License-Identifier: MIT
 *
 * One event, one line, on stderr: `2026-01-02T03:04:05.678Z info serve[123] request method=GET status=200`,
 * or the same as one JSON object. Values are quoted where needed; control bytes and bad UTF-8 are escaped, so a
 * value can never start a line. A line is one write(2) of at most 4 KiB. Never pass a secret.
 * Library code does not log: the handler, the worker's loop and main do, once, with the context.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "p3d/str.h"

enum p3d_log_level { P3D_LOG_DEBUG, P3D_LOG_INFO, P3D_LOG_WARN, P3D_LOG_ERROR };

/* Process-wide, set once at start. role: "serve", "work-1"; literal or process lifetime. */
void p3d_log_setup(enum p3d_log_level min, bool json, const char *role);

/* A field. Make them with the macros; arrays end with P3D_END. Everything is borrowed for the call. */
struct p3d_field {
    const char *key; /* [a-z_]+ */
    enum { P3D_FIELD_STR, P3D_FIELD_INT, P3D_FIELD_FLOAT } type;
    struct p3d_str s;
    int64_t i;
    double f;
};
#define P3D_S(k, z) ((struct p3d_field){.key = (k), .type = P3D_FIELD_STR, .s = p3d_str_z(z)})
#define P3D_SN(k, str) ((struct p3d_field){.key = (k), .type = P3D_FIELD_STR, .s = (str)})
#define P3D_I(k, n) ((struct p3d_field){.key = (k), .type = P3D_FIELD_INT, .i = (int64_t)(n)})
#define P3D_F(k, x) ((struct p3d_field){.key = (k), .type = P3D_FIELD_FLOAT, .f = (x)})

void p3d_log_write(enum p3d_log_level level, const char *event, const struct p3d_field *fields, size_t n);

/* p3d_log(P3D_LOG_INFO, "job_claimed", P3D_S("job", id), P3D_I("attempt", 2)); at least one field. */
#define p3d_log(level, event, ...)                                                        \
    p3d_log_write((level), (event), (const struct p3d_field[]){__VA_ARGS__},              \
                  sizeof((const struct p3d_field[]){__VA_ARGS__}) / sizeof(struct p3d_field))
