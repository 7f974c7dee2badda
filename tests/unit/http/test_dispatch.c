/* SPDX-License-Identifier: MIT
 *
 * From a good head to a handler and back: routes, methods, CORS, parameters, credentials,
 * envelopes, HEAD.
 */
#include "http_fixture.h"

#include <string.h>
#include <unistd.h>

#include "p3d/crypto.h"

static char *any_origin[] = {(char *)(uintptr_t) "*", NULL};
static char *two_origins[] = {(char *)(uintptr_t) "https://a.example",
                              (char *)(uintptr_t) "https://b.example", NULL};
static char *keys[] = {(char *)(uintptr_t) "key-one", (char *)(uintptr_t) "key-two", NULL};

static int start(void **state)
{
    (void)state;
    app.cfg.security_user_auth_enabled = true;
    app.cfg.security_cors_origins = any_origin;
    p3d_secret_set(&app.cfg.security_admin_api_key, P3D_STR("operator-key-0123"));
    return server_start(test_routes, test_routes_n);
}

static int start_simple(void **state)
{
    (void)state;
    app.cfg.security_cors_origins = two_origins;
    p3d_secret_set(&app.cfg.security_admin_api_key, P3D_STR("operator-key-0123"));
    return server_start(test_routes, test_routes_n);
}

static int start_keys(void **state)
{
    (void)state;
    app.cfg.security_api_key_required = true;
    app.cfg.security_api_keys = keys;
    return server_start(test_routes, test_routes_n);
}

static int stop(void **state)
{
    (void)state;
    p3d_secret_done(&app.cfg.security_admin_api_key);
    return server_stop();
}

#define H "Host: a\r\n"

static int status_of(const char *request)
{
    struct answer a = ask(request);
    int status = a.status;
    answer_done(&a);
    return status;
}

static void test_routes_and_methods(void **state)
{
    char text[256];
    (void)state;
    static const char *const unknown[] = {
        "/nope",      "/hello/",        "//hello",       "/jobs/",     "/jobs/a/b",      "/HELLO",
        "/jobs/..",   "/jobs/.",        "/jobs/a%2fb",   "/jobs/a%00", "/jobs/%",        "/jobs/%4",
        "/jobs/a%0a", "/jobs/../hello", "/%2e%2e/hello", "/jobs/a;b",  "/jobs/\xc3\xa9", "/..",
    };
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        struct answer a = askf("GET %s HTTP/1.1\r\n" H "\r\n", unknown[i]);
        assert_envelope(&a, 404, "NOT_FOUND");
        assert_non_null(strstr(a.body, "\"detail\":\"Not Found\""));
        answer_done(&a);
    }
    struct answer a = ask("DELETE /hello HTTP/1.1\r\n" H "\r\n");
    assert_envelope(&a, 405, "METHOD_NOT_ALLOWED");
    assert_string_equal(header(&a, "allow", text, sizeof(text)), "GET, HEAD, POST, OPTIONS");
    answer_done(&a);
    a = ask("g3t! /hello HTTP/1.1\r\n" H "\r\n");
    assert_envelope(&a, 405, "METHOD_NOT_ALLOWED");
    answer_done(&a);
    a = ask("DELETE /jobs/history HTTP/1.1\r\n" H
            "\r\n"); /* the literal wins, whatever the parameter's row knows */
    assert_envelope(&a, 405, "METHOD_NOT_ALLOWED");
    answer_done(&a);
    a = ask("GET /h%65llo?x=1 HTTP/1.1\r\n" H "\r\n");
    assert_int_equal(a.status, 200);
    answer_done(&a);
}

static void test_params_and_query(void **state)
{
    static const struct {
        const char *query, *want;
    } rows[] = {
        {"", "\"q\":null"},
        {"?q=", "\"q\":\"\""},
        {"?q=a%20b+c", "\"q\":\"a b c\""},
        {"?a=1&q=2&q=3", "\"q\":\"2\""},
        {"?q=%zz", "\"q\":false"},
        {"?q=%ff", "\"q\":false"},
        {"?q=%00", "\"q\":false"},
        {"?qq=1", "\"q\":null"},
        {"?q", "\"q\":\"\""},
        {"?q=%e2%82%ac", "\"q\":\"\xe2\x82\xac\""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct answer a =
            askf("GET /jobs/A-b_c.%%40d%s HTTP/1.1\r\nHost: h.example:81\r\n\r\n", rows[i].query);
        assert_int_equal(a.status, 200);
        if (strstr(a.body, rows[i].want) == NULL)
            print_error("%s: %s\n", rows[i].query, a.body);
        assert_non_null(strstr(a.body, rows[i].want));
        assert_non_null(strstr(a.body, "\"id\":\"A-b_c.@d\""));
        assert_non_null(strstr(a.body, "\"base\":\"http://h.example:81\""));
        assert_non_null(strstr(a.body, "\"client\":\"127.0.0.1\""));
        answer_done(&a);
    }
    struct answer b = ask("GET /jobs/1 HTTP/1.0\r\nHost: proxied.example\r\n\r\n");
    assert_non_null(strstr(b.body, "\"base\":\"http://proxied.example\""));
    answer_done(&b);
    b = ask("GET /jobs/1 HTTP/1.0\r\n\r\n");
    assert_non_null(strstr(b.body, "\"base\":\"http://localhost\""));
    answer_done(&b);
    char id[200];
    memset(id, 'x', sizeof(id));
    for (int n = 128; n <= 129; n++) {
        struct answer a = askf("GET /jobs/%.*s HTTP/1.1\r\n" H "\r\n", n, id);
        assert_int_equal(a.status, n == 128 ? 200 : 404);
        answer_done(&a);
    }
}

static void test_request_id(void **state)
{
    char text[256];
    (void)state;
    struct answer a = ask("GET /hello HTTP/1.1\r\n" H "X-Request-ID: abc-1.2_Z\r\n\r\n");
    assert_string_equal(header(&a, "x-request-id", text, sizeof(text)), "abc-1.2_Z");
    assert_string_equal(header(&a, "x-content-type-options", text, sizeof(text)), "nosniff");
    assert_string_equal(header(&a, "cache-control", text, sizeof(text)), "no-store");
    assert_null(header(&a, "server", text, sizeof(text)));
    answer_done(&a);
    a = ask("GET /nope HTTP/1.1\r\n" H "X-Request-ID: not good\r\n\r\n");
    assert_int_equal(strlen(header(&a, "x-request-id", text, sizeof(text))), 16);
    answer_done(&a);
    a = ask("GET /drop HTTP/1.1\r\n" H "X-Request-ID: dropped\r\n\r\n");
    assert_envelope(&a, 500, "INTERNAL_ERROR");
    assert_non_null(strstr(a.body, "\"detail\":\"dropped\""));
    answer_done(&a);
    a = ask("POST /faults HTTP/1.1\r\n" H "Content-Length: 0\r\n\r\n");
    assert_envelope(&a, 422, "VALIDATION_ERROR");
    assert_non_null(strstr(a.body, "\"loc\":[\"body\",\"email\"]"));
    answer_done(&a);
}

/* A body on HEAD would be read as the start of the next answer. */
static void test_head_then_pipelined(void **state)
{
    static const char *const paths[] = {"/hello", "/jobs/1", "/file", "/nope", "/drop", "/token/1"};
    (void)state;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        char text[300];
        int fd = dial();
        (void)p3d_format(text, sizeof(text),
                         "HEAD %s HTTP/1.1\r\n" H "\r\nGET /hello HTTP/1.1\r\n" H
                         "\r\nPOST /echo HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nabc",
                         paths[i]);
        send_text(fd, text);
        struct answer a = receive(fd, true);
        assert_true(a.status >= 200);
        assert_non_null(header(&a, "content-length", text, sizeof(text)));
        assert_string_not_equal(text, "0");
        answer_done(&a);
        a = receive(fd, false);
        assert_int_equal(a.status, 200);
        assert_non_null(strstr(a.body, "\"word\":\"hello\""));
        answer_done(&a);
        a = receive(fd, false);
        assert_non_null(strstr(a.body, "\"length\":3"));
        answer_done(&a);
        (void)close(fd);
    }
}

static void test_cors_any(void **state)
{
    char text[512];
    (void)state;
    struct answer a = ask("OPTIONS /token/1 HTTP/1.1\r\n" H "Origin: https://x.example\r\n"
                          "Access-Control-Request-Method: GET\r\n\r\n");
    assert_int_equal(a.status, 204);
    assert_string_equal(header(&a, "access-control-allow-origin", text, sizeof(text)), "*");
    assert_string_equal(header(&a, "access-control-allow-methods", text, sizeof(text)),
                        "GET, HEAD, OPTIONS");
    assert_non_null(
        strstr(header(&a, "access-control-allow-headers", text, sizeof(text)), "idempotency-key"));
    assert_non_null(header(&a, "access-control-max-age", text, sizeof(text)));
    assert_null(header(&a, "access-control-allow-credentials", text, sizeof(text)));
    assert_null(header(&a, "content-length", text, sizeof(text)));
    answer_done(&a);
    assert_int_equal(status_of("OPTIONS /nope HTTP/1.1\r\n" H "\r\n"), 404);
    assert_int_equal(status_of("OPTIONS * HTTP/1.1\r\n" H "\r\n"), 204);
    static const char *const all[] = {"GET /nope", "GET /token/1", "DELETE /hello", "GET /hello"};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        a = askf("%s HTTP/1.1\r\n" H "Origin: https://x.example\r\n\r\n", all[i]);
        assert_string_equal(header(&a, "access-control-allow-origin", text, sizeof(text)), "*");
        assert_non_null(header(&a, "access-control-expose-headers", text, sizeof(text)));
        answer_done(&a);
    }
    a = ask("garbage\r\n\r\n");
    assert_string_equal(header(&a, "access-control-allow-origin", text, sizeof(text)), "*");
    answer_done(&a);
}

static void test_cors_list(void **state)
{
    char text[512];
    (void)state;
    struct answer a = ask("GET /hello HTTP/1.1\r\n" H "Origin: https://b.example\r\n\r\n");
    assert_string_equal(header(&a, "access-control-allow-origin", text, sizeof(text)),
                        "https://b.example");
    assert_string_equal(header(&a, "vary", text, sizeof(text)), "Origin");
    answer_done(&a);
    a = ask("OPTIONS /hello HTTP/1.1\r\n" H "Origin: https://b.example.evil\r\n\r\n");
    assert_null(header(&a, "access-control-allow-origin", text, sizeof(text)));
    assert_null(header(&a, "access-control-allow-methods", text, sizeof(text)));
    assert_string_equal(header(&a, "vary", text, sizeof(text)), "Origin");
    answer_done(&a);
}

#define MISSING "Authorization header missing. Please provide a Bearer token."
#define FORMAT "Invalid authorization format. Use 'Bearer <token>'"
static void test_tokens(void **state)
{
    struct p3d_token t, u;
    char h[400];
    (void)state;
    p3d_token_new(0, &t);
    p3d_token_new(0, &u);
    get("", "/token/1", 401, MISSING);
    get("X-API-Key: \r\n", "/token/1", 401, MISSING);
    get("", "/token/1?token=p3d_x&access_token=1", 401, MISSING);
    get("Authorization: Basic YTpi\r\n", "/token/1", 401, FORMAT);
    get("Authorization: Bearer\r\n", "/token/1", 401, FORMAT);
    get("Authorization: Bearer a b\r\n", "/token/1", 401, FORMAT);
    get("Authorization: Bearer nonsense\r\n", "/token/1", 401, "Invalid token");
    get("X-API-Key: nonsense\r\n", "/token/1", 401, "Invalid token");
    (void)p3d_format(h, sizeof(h), "Authorization: bearer  %s\r\n", t.s);
    get(h, "/token/1", 200, "\"kind\":1");
    get(h, "/account/1", 200, NULL);
    get(h, "/admin/x/1", 200, "\"kind\":1");
    (void)p3d_format(h, sizeof(h), "X-API-Key: %s\r\n", t.s);
    get(h, "/token/1", 200, "\"scope\":1");
    (void)p3d_format(h, sizeof(h), "X-API-Key: %s\r\nAuthorization: Bearer %s\r\n", t.s, t.s);
    get(h, "/token/1", 200, NULL);
    (void)p3d_format(h, sizeof(h), "X-API-Key: %s\r\nAuthorization: Bearer %s\r\n", u.s, t.s);
    get(h, "/token/1", 401, FORMAT);
    (void)p3d_format(h, sizeof(h), "Authorization: Bearer %s\r\nAuthorization: Bearer %s\r\n", t.s,
                     t.s);
    get(h, "/token/1", 401, FORMAT);
    get("", "/hello", 200, NULL);
    get("", "/admin/x/1", 403, "Invalid or missing admin token.");
    get("X-Admin-API-Key: wrong\r\n", "/admin/x/1", 403, "Invalid or missing admin token.");
    get("X-Admin-API-Key: operator-key-0123\r\n", "/admin/x/1", 200, "\"kind\":2");
    get("X-Admin-API-Key: operator-key-0123\r\n", "/token/1", 401, MISSING);
}

static void test_simple_mode(void **state)
{
    (void)state;
    get("", "/token/1", 200, "\"kind\":0");
    get("Authorization: Basic x\r\n", "/token/1", 200, NULL);
    get("", "/account/1", 503,
        "User authentication is disabled on this server. Enable it in configuration.");
    get("", "/admin/x/1", 403, "Invalid or missing admin token.");
    get("X-Admin-API-Key: operator-key-012\r\n", "/admin/x/1", 403, NULL);
    get("X-Admin-API-Key: operator-key-0123\r\n", "/admin/x/1", 200, NULL);
    char text[64];
    struct answer a = ask("GET /account/1 HTTP/1.1\r\n" H "\r\n");
    assert_string_equal(header(&a, "retry-after", text, sizeof(text)), "1");
    answer_done(&a);
}

static void test_api_keys(void **state)
{
    (void)state;
    get("", "/token/1", 401, "Invalid API key");
    get("X-API-Key: key-three\r\n", "/token/1", 401, "Invalid API key");
    get("X-API-Key: key-two\r\n", "/token/1", 200, NULL);
    get("Authorization: Bearer key-one\r\n", "/token/1", 200, NULL);
    get("", "/hello", 200, NULL);
    get("X-Admin-API-Key: \r\n", "/admin/x/1", 403,
        NULL); /* none is configured: an empty one does not match */
}

static void test_two_rows(void **state)
{
    static const struct p3d_route rows[] = {
        {.method = P3D_GET, .pattern = "/a/{x}", .handler = on_hello, .name = "a"},
        {.method = P3D_GET, .pattern = "/a/{y}", .handler = on_hello, .name = "b"},
    };
    struct p3d_error err = {.code = 0};
    struct p3d_http *h = NULL;
    struct p3d_config cfg = {.server_max_connections = 1};
    (void)state;
    assert_int_equal(p3d_http_new(&h, &err), 0);
    struct p3d_http_options o = {.cfg = &cfg, .routes = rows, .routes_n = 2, .listen_fd = -1};
    assert_int_equal(p3d_http_start(h, &o, &err), P3D_E_CONFIG);
    assert_string_equal(err.detail, "two routes for GET /a/{y}");
    p3d_http_free(h);
}

int main(void)
{
    const struct CMUnitTest with_accounts[] = {
        cmocka_unit_test(test_routes_and_methods), cmocka_unit_test(test_params_and_query),
        cmocka_unit_test(test_request_id),         cmocka_unit_test(test_head_then_pipelined),
        cmocka_unit_test(test_cors_any),           cmocka_unit_test(test_tokens),
    };
    const struct CMUnitTest others[] = {
        cmocka_unit_test_setup_teardown(test_simple_mode, start_simple, stop),
        cmocka_unit_test_setup_teardown(test_cors_list, start_simple, stop),
        cmocka_unit_test_setup_teardown(test_api_keys, start_keys, stop),
        cmocka_unit_test(test_two_rows),
    };
    int failed = cmocka_run_group_tests(with_accounts, start, stop);
    return failed + cmocka_run_group_tests(others, NULL, NULL);
}
