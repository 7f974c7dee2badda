/* SPDX-License-Identifier: MIT
 *
 * What a request says, judged: media types, JSON, fields, query parameters, file names.
 */
#include "server/api/app_internal.h"

#include "fake_call.h"

static void call_done(struct p3d_call *c)
{
    for (size_t i = 0; i < c->memory_n; i++)
        free(c->memory[i]);
    c->memory_n = 0;
}

static void media_types(void **state)
{
    static const struct {
        const char *type;
        int err;
    } rows[] = {
        {"", 0},
        {"application/json", 0},
        {"Application/JSON; charset=utf-8", 0},
        {" application/json ", 0},
        {"text/plain", P3D_E_MEDIA_TYPE},
        {"application/jsonp", P3D_E_MEDIA_TYPE},
        {"application/x-www-form-urlencoded", P3D_E_MEDIA_TYPE},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct p3d_refusal r = {.faults = {NULL}};
        json_t *body = NULL;
        assert_int_equal(p3d_body_parse(p3d_str_z(rows[i].type), P3D_STR("{}"), &body, &r), rows[i].err);
        assert_int_equal(r.error.code, rows[i].err);
        json_decref(body);
    }
}

static void bad_bodies(void **state)
{
    static const struct {
        const char *body, *fault;
    } rows[] = {
        {"", "missing body"},       {"{", "json_invalid body"},          {"[]", "dict_type body"},
        {"null", "dict_type body"}, {"{\"a\":1,\"a\":2}", "json_invalid body"}, {"{} x", "json_invalid body"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct p3d_refusal r = {.faults = {NULL}};
        json_t *body = NULL;
        assert_int_equal(p3d_body_parse(p3d_str_z(""), p3d_str_z(rows[i].body), &body, &r), P3D_E_VALIDATION);
        assert_null(body);
        assert_string_equal(fault(&r.faults, 0), rows[i].fault);
        p3d_faults_done(&r.faults);
    }
}

static const struct p3d_body_field fields[] = {
    {.name = "name", .type = P3D_BODY_STRING, .required = true},
    {.name = "count", .type = P3D_BODY_INTEGER, .minimum = 1, .maximum = 9},
    {.name = "map", .type = P3D_BODY_OBJECT},
    {.name = "later", .type = P3D_BODY_LATER},
    {.name = "line", .type = P3D_BODY_LINE, .minimum = 1, .maximum = 4},
    {.name = "list", .type = P3D_BODY_STRINGS, .minimum = 1, .maximum = 3},
    {.name = "time", .type = P3D_BODY_TIME},
    {.name = "any", .type = P3D_BODY_ARRAY, .minimum = 1, .maximum = 2},
};

static void check(const char *text, bool open, const char *fault0, const char *fault1)
{
    struct p3d_faults f = {NULL};
    struct p3d_error e;
    json_t *body;
    assert_int_equal(p3d_json_parse(p3d_str_z(text), &body, &e), 0);
    assert_int_equal(p3d_body_check(body, fields, sizeof(fields) / sizeof(fields[0]), open, &f), fault0[0] != '\0' ? P3D_E_VALIDATION : 0);
    assert_string_equal(fault(&f, 0), fault0);
    assert_string_equal(fault(&f, 1), fault1);
    p3d_faults_done(&f);
    json_decref(body);
}

static void body_fields(void **state)
{
    (void)state;
    check("{\"name\":\"x\"}", false, "", "");
    check("{\"name\":\"x\",\"count\":9,\"map\":{}}", false, "", "");
    check("{\"name\":\"x\",\"count\":null,\"map\":null,\"later\":null}", false, "", "");
    check("{}", false, "missing body.name", "");
    check("{\"name\":null}", false, "string_type body.name", "");
    check("{\"name\":1,\"count\":\"1\"}", false, "string_type body.name", "int_type body.count");
    check("{\"name\":\"x\",\"count\":0}", false, "greater_than_equal body.count", "");
    check("{\"name\":\"x\",\"count\":10}", false, "less_than_equal body.count", "");
    check("{\"name\":\"x\",\"count\":true}", false, "int_type body.count", "");
    check("{\"name\":\"x\",\"map\":[]}", false, "dict_type body.map", "");
    check("{\"name\":\"x\",\"later\":\"now\"}", false, "not_supported body.later", "");
    check("{\"name\":\"x\",\"user_id\":\"u\"}", false, "extra_forbidden body.user_id", "");
    check("{\"name\":\"x\",\"prompt\":\"u\"}", true, "", "");
}

static void lines_and_lists(void **state)
{
    static const struct {
        const char *fields, *fault;
    } rows[] = {
        {"\"line\":\"x\"", ""},
        {"\"line\":\"\\u00e4\\u20ac\\ud83d\\ude42x\"", ""}, /* characters, not bytes */
        {"\"line\":null,\"list\":null", ""},
        {"\"line\":\"\"", "string_too_short body.line"},
        {"\"line\":\"12345\"", "string_too_long body.line"},
        {"\"line\":1", "string_type body.line"},
        {"\"line\":\"a\\nb\"", "string_pattern_mismatch body.line"},
        {"\"line\":\"\\u001f\"", "string_pattern_mismatch body.line"},
        {"\"line\":\"\\u007f\"", "string_pattern_mismatch body.line"},
        {"\"line\":\"\\u0080\"", "string_pattern_mismatch body.line"},
        {"\"line\":\"\\u009f\"", "string_pattern_mismatch body.line"},
        {"\"line\":\"\\u00a0\"", ""},
        {"\"line\":\"\\u2028\"", "string_pattern_mismatch body.line"},
        {"\"line\":\"\\u2029\"", "string_pattern_mismatch body.line"},
        {"\"line\":\"\\u2027\"", ""},
        {"\"list\":[\"a\"]", ""},
        {"\"list\":[\"a\",\"a\",\"\"]", ""},
        {"\"list\":[]", "too_short body.list"},
        {"\"list\":[\"a\",\"b\",\"c\",\"d\"]", "too_long body.list"},
        {"\"list\":[\"a\",null]", "string_type body.list"},
        {"\"list\":\"a\"", "list_type body.list"},
        {"\"any\":[1,null]", ""},
        {"\"any\":[]", "too_short body.any"},
        {"\"any\":[1,2,3]", "too_long body.any"},
        {"\"any\":{}", "list_type body.any"},
        {"\"time\":\"2024-01-01T00:00:00.5+05:30\"", ""},
        {"\"time\":\"2024-01-01\"", ""},
        {"\"time\":1704067200", ""},
        {"\"time\":1704067200.25", ""},
        {"\"time\":0", ""},
        {"\"time\":253402300800", "datetime_parsing body.time"},
        {"\"time\":-1", "datetime_parsing body.time"},
        {"\"time\":1e300", "datetime_parsing body.time"},
        {"\"time\":\"\"", "datetime_parsing body.time"},
        {"\"time\":\"soon\"", "datetime_parsing body.time"},
        {"\"time\":true", "datetime_parsing body.time"},
        {"\"list\":{}", "list_type body.list"},
    };
    char text[128];
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_true(p3d_format(text, sizeof(text), "{\"name\":\"x\",%s}", rows[i].fields));
        check(text, false, rows[i].fault, "");
    }
}

static void query(void **state)
{
    struct p3d_call c = {.query = {{"a", "7"}, {"b", "x"}, {"c", "501"}, {"d", "-1"}, {"e", "\xff"}, {"f", "hello"},
                                   {"g", "99999999999999999999"}}};
    struct p3d_faults f = {NULL};
    (void)state;
    assert_int_equal(p3d_query_int(&c, "a", 1, 500, 100, &f), 7);
    assert_int_equal(p3d_query_int(&c, "none", 1, 500, 100, &f), 100);
    assert_true(p3d_str_eq_z(p3d_query_text(&c, "f", 5, &f), "hello"));
    assert_null(p3d_query_text(&c, "none", 5, &f).p);
    assert_null(f.list);
    assert_int_equal(p3d_query_int(&c, "b", 1, 500, 100, &f), 100);
    assert_int_equal(p3d_query_int(&c, "c", 1, 500, 100, &f), 100);
    assert_int_equal(p3d_query_int(&c, "d", 0, 500, 0, &f), 0);
    assert_int_equal(p3d_query_int(&c, "g", 0, 500, 0, &f), 0);
    (void)p3d_query_text(&c, "e", 5, &f);
    (void)p3d_query_text(&c, "f", 4, &f);
    assert_string_equal(fault(&f, 0), "int_parsing query.b");
    assert_string_equal(fault(&f, 1), "less_than_equal query.c");
    assert_string_equal(fault(&f, 2), "greater_than_equal query.d");
    assert_string_equal(fault(&f, 3), "int_parsing query.g");
    assert_string_equal(fault(&f, 4), "string_unicode query.e");
    assert_string_equal(fault(&f, 5), "string_too_long query.f");
    p3d_faults_done(&f);
    call_done(&c);
}

static void filenames(void **state)
{
    static const struct {
        const char *text, *name;
    } rows[] = {
        {"cat.glb", "cat.glb"},       {"../../etc/passwd", "_.._etc_passwd"}, {"a/b\\c:d", "a_b_c_d"},
        {"x\r\nSet-Cookie: a", "x__Set-Cookie_ a"}, {"kočka.glb", "kočka.glb"}, {"\"q\"", "_q_"},
    };
    char name[208];
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_true(p3d_filename_clean(p3d_str_z(rows[i].text), name));
        assert_string_equal(name, rows[i].name);
    }
    assert_false(p3d_filename_clean(P3D_STR(" ... "), name));
    assert_false(p3d_filename_clean(P3D_STR(""), name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(media_types), cmocka_unit_test(bad_bodies), cmocka_unit_test(body_fields),
        cmocka_unit_test(lines_and_lists),
        cmocka_unit_test(query),       cmocka_unit_test(filenames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
