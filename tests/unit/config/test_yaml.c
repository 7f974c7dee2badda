/* SPDX-License-Identifier: MIT
 *
 * core/base/config_yaml.c: what is refused, where it says so, and that quoted text comes back as it
 * went.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "core/base/config_internal.h"

static void refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *where, *detail;
    } rows[] = {
        {"a: 1\nb: 2\na: 3\n", "x.yaml:3", "key 'a' stands here twice"},
        {"a: {b: 1, b: 2}\n", "x.yaml:1", "key 'b' stands here twice"},
        {"a: &x 1\nb: *x\n", "x.yaml:1", "anchors ('&x') are not supported"},
        {"a: &x {b: 1}\n", "x.yaml:1", "anchors ('&x')"},
        {"a: &x [1]\n", "x.yaml:1", "anchors ('&x')"},
        {"a: 1\nb: *x\n", "x.yaml:2", "aliases ('*x') are not supported"},
        {"*x\n", "x.yaml:1", "aliases"},
        {"a: !!str 1\n", "x.yaml:1", "tags"},
        {"a: !!map {b: 1}\n", "x.yaml:1", "tags"},
        {"a: 1\n---\nb: 2\n", "x.yaml:2", "more than one document"},
        {"a: 1\n--- {}\n", "x.yaml:2", "more than one document"},
        {"[a]: 1\n", "x.yaml:1", "a key must be a plain text"},
        {"? {a: 1}\n: 2\n", "x.yaml:1", "a key must be a plain text"},
        {"a: \"b\\0c\"\n", "x.yaml:1", "NUL"},
        {"a: [1, 2\nb: 3\n", "x.yaml:2", "is not YAML"},
        {"a: 1\n\tb: 2\n", "x.yaml:2", "is not YAML"},
        {"a: \"b\n", "x.yaml:2", "is not YAML"},
        {"a: \xff\n", "x.yaml:1", "is not YAML in UTF-8"},
        {"a: \xc0\xaf\n", "x.yaml:1", "is not YAML in UTF-8"},
        {"a: \x01\n", "x.yaml:1", "is not YAML in UTF-8"},
        {"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "x.yaml:1", "nested deeper than 32 levels"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct p3d_yaml *y = NULL;
        struct p3d_error err = {0};
        int status = p3d_yaml_parse(p3d_str_z(rows[i].text), "x.yaml", &y, &err);
        if (status != P3D_E_CONFIG || strcmp(err.where, rows[i].where) != 0 ||
            !strstr(err.detail, rows[i].detail))
            fail_msg("row %zu: %s: got %d %s: %s", i, rows[i].text, status, err.where, err.detail);
        assert_null(y);
    }
}

static void tree(void **state)
{
    (void)state;
    struct p3d_yaml *y = NULL;
    struct p3d_error err;
    assert_int_equal(
        p3d_yaml_parse(P3D_STR("# c\na: 1\nb: [x, 'null', null, ~]\nc:\n  d: \"7\"\ne:\n"), "x", &y,
                       &err),
        0);
    assert_int_equal(y->kind, P3D_YAML_MAP);
    assert_int_equal(y->n, 4);
    assert_int_equal(y->v[0].line, 2);
    assert_string_equal(p3d_yaml_find(y, "a")->value->text, "1");
    assert_true(p3d_yaml_find(y, "a")->value->plain);
    const struct p3d_yaml *b = p3d_yaml_find(y, "b")->value;
    assert_int_equal(b->kind, P3D_YAML_SEQUENCE);
    assert_int_equal(b->n, 4);
    assert_false(p3d_yaml_is_null(b->v[0].value));
    assert_false(p3d_yaml_is_null(b->v[1].value));
    assert_true(p3d_yaml_is_null(b->v[2].value));
    assert_true(p3d_yaml_is_null(b->v[3].value));
    assert_int_equal(p3d_yaml_find(p3d_yaml_find(y, "c")->value, "d")->line, 5);
    assert_true(p3d_yaml_is_null(p3d_yaml_find(y, "e")->value));
    assert_null(p3d_yaml_find(y, "z"));
    p3d_yaml_free(y);
    y = NULL;
    assert_int_equal(p3d_yaml_parse(P3D_STR("# nothing\n"), "x", &y, &err), 0);
    assert_null(y);
    assert_int_equal(p3d_yaml_parse((struct p3d_str){0}, "x", &y, &err), 0);
    assert_null(y);
    p3d_yaml_free(NULL);
}

static void quoting(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "plain",
        "a \"b\" \\ c",
        "x: #y",
        "line\nbreak\ttab\r",
        "\x01\x1f\x7f",
        "\xc2\x85\xc2\xa0 nel",
        "gr\xc3\xbc\xc3\x9f",
        "\xf0\x9f\x98\x80 emoji",
        "\xef\xbb\xbf bom",
        "\xe2\x80\xa8 ls",
        "\xef\xbf\xbf",
        "'single'",
        "{a: [b]}",
        "~",
        " lead and trail ",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct p3d_buf b;
        struct p3d_yaml *y = NULL;
        struct p3d_error err = {0};
        p3d_buf_init(&b, 0);
        p3d_buf_addz(&b, "k: ");
        p3d_yaml_quote(&b, texts[i]);
        p3d_buf_addz(&b, "  # c\n");
        if (p3d_yaml_parse(p3d_buf_str(&b), "x", &y, &err))
            fail_msg("row %zu: %s: %s", i, b.p, err.detail);
        assert_string_equal(y->v[0].value->text, texts[i]);
        p3d_yaml_free(y);
        p3d_buf_done(&b);
    }
}

static void places(void **state)
{
    (void)state;
    char where[160], longest[300];
    memset(longest, 'a', sizeof longest);
    memcpy(longest + 200, "/c.yaml", 8);
    struct p3d_cfg_at root = {.name = longest}, a = {&root, "server", 3}, b = {&a, "port", 4},
                      plain = {.name = "V"};
    p3d_cfg_where(&b, where, sizeof where);
    assert_string_equal(where, "c.yaml:4: server.port");
    p3d_cfg_where(&plain, where, sizeof where);
    assert_string_equal(where, "V");
    char small[8];
    p3d_cfg_where(&b, small, sizeof small);
    assert_string_equal(small, "c.yaml:");
    assert_int_equal(p3d_cfg_fail(&b, NULL, "x"), P3D_E_CONFIG);
}

static void paths(void **state)
{
    (void)state;
    static const struct {
        const char *base, *path, *ret;
    } rows[] = {
        {"/a", "b", "/a/b"},       {"/a", "./b//c/.", "/a/b/c"},
        {"/a", "/x/./y/", "/x/y"}, {"/", "b", "/b"},
        {"/", ".", "/"},           {"/a/", "../b", "/a/../b"},
        {"/a", ".b", "/a/.b"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *got = p3d_path_absolute(rows[i].base, rows[i].path);
        assert_string_equal(got, rows[i].ret);
        free(got);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused), cmocka_unit_test(tree),  cmocka_unit_test(quoting),
        cmocka_unit_test(places),  cmocka_unit_test(paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
