/* SPDX-License-Identifier: MIT
 *
 * Signed URLs and old tokens at the door: what becomes an access, and what is refused before the
 * store is asked.
 */
#include "http_fixture.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "p3d/clock.h"
#include "p3d/crypto.h"

#define H "Host: a\r\n"
#define MISSING "Authorization header missing. Please provide a Bearer token."
#define BAD "Invalid or expired signature"
#define EXPIRES INT64_C(4102444800)

static char *keys[] = {(char *)(uintptr_t) "key-one", (char *)(uintptr_t) "key-two", NULL};
static const struct p3d_owner_id ann = {"user_0123456789abcdef"}, nobody = {""};
static const unsigned char other[P3D_SIGNING_KEY_SIZE] = "the half that is not in Redis...";

static void make_key(void)
{
    struct p3d_key_half h = {.number = 1, .secret = "the half that is in Redis"};
    p3d_signing_set(&app.signing, &h, 1, other);
}

static int start(void **state)
{
    (void)state;
    make_key();
    return server_start(test_routes, test_routes_n);
}

static int start_accounts(void **state)
{
    app.cfg.security_user_auth_enabled = true;
    return start(state);
}

static int start_legacy(void **state)
{
    app.legacy_tokens = true;
    return start_accounts(state);
}

static int start_stale(void **state)
{
    (void)state;
    make_key();
    app.signing.stale = true;
    app.cfg.security_user_auth_enabled = true;
    return server_start(test_routes, test_routes_n);
}

static int start_no_keys(void **state)
{
    (void)state;
    app.cfg.security_user_auth_enabled = true;
    return server_start(test_routes, test_routes_n);
}

static int start_api_keys(void **state)
{
    app.cfg.security_api_key_required = true;
    app.cfg.security_api_keys = keys;
    return start(state);
}

static int stop(void **state)
{
    (void)state;
    return server_stop();
}

static const char *sign(const char *path, const struct p3d_owner_id *user)
{
    static char sig[P3D_SIGNATURE_LEN + 1];
    assert_int_equal(
        p3d_signing_sign(&app.signing, p3d_wall_ms(), p3d_str_z(path), EXPIRES, user, sig), 0);
    return sig;
}

/* path?exp=…&sig=…<tail>, signed for user. */
static const char *url(const char *path, const struct p3d_owner_id *user, const char *tail)
{
    static char text[600];
    assert_true(p3d_format(text, sizeof(text), "%s?exp=%" PRId64 "&sig=%s%s", path, EXPIRES,
                           sign(path, user), tail));
    return text;
}

static void test_stands_for_a_token(void **state)
{
    char text[600];
    (void)state;
    get("", url("/url/1", &ann, ""), 200, "\"kind\":3");
    get("", url("/url/1", &ann, ""), 200, "\"user\":\"user_0123456789abcdef\"");
    get("", url("/url/1", &ann, ""), 200, "\"expires\":4102444800");
    get("", url("/url/1", &ann, ""), 200, "\"address\":\"127.0.0.1\"");
    get("", url("/url/1", &ann, ""), 200, "\"scope\":1");
    get("", url("/url/1", &ann, ""), 200, "\"hash\":\"\"");
    get("", url("/url/1", &ann, "&q=free&filename=a"), 200, "\"q\":\"free\"");
    (void)p3d_format(text, sizeof(text), "/url/1?a&sig=%s&&b=c&exp=%" PRId64 "&",
                     sign("/url/1", &ann), EXPIRES);
    get("", text, 200, NULL);
    (void)p3d_format(text, sizeof(text), "http://elsewhere%s", url("/url/1", &ann, ""));
    get("", text, 200, NULL); /* absolute-form: the path is the same */
    int fd = dial();
    (void)p3d_format(text, sizeof(text), "HEAD %s HTTP/1.1\r\n" H "\r\n", url("/url/1", &ann, ""));
    send_text(fd, text);
    struct answer a = receive(fd, true);
    assert_int_equal(a.status, 200);
    answer_done(&a);
    (void)close(fd);
}

/* Of another path, another spelling of the path, another method, a route that takes none. */
static void test_only_there(void **state)
{
    char text[600];
    const char *query;
    (void)state;
    query = strchr(url("/url/1", &ann, ""), '?');
    static const char *const paths[] = {"/url/2", "/url/%31", "/url/11", "/url/1x"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        (void)p3d_format(text, sizeof(text), "%s%s", paths[i], query);
        get("", text, 401, BAD);
    }
    expect("DELETE", "", url("/url/1", &ann, ""), 401, MISSING);
    get("", url("/token/1", &ann, ""), 401, MISSING);
    get("", url("/account/1", &ann, ""), 401, MISSING);
    get("", url("/admin/x/1", &ann, ""), 403, NULL);
    get("", url("/jobs/1", &ann, ""), 200,
        "\"kind\":1"); /* public: an access that the store refuses */
    get("", url("/jobs/1", &ann, ""), 200, "\"user\":\"\"");
    get("", url("/jobs/1", &ann, ""), 200, "\"address\":\"127.0.0.1\"");
}

static void test_form(void **state)
{
    static const struct {
        const char *query, *want;
    } cases[] = {
        {"", MISSING},
        {"?", MISSING},
        {"?token=p3d_x&signature=1&Exp=1&SIG=2", MISSING},
        {"?exp", BAD},
        {"?sig", BAD},
        {"?exp=&sig=", BAD},
        {"?exp=4102444800", BAD},
        {"?sig=$", BAD},
        {"?exp=4102444800&sig=$&sig=$", BAD},
        {"?exp=4102444800&exp=4102444800&sig=$", BAD},
        {"?exp=4102444800&sig=$&exp", BAD},
        {"?exp=04102444800&sig=$", BAD},
        {"?exp=+4102444800&sig=$", BAD},
        {"?exp=-4102444800&sig=$", BAD},
        {"?exp=%34102444800&sig=$", BAD},
        {"?exp=4102444800.0&sig=$", BAD},
        {"?exp=4102444801&sig=$", BAD},
        {"?exp=99999999999999999999&sig=$", BAD},
        {"?exp=9223372036854775807&sig=$", BAD},
        {"?exp=0&sig=$", BAD},
        {"?exp=4102444800&sig=$0", BAD},
        {"?exp=4102444800&sig=0$", BAD},
        {"?%65xp=4102444800&sig=$", BAD},
        {"?exp=4102444800&sig=$&filename=x", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct p3d_buf b;
        p3d_buf_init(&b, 0);
        p3d_buf_addz(&b, "/url/1");
        for (const char *p = cases[i].query; *p != '\0'; p++)
            if (*p == '$')
                p3d_buf_addz(&b, sign("/url/1", &ann));
            else
                p3d_buf_add(&b, p, 1);
        get("", b.p, cases[i].want != NULL ? 401 : 200, cases[i].want);
        p3d_buf_done(&b);
    }
    char upper[600]; /* one spelling of the sum as well */
    (void)p3d_format(upper, sizeof(upper), "%s", url("/url/1", &ann, ""));
    for (char *p = strstr(upper, "sig=") + 4; *p != '\0'; p++)
        *p = (char)(*p >= 'a' && *p <= 'f' ? *p - 32 : *p);
    get("", upper, 401, BAD);
    get("", url("/url/1", &nobody, ""), 401, BAD); /* issued in simple mode */
}

/* A header decides where there is one, good or bad; a good URL changes nothing. */
static void test_header_first(void **state)
{
    struct p3d_token t;
    char h[200];
    (void)state;
    p3d_token_new(0, &t);
    (void)p3d_format(h, sizeof(h), "Authorization: Bearer %s\r\n", t.s);
    get(h, url("/url/1", &ann, ""), 200, "\"kind\":1");
    get(h, url("/url/1", &ann, ""), 200, "\"user\":\"\"");
    get(h, "/url/1?exp=1&sig=2", 200, "\"kind\":1");
    get("Authorization: Bearer nonsense\r\n", url("/url/1", &ann, ""), 401, "Invalid token");
    get("X-API-Key: nonsense\r\n", url("/url/1", &ann, ""), 401, "Invalid token");
    get("Authorization: Basic YTpi\r\n", url("/url/1", &ann, ""), 401,
        "Invalid authorization format");
    get("Authorization: \r\n", url("/url/1", &ann, ""), 401, "Invalid authorization format");
    get("X-API-Key: \r\n", url("/url/1", &ann, ""), 200, "\"kind\":3"); /* shows nothing */
}

static void test_simple_mode(void **state)
{
    (void)state;
    get("", "/url/1", 200, "\"kind\":0");
    get("", "/url/1?exp=1&sig=nonsense", 200, "\"kind\":0"); /* ignored */
    get("", url("/url/1", &ann, ""), 200, "\"kind\":0");
    get("", url("/url/1", &nobody, ""), 200, "\"address\":\"127.0.0.1\"");
}

static void test_api_keys(void **state)
{
    (void)state;
    get("", "/url/1", 401, "Invalid API key");
    get("X-API-Key: key-two\r\n", "/url/1?exp=1&sig=2", 200, "\"kind\":0");
    get("", url("/url/1", &nobody, ""), 200, "\"kind\":3");
    get("", url("/url/1", &nobody, ""), 200, "\"expires\":4102444800");
    get("", url("/url/1", &ann, ""), 401, BAD); /* issued to an account */
    get("", url("/url/2", &nobody, "0"), 401, BAD);
    get("", "/url/1?exp=1&sig=2", 401, BAD);
    get("X-API-Key: key-three\r\n", url("/url/1", &nobody, ""), 401, "Invalid API key");
    get("Authorization: Basic x\r\n", url("/url/1", &nobody, ""), 401, "Invalid API key");
    get("", url("/token/1", &nobody, ""), 401, "Invalid API key");
    expect("DELETE", "", url("/url/1", &nobody, ""), 401, "Invalid API key");
}

static void test_no_keys(void **state)
{
    char target[200];
    (void)state;
    (void)p3d_format(target, sizeof(target), "/url/1?exp=%" PRId64 "&sig=%080d", EXPIRES, 0);
    get("", target, 401, BAD);
    get("", "/url/1", 401, MISSING);
}

/* Cut off from the store: a key may be there that is not known here, and 401 would be a lie. */
static void test_stale(void **state)
{
    char target[200];
    (void)state;
    get("", url("/url/1", &ann, ""), 200, "\"kind\":3");
    (void)p3d_format(target, sizeof(target), "/url/1?exp=%" PRId64 "&sig=%080d", EXPIRES, 0);
    get("", target, 503, "The job store is not available");
    get("", "/url/1?exp=1&sig=short", 401, BAD);
    get("", "/url/1?sig=short", 401, BAD);
}

#define OLD "AZaz09-_AZaz09-_AZaz09-_AZaz09-_AZaz09-_AZa"
static void test_legacy_off(void **state)
{
    (void)state;
    get("Authorization: Bearer " OLD "\r\n", "/token/1", 401, "Invalid token");
    get("X-API-Key: " OLD "\r\n", "/url/1", 401, "Invalid token");
}

static void test_legacy_on(void **state)
{
    char want[100] = "\"hash\":\"";
    (void)state;
    p3d_sha256_hex(P3D_STR(OLD), want + strlen(want));
    get("Authorization: Bearer " OLD "\r\n", "/token/1", 200, want);
    get("X-API-Key: " OLD "\r\n", "/url/1", 200, want);
    get("X-API-Key: " OLD "A\r\n", "/token/1", 401, "Invalid token");
    get("X-API-Key: AZ.z09-_AZaz09-_AZaz09-_AZaz09-_AZaz09-_AZa\r\n", "/token/1", 401,
        "Invalid token");
    get("", "/token/1?token=" OLD, 401, MISSING);
}

#define WITH(test, setup) cmocka_unit_test_setup_teardown(test, setup, stop)
int main(void)
{
    const struct CMUnitTest with_accounts[] = {
        cmocka_unit_test(test_stands_for_a_token),
        cmocka_unit_test(test_only_there),
        cmocka_unit_test(test_form),
        cmocka_unit_test(test_header_first),
        cmocka_unit_test(test_legacy_off),
    };
    const struct CMUnitTest others[] = {
        WITH(test_simple_mode, start),      WITH(test_api_keys, start_api_keys),
        WITH(test_no_keys, start_no_keys),  WITH(test_stale, start_stale),
        WITH(test_legacy_on, start_legacy),
    };
    int failed = cmocka_run_group_tests(with_accounts, start_accounts, stop);
    return failed + cmocka_run_group_tests(others, NULL, NULL);
}
