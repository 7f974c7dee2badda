/* SPDX-License-Identifier: MIT
 *
 * What a request says, judged: JSON bodies by a table of fields, query parameters, file names.
 * Guarantee: every fault of a body is found in one go and named by its place; an unknown field is a fault, so that a
 * misspelt one is never silently dropped. Does not: know a rule of the domain (those are 400, in the handlers), answer,
 * or repeat what was sent in a message.
 */
#include "app_internal.h"

#include <math.h>
#include <string.h>

#include "p3d/clock.h"

/* The media type without its parameters. */
static bool is_json(struct p3d_str content_type)
{
    const char *end = content_type.n > 0 ? memchr(content_type.p, ';', content_type.n) : NULL;
    if (end != NULL)
        content_type.n = (size_t)(end - content_type.p);
    content_type = p3d_str_trim(content_type);
    return content_type.n == 0 || p3d_str_ieq_z(content_type, "application/json");
}

int p3d_body_parse(struct p3d_str content_type, struct p3d_str body, json_t **ret, struct p3d_refusal *r)
{
    struct p3d_error bad;
    if (!is_json(content_type))
        return r->error.code = P3D_E_MEDIA_TYPE;
    if (body.n == 0) {
        p3d_faults_add(&r->faults, "missing", "Field required", "body", NULL);
        return r->error.code = P3D_E_VALIDATION;
    }
    if (p3d_json_parse(body, ret, &bad) != 0) {
        p3d_faults_add(&r->faults, "json_invalid", bad.detail, "body", NULL);
        return r->error.code = P3D_E_VALIDATION;
    }
    if (!json_is_object(*ret)) {
        json_decref(*ret);
        *ret = NULL;
        p3d_faults_add(&r->faults, "dict_type", "Input should be a valid dictionary", "body", NULL);
        return r->error.code = P3D_E_VALIDATION;
    }
    return 0;
}

int p3d_body_read(struct p3d_call *c, json_t **ret, struct p3d_refusal *r)
{
    return p3d_body_parse(p3d_call_header(c, "content-type"), p3d_call_body(c), ret, r);
}

static void range_fault(struct p3d_faults *f, const char *where, const char *name, int64_t value, int64_t min,
                        int64_t max)
{
    char text[80];
    bool low = value < min;
    (void)p3d_format(text, sizeof(text), "Input should be %s than or equal to %lld", low ? "greater" : "less",
                     (long long)(low ? min : max));
    p3d_faults_add(f, low ? "greater_than_equal" : "less_than_equal", text, where, name, NULL);
}

static void check_string(const struct p3d_body_field *field, const json_t *v, struct p3d_faults *f)
{
    if (!json_is_string(v))
        p3d_faults_add(f, "string_type", "Input should be a valid string", "body", field->name, NULL);
}

static void length_fault(const struct p3d_body_field *field, const char *what, const char *type, bool low,
                         struct p3d_faults *f)
{
    char text[80], kind[32];
    (void)p3d_format(text, sizeof(text), "%s %s %lld", what, low ? "at least" : "at most",
                     (long long)(low ? field->minimum : field->maximum));
    (void)p3d_format(kind, sizeof(kind), "%s_%s", type, low ? "short" : "long");
    p3d_faults_add(f, kind, text, "body", field->name, NULL);
}

static bool has_control(struct p3d_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (p3d_utf8_control(s, i) > 0)
            return true;
    return false;
}

static void check_line(const struct p3d_body_field *field, const json_t *v, struct p3d_faults *f)
{
    if (!json_is_string(v)) {
        check_string(field, v, f);
        return;
    }
    struct p3d_str s = {json_string_value(v), json_string_length(v)};
    int64_t n = (int64_t)p3d_utf8_count(s);
    if (n < field->minimum || n > field->maximum)
        length_fault(field, "Number of characters should be", "string_too", n < field->minimum, f);
    else if (has_control(s))
        p3d_faults_add(f, "string_pattern_mismatch", "Control characters are not allowed", "body", field->name, NULL);
}

static void check_array(const struct p3d_body_field *field, const json_t *v, struct p3d_faults *f)
{
    int64_t n = (int64_t)json_array_size(v);
    if (!json_is_array(v))
        p3d_faults_add(f, "list_type", "Input should be a valid list", "body", field->name, NULL);
    else if (n < field->minimum || n > field->maximum)
        length_fault(field, "Number of items should be", "too", n < field->minimum, f);
}

static void check_strings(const struct p3d_body_field *field, const json_t *v, struct p3d_faults *f)
{
    size_t n = json_array_size(v), before = json_array_size(f->list);
    check_array(field, v, f);
    if (json_array_size(f->list) > before)
        return;
    for (size_t i = 0; i < n; i++)
        if (!json_is_string(json_array_get(v, i))) {
            check_string(field, json_array_get(v, i), f);
            return; /* one fault of a kind is enough */
        }
}

static void check_integer(const struct p3d_body_field *field, const json_t *v, struct p3d_faults *f)
{
    int64_t n = json_integer_value(v);
    if (!json_is_integer(v))
        p3d_faults_add(f, "int_type", "Input should be a valid integer", "body", field->name, NULL);
    else if (n < field->minimum || n > field->maximum)
        range_fault(f, "body", field->name, n, field->minimum, field->maximum);
}

static void check_object(const struct p3d_body_field *field, const json_t *v, struct p3d_faults *f)
{
    if (!json_is_object(v))
        p3d_faults_add(f, "dict_type", "Input should be a valid dictionary", "body", field->name, NULL);
}

int p3d_body_time(const json_t *value, int64_t *ret_wall_ms)
{
    const double most = 253402300799.0; /* the year 9999 */
    double s = json_number_value(value);
    if (json_is_string(value))
        return p3d_time_parse((struct p3d_str){json_string_value(value), json_string_length(value)}, ret_wall_ms);
    if (!json_is_number(value) || !(s >= 0 && s <= most))
        return P3D_E_VALIDATION;
    *ret_wall_ms = (int64_t)floor(s * 1000.0);
    return 0;
}

static void check_time(const struct p3d_body_field *field, const json_t *v, struct p3d_faults *f)
{
    int64_t ms;
    if (p3d_body_time(v, &ms) != 0)
        p3d_faults_add(f, "datetime_parsing", "Input should be a valid datetime", "body", field->name, NULL);
}

static void check_later(const struct p3d_body_field *field, const json_t *v, struct p3d_faults *f)
{
    (void)v;
    p3d_faults_add(f, "not_supported", "Not supported by this version", "body", field->name, NULL);
}

static void (*const checks[])(const struct p3d_body_field *, const json_t *, struct p3d_faults *) = {
    [P3D_BODY_STRING] = check_string,
    [P3D_BODY_LINE] = check_line,
    [P3D_BODY_ARRAY] = check_array,
    [P3D_BODY_STRINGS] = check_strings,
    [P3D_BODY_INTEGER] = check_integer,
    [P3D_BODY_OBJECT] = check_object,
    [P3D_BODY_TIME] = check_time,
    [P3D_BODY_LATER] = check_later,
};

static bool is_known(const char *name, const struct p3d_body_field *fields, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(fields[i].name, name) == 0)
            return true;
    return false;
}

int p3d_body_check(const json_t *body, const struct p3d_body_field *fields, size_t n, bool open, struct p3d_faults *f)
{
    size_t before = json_array_size(f->list);
    for (size_t i = 0; i < n; i++) {
        const json_t *v = json_object_get(body, fields[i].name);
        if (v != NULL && (fields[i].required || !json_is_null(v)))
            checks[fields[i].type](&fields[i], v, f);
        else if (fields[i].required)
            p3d_faults_add(f, "missing", "Field required", "body", fields[i].name, NULL);
    }
    /* jansson's iterator takes no const object, and does not change it */
    json_t *object = (json_t *)(uintptr_t)body;
    for (void *it = open ? NULL : json_object_iter(object); it != NULL; it = json_object_iter_next(object, it))
        if (!is_known(json_object_iter_key(it), fields, n))
            p3d_faults_add(f, "extra_forbidden", "Extra inputs are not permitted", "body", json_object_iter_key(it),
                           NULL);
    return json_array_size(f->list) > before ? P3D_E_VALIDATION : 0;
}

struct p3d_str p3d_call_text(struct p3d_call *c, struct p3d_str text)
{
    char *copy = p3d_call_alloc(c, text.n + 1);
    if (text.n > 0)
        memcpy(copy, text.p, text.n);
    return (struct p3d_str){copy, text.n};
}

int64_t p3d_query_int(struct p3d_call *c, const char *name, int64_t min, int64_t max, int64_t fallback,
                      struct p3d_faults *f)
{
    struct p3d_str text;
    int64_t n;
    if (!p3d_call_query(c, name, &text))
        return fallback;
    if (p3d_str_to_i64(text, INT64_MIN, INT64_MAX, &n) != 0) {
        p3d_faults_add(f, "int_parsing", "Input should be a valid integer", "query", name, NULL);
        return fallback;
    }
    if (n < min || n > max) {
        range_fault(f, "query", name, n, min, max);
        return fallback;
    }
    return n;
}

struct p3d_str p3d_query_text(struct p3d_call *c, const char *name, size_t max, struct p3d_faults *f)
{
    struct p3d_str text, none = {NULL, 0};
    char msg[64];
    if (!p3d_call_query(c, name, &text))
        return none;
    if (text.p == NULL || (text.n > 0 && memchr(text.p, '\0', text.n) != NULL)) {
        p3d_faults_add(f, "string_unicode", "Input should be valid UTF-8 text", "query", name, NULL);
        return none;
    }
    if (text.n > max) {
        (void)p3d_format(msg, sizeof(msg), "Input should have at most %zu bytes", max);
        p3d_faults_add(f, "string_too_long", msg, "query", name, NULL);
        return none;
    }
    return p3d_call_text(c, text);
}

bool p3d_filename_clean(struct p3d_str text, char dst[208])
{
    static const char separators[] = "/\\:*?\"<>|";
    size_t n = 0;
    text = p3d_str_trim(p3d_utf8_cut(text, 200));
    while (text.n > 0 && text.p[0] == '.') {
        text.p++;
        text.n--;
    }
    for (size_t i = 0; i < text.n; i++) {
        unsigned char b = (unsigned char)text.p[i];
        dst[n++] = b < 0x20 || b == 0x7f || strchr(separators, b) != NULL ? '_' : text.p[i];
    }
    dst[n] = '\0';
    return n > 0;
}
