/* SPDX-License-Identifier: MIT
 *
 * core/crypto/token.c: a known token, and every change of one character of some.
 */
#include "../base/unit.h"

#include <string.h>

#include "p3d/crypto.h"
#include "p3d/id.h"

#define ZEROS "p3d_0AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static void known(void **state)
{
    (void)state;
    unsigned shard = 99;
    assert_int_equal(p3d_token_check(P3D_STR(ZEROS "1r8fof"), &shard), 0);
    assert_int_equal(shard, 0);
    assert_int_equal(p3d_token_check(P3D_STR(ZEROS "1r8fog"), &shard), P3D_E_TOKEN_INVALID);
}

static void fresh(void **state)
{
    (void)state;
    struct p3d_token a, b;
    for (unsigned i = 0; i < 62; i++) {
        unsigned shard = 99;
        p3d_token_new(i, &a);
        p3d_token_new(i, &b);
        assert_int_equal(strlen(a.s), P3D_TOKEN_LEN);
        assert_int_equal(p3d_token_check(p3d_str_z(a.s), &shard), 0);
        assert_int_equal(shard, i);
        assert_string_not_equal(a.s, b.s);
        assert_int_equal(
            strspn(a.s + 4, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
            P3D_TOKEN_LEN - 4);
    }
}

/* All 255 other bytes at all 54 places. */
static void every_change(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        struct p3d_token t;
        unsigned shard = 99;
        p3d_token_new((unsigned)round, &t);
        for (size_t at = 0; at < P3D_TOKEN_LEN; at++) {
            char right = t.s[at];
            for (int c = -128; c < 128; c++) {
                if (c == right)
                    continue;
                t.s[at] = (char)c;
                assert_int_equal(p3d_token_check((struct p3d_str){t.s, P3D_TOKEN_LEN}, &shard),
                                 P3D_E_TOKEN_INVALID);
            }
            t.s[at] = right;
        }
        assert_int_equal(shard, 99);
    }
}

static void other_changes(void **state)
{
    (void)state;
    struct p3d_token t;
    unsigned shard = 99;
    p3d_token_new(1, &t);
    for (size_t n = 0; n < P3D_TOKEN_LEN; n++) /* cut */
        assert_int_equal(p3d_token_check((struct p3d_str){t.s, n}, &shard), P3D_E_TOKEN_INVALID);
    assert_int_equal(p3d_token_check((struct p3d_str){t.s, P3D_TOKEN_LEN + 1}, &shard),
                     P3D_E_TOKEN_INVALID);
    assert_int_equal(p3d_token_check((struct p3d_str){NULL, 0}, &shard), P3D_E_TOKEN_INVALID);
    for (size_t i = 4; i + 1 < P3D_TOKEN_LEN; i++) { /* two neighbours swapped */
        char c = t.s[i];
        if (c == t.s[i + 1])
            continue;
        t.s[i] = t.s[i + 1];
        t.s[i + 1] = c;
        assert_int_equal(p3d_token_check(p3d_str_z(t.s), &shard), P3D_E_TOKEN_INVALID);
        t.s[i + 1] = t.s[i];
        t.s[i] = c;
    }
    assert_int_equal(p3d_token_check(p3d_str_z(t.s), &shard), 0);
}

/* Those of 3DAIGC: told by their form alone. */
static void legacy(void **state)
{
    static const char good[] = "AZaz09-_AZaz09-_AZaz09-_AZaz09-_AZaz09-_AZa";
    char t[sizeof(good) + 1] = "";
    unsigned shard;
    (void)state;
    assert_true(p3d_token_is_legacy(P3D_STR(good)));
    assert_int_equal(p3d_token_check(P3D_STR(good), &shard), P3D_E_TOKEN_INVALID);
    assert_false(p3d_token_is_legacy((struct p3d_str){good, 42}));
    assert_false(p3d_token_is_legacy(P3D_STR("AZaz09-_AZaz09-_AZaz09-_AZaz09-_AZaz09-_AZaA")));
    assert_false(p3d_token_is_legacy((struct p3d_str){NULL, 0}));
    for (size_t at = 0; at < sizeof(good) - 1; at++)
        for (int c = 0; c < 256; c++) {
            static const char allowed[] =
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
            memcpy(t, good, sizeof(good));
            t[at] = (char)c;
            assert_int_equal(p3d_token_is_legacy((struct p3d_str){t, 43}),
                             c != 0 && strchr(allowed, c) != NULL);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(known), cmocka_unit_test(fresh),
                                       cmocka_unit_test(every_change),
                                       cmocka_unit_test(other_changes), cmocka_unit_test(legacy)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
