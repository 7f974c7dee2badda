/* SPDX-License-Identifier: MIT
 *
 * core/base/json.c: what is refused and how it is said; dumping, times, faults.
 */
#include "unit.h"

#include <string.h>

#include "p3d/clock.h"
#include "p3d/json.h"

static void good(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "{}",        " [1, 2] ",          "null",           "\"a\"",
        "1.5",       "{\"a\":{\"a\":1}}", "\"[[[\\\"[[[\"", "[\"\xC3\xA4\"]",
        "\r\n\t{}\n"};
    for (size_t i = 0; i < COUNT(rows); i++) {
        json_t *value = NULL;
        assert_int_equal(p3d_json_parse(p3d_str_z(rows[i]), &value, NULL), 0);
        json_decref(value);
    }
}

static void bad(void **state)
{
    (void)state;
    static const struct {
        struct p3d_str text;
        const char *detail; /* how it begins */
    } rows[] = {
        {P3D_STR(""), "Invalid JSON at line 1 column 0: "},
        {P3D_STR("{"), "Invalid JSON at line 1 column 1: "},
        {P3D_STR("{\"a\":1,\"a\":2}"), "Invalid JSON at line 1 column 10: duplicate object key"},
        {P3D_STR("{} x"), "Invalid JSON at line 1 column 4: "},
        {P3D_STR("{}{}"), "Invalid JSON at line 1 column 3: "},
        {P3D_STR("[1,]"), "Invalid JSON at line 1 column 4: "},
        {P3D_STR("\n\n  nul"), "Invalid JSON at line 3 column 5: "},
        {P3D_STR("[\"a\0b\"]"), "Invalid JSON at line 1 column 4: NUL is not allowed"},
        {P3D_STR("{}\0"), "Invalid JSON at line 1 column 3: NUL is not allowed"},
        {P3D_STR("\"\\\0\""), "Invalid JSON at line 1 column 3: NUL is not allowed"},
        {P3D_STR("\"\\u0000\""), "Invalid JSON at line 1 column "},
        {P3D_STR("\"\xFF\""), "Invalid JSON at line 1 column "},
        {P3D_STR("\"\xED\xA0\x80\""), "Invalid JSON at line 1 column "},
        {P3D_STR("\"\\ud800\""), "Invalid JSON at line 1 column "},
        {P3D_STR("\"a\nb\""), "Invalid JSON at line 1 column "},
        {P3D_STR("NaN"), "Invalid JSON at line 1 column "},
        {P3D_STR("1e999"), "Invalid JSON at line 1 column "},
        {P3D_STR("99999999999999999999"), "Invalid JSON at line 1 column "},
        {P3D_STR("01"), "Invalid JSON at line 1 column "},
        {P3D_STR("'a'"), "Invalid JSON at line 1 column "},
        {P3D_STR("\xEF\xBB\xBF{}"), "Invalid JSON at line 1 column "},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct p3d_error err;
        json_t *value = (json_t *)&err;
        assert_int_equal(p3d_json_parse(rows[i].text, &value, &err), P3D_E_VALIDATION);
        assert_ptr_equal(value, &err);
        err.detail[strlen(rows[i].detail)] = '\0';
        assert_string_equal(err.detail, rows[i].detail);
    }
    json_t *value = NULL;
    assert_int_equal(p3d_json_parse((struct p3d_str){NULL, 0}, &value, NULL), P3D_E_VALIDATION);
}

static void keeps_secrets(void **state)
{
    (void)state;
    struct p3d_error err;
    json_t *value = NULL;
    struct p3d_str text = P3D_STR("{\"password\": \"hunter2\" \"hunter3\"}");
    assert_int_equal(p3d_json_parse(text, &value, &err), P3D_E_VALIDATION);
    assert_null(strstr(err.detail, "hunter"));
    assert_int_equal(p3d_json_parse(P3D_STR("{\"hunter\":1,\"hunter\":1}"), &value, &err),
                     P3D_E_VALIDATION);
    assert_null(strstr(err.detail, "hunter"));
}

/* n times `open`, a 1, n times `end`. */
static int nested(size_t n, const char *open, char end, struct p3d_error *err)
{
    struct p3d_buf b;
    json_t *value = NULL;
    p3d_buf_init(&b, 0);
    for (size_t i = 0; i < n; i++)
        p3d_buf_addz(&b, open);
    p3d_buf_addz(&b, "1");
    for (size_t i = 0; i < n; i++)
        p3d_buf_add(&b, &end, 1);
    int r = p3d_json_parse(p3d_buf_str(&b), &value, err);
    json_decref(value);
    p3d_buf_done(&b);
    return r;
}

static void depth(void **state)
{
    (void)state;
    struct p3d_error err;
    assert_int_equal(nested(P3D_JSON_DEPTH, "[", ']', NULL), 0);
    assert_int_equal(nested(P3D_JSON_DEPTH, "{\"a\":", '}', NULL), 0);
    assert_int_equal(nested(P3D_JSON_DEPTH + 1, "[", ']', &err), P3D_E_VALIDATION);
    assert_string_equal(err.detail, "Invalid JSON at line 1 column 65: nested too deeply");
    assert_int_equal(nested(P3D_JSON_DEPTH + 1, "{\"a\":", '}', &err), P3D_E_VALIDATION);
    uint64_t start_ms = p3d_mono_ms();
    assert_int_equal(nested(1000000, "[", ']', &err), P3D_E_VALIDATION);
    assert_true(p3d_mono_ms() - start_ms < 2000);
    /* Brackets in strings are no depth, and a quote behind a backslash does not end a string. */
    struct p3d_buf b;
    json_t *value = NULL;
    p3d_buf_init(&b, 0);
    p3d_buf_addz(&b, "\"\\\\\\\"");
    for (int i = 0; i < 1000; i++)
        p3d_buf_addz(&b, "[{");
    p3d_buf_addz(&b, "\"");
    assert_int_equal(p3d_json_parse(p3d_buf_str(&b), &value, &err), 0);
    assert_int_equal(json_string_length(value), 2002);
    json_decref(value);
    p3d_buf_done(&b);
}

/* head, n times `more`, tail. */
static int values(int (*parse)(struct p3d_str, json_t **, struct p3d_error *), const char *head,
                  const char *more, size_t n, const char *tail, struct p3d_error *err)
{
    struct p3d_buf b;
    json_t *value = NULL;
    p3d_buf_init(&b, 0);
    p3d_buf_addz(&b, head);
    for (size_t i = 0; i < n; i++)
        p3d_buf_addz(&b, more);
    p3d_buf_addz(&b, tail);
    int r = parse(p3d_buf_str(&b), &value, err);
    assert_true((r == 0) == (value != NULL));
    json_decref(value);
    p3d_buf_done(&b);
    return r;
}

static void number_of_values(void **state)
{
    (void)state;
    struct p3d_error err;
    static const struct {
        const char *head, *more, *tail;
        size_t fixed, each; /* values of head with tail, and of one more */
    } rows[] = {
        {"[0", ",0", "]", 2, 1},
        {"[ \n0", " , 0", " ] ", 2, 1},
        {"[[0", ",0", "],{\"a\":1}]", 5, 1},
        {"[\"a,[{\\\",\"", ",\"b,[{,\\\\\"", "]", 2, 1}, /* what is within a string is none */
        {"[{}", ",{}", "]", 3, 2},
        {"[[]", ",[]", "]", 3, 2},
        {"[[0]", ",[0]", "]", 3, 2},
        {"[{\"a\":0}", ",{\"a\":0,\"b,\":\",\"}", "]", 3, 3},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t n = (P3D_JSON_VALUES - rows[i].fixed) / rows[i].each;
        assert_int_equal(values(p3d_json_parse, rows[i].head, rows[i].more, n, rows[i].tail, &err),
                         0);
        assert_int_equal(
            values(p3d_json_parse, rows[i].head, rows[i].more, n + 1, rows[i].tail, &err),
            P3D_E_VALIDATION);
        assert_non_null(strstr(err.detail, ": too many values"));
        assert_int_equal(
            values(p3d_json_parse_long, rows[i].head, rows[i].more, n + 1, rows[i].tail, &err), 0);
    }
    assert_int_equal(values(p3d_json_parse, "[0", ",0", 199998, "]", &err), 0);
    assert_int_equal(values(p3d_json_parse, "[0", ",0", 199999, "]", &err), P3D_E_VALIDATION);
    assert_string_equal(err.detail, "Invalid JSON at line 1 column 399999: too many values");
    assert_int_equal(values(p3d_json_parse, "\"", ",[{", 500000, "\"", &err), 0);
    assert_int_equal(values(p3d_json_parse_object, "{\"a\":[0", ",0", 500000, "]}", &err), 0);
    assert_int_equal(values(p3d_json_parse_long, "", "[", P3D_JSON_DEPTH + 1, "", &err),
                     P3D_E_VALIDATION);
    assert_non_null(strstr(err.detail, "nested too deeply"));
}

static void object(void **state)
{
    (void)state;
    struct p3d_error err;
    json_t *value = NULL;
    assert_int_equal(p3d_json_parse_object(P3D_STR("[]"), &value, &err), P3D_E_VALIDATION);
    assert_null(value);
    assert_int_equal(p3d_json_parse_object(P3D_STR("{\"a\":\"x\",\"n\":1}"), &value, &err), 0);
    assert_true(p3d_str_eq_z(p3d_json_get_str(value, "a"), "x"));
    assert_int_equal(p3d_json_get_str(value, "n").n, 0);
    assert_int_equal(p3d_json_get_str(value, "b").n, 0);
    assert_int_equal(p3d_json_get_str(NULL, "b").n, 0);
    json_decref(value);
}

static void dump(void **state)
{
    (void)state;
    static const char *const same[] = {
        "0.1",
        "0.4",
        "-0.7",
        "1.0",
        "1e300",
        "0.30000000000000004",
        "1700000000.123457",
        "5e-324",
        "1.7976931348623157e308",
        "1234567890123.25",
        "true",
        "null",
        "\"0.10000000000000001\"",
        "[0.1,{\"e\":0.2,\"\\\"0.3\":\"\\\\\"}]",
        "9223372036854775807",
        "\"\\u0001\"",
        "[false,0.58]",
    };
    for (size_t i = 0; i < COUNT(same); i++) {
        json_t *value = NULL, *again = NULL;
        size_t n = 0;
        assert_int_equal(p3d_json_parse(p3d_str_z(same[i]), &value, NULL), 0);
        char *text = p3d_json_dump(value, &n);
        assert_int_equal(n, strlen(text));
        assert_int_equal(p3d_json_parse(p3d_str_z(text), &again, NULL), 0);
        assert_true(json_equal(value, again));
        if (strpbrk(same[i], "e") == NULL || same[i][0] == '[')
            assert_string_equal(text, same[i]);
        free(text);
        json_decref(value);
        json_decref(again);
    }
    char *text = p3d_json_dump(json_null(), NULL);
    assert_string_equal(text, "null");
    free(text);
}

static void strings(void **state)
{
    (void)state;
    static const struct {
        struct p3d_str in;
        const char *out;
    } rows[] = {
        {P3D_STR("plain"), "plain"},
        {P3D_STR(""), ""},
        {P3D_STR("a\xFFz"), "a\xEF\xBF\xBDz"},
        {P3D_STR("\xFF"), "\xEF\xBF\xBD"},
        {P3D_STR("z\xC3"), "z\xEF\xBF\xBD"},
        {P3D_STR("a\0b"), "a\xEF\xBF\xBD"
                          "b"},
        {P3D_STR("\xC3\xA4\xE2\x82"), "\xC3\xA4\xEF\xBF\xBD\xEF\xBF\xBD"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        json_t *value = p3d_json_str(rows[i].in);
        assert_string_equal(json_string_value(value), rows[i].out);
        assert_int_equal(json_string_length(value), strlen(rows[i].out));
        json_decref(value);
    }
    json_t *value = p3d_json_str((struct p3d_str){NULL, 0});
    assert_int_equal(json_string_length(value), 0);
    json_decref(value);
    value = p3d_json_time(0);
    assert_true(json_is_null(value));
    value = p3d_json_time(1704067200001);
    assert_string_equal(json_string_value(value), "2024-01-01T00:00:00.001000");
    json_decref(value);
}

static void faults(void **state)
{
    (void)state;
    struct p3d_faults f = {.list = NULL};
    p3d_faults_done(&f);
    p3d_faults_add(&f, "missing", "Field required", "body", "inputs", "email", NULL);
    char *text = p3d_json_dump(f.list, NULL);
    assert_string_equal(text,
                        "[{\"loc\":[\"body\",\"inputs\",\"email\"],\"msg\":\"Field required\","
                        "\"type\":\"missing\"}]");
    free(text);
    for (int i = 0; i < 100; i++)
        p3d_faults_add(&f, "extra_forbidden", "Unknown field \xFF", "body", "x\xFF", NULL);
    assert_int_equal(json_array_size(f.list), 64);
    p3d_faults_done(&f);
    assert_null(f.list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good),    cmocka_unit_test(bad),    cmocka_unit_test(keeps_secrets),
        cmocka_unit_test(depth),   cmocka_unit_test(object), cmocka_unit_test(dump),
        cmocka_unit_test(strings), cmocka_unit_test(faults), cmocka_unit_test(number_of_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
