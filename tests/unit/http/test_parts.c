/* SPDX-License-Identifier: MIT
 *
 * The parts of server/http that need no server: the route tree and the small grammars.
 */
#include "server/http/call_internal.h"

#include "http_fixture.h"

#include <string.h>

static void handler(struct p3d_call *c)
{
    (void)c;
}

#define R(m, p)                                                                                    \
    {                                                                                              \
        .method = P3D_##m, .pattern = (p), .handler = handler, .name = #m " " p                    \
    }
static const struct p3d_route rows[] = {
    R(GET, "/"),
    R(GET, "/a/{x}"),
    R(GET, "/a/b"),
    R(POST, "/a/b/c"),
    R(GET, "/a/{x}/d"),
    R(DELETE, "/a/{other}"),
    R(GET, "/{p}/{q}/{r}/{s}"),
};

static const char *match(const struct p3d_router *r, const char *method, const char *target,
                         struct p3d_match *m)
{
    p3d_router_match(r, p3d_str_z(method), p3d_str_z(target), m);
    return m->route != NULL ? m->route->name : m->methods != 0 ? "405" : "404";
}

static void test_router(void **state)
{
    static const struct {
        const char *method, *target, *want;
    } cases[] = {
        {"GET", "/", "GET /"},
        {"HEAD", "/", "GET /"},
        {"GET", "/?x=/a/b", "GET /"},
        {"GET", "/a/b", "GET /a/b"},
        {"GET", "/a/%62", "GET /a/b"},
        {"GET", "/a/bb", "GET /a/{x}"},
        {"DELETE", "/a/q", "DELETE /a/{other}"},
        {"DELETE", "/a/b", "405"},
        {"POST", "/a/b/c", "POST /a/b/c"},
        {"GET", "/a/b/d", "GET /a/{x}/d"}, /* the literal leads nowhere */
        {"GET", "/a/b/c", "405"},
        {"GET", "/a/b/e", "404"},
        {"GET", "/1/2/3/4", "GET /{p}/{q}/{r}/{s}"},
        {"GET", "/1/2/3/4/5", "404"},
        {"GET", "/1/2/3/", "404"},
        {"GET", "", "404"},
        {"GET", "a/b", "404"},
        {"GET", "/a%2fb", "404"},
        {"GET", "/a/%", "404"},
        {"GET", "/a/b%00", "404"},
        {"GET", "/a/+", "404"},
        {"get", "/a/b", "405"},
        {"GET", "/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8", "404"},
    };
    struct p3d_router *r = NULL;
    struct p3d_match m;
    (void)state;
    assert_int_equal(p3d_router_new(rows, sizeof(rows) / sizeof(rows[0]), &r, NULL), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(match(r, cases[i].method, cases[i].target, &m), cases[i].want);
    assert_string_equal(match(r, "GET", "/w/x%40/y/z", &m), "GET /{p}/{q}/{r}/{s}");
    assert_int_equal(m.params_n, 4);
    assert_string_equal(m.params[1].p, "x@");
    assert_string_equal(match(r, "GET", "/a/b/d", &m), "GET /a/{x}/d");
    assert_int_equal(m.params_n, 1);
    assert_string_equal(m.params[0].p, "b");
    p3d_router_free(r);
}

static void test_bad_patterns(void **state)
{
    static const char *const bad[] = {"", "a", "/a/", "//", "/{a}/{b}/{c}/{d}/{e}"};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct p3d_router *r = NULL;
        struct p3d_route row = {.pattern = bad[i], .handler = handler};
        assert_int_equal(p3d_router_new(&row, 1, &r, NULL), P3D_E_CONFIG);
    }
}

static void test_disposition(void **state)
{
    struct p3d_buf b;
    (void)state;
    p3d_buf_init(&b, 0);
    p3d_disposition("a\"b\\c%\r\n\xe2\x82\xac.glb", &b);
    assert_string_equal(
        b.p,
        "attachment; filename=\"a_b_c____.glb\"; filename*=UTF-8''a%22b%5Cc%25%0D%0A%E2%82%AC.glb");
    p3d_buf_done(&b);
}

static void test_range_edges(void **state)
{
    int64_t from = -1, n = -1;
    (void)state;
    assert_int_equal(p3d_range_parse(P3D_STR("bytes=0-"), 0, &from, &n), P3D_RANGE_BAD);
    assert_int_equal(p3d_range_parse(P3D_STR("bytes=-1"), 0, &from, &n), P3D_RANGE_BAD);
    assert_int_equal(p3d_range_parse(P3D_STR("bytes=0-0"), 0, &from, &n), P3D_RANGE_BAD);
    assert_int_equal(p3d_range_parse(P3D_STR(""), 10, &from, &n), P3D_RANGE_WHOLE);
    assert_int_equal(p3d_range_parse(P3D_STR("bytes="), 10, &from, &n), P3D_RANGE_WHOLE);
    assert_int_equal(p3d_range_parse(P3D_STR("bytes=-9223372036854775807"), 10, &from, &n),
                     P3D_RANGE_PART);
    assert_true(from == 0 && n == 10);
    assert_int_equal(p3d_range_parse(P3D_STR("bytes=1-999999999999999999"), INT64_MAX, &from, &n),
                     P3D_RANGE_PART);
    assert_true(from == 1 && n == 999999999999999999);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_router),
        cmocka_unit_test(test_bad_patterns),
        cmocka_unit_test(test_disposition),
        cmocka_unit_test(test_range_edges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
