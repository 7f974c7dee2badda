/* SPDX-License-Identifier: MIT
 *
 * What a username, an email address and a password must look like.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "p3d/account.h"

static void usernames(void **state)
{
    char long_one[66];
    (void)state;
    memset(long_one, 'a', 65);
    long_one[65] = '\0';
    assert_int_equal(p3d_username_check(p3d_str_z("")), P3D_E_USERNAME_SHORT);
    assert_int_equal(p3d_username_check(p3d_str_z("ab")), P3D_E_USERNAME_SHORT);
    assert_int_equal(p3d_username_check(p3d_str_z("abc")), 0);
    assert_int_equal(p3d_username_check(p3d_str_z("A.b_c-9")), 0);
    assert_int_equal(p3d_username_check((struct p3d_str){long_one, 64}), 0);
    assert_int_equal(p3d_username_check((struct p3d_str){long_one, 65}), P3D_E_USERNAME_CHARS);
    assert_int_equal(p3d_username_check((struct p3d_str){"ab\0c", 4}), P3D_E_USERNAME_CHARS);
    static const char *const bad[] = {"a b", "abc\n", "abc@d", "\303\244bc", "a:bc", "abc/"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_int_equal(p3d_username_check(p3d_str_z(bad[i])), P3D_E_USERNAME_CHARS);
}

static void emails(void **state)
{
    static const char *const good[] = {"a@b",
                                       "admin@localhost",
                                       "first.last+tag@example.co.uk",
                                       "x_y-z@a-b.example",
                                       "o'neil@example.com"};
    static const char *const bad[] = {"",          "@",
                                      "a@",        "@b",
                                      "a",         "a@b@c",
                                      "a b@c.d",   "a@b c",
                                      "a@.b",      "a@b.",
                                      "a@b..c",    "a@-b",
                                      "a@b-",      "a@b_c",
                                      "a@b\n",     "a\n@b",
                                      "a@b\x7F",   "<a>@b",
                                      "a,b@c",     "a@[127.0.0.1]",
                                      "a\xFF@b.c", "a\xC2\x9B@b.c",
                                      "j\xC3\xBCrgen@b.c", "a@m\xC3\xBCnchen.example"};
    char text[320];
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
        assert_int_equal(p3d_email_check(p3d_str_z(good[i])), 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_int_equal(p3d_email_check(p3d_str_z(bad[i])), P3D_E_EMAIL_INVALID);
    memset(text, 'a', sizeof(text));
    text[64] = '@';
    for (size_t i = 100; i < sizeof(text); i += 50)
        text[i] = '.';
    assert_int_equal(p3d_email_check((struct p3d_str){text, 254}), 0);
    assert_int_equal(p3d_email_check((struct p3d_str){text, 255}), P3D_E_EMAIL_INVALID);
    text[64] = 'a';
    text[65] = '@';
    assert_int_equal(p3d_email_check((struct p3d_str){text, 254}), P3D_E_EMAIL_INVALID);
}

static void passwords(void **state)
{
    struct p3d_error err = {0};
    char text[1025];
    (void)state;
    memset(text, 'p', sizeof(text));
    assert_int_equal(p3d_password_check(p3d_str_z("1234567"), 8, &err), P3D_E_PASSWORD_SHORT);
    assert_string_equal(err.detail, "Password must be at least 8 characters");
    assert_int_equal(p3d_password_check(p3d_str_z("12345678"), 8, &err), 0);
    /* characters, not bytes */
    assert_int_equal(p3d_password_check(p3d_str_z("\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4"), 8, &err),
                     P3D_E_PASSWORD_SHORT);
    assert_int_equal(p3d_password_check((struct p3d_str){text, 1024}, 8, &err), 0);
    assert_int_equal(p3d_password_check((struct p3d_str){text, 1025}, 8, &err),
                     P3D_E_PASSWORD_LONG);
    assert_string_equal(err.detail, "Password is too long");
    assert_int_equal(p3d_password_check(p3d_str_z("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"), 8, &err),
                     P3D_E_VALIDATION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(usernames),
        cmocka_unit_test(emails),
        cmocka_unit_test(passwords),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
