/* SPDX-License-Identifier: MIT
 *
 * core/store/url.c: every form that is allowed, and that no refusal repeats a password.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/store/conn_internal.h"

static const struct good {
    const char *url, *host, *path, *user, *password;
    int port, db;
} goods[] = {
    {"redis://h", "h", NULL, "", "", 6379, 0},
    {"redis://h/", "h", NULL, "", "", 6379, 0},
    {"redis://h:1", "h", NULL, "", "", 1, 0},
    {"redis://redis.example.org:6380/15", "redis.example.org", NULL, "", "", 6380, 15},
    {"redis://:secret@127.0.0.1:7/2", "127.0.0.1", NULL, "", "secret", 7, 2},
    {"redis://me:se%40c%2Fret%25@h", "h", NULL, "me", "se@c/ret%", 6379, 0},
    {"redis://me:a@b:c@h:9", "h", NULL, "me", "a@b:c", 9, 0},
    {"redis://me@h", "h", NULL, "me", "", 6379, 0},
    {"redis://:@h", "h", NULL, "", "", 6379, 0},
    {"redis://[::1]:6400/1", "::1", NULL, "", "", 6400, 1},
    {"redis://[fe80::1%eth0]", "fe80::1%eth0", NULL, "", "", 6379, 0},
    {"unix:///run/redis/redis.sock", NULL, "/run/redis/redis.sock", "", "", 6379, 0},
    {"unix://u:p@/s", NULL, "/s", "u", "p", 6379, 0},
    {"", NULL, "/data/run/redis.sock", "", "", 6379, 0},
};

static void takes_the_allowed(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof goods / sizeof *goods; i++) {
        const struct good *g = &goods[i];
        struct p3d_redis_url u;
        struct p3d_error err = {0};

        assert_int_equal(p3d_redis_url_parse(p3d_str_z(g->url), "/data", &u, &err), 0);
        if (g->host)
            assert_string_equal(u.host, g->host);
        else
            assert_null(u.host);
        if (g->path)
            assert_string_equal(u.path, g->path);
        else
            assert_null(u.path);
        assert_true(p3d_str_eq_z((struct p3d_str){(char *)u.user.p, u.user.n}, g->user));
        assert_true(p3d_str_eq_z((struct p3d_str){(char *)u.password.p, u.password.n}, g->password));
        assert_int_equal(u.port, g->port);
        assert_int_equal(u.db, g->db);
        p3d_redis_url_done(&u);
    }
}

static const char *const bads[] = {
    "redis://", "redis:///0", "redis://h:", "redis://h:0", "redis://h:65536", "redis://h:x", "redis://h/x", "redis://h/1/2",
    "redis://h/-1", "redis://h/0?x=1", "redis://h#f", "redis://a b", "redis://h\n", "redis://[::1", "redis://[::1]x",
    "redis://:hunter2%@h", "redis://:hunter2%4@h", "redis://:hunter2%zz@h", "redis://:hunter2/x@h", "redis://h?:hunter2",
    "redis://:hunter2 @h", "rediss://:hunter2@h", "http://:hunter2@h", "hunter2", "unix://", "unix:///", "unix://run/x",
    "unix://:hunter2@run", "REDIS", "redis:/h",
};

static void refuses_the_rest(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bads / sizeof *bads; i++) {
        struct p3d_redis_url u = {.port = 77};
        struct p3d_error err = {0};

        if (p3d_redis_url_parse(p3d_str_z(bads[i]), "/data", &u, &err) != P3D_E_CONFIG)
            fail_msg("taken: %s", bads[i]);
        assert_int_equal(u.port, 77);
        assert_true(err.detail[0]);
        assert_null(strstr(err.detail, "hunter2"));
    }
}

static void names_stunnel(void **state)
{
    struct p3d_redis_url u;
    struct p3d_error err = {0};

    (void)state;
    assert_int_equal(p3d_redis_url_parse(P3D_STR("rediss://h"), "/data", &u, &err), P3D_E_CONFIG);
    assert_non_null(strstr(err.detail, "stunnel"));
}

static void refuses_long_and_binary(void **state)
{
    static const char binary[] = "redis://h\0x";
    struct p3d_redis_url u;
    char *url = p3d_alloc(5000);

    (void)state;
    memset(url, 'x', 4999);
    memcpy(url, "redis://:", 9);
    url[4997] = '@';
    assert_int_equal(p3d_redis_url_parse(p3d_str_z(url), "/data", &u, NULL), P3D_E_CONFIG);
    url[4997] = 'x';
    memcpy(url, "redis://x", 9);
    assert_int_equal(p3d_redis_url_parse(p3d_str_z(url), "/data", &u, NULL), P3D_E_CONFIG);
    memcpy(url, "unix:////", 9);
    assert_int_equal(p3d_redis_url_parse(p3d_str_z(url), "/data", &u, NULL), P3D_E_CONFIG);
    assert_int_equal(p3d_redis_url_parse((struct p3d_str){binary, sizeof binary - 1}, "/data", &u, NULL), P3D_E_CONFIG);
    free(url);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_the_allowed),
        cmocka_unit_test(refuses_the_rest),
        cmocka_unit_test(names_stunnel),
        cmocka_unit_test(refuses_long_and_binary),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
