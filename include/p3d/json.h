/* SPDX-License-Identifier: MIT
 *
 * JSON on jansson: strict reading (depth, duplicate keys, UTF-8), small writing helpers.
 */
#pragma once
#include <jansson.h>

#include "p3d/err.h"
#include "p3d/str.h"

#define P3D_JSON_DEPTH 64
#define P3D_JSON_VALUES 200000 /* trees of so many take 8 to 40 MB */
#define P3D_JSON_DEPTH_STORED 72 /* a record puts a few levels of its own around what was judged by P3D_JSON_DEPTH */

/* Parse one JSON text: UTF-8, no NUL, no duplicate keys, nothing behind it, at most P3D_JSON_DEPTH levels and
 * P3D_JSON_VALUES values (both checked before the parser runs, so its stack and its tree are bounded). Every value
 * counts, whatever it stands in; an empty array or object counts twice: it is the dearest of all. ret: new reference.
 * Errors: P3D_E_VALIDATION with the position in err->detail ("Invalid JSON at line 1 column 5: …"). */
P3D_MUST int p3d_json_parse(struct p3d_str text, json_t **ret, struct p3d_error *err);
/* The same with any number of values, for a text that whoever runs this has chosen. */
P3D_MUST int p3d_json_parse_long(struct p3d_str text, json_t **ret, struct p3d_error *err);
/* The same for texts of records: an object, at most P3D_JSON_DEPTH_STORED levels, any number of values: what was
 * accepted once stays readable. */
P3D_MUST int p3d_json_parse_object(struct p3d_str text, json_t **ret, struct p3d_error *err);

/* Compact text of a value. Returns an owned, terminated string; *ret_n its length (may be NULL). */
char *p3d_json_dump(const json_t *value, size_t *ret_n);

json_t *p3d_json_str(struct p3d_str s);             /* new string; NUL and bytes that are no UTF-8 become U+FFFD */
json_t *p3d_json_time(int64_t wall_ms);             /* naive form; JSON null when 0 */
struct p3d_str p3d_json_get_str(const json_t *object, const char *key); /* empty when absent or no string */

/* Collects the faults of one request body for the 422 answer. */
struct p3d_faults {
    json_t *list; /* array of {"loc":[…],"msg","type"}, or NULL while there are none; at most 64 kept */
};
void p3d_faults_done(struct p3d_faults *f);
/* loc: "body", then path parts until NULL. type: "missing", "string_type", "extra_forbidden", … */
void p3d_faults_add(struct p3d_faults *f, const char *type, const char *msg, const char *loc0, ...)
    __attribute__((sentinel));
