/* SPDX-License-Identifier: MIT
 *
 * core/crypto/password.c: published PBKDF2-HMAC-SHA256 vectors (RFC 7914 section 11), the old form,
 * the old form wrapped, what is corrupt, and the cost of a failure.
 */
#include "../base/unit.h"

#include <string.h>

#include <openssl/evp.h>

#include "p3d/crypto.h"

#define ROUNDS 1000
#define OLD                                                                                        \
    "00112233445566778899aabbccddeeff$"                                                            \
    "f077b36cea0b0f4d03cb6d6c5a495659e67a2fe3e131e89d3d86f3cbc57551f2"

static int verify(const char *password, const char *stored, unsigned rounds, bool *ret_stale)
{
    return p3d_password_verify(p3d_str_z(password), p3d_str_z(stored), rounds, ret_stale);
}

static void vectors(void **state)
{
    (void)state;
    static const struct {
        const char *password, *stored;
        unsigned rounds;
    } rows[] = {
        {"passwd", "$pbkdf2-sha256$i=1$c2FsdA$VawEblbjCJ/sFpHCJUS2BflBhSFt3gRl5oudV8INrLw", 1},
        {"Password", "$pbkdf2-sha256$i=80000$TmFDbA$TdzY9guYviGDDO5e8icB+WQaRBjQTAQUrv8Ih2s0q1Y",
         80000},
        {"passwordPASSWORDpassword",
         "$pbkdf2-sha256$i=4096$c2FsdFNBTFRzYWx0U0FMVHNhbHRTQUxUc2FsdFNBTFRzYWx0$"
         "NIyJ28vTKy8y2BS4EW6EzysXNH68GAAYHE4qH7jdU+E",
         4096},
        {"",
         "$pbkdf2-sha256$i=1000$MDEyMzQ1Njc4OWFiY2RlZg$1SowFvcyM8WmWKE5mw1mE6SzWhTrQkI1ozLfFjQpvY4",
         1000},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        bool stale = true;
        assert_int_equal(verify(rows[i].password, rows[i].stored, rows[i].rounds, &stale), 0);
        assert_false(stale);
        assert_int_equal(verify(rows[i].password, rows[i].stored, rows[i].rounds + 1, &stale), 0);
        assert_true(stale);
        assert_int_equal(verify("other", rows[i].stored, 1, &stale), P3D_E_LOGIN_FAILED);
        assert_true(stale);
    }
}

static void round_trip(void **state)
{
    (void)state;
    char a[P3D_PASSWORD_HASH_SIZE], b[P3D_PASSWORD_HASH_SIZE], most[P3D_PASSWORD_MAX + 1];
    bool stale = true;
    p3d_password_hash(P3D_STR("hunter2"), ROUNDS, a);
    p3d_password_hash(P3D_STR("hunter2"), ROUNDS, b);
    assert_string_not_equal(a, b);
    assert_memory_equal(a, "$pbkdf2-sha256$i=1000$", 22);
    assert_int_equal(strlen(a), 22 + 22 + 1 + 43);
    assert_int_equal(verify("hunter2", a, ROUNDS, &stale), 0);
    assert_false(stale);
    assert_int_equal(verify("hunter2", b, ROUNDS - 1, &stale), 0);
    assert_false(stale);
    assert_int_equal(verify("hunter3", a, ROUNDS, &stale), P3D_E_LOGIN_FAILED);
    assert_int_equal(verify("", a, ROUNDS, &stale), P3D_E_LOGIN_FAILED);
    assert_int_equal(p3d_password_verify(P3D_STR("hunter2\0"), p3d_str_z(a), ROUNDS, &stale),
                     P3D_E_LOGIN_FAILED);
    memset(most, 'p', sizeof(most));
    p3d_password_hash((struct p3d_str){most, P3D_PASSWORD_MAX}, 0, a);
    assert_int_equal(
        p3d_password_verify((struct p3d_str){most, P3D_PASSWORD_MAX}, p3d_str_z(a), 1, &stale), 0);
    assert_int_equal(p3d_password_verify((struct p3d_str){most, P3D_PASSWORD_MAX + 1},
                                         p3d_str_z(OLD), 1, &stale),
                     P3D_E_LOGIN_FAILED);
}

static void old_form(void **state)
{
    (void)state;
    bool stale = false;
    assert_int_equal(verify("secret pw", OLD, ROUNDS, &stale), 0);
    assert_true(stale);
    stale = false;
    assert_int_equal(verify("secret pW", OLD, ROUNDS, &stale), P3D_E_LOGIN_FAILED);
    assert_false(stale);
}

/* hashlib.pbkdf2_hmac("sha256", OLD's 64 hex, b"\0\1…\17", 1000) */
#define WRAPPED                                                                                    \
    "$pbkdf2-sha256-over-sha256$i=1000$00112233445566778899aabbccddeeff$"                          \
    "AAECAwQFBgcICQoLDA0ODw$qT+ezwS8l5Yb8kzyLm8ITpMVzZ82R5qcmpLcioUqd48"

static void wrapped_vector(void **state)
{
    (void)state;
    bool stale = false;
    assert_int_equal(verify("secret pw", WRAPPED, ROUNDS, &stale), 0);
    assert_true(stale);
    stale = false;
    assert_int_equal(verify("secret pW", WRAPPED, ROUNDS, &stale), P3D_E_LOGIN_FAILED);
    assert_int_equal(verify("", WRAPPED, ROUNDS, &stale), P3D_E_LOGIN_FAILED);
    /* Not the digest itself: who reads an old backup has no password. */
    assert_int_equal(verify(&OLD[33], WRAPPED, ROUNDS, &stale), P3D_E_LOGIN_FAILED);
    assert_int_equal(verify(OLD, WRAPPED, ROUNDS, &stale), P3D_E_LOGIN_FAILED);
    assert_false(stale);
}

static void wrap(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "x", WRAPPED, OLD "0", "$pbkdf2-sha256$i=1$c2FsdA$x"};
    char a[P3D_PASSWORD_HASH_SIZE], b[P3D_PASSWORD_HASH_SIZE], upper[] = OLD;
    bool stale = false;
    assert_int_equal(p3d_password_wrap(p3d_str_z(OLD), ROUNDS, a), 0);
    assert_int_equal(p3d_password_wrap(p3d_str_z(OLD), ROUNDS, b), 0);
    assert_string_not_equal(a, b);
    assert_memory_equal(a, WRAPPED, sizeof(WRAPPED) - 22 - 1 - 43 - 1);
    assert_null(strstr(a, &OLD[33]));
    assert_int_equal(verify("secret pw", a, ROUNDS, &stale), 0);
    assert_true(stale);
    assert_int_equal(verify("secret pw", b, 1, &stale), 0);
    assert_true(stale); /* always: the next login makes a direct one */
    assert_int_equal(verify("secret pW", a, ROUNDS, &stale), P3D_E_LOGIN_FAILED);
    assert_int_equal(p3d_password_wrap(p3d_str_z(OLD), 100000000 / 100000, a), 0);
    assert_true(strlen(a) + 5 < P3D_PASSWORD_HASH_SIZE);
    for (char *c = upper + 33; *c != '\0'; c++) /* the digest's case does not matter, */
        if (*c >= 'a')
            *c = (char)(*c - 'a' + 'A');
    assert_int_equal(p3d_password_wrap(p3d_str_z(upper), ROUNDS, a), 0);
    assert_int_equal(verify("secret pw", a, ROUNDS, &stale), 0);
    upper[20] = 'A'; /* the salt's does: its text is what was hashed */
    assert_int_equal(p3d_password_wrap(p3d_str_z(upper), ROUNDS, a), 0);
    assert_int_equal(verify("secret pw", a, ROUNDS, &stale), P3D_E_LOGIN_FAILED);
    memset(a, 'x', sizeof(a));
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_int_equal(p3d_password_wrap(p3d_str_z(bad[i]), ROUNDS, a), P3D_E_VALIDATION);
    assert_int_equal(a[0], 'x');
}

static void unknown_user(void **state)
{
    (void)state;
    bool stale = false;
    assert_int_equal(verify("x", "", ROUNDS, &stale), P3D_E_LOGIN_FAILED);
    assert_int_equal(verify("", NULL, ROUNDS, &stale), P3D_E_LOGIN_FAILED);
    assert_int_equal(verify("", "", 0, &stale), P3D_E_LOGIN_FAILED);
}

static void corrupt(void **state)
{
    (void)state;
    static const char hash[] = "$VawEblbjCJ/sFpHCJUS2BflBhSFt3gRl5oudV8INrLw";
    static const char *const heads[] = {
        "$pbkdf2-sha256$i=0$c2FsdA",
        "$pbkdf2-sha256$i=-1$c2FsdA",
        "$pbkdf2-sha256$i=$c2FsdA",
        "$pbkdf2-sha256$i=1x$c2FsdA",
        "$pbkdf2-sha256$i=100000001$c2FsdA",
        "$pbkdf2-sha512$i=1$c2FsdA",
        "$pbkdf2-sha256$i=1$",
        "$pbkdf2-sha256$i=1$c2FsdA==",
        "$pbkdf2-sha256$i=1$c2FsdB",
        "$pbkdf2-sha256$i=1$c2Fsd",
        "$pbkdf2-sha256$i=1$c2 sdA",
        "$pbkdf2-sha256$i=1",
        "x",
    };
    static const char *const whole[] = {
        "x",
        "$",
        "$pbkdf2-sha256$i=",
        "$pbkdf2-sha256$i=1$c2FsdA$",
        "$pbkdf2-sha256$i=1$c2FsdA$VawEblbjCJ/sFpHCJUS2BflBhSFt3gRl5oudV8INrL",
        "$pbkdf2-sha256$i=1$c2FsdA$VawEblbjCJ/sFpHCJUS2BflBhSFt3gRl5oudV8INrLwA",
        "$pbkdf2-sha256$i=1$c2FsdA$VawEblbjCJ/sFpHCJUS2BflBhSFt3gRl5oudV8INrLw$",
        "$pbkdf2-sha256-over-sha256$i=1$c2FsdA$VawEblbjCJ/sFpHCJUS2BflBhSFt3gRl5oudV8INrLw",
        "$pbkdf2-sha256-over-sha256$i=0$00112233445566778899aabbccddeeff$"
        "c2FsdA$VawEblbjCJ/sFpHCJUS2BflBhSFt3gRl5oudV8INrLw",
        "$pbkdf2-sha256-over-sha256$i=1$00112233445566778899aabbccddeef$"
        "c2FsdA$VawEblbjCJ/sFpHCJUS2BflBhSFt3gRl5oudV8INrLw",
        "$pbkdf2-sha256-over-sha256$i=1$00112233445566778899aabbccddeefg$"
        "c2FsdA$VawEblbjCJ/sFpHCJUS2BflBhSFt3gRl5oudV8INrLw",
        "$pbkdf2-sha256-over-sha256$i=1$00112233445566778899aabbccddeeff$"
        "c2FsdA$VawEblbjCJ/sFpHCJUS2BflBhSFt3gRl5oudV8INrLw$",
        "$pbkdf2-sha256-over-sha256$i=1$00112233445566778899aabbccddeeff$"
        "$VawEblbjCJ/sFpHCJUS2BflBhSFt3gRl5oudV8INrLw",
        "$pbkdf2-sha256-over-sha512$i=1$00112233445566778899aabbccddeeff$"
        "c2FsdA$VawEblbjCJ/sFpHCJUS2BflBhSFt3gRl5oudV8INrLw",
        "00112233445566778899aabbccddeefg$"
        "f077b36cea0b0f4d03cb6d6c5a495659e67a2fe3e131e89d3d86f3cbc57551f2",
        "00112233445566778899aabbccddeeff$"
        "g077b36cea0b0f4d03cb6d6c5a495659e67a2fe3e131e89d3d86f3cbc57551f2",
        "00112233445566778899aabbccddeeff:"
        "f077b36cea0b0f4d03cb6d6c5a495659e67a2fe3e131e89d3d86f3cbc57551f2",
        OLD "0",
    };
    bool stale = false;
    for (size_t i = 0; i < COUNT(heads); i++) {
        char text[256];
        assert_true(p3d_format(text, sizeof(text), "%s%s", heads[i], hash));
        assert_int_equal(verify("passwd", text, 1, &stale), P3D_E_CORRUPT);
    }
    for (size_t i = 0; i < COUNT(whole); i++)
        assert_int_equal(verify("passwd", whole[i], 1, &stale), P3D_E_CORRUPT);
}

/* Linked in place of OpenSSL's (--wrap): counts the rounds, because a clock on a shared machine
 * says little. */
int __real_PKCS5_PBKDF2_HMAC(const char *pass, int pass_n, const unsigned char *salt, int salt_n,
                             int rounds, const EVP_MD *md, int n, unsigned char *dst);
int __wrap_PKCS5_PBKDF2_HMAC(const char *pass, int pass_n, const unsigned char *salt, int salt_n,
                             int rounds, const EVP_MD *md, int n, unsigned char *dst);
static int rounds_spent;

int __wrap_PKCS5_PBKDF2_HMAC(const char *pass, int pass_n, const unsigned char *salt, int salt_n,
                             int rounds, const EVP_MD *md, int n, unsigned char *dst)
{
    rounds_spent += rounds;
    return __real_PKCS5_PBKDF2_HMAC(pass, pass_n, salt, salt_n, rounds, md, n, dst);
}

/* Unknown, old, wrapped, weak and current: a failure costs the same, so its time does not tell
 * which names exist. */
static void failure_cost(void **state)
{
    (void)state;
    char current[P3D_PASSWORD_HASH_SIZE], weak[P3D_PASSWORD_HASH_SIZE];
    p3d_password_hash(P3D_STR("right"), ROUNDS, current);
    p3d_password_hash(P3D_STR("right"), ROUNDS / 10, weak);
    char thin[P3D_PASSWORD_HASH_SIZE];
    assert_int_equal(p3d_password_wrap(p3d_str_z(OLD), ROUNDS / 10, thin), 0);
    const char *const rows[] = {current, "", OLD, weak, WRAPPED, thin};
    for (size_t i = 0; i < COUNT(rows); i++) {
        bool stale = false;
        rounds_spent = 0;
        assert_int_equal(verify("wrong", rows[i], ROUNDS, &stale), P3D_E_LOGIN_FAILED);
        assert_int_equal(rounds_spent, ROUNDS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors),  cmocka_unit_test(round_trip),
        cmocka_unit_test(old_form), cmocka_unit_test(unknown_user),
        cmocka_unit_test(corrupt),  cmocka_unit_test(failure_cost),
        cmocka_unit_test(wrap),     cmocka_unit_test(wrapped_vector),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
