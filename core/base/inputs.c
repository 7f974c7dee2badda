/* SPDX-License-Identifier: MIT
 *
 * The one validator of inputs: rules from the configuration against a request's JSON. Adds every
 * fault it finds, in the words and types that clients of pydantic services know, and fills in
 * defaults. The configuration's own defaults and choices are judged by the same functions.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "model_internal.h"

const char *const p3d_input_type_names[P3D_INPUT__COUNT] = {
    [P3D_INPUT_STRING] = "string",         [P3D_INPUT_INTEGER] = "integer",
    [P3D_INPUT_NUMBER] = "number",         [P3D_INPUT_BOOLEAN] = "boolean",
    [P3D_INPUT_FILE_IMAGE] = "file:image", [P3D_INPUT_FILE_MESH] = "file:mesh",
    [P3D_INPUT_OBJECT] = "object",         [P3D_INPUT_ARRAY] = "array",
};

#define EXACT 9007199254740992.0 /* 2^53: above it a double is no longer every whole number */

static bool fault_set(struct p3d_input_fault *fault, const char *type, const char *fmt, ...)
    P3D_PRINTF(3, 4);
static bool fault_set(struct p3d_input_fault *fault, const char *type, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(fault->msg, sizeof fault->msg, fmt, ap);
    va_end(ap);
    fault->type = type;
    return false;
}

/* ---- types: is it one, and its normal form ---- */

static bool as_string(const json_t *v, json_t **ret, struct p3d_input_fault *fault)
{
    *ret = json_is_string(v) ? json_deep_copy(v) : NULL;
    return *ret || fault_set(fault, "string_type", "Input should be a valid string");
}

static bool as_integer(const json_t *v, json_t **ret, struct p3d_input_fault *fault)
{
    double d = json_is_real(v) ? json_real_value(v) : 0;
    if (!json_is_number(v))
        return fault_set(fault, "int_type", "Input should be a valid integer");
    if (json_is_real(v) && (!(d >= -EXACT && d <= EXACT) || (double)(int64_t)d != d))
        return fault_set(fault, "int_from_float",
                         "Input should be a valid integer, got a number with a fractional part");
    *ret = json_integer(json_is_real(v) ? (json_int_t)d : json_integer_value(v));
    return true;
}

static bool as_number(const json_t *v, json_t **ret, struct p3d_input_fault *fault)
{
    *ret = json_is_number(v) ? json_deep_copy(v) : NULL;
    return *ret || fault_set(fault, "float_type", "Input should be a valid number");
}

static bool as_boolean(const json_t *v, json_t **ret, struct p3d_input_fault *fault)
{
    *ret = json_is_boolean(v) ? json_boolean(json_is_true(v)) : NULL;
    return *ret || fault_set(fault, "bool_type", "Input should be a valid boolean");
}

static bool as_file(const json_t *v, json_t **ret, struct p3d_input_fault *fault)
{
    (void)v;
    (void)ret;
    return fault_set(fault, "file_unavailable", "File inputs are not available");
}

static bool as_object(const json_t *v, json_t **ret, struct p3d_input_fault *fault)
{
    *ret = json_is_object(v) ? json_deep_copy(v) : NULL;
    return *ret || fault_set(fault, "dict_type", "Input should be a valid dictionary");
}

static bool as_array(const json_t *v, json_t **ret, struct p3d_input_fault *fault)
{
    *ret = json_is_array(v) ? json_deep_copy(v) : NULL;
    return *ret || fault_set(fault, "list_type", "Input should be a valid list");
}

static bool (*const casts[P3D_INPUT__COUNT])(const json_t *, json_t **,
                                             struct p3d_input_fault *) = {
    [P3D_INPUT_STRING] = as_string,   [P3D_INPUT_INTEGER] = as_integer,
    [P3D_INPUT_NUMBER] = as_number,   [P3D_INPUT_BOOLEAN] = as_boolean,
    [P3D_INPUT_FILE_IMAGE] = as_file, [P3D_INPUT_FILE_MESH] = as_file,
    [P3D_INPUT_OBJECT] = as_object,   [P3D_INPUT_ARRAY] = as_array,
};

/* ---- rules ---- */

static bool check_range(const struct p3d_input *rule, const json_t *v,
                        struct p3d_input_fault *fault)
{
    if (!json_is_number(v))
        return true;
    double d = json_number_value(v);
    if (rule->has_minimum && !(d >= rule->minimum))
        return fault_set(fault, "greater_than_equal",
                         "Input should be greater than or equal to %.15g", rule->minimum);
    if (rule->has_maximum && !(d <= rule->maximum))
        return fault_set(fault, "less_than_equal", "Input should be less than or equal to %.15g",
                         rule->maximum);
    return true;
}

static bool check_length(const struct p3d_input *rule, const json_t *v,
                         struct p3d_input_fault *fault)
{
    bool text = json_is_string(v);
    if (!text && !json_is_array(v))
        return true;
    struct p3d_str s = {json_string_value(v), json_string_length(v)};
    int64_t n = (int64_t)(text ? p3d_utf8_count(s) : json_array_size(v));
    const char *noun = text ? "String" : "List", *unit = text ? "character" : "item";
    if (n < rule->min_length)
        return fault_set(fault, text ? "string_too_short" : "too_short",
                         "%s should have at least %lld %s%s", noun, (long long)rule->min_length,
                         unit, rule->min_length == 1 ? "" : "s");
    if (rule->max_length >= 0 && n > rule->max_length)
        return fault_set(fault, text ? "string_too_long" : "too_long",
                         "%s should have at most %lld %s%s", noun, (long long)rule->max_length,
                         unit, rule->max_length == 1 ? "" : "s");
    return true;
}

static bool equal(const json_t *a, const json_t *b)
{
    if (json_is_number(a) && json_is_number(b) && json_typeof(a) != json_typeof(b))
        return json_number_value(a) >= json_number_value(b) &&
               json_number_value(a) <= json_number_value(b);
    return json_equal(a, b);
}

/* "Input should be 'left', 'center' or 'right'" */
static bool check_choices(const struct p3d_input *rule, const json_t *v,
                          struct p3d_input_fault *fault)
{
    struct p3d_buf b;
    size_t n = json_array_size(rule->choices);
    bool found = !rule->choices;
    p3d_buf_init(&b, 0);
    for (size_t i = 0; i < n && !found; i++) {
        const json_t *choice = json_array_get(rule->choices, i);
        found = equal(choice, v);
        p3d_buf_addz(&b, i == 0 ? "" : i + 1 == n ? " or " : ", ");
        if (json_is_string(choice))
            p3d_buf_addf(&b, "'%s'", json_string_value(choice));
        else
            p3d_buf_addf(&b, "%.15g", json_number_value(choice));
    }
    if (!found) {
        struct p3d_str cut = p3d_utf8_cut(p3d_buf_str(&b), sizeof fault->msg - 40);
        (void)fault_set(fault, "enum", "Input should be %.*s", (int)cut.n, cut.p);
    }
    p3d_buf_done(&b);
    return found;
}

bool p3d_input_check_value(const struct p3d_input *rule, const json_t *given, json_t **ret,
                           struct p3d_input_fault *fault)
{
    json_t *value = NULL;
    if (!casts[rule->type](given, &value, fault))
        return false;
    if (check_length(rule, value, fault) && check_range(rule, value, fault) &&
        check_choices(rule, value, fault)) {
        *ret = value;
        return true;
    }
    json_decref(value);
    return false;
}

/* ---- a whole object ---- */

static void add_fault(struct p3d_faults *faults, const char *type, const char *msg,
                      const char *prefix, const char *name)
{
    if (prefix)
        p3d_faults_add(faults, type, msg, "body", prefix, name, (char *)NULL);
    else
        p3d_faults_add(faults, type, msg, "body", name, (char *)NULL);
}

/* `image` itself, or image_file_id, image_base64, image_path. */
static bool is_file_spelling(const struct p3d_inputs *rules, const char *name)
{
    static const char *const tails[] = {"_file_id", "_base64", "_path"};
    for (size_t i = 0; i < rules->n; i++) {
        const struct p3d_input *rule = &rules->v[i];
        size_t n = strlen(rule->name);
        if ((rule->type != P3D_INPUT_FILE_IMAGE && rule->type != P3D_INPUT_FILE_MESH) ||
            strncmp(name, rule->name, n))
            continue;
        for (size_t t = 0; t < sizeof tails / sizeof *tails; t++)
            if (!strcmp(name + n, tails[t]))
                return true;
    }
    return false;
}

static bool known(const struct p3d_inputs *rules, const char *name)
{
    for (size_t i = 0; i < rules->n; i++)
        if (!strcmp(rules->v[i].name, name))
            return true;
    return false;
}

static bool check_unknown(const struct p3d_inputs *rules, const json_t *given, const char *prefix,
                          bool open, json_t *out, struct p3d_faults *faults)
{
    bool good = true;
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)given, name, value)
    {
        if (known(rules, name))
            continue;
        bool file = is_file_spelling(rules, name);
        if (open && !file) {
            (void)json_object_set_new(out, name, json_deep_copy(value));
            continue;
        }
        good = false;
        add_fault(faults, file ? "file_unavailable" : "extra_forbidden",
                  file ? "File inputs are not available" : "Extra inputs are not permitted", prefix,
                  name);
    }
    return good;
}

static bool check_one(const struct p3d_input *rule, const json_t *given, const char *prefix,
                      json_t *out, struct p3d_faults *faults)
{
    const json_t *value = json_object_get(given, rule->name);
    struct p3d_input_fault fault;
    json_t *good = NULL;
    if (value && json_is_null(value) && !rule->required)
        value = NULL; /* "not said", as clients that send every field mean it */
    if (!value && rule->fallback)
        good = json_deep_copy(rule->fallback);
    if (!value && rule->required) {
        add_fault(faults, "missing", "Field required", prefix, rule->name);
        return false;
    }
    if (value && !p3d_input_check_value(rule, value, &good, &fault)) {
        add_fault(faults, fault.type, fault.msg, prefix, rule->name);
        return false;
    }
    if (good)
        (void)json_object_set_new(out, rule->name, good);
    return true;
}

int p3d_inputs_check(const struct p3d_inputs *rules, const json_t *given, const char *prefix,
                     bool open, json_t **ret, struct p3d_faults *faults)
{
    if (given && !json_is_object(given)) {
        p3d_faults_add(faults, "dict_type", "Input should be a valid dictionary", "body", prefix,
                       (char *)NULL);
        return P3D_E_VALIDATION;
    }
    json_t *out = json_object();
    bool good = true;
    for (size_t i = 0; i < rules->n; i++)
        good &= check_one(&rules->v[i], given, prefix, out, faults);
    good &= check_unknown(rules, given, prefix, open, out, faults);
    if (!good) {
        json_decref(out);
        return P3D_E_VALIDATION;
    }
    *ret = out;
    return 0;
}
