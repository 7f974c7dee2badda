/* SPDX-License-Identifier: MIT
 *
 * Reading maps of the configuration by a table of fields: which keys there are, what each must be,
 * where it goes. Used for features, models and inputs; a new key is a row in one of their tables.
 */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "model_internal.h"

#define SHOWN(text) (int)p3d_utf8_cut(p3d_str_z(text), 60).n, text

static const char *field_key(const void *table, size_t i)
{
    return ((const struct p3d_field *)table)[i].key;
}

static int read_field(const struct p3d_read *r, const struct p3d_cfg_at *at,
                      const struct p3d_yaml *y, const struct p3d_field *fields, size_t n, void *obj)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(fields[i].key, at->name) != 0)
            continue;
        if (p3d_yaml_is_null(y) && fields[i].read != p3d_read_bool)
            return 0;
        return fields[i].read(r, at, y, &fields[i], obj);
    }
    return p3d_cfg_fail_unknown(at, r->err, "key", at->name, field_key, fields, n);
}

int p3d_read_map(const struct p3d_read *r, const struct p3d_cfg_at *at, const struct p3d_yaml *y,
                 const struct p3d_field *fields, size_t n, void *obj)
{
    if (y->kind != P3D_YAML_MAP)
        return p3d_cfg_fail(at, r->err, "must be a map");
    for (size_t i = 0; i < y->n; i++) {
        struct p3d_cfg_at here = {at, y->v[i].key, y->v[i].line};
        int status = read_field(r, &here, y->v[i].value, fields, n, obj);
        if (status)
            return status;
    }
    return 0;
}

P3D_READER(p3d_read_text)
{
    char **dst = (char **)(void *)((char *)obj + f->offset);
    if (y->kind != P3D_YAML_SCALAR || !*y->text)
        return p3d_cfg_fail(at, r->err, "must be a text");
    if ((int64_t)strlen(y->text) > f->max)
        return p3d_cfg_fail(at, r->err, "is longer than %lld bytes", (long long)f->max);
    free(*dst);
    *dst = p3d_strdup(y->text);
    return 0;
}

P3D_READER(p3d_read_int)
{
    int64_t *dst = (int64_t *)(void *)((char *)obj + f->offset);
    if (y->kind != P3D_YAML_SCALAR)
        return p3d_cfg_fail(at, r->err, "must be a whole number between %lld and %lld",
                            (long long)f->min, (long long)f->max);
    if (p3d_str_to_i64(p3d_str_z(y->text), f->min, f->max, dst))
        return p3d_cfg_fail(at, r->err, "must be a whole number between %lld and %lld, not '%.*s'",
                            (long long)f->min, (long long)f->max, SHOWN(y->text));
    return 0;
}

P3D_READER(p3d_read_bool)
{
    bool *dst = (bool *)(void *)((char *)obj + f->offset);
    if (y->kind != P3D_YAML_SCALAR)
        return p3d_cfg_fail(at, r->err, "must be true or false");
    if (p3d_str_to_bool(p3d_str_z(y->text), dst))
        return p3d_cfg_fail(at, r->err, "must be true or false, not '%.*s'", SHOWN(y->text));
    return 0;
}

P3D_READER(p3d_read_words)
{
    char ***dst = (char ***)(void *)((char *)obj + f->offset);
    size_t n = 0;
    if (y->kind != P3D_YAML_SEQUENCE)
        return p3d_cfg_fail(at, r->err, "must be a list of words");
    p3d_strv_free(*dst);
    *dst = p3d_alloc(sizeof **dst);
    for (size_t i = 0; i < y->n; i++) {
        const struct p3d_yaml *item = y->v[i].value;
        struct p3d_cfg_at here = {at->up, at->name, y->v[i].line};
        if (item->kind != P3D_YAML_SCALAR || p3d_yaml_is_null(item))
            return p3d_cfg_fail(&here, r->err, "item %d must be a text", (int)i + 1);
        n = p3d_strv_add(dst, n, p3d_strdup(item->text));
    }
    return 0;
}

int p3d_read_name(const struct p3d_read *r, const struct p3d_cfg_at *at, const char *name)
{
    size_t n = strlen(name);
    bool good = n >= 1 && n <= 60;
    for (size_t i = 0; good && i < n; i++)
        good = (isalnum((unsigned char)name[i]) || strchr("_.-", name[i])) && !(name[i] & 0x80);
    if (good)
        return 0;
    return p3d_cfg_fail(at, r->err, "a name must be 1 to 60 characters of A-Z a-z 0-9 _ . -");
}

bool p3d_text_number(const char *text, double *ret)
{
    size_t n = strspn(text, "+-0123456789.eE"); /* no hexadecimal, infinity or NaN */
    if (!n || text[n] || !strpbrk(text, "0123456789"))
        return false;
    char *end;
    double d = strtod(text, &end);
    if (*end || !isfinite(d))
        return false;
    *ret = d;
    return true;
}

static json_t *scalar_json(const struct p3d_yaml *y)
{
    int64_t number;
    double real;
    bool yes = !strcasecmp(y->text, "true");
    if (!y->plain)
        return p3d_json_str(p3d_str_z(y->text));
    if (p3d_yaml_is_null(y))
        return json_null();
    if (yes || !strcasecmp(y->text, "false"))
        return json_boolean(yes);
    if (!p3d_str_to_i64(p3d_str_z(y->text), INT64_MIN, INT64_MAX, &number))
        return json_integer(number);
    if (p3d_text_number(y->text, &real))
        return json_real(real);
    return p3d_json_str(p3d_str_z(y->text));
}

json_t *p3d_read_json(const struct p3d_yaml *y)
{
    if (y->kind == P3D_YAML_SCALAR)
        return scalar_json(y);
    json_t *j = y->kind == P3D_YAML_MAP ? json_object() : json_array();
    for (size_t i = 0; i < y->n; i++) {
        json_t *item = p3d_read_json(y->v[i].value);
        if (y->v[i].key)
            (void)json_object_set_new(j, y->v[i].key, item);
        else
            (void)json_array_append_new(j, item);
    }
    return j;
}
