/* SPDX-License-Identifier: MIT
 *
 * Strict JSON reading and small writing helpers on jansson.
 * Guarantee: text from outside costs at most one scan before its nesting and the size of its tree
 * are known to be harmless; no key is there twice; no string holds a NUL; an error names the place, never the text around it
 * (that may be a password). Does not: stream, keep comments, or read numbers that fit neither int64
 * nor double.
 */
#include "p3d/json.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "p3d/clock.h"
#include "str_internal.h"

#define FAULTS_MAX 64

static void *json_alloc(size_t n)
{
    return p3d_realloc(NULL, n);
}

/* Before main, so no thread ever sees them change: memory that aborts instead of NULL, and a random
 * hash seed, once (colliding keys must not be predictable). */
__attribute__((constructor)) static void setup(void)
{
    json_set_alloc_funcs(json_alloc, free);
    json_object_seed(0);
}

static int refuse(struct p3d_error *err, struct p3d_str text, size_t at, const char *why)
{
    unsigned long line = 1, column = 0;
    for (size_t i = 0; i <= at && i < text.n; i++) {
        if (text.p[i] == '\n') {
            line++;
            column = 0;
        } else if (((unsigned char)text.p[i] & 0xC0) != 0x80) {
            column++;
        }
    }
    return p3d_fail(err, P3D_E_VALIDATION, "Invalid JSON at line %lu column %lu: %s", line, column,
                    why);
}

/* Nesting, number of values and NUL, before jansson (which recurses, and takes up to eighty times
 * the memory of the text) sees it. A value is the first one, stands behind a comma, or is the first
 * in a bracket; that an empty bracket has none is not looked at. Up to the first syntax error this
 * agrees with the parser on what is inside a string, and the parser never gets behind that error.
 */
static int scan(struct p3d_str text, int max_depth, size_t max_values, struct p3d_error *err)
{
    bool in_string = false;
    int depth = 0;
    size_t values = 1;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '\0')
            return refuse(err, text, i, "NUL is not allowed");
        if (in_string) {
            if (c == '\\' && i + 1 < text.n && text.p[i + 1] != '\0')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            if (++depth > max_depth)
                return refuse(err, text, i, "nested too deeply");
            values++;
        } else if (c == ',') {
            values++;
        } else if (c == ']' || c == '}') {
            depth--;
        }
        if (values > max_values)
            return refuse(err, text, i, "too many values");
    }
    return 0;
}

static int parse(struct p3d_str text, int max_depth, size_t max_values, json_t **ret,
                 struct p3d_error *err)
{
    int r = scan(text, max_depth, max_values, err);
    if (r != 0)
        return r;
    json_error_t e;
    json_t *value = json_loadb(text.p != NULL ? text.p : "", text.n,
                               JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &e);
    if (value == NULL) {
        char *near = strstr(e.text, " near '");
        if (near != NULL)
            *near = '\0';
        return p3d_fail(err, P3D_E_VALIDATION, "Invalid JSON at line %d column %d: %s", e.line,
                        e.column, e.text);
    }
    *ret = value;
    return 0;
}

int p3d_json_parse(struct p3d_str text, json_t **ret, struct p3d_error *err)
{
    return parse(text, P3D_JSON_DEPTH, P3D_JSON_VALUES, ret, err);
}

int p3d_json_parse_long(struct p3d_str text, json_t **ret, struct p3d_error *err)
{
    return parse(text, P3D_JSON_DEPTH, SIZE_MAX, ret, err);
}

int p3d_json_parse_object(struct p3d_str text, json_t **ret, struct p3d_error *err)
{
    json_t *value = NULL;
    int r = parse(text, P3D_JSON_DEPTH_STORED, SIZE_MAX, &value, err);
    if (r != 0)
        return r;
    if (!json_is_object(value)) {
        json_decref(value);
        return p3d_fail(err, P3D_E_VALIDATION, "Invalid JSON at line 1 column 1: not an object");
    }
    *ret = value;
    return 0;
}

/* The shortest of the usual forms that reads back as the same double: jansson prints 17 digits, 0.1
 * as 0.10000000000000001. Returns its length, or 0 to keep the text as it is. */
static size_t shorten_number(const char *p, size_t n, char dst[40])
{
    char text[40];
    if (n < 17 || n >= sizeof(text) || memchr(p, '.', n) == NULL)
        return 0;
    memcpy(text, p, n);
    text[n] = '\0';
    double value = strtod(text, NULL);
    for (int digits = 15; digits <= 16; digits++) {
        int len = snprintf(dst, 40, "%.*g", digits, value);
        if (len <= 0 || (size_t)len >= n || strtod(dst, NULL) != value)
            continue;
        if (strpbrk(dst, ".e") == NULL)
            len += snprintf(dst + len, 40 - (size_t)len, ".0"); /* stays a real */
        return (size_t)len;
    }
    return 0;
}

static size_t number_length(const char *p)
{
    return strspn(p, "+-0123456789.eE");
}

/* In place: the result is never longer. */
static size_t shorten_numbers(char *text)
{
    char *out = text;
    bool in_string = false;
    for (const char *in = text; *in != '\0';) {
        char number[40];
        size_t n = in_string ? 0 : number_length(in);
        if (n > 0) {
            size_t len = shorten_number(in, n, number);
            memmove(out, len > 0 ? number : in, len > 0 ? len : n);
            out += len > 0 ? len : n;
            in += n;
            continue;
        }
        if (in_string && *in == '\\')
            *out++ = *in++; /* what follows is not the end of the string */
        else if (*in == '"')
            in_string = !in_string;
        *out++ = *in++;
    }
    *out = '\0';
    return (size_t)(out - text);
}

char *p3d_json_dump(const json_t *value, size_t *ret_n)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    assert(text != NULL); /* a loop in the value, or a string that went around p3d_json_str */
    size_t n = shorten_numbers(text);
    if (ret_n != NULL)
        *ret_n = n;
    return text;
}

json_t *p3d_json_str(struct p3d_str s)
{
    static const char replacement[] = "\xEF\xBF\xBD"; /* U+FFFD */
    struct p3d_buf b;
    p3d_buf_init(&b, 0);
    size_t kept = 0;
    for (size_t i = 0; i < s.n;) {
        size_t len = s.p[i] == '\0' ? 0 : p3d_utf8_step(s.p + i, s.n - i, NULL);
        if (len == 0) {
            p3d_buf_add(&b, s.p + kept, i - kept);
            p3d_buf_add(&b, replacement, sizeof(replacement) - 1);
            kept = i + 1;
        }
        i += len > 0 ? len : 1;
    }
    if (kept > 0) {
        p3d_buf_add(&b, s.p + kept, s.n - kept);
        s = p3d_buf_str(&b);
    }
    json_t *value = json_stringn_nocheck(s.p != NULL ? s.p : "", s.n);
    p3d_buf_done(&b);
    return value;
}

json_t *p3d_json_time(int64_t wall_ms)
{
    char text[P3D_TIME_SIZE];
    if (wall_ms == 0)
        return json_null();
    p3d_time_format(wall_ms, P3D_TIME_NAIVE, text);
    return json_string(text);
}

struct p3d_str p3d_json_get_str(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_string(value))
        return (struct p3d_str){.p = NULL, .n = 0};
    return (struct p3d_str){json_string_value(value), json_string_length(value)};
}

void p3d_faults_done(struct p3d_faults *f)
{
    json_decref(f->list);
    f->list = NULL;
}

void p3d_faults_add(struct p3d_faults *f, const char *type, const char *msg, const char *loc0, ...)
{
    if (f->list == NULL)
        f->list = json_array();
    if (json_array_size(f->list) >= FAULTS_MAX)
        return;
    json_t *loc = json_array();
    va_list ap;
    va_start(ap, loc0);
    for (const char *part = loc0; part != NULL; part = va_arg(ap, const char *))
        (void)json_array_append_new(loc, p3d_json_str(p3d_str_z(part)));
    va_end(ap);
    json_t *fault = json_object();
    (void)json_object_set_new(fault, "loc", loc);
    (void)json_object_set_new(fault, "msg", p3d_json_str(p3d_str_z(msg)));
    (void)json_object_set_new(fault, "type", p3d_json_str(p3d_str_z(type)));
    (void)json_array_append_new(f->list, fault);
}
