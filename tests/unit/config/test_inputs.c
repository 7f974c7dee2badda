/* SPDX-License-Identifier: MIT
 *
 * core/base/inputs.c: every rule seen to fail with its words and type, normal forms, defaults, and
 * that all faults of one object are told.
 */
#include <string.h>

#include "fixture.h"

static const char rules[] =
    "features:\n"
    "  f:\n"
    "    inputs:\n"
    "      s: {type: string, required: true, min_length: 1, max_length: 3}\n"
    "      i: {type: integer, minimum: -2, maximum: 10}\n"
    "      n: {type: number, minimum: 0.5, maximum: 2.5, default: 1}\n"
    "      b: {type: boolean}\n"
    "      o: {type: object}\n"
    "      a: {type: array, min_length: 1, max_length: 2}\n"
    "      e: {type: string, enum: [left, center, on]}\n"
    "      k: {type: integer, enum: [1, 2]}\n"
    "      image: {type: 'file:image'}\n"
    "      mesh: {type: 'file:mesh'}\n"
    "models: {f: {m: {command: [/bin/true]}}}\n";

static const struct {
    const char *given, *ret, *name, *type, *msg;
} rows[] = {
    {"{\"s\":\"x\"}", "{\"n\":1,\"s\":\"x\"}", 0, 0, 0},
    {"{\"s\":\"\xc3\xbc\xc3\xbc\xc3\xbc\"}", "{\"n\":1,\"s\":\"\xc3\xbc\xc3\xbc\xc3\xbc\"}", 0, 0,
     0},
    {"{\"s\":\"x\",\"i\":3}", "{\"i\":3,\"n\":1,\"s\":\"x\"}", 0, 0, 0},
    {"{\"s\":\"x\",\"i\":3.0}", "{\"i\":3,\"n\":1,\"s\":\"x\"}", 0, 0, 0},
    {"{\"s\":\"x\",\"i\":null,\"n\":null}", "{\"n\":1,\"s\":\"x\"}", 0, 0, 0},
    {"{\"s\":\"x\",\"n\":2}", "{\"n\":2,\"s\":\"x\"}", 0, 0, 0},
    {"{\"s\":\"x\",\"b\":false,\"o\":{\"q\":[1]},\"a\":[null]}",
     "{\"a\":[null],\"b\":false,\"n\":1,\"o\":{\"q\":[1]},\"s\":\"x\"}", 0, 0, 0},
    {"{\"s\":\"x\",\"e\":\"on\",\"k\":2}", "{\"e\":\"on\",\"k\":2,\"n\":1,\"s\":\"x\"}", 0, 0, 0},
    {"{}", 0, "s", "missing", "Field required"},
    {"{\"s\":null}", 0, "s", "string_type", "Input should be a valid string"},
    {"{\"s\":5}", 0, "s", "string_type", "Input should be a valid string"},
    {"{\"s\":\"\"}", 0, "s", "string_too_short", "String should have at least 1 character"},
    {"{\"s\":\"abcd\"}", 0, "s", "string_too_long", "String should have at most 3 characters"},
    {"{\"s\":\"x\",\"i\":\"3\"}", 0, "i", "int_type", "Input should be a valid integer"},
    {"{\"s\":\"x\",\"i\":true}", 0, "i", "int_type", "Input should be a valid integer"},
    {"{\"s\":\"x\",\"i\":3.5}", 0, "i", "int_from_float",
     "Input should be a valid integer, got a number with a fractional part"},
    {"{\"s\":\"x\",\"i\":1e300}", 0, "i", "int_from_float",
     "Input should be a valid integer, got a number with a fractional part"},
    {"{\"s\":\"x\",\"i\":-3}", 0, "i", "greater_than_equal",
     "Input should be greater than or equal to -2"},
    {"{\"s\":\"x\",\"i\":11}", 0, "i", "less_than_equal",
     "Input should be less than or equal to 10"},
    {"{\"s\":\"x\",\"n\":\"1\"}", 0, "n", "float_type", "Input should be a valid number"},
    {"{\"s\":\"x\",\"n\":false}", 0, "n", "float_type", "Input should be a valid number"},
    {"{\"s\":\"x\",\"n\":0.4}", 0, "n", "greater_than_equal",
     "Input should be greater than or equal to 0.5"},
    {"{\"s\":\"x\",\"n\":3}", 0, "n", "less_than_equal",
     "Input should be less than or equal to 2.5"},
    {"{\"s\":\"x\",\"b\":1}", 0, "b", "bool_type", "Input should be a valid boolean"},
    {"{\"s\":\"x\",\"b\":\"true\"}", 0, "b", "bool_type", "Input should be a valid boolean"},
    {"{\"s\":\"x\",\"o\":[]}", 0, "o", "dict_type", "Input should be a valid dictionary"},
    {"{\"s\":\"x\",\"a\":{}}", 0, "a", "list_type", "Input should be a valid list"},
    {"{\"s\":\"x\",\"a\":[]}", 0, "a", "too_short", "List should have at least 1 item"},
    {"{\"s\":\"x\",\"a\":[1,2,3]}", 0, "a", "too_long", "List should have at most 2 items"},
    {"{\"s\":\"x\",\"e\":\"right\"}", 0, "e", "enum", "Input should be 'left', 'center' or 'on'"},
    {"{\"s\":\"x\",\"k\":3}", 0, "k", "enum", "Input should be 1 or 2"},
    {"{\"s\":\"x\",\"zz\":1}", 0, "zz", "extra_forbidden", "Extra inputs are not permitted"},
    {"{\"s\":\"x\",\"S\":1}", 0, "S", "extra_forbidden", "Extra inputs are not permitted"},
    {"{\"s\":\"x\",\"image\":\"y\"}", 0, "image", "file_unavailable",
     "File inputs are not available"},
    {"{\"s\":\"x\",\"image_base64\":\"y\"}", 0, "image_base64", "file_unavailable",
     "File inputs are not available"},
    {"{\"s\":\"x\",\"mesh_path\":\"y\"}", 0, "mesh_path", "file_unavailable",
     "File inputs are not available"},
    {"{\"s\":\"x\",\"mesh_file_id\":\"y\"}", 0, "mesh_file_id", "file_unavailable",
     "File inputs are not available"},
};

static struct p3d_config *load(void)
{
    struct p3d_config *cfg = NULL;
    struct p3d_error err = {0};
    if (fixture_load(rules, &cfg, &err))
        fail_msg("%s: %s", err.where, err.detail);
    return cfg;
}

static void each(void **state)
{
    (void)state;
    struct p3d_config *cfg = load();
    const struct p3d_inputs *in = &cfg->models->features[0]->inputs;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_t *given = json_loads(rows[i].given, 0, NULL), *got = NULL, *want;
        struct p3d_faults faults = {0};
        int status = p3d_inputs_check(in, given, "inputs", false, &got, &faults);
        if (rows[i].ret) {
            want = json_loads(rows[i].ret, 0, NULL);
            assert_int_equal(status, 0);
            assert_null(faults.list);
        } else {
            want = json_pack("[{s:[s,s,s],s:s,s:s}]", "loc", "body", "inputs", rows[i].name, "msg",
                             rows[i].msg, "type", rows[i].type);
            assert_int_equal(status, P3D_E_VALIDATION);
            assert_null(got);
        }
        if (!json_equal(rows[i].ret ? got : faults.list, want)) {
            char *text = json_dumps(rows[i].ret ? got : faults.list, JSON_ENCODE_ANY);
            fail_msg("row %zu: %s: %s", i, rows[i].given, text);
        }
        json_decref(want);
        json_decref(given);
        json_decref(got);
        p3d_faults_done(&faults);
    }
    p3d_config_free(cfg);
}

static void all_faults(void **state)
{
    (void)state;
    struct p3d_config *cfg = load();
    const struct p3d_inputs *in = &cfg->models->features[0]->inputs;
    json_t *given = json_loads("{\"i\":\"x\",\"b\":1,\"q\":1}", 0, NULL), *got = NULL;
    struct p3d_faults faults = {0};
    assert_int_equal(p3d_inputs_check(in, given, NULL, false, &got, &faults), P3D_E_VALIDATION);
    assert_int_equal(json_array_size(faults.list), 4);
    json_t *loc = json_object_get(json_array_get(faults.list, 0), "loc");
    assert_int_equal(json_array_size(loc), 2);
    assert_string_equal(json_string_value(json_array_get(loc, 0)), "body");
    assert_string_equal(json_string_value(json_array_get(loc, 1)), "s");
    p3d_faults_done(&faults);
    json_decref(given);
    given = json_array();
    assert_int_equal(p3d_inputs_check(in, given, NULL, false, &got, &faults), P3D_E_VALIDATION);
    p3d_faults_done(&faults);
    json_decref(given);
    assert_int_equal(p3d_inputs_check(in, NULL, NULL, false, &got, &faults),
                     P3D_E_VALIDATION); /* s is missing */
    p3d_faults_done(&faults);
    p3d_config_free(cfg);
}

/* Open rules let unknown names through as they are, and still judge those they know. */
static void open_rules(void **state)
{
    (void)state;
    struct p3d_inputs empty = {0};
    json_t *given = json_loads("{\"x\":{\"y\":[1,2]}}", 0, NULL), *got = NULL;
    struct p3d_faults faults = {0};
    assert_int_equal(p3d_inputs_check(&empty, given, NULL, true, &got, &faults), 0);
    assert_true(json_equal(given, got));
    json_decref(got);
    got = NULL;
    assert_int_equal(p3d_inputs_check(&empty, given, NULL, false, &got, &faults), P3D_E_VALIDATION);
    json_decref(given);
    p3d_faults_done(&faults);
    assert_int_equal(p3d_inputs_check(&empty, NULL, NULL, false, &got, &faults), 0);
    assert_int_equal(json_object_size(got), 0);
    json_decref(got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each), cmocka_unit_test(all_faults),
                                       cmocka_unit_test(open_rules)};
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
