/* SPDX-License-Identifier: MIT
 *
 * core/crypto/random.c: bytes, comparison, secrets, hex.
 */
#include "../base/unit.h"

#include <string.h>

#include "p3d/crypto.h"

static void random_bytes(void **state)
{
    (void)state;
    unsigned char a[64] = {0}, b[64] = {0}, seen[32] = {0};
    p3d_random(a, sizeof(a));
    p3d_random(b, sizeof(b));
    assert_memory_not_equal(a, b, sizeof(a));
    p3d_random(a, 0);
    for (int i = 0; i < 64; i++) { /* every bit position takes both values */
        p3d_random(b, 32);
        for (int k = 0; k < 32; k++)
            seen[k] |= b[k];
    }
    for (int k = 0; k < 32; k++)
        assert_int_equal(seen[k], 0xFF);
}

static void equal(void **state)
{
    (void)state;
    assert_true(p3d_equal(P3D_STR("abc"), P3D_STR("abc")));
    assert_false(p3d_equal(P3D_STR("abc"), P3D_STR("abd")));
    assert_false(p3d_equal(P3D_STR("abc"), P3D_STR("ab")));
    assert_false(p3d_equal(P3D_STR("a\0b"), P3D_STR("a\0c")));
    assert_true(p3d_equal(p3d_str_z(NULL), P3D_STR("")));
}

static void secrets(void **state)
{
    (void)state;
    struct p3d_secret s = {.p = NULL, .n = 0};
    p3d_secret_done(&s);
    p3d_secret_set(&s, P3D_STR("hunter2"));
    assert_int_equal(s.n, 7);
    assert_memory_equal(s.p, "hunter2", 8);
    p3d_secret_set(&s, (struct p3d_str){(const char *)s.p + 1, 3}); /* from itself */
    assert_memory_equal(s.p, "unt", 4);
    p3d_secret_set(&s, P3D_STR(""));
    assert_null(s.p);
    char most[P3D_SECRET_MAX];
    memset(most, 'x', sizeof(most));
    p3d_secret_set(&s, (struct p3d_str){most, sizeof(most)});
    assert_int_equal(s.n, P3D_SECRET_MAX);
    p3d_secret_done(&s);
    assert_null(s.p);
    p3d_wipe(most, sizeof(most));
    for (size_t i = 0; i < sizeof(most); i++)
        assert_int_equal(most[i], 0);
    p3d_wipe(NULL, 0);
}

static void hex(void **state)
{
    (void)state;
    char text[9] = "untouch";
    p3d_hex("\x00\xFF\x1A\xA1", 4, text);
    assert_string_equal(text, "00ff1aa1");
    p3d_hex(NULL, 0, text);
    assert_string_equal(text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_bytes), cmocka_unit_test(equal),
                                       cmocka_unit_test(secrets), cmocka_unit_test(hex)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
