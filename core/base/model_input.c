/* SPDX-License-Identifier: MIT
 *
 * The rules of inputs and parameters out of the configuration, and the rules for these rules: a
 * default obeys them, minimum <= maximum, each only where it means something. What is accepted here
 * can be satisfied by some request.
 */
#include <string.h>

#include "model_internal.h"

/* Given names of the flat submit body; an input of that name could never be told apart from them.
 */
static const char *const reserved[] = {"model_preference", "model_parameters", "output_format",
                                       "user_id"};

static bool is_numeric(enum p3d_input_type t)
{
    return t == P3D_INPUT_INTEGER || t == P3D_INPUT_NUMBER;
}

static const char *type_name(const void *table, size_t i)
{
    (void)table;
    return p3d_input_type_names[i];
}

static P3D_READER(read_type)
{
    struct p3d_input *in = obj;
    (void)f;
    const char *text = y->kind == P3D_YAML_SCALAR ? y->text : "";
    for (int i = 0; i < P3D_INPUT__COUNT; i++) {
        if (!strcmp(text, p3d_input_type_names[i])) {
            in->type = (enum p3d_input_type)i;
            return 0;
        }
    }
    if (!*text)
        return p3d_cfg_fail(at, r->err, "must be the name of a type, as string or number");
    return p3d_cfg_fail_unknown(at, r->err, "type", text, type_name, NULL, P3D_INPUT__COUNT);
}

static P3D_READER(read_limit)
{
    struct p3d_input *in = obj;
    bool low = f->min != 0;
    if (!is_numeric(in->type))
        return p3d_cfg_fail(at, r->err, "is only for integer and number; a %s has none",
                            p3d_input_type_names[in->type]);
    double *dst = low ? &in->minimum : &in->maximum;
    if (y->kind != P3D_YAML_SCALAR || !p3d_text_number(y->text, dst))
        return p3d_cfg_fail(at, r->err, "must be a number");
    *(low ? &in->has_minimum : &in->has_maximum) = true;
    return 0;
}

static P3D_READER(read_length)
{
    const struct p3d_input *in = obj;
    if (in->type != P3D_INPUT_STRING && in->type != P3D_INPUT_ARRAY)
        return p3d_cfg_fail(at, r->err, "is only for string and array; a %s has none",
                            p3d_input_type_names[in->type]);
    return p3d_read_int(r, at, y, f, obj);
}

/* A value in the file, as the type of its input wants it: `on` is a text for a string, true for a
 * boolean. */
static int typed_json(const struct p3d_read *r, const struct p3d_cfg_at *at,
                      const struct p3d_yaml *y, enum p3d_input_type type, json_t **ret)
{
    bool b;
    if (type == P3D_INPUT_FILE_IMAGE || type == P3D_INPUT_FILE_MESH)
        return p3d_cfg_fail(at, r->err, "is not for files");
    if (type == P3D_INPUT_STRING && y->kind == P3D_YAML_SCALAR) {
        *ret = p3d_json_str(p3d_str_z(y->text));
        return 0;
    }
    if (type == P3D_INPUT_BOOLEAN && y->kind == P3D_YAML_SCALAR &&
        !p3d_str_to_bool(p3d_str_z(y->text), &b)) {
        *ret = json_boolean(b);
        return 0;
    }
    *ret = p3d_read_json(y);
    return 0;
}

static P3D_READER(read_default)
{
    struct p3d_input *in = obj;
    (void)f;
    return typed_json(r, at, y, in->type, &in->fallback);
}

static P3D_READER(read_choices)
{
    struct p3d_input *in = obj;
    (void)f;
    if (in->type != P3D_INPUT_STRING && !is_numeric(in->type))
        return p3d_cfg_fail(at, r->err, "is only for string, integer and number");
    if (y->kind != P3D_YAML_SEQUENCE || !y->n)
        return p3d_cfg_fail(at, r->err, "must be a list of at least one value");
    in->choices = json_array();
    for (size_t i = 0; i < y->n; i++) {
        struct p3d_cfg_at here = {at->up, at->name, y->v[i].line};
        struct p3d_input type_only = {.type = in->type, .max_length = -1};
        struct p3d_input_fault fault;
        json_t *raw = NULL, *value = NULL;
        int status = typed_json(r, &here, y->v[i].value, in->type, &raw);
        if (!status && !p3d_input_check_value(&type_only, raw, &value, &fault))
            status = p3d_cfg_fail(&here, r->err, "item %d: %s", (int)i + 1, fault.msg);
        json_decref(raw);
        if (status)
            return status;
        (void)json_array_append_new(in->choices, value);
    }
    return 0;
}

#define AT(member) offsetof(struct p3d_input, member)
static const struct p3d_field fields[] = {
    {"type", read_type, 0, 0, 0},
    {"required", p3d_read_bool, AT(required), 0, 0},
    {"default", read_default, 0, 0, 0},
    {"minimum", read_limit, 0, 1, 0},
    {"maximum", read_limit, 0, 0, 0},
    {"min_length", read_length, AT(min_length), 0, 1000000000},
    {"max_length", read_length, AT(max_length), 0, 1000000000},
    {"enum", read_choices, 0, 0, 0},
    {"description", p3d_read_text, AT(description), 0, 2000},
};

/* Rules that need more than one key. */
static int check_input(const struct p3d_read *r, const struct p3d_cfg_at *at, struct p3d_input *in)
{
    struct p3d_input_fault fault;
    json_t *value = NULL;
    if (in->has_minimum && in->has_maximum && in->minimum > in->maximum)
        return p3d_cfg_fail(at, r->err, "minimum is larger than maximum");
    if (in->max_length >= 0 && in->min_length > in->max_length)
        return p3d_cfg_fail(at, r->err, "min_length is larger than max_length");
    if (!in->fallback)
        return 0;
    if (in->required)
        return p3d_cfg_fail(at, r->err, "is required and has a default; say one of the two");
    if (!p3d_input_check_value(in, in->fallback, &value, &fault))
        return p3d_cfg_fail(at, r->err, "its default breaks its own rules: %s", fault.msg);
    json_decref(in->fallback);
    in->fallback = value;
    return 0;
}

static int read_input(const struct p3d_read *r, const struct p3d_cfg_at *at,
                      const struct p3d_yaml *y, struct p3d_input *in)
{
    in->name = p3d_strdup(at->name);
    in->max_length = -1;
    int status = p3d_read_name(r, at, at->name);
    if (status)
        return status;
    const struct p3d_yaml_item *type =
        p3d_yaml_find(y, "type"); /* first: the others depend on it */
    if (y->kind != P3D_YAML_MAP || !type)
        return p3d_cfg_fail(at, r->err,
                            "must be a map with a type, as '{type: string, required: true}'");
    struct p3d_cfg_at here = {at, "type", type->line};
    status = read_type(r, &here, type->value, &fields[0], in);
    status = status ? status : p3d_read_map(r, at, y, fields, sizeof fields / sizeof *fields, in);
    return status ? status : check_input(r, at, in);
}

P3D_READER(p3d_read_inputs)
{
    struct p3d_inputs *dst = (struct p3d_inputs *)(void *)((char *)obj + f->offset);
    if (y->kind != P3D_YAML_MAP)
        return p3d_cfg_fail(at, r->err, "must be a map of names");
    if (y->n > 200)
        return p3d_cfg_fail(at, r->err, "has more than 200 names");
    dst->v = p3d_alloc(y->n * sizeof *dst->v);
    for (size_t i = 0; i < y->n; i++) {
        struct p3d_cfg_at here = {at, y->v[i].key, y->v[i].line};
        for (size_t k = 0; f->max && k < sizeof reserved / sizeof *reserved; k++)
            if (!strcmp(y->v[i].key, reserved[k]))
                return p3d_cfg_fail(
                    &here, r->err,
                    "this name has a meaning of its own in requests; choose another");
        dst->n = i + 1;
        int status = read_input(r, &here, y->v[i].value, &dst->v[i]);
        if (status)
            return status;
    }
    return 0;
}
