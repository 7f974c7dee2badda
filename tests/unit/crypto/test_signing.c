/* SPDX-License-Identifier: MIT
 *
 * core/crypto/signing.c: a known signature, every change of every byte of everything that is
 * covered, and the life of keys.
 */
#include "../base/unit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "p3d/signing.h"

#define NOW INT64_C(1700000000000)
#define EXPIRES INT64_C(1700003600)
#define PATH "/api/v1/system/jobs/job_001ARZ3NDEKTSV4RRFFQ69G5FAV/download"

static const unsigned char other[P3D_SIGNING_KEY_SIZE] = "the half that is not in Redis...";
static const struct p3d_owner_id ann = {"user_0123456789abcdef"}, bob = {"user_fedcba9876543210"},
                                 nobody = {""};

static struct p3d_key_half half(int64_t number, int64_t from_ms, int64_t until_ms)
{
    struct p3d_key_half h = {.number = number, .from_ms = from_ms, .until_ms = until_ms};
    memset(h.secret, (int)('a' + number), sizeof(h.secret));
    return h;
}

static void sign(const struct p3d_signing *s, int64_t now_ms, const struct p3d_owner_id *user,
                 char dst[81])
{
    assert_int_equal(p3d_signing_sign(s, now_ms, P3D_STR(PATH), EXPIRES, user, dst), 0);
    assert_int_equal(strlen(dst), P3D_SIGNATURE_LEN);
}

static int check(const struct p3d_signing *s, int64_t now_ms, const char *path, const char *sig,
                 int64_t expires_s)
{
    struct p3d_owner_id user = {"untouched"};
    int err = p3d_signing_check(s, now_ms, p3d_str_z(path), p3d_str_z(sig), expires_s, &user);
    if (err != 0)
        assert_string_equal(user.s, "untouched");
    return err;
}

static struct p3d_signing one_key(void)
{
    struct p3d_signing s = {.n = 0};
    struct p3d_key_half h = half(1, NOW - 1000, 0);
    p3d_signing_set(&s, &h, 1, other);
    return s;
}

/* The arithmetic of the contract, made here a second time. */
static void known(void **state)
{
    static const char text[] = "GET\n" PATH "\n1700003600\n0123456789abcdef\n";
    struct p3d_signing s = one_key();
    struct p3d_key_half h = half(1, 0, 0);
    unsigned char key[32], sum[32];
    char want[81], got[81];
    struct p3d_owner_id user;
    (void)state;
    p3d_hmac_sha256((struct p3d_str){(const char *)other, 32},
                    (struct p3d_str){(const char *)h.secret, 32}, key);
    p3d_hmac_sha256((struct p3d_str){(const char *)key, 32}, P3D_STR(text), sum);
    memcpy(want, "0123456789abcdef", 16);
    p3d_hex(sum, 32, want + 16);
    sign(&s, NOW, &ann, got);
    assert_string_equal(got, want);
    assert_int_equal(p3d_signing_check(&s, NOW, P3D_STR(PATH), p3d_str_z(got), EXPIRES, &user), 0);
    assert_string_equal(user.s, ann.s);
    sign(&s, NOW, &nobody, got);
    assert_memory_equal(got, "0000000000000000", 16);
    assert_int_equal(p3d_signing_check(&s, NOW, P3D_STR(PATH), p3d_str_z(got), EXPIRES, &user), 0);
    assert_string_equal(user.s, "");
    p3d_signing_done(&s);
}

/* All 255 other bytes at each place of the path and of the signature; each bit of the end. */
static void every_change(void **state)
{
    struct p3d_signing s = one_key();
    char sig[81], other_sig[81], path[sizeof(PATH)] = PATH;
    (void)state;
    sign(&s, NOW, &ann, sig);
    assert_int_equal(check(&s, NOW, PATH, sig, EXPIRES), 0);
    for (size_t at = 0; at < sizeof(PATH) - 1; at++)
        for (int d = 1; d < 256; d++) {
            path[at] = (char)(PATH[at] ^ d);
            struct p3d_owner_id user;
            assert_int_equal(p3d_signing_check(&s, NOW, (struct p3d_str){path, sizeof(PATH) - 1},
                                               p3d_str_z(sig), EXPIRES, &user),
                             P3D_E_SIGNATURE_INVALID);
            path[at] = PATH[at];
        }
    for (size_t at = 0; at < P3D_SIGNATURE_LEN; at++)
        for (int d = 1; d < 256; d++) {
            struct p3d_owner_id user;
            memcpy(other_sig, sig, sizeof(sig));
            other_sig[at] = (char)(sig[at] ^ d);
            assert_int_equal(p3d_signing_check(&s, NOW, P3D_STR(PATH),
                                               (struct p3d_str){other_sig, P3D_SIGNATURE_LEN},
                                               EXPIRES, &user),
                             P3D_E_SIGNATURE_INVALID);
        }
    for (int bit = 0; bit < 63; bit++)
        assert_int_equal(check(&s, NOW, PATH, sig, EXPIRES ^ (INT64_C(1) << bit)),
                         P3D_E_SIGNATURE_INVALID);
    assert_int_equal(check(&s, NOW, PATH, sig, -EXPIRES), P3D_E_SIGNATURE_INVALID);
    p3d_signing_done(&s);
}

/* Cut, longer, empty; another account's id over a good sum; parts that move from one field into the
 * next. */
static void other_changes(void **state)
{
    struct p3d_signing s = one_key();
    char sig[82], his[81], mixed[81];
    (void)state;
    sign(&s, NOW, &ann, sig);
    sign(&s, NOW, &bob, his);
    memcpy(mixed, sig, 81);
    memcpy(mixed, his, 16);
    assert_int_equal(check(&s, NOW, PATH, mixed, EXPIRES), P3D_E_SIGNATURE_INVALID);
    memset(mixed, '0', 16);
    assert_int_equal(check(&s, NOW, PATH, mixed, EXPIRES), P3D_E_SIGNATURE_INVALID);
    assert_int_equal(check(&s, NOW, PATH "x", sig, EXPIRES), P3D_E_SIGNATURE_INVALID);
    assert_int_equal(check(&s, NOW, PATH "\n1700003600", sig, EXPIRES), P3D_E_SIGNATURE_INVALID);
    assert_int_equal(check(&s, NOW, "", sig, EXPIRES), P3D_E_SIGNATURE_INVALID);
    assert_int_equal(check(&s, NOW, PATH, "", EXPIRES), P3D_E_SIGNATURE_INVALID);
    sig[80] = '0';
    sig[81] = '\0';
    assert_int_equal(check(&s, NOW, PATH, sig, EXPIRES), P3D_E_SIGNATURE_INVALID);
    for (size_t n = 79; n > 0; n--) {
        sig[n] = '\0';
        assert_int_equal(check(&s, NOW, PATH, sig, EXPIRES), P3D_E_SIGNATURE_INVALID);
    }
    p3d_signing_done(&s);
}

/* Both halves make the key. */
static void halves(void **state)
{
    static const unsigned char another[P3D_SIGNING_KEY_SIZE] = "another store's half of the key.";
    struct p3d_key_half h = half(1, NOW, 0), g = half(2, NOW, 0);
    struct p3d_signing s = {.n = 0}, t = {.n = 0}, u = {.n = 0};
    char sig[81];
    (void)state;
    p3d_signing_set(&s, &h, 1, other);
    p3d_signing_set(&t, &h, 1, another);
    p3d_signing_set(&u, &g, 1, other);
    sign(&s, NOW, &ann, sig);
    assert_int_equal(check(&s, NOW, PATH, sig, EXPIRES), 0);
    assert_int_equal(check(&t, NOW, PATH, sig, EXPIRES), P3D_E_SIGNATURE_INVALID);
    assert_int_equal(check(&u, NOW, PATH, sig, EXPIRES), P3D_E_SIGNATURE_INVALID);
    p3d_signing_done(&s);
    p3d_signing_done(&t);
    p3d_signing_done(&u);
}

/* Rotation: the new key is verified at once and signs from its time on; the old one ends at its
 * time. */
static void two_keys(void **state)
{
    struct p3d_key_half both[] = {half(1, NOW - 1000, NOW + 100), half(2, NOW + 15, 0)};
    struct p3d_signing s = {.n = 0}, first = {.n = 0}, second = {.n = 0};
    char old[81], new[81], sig[81];
    (void)state;
    p3d_signing_set(&first, &both[0], 1, other);
    p3d_signing_set(&second, &both[1], 1, other);
    p3d_signing_set(&s, both, 2, other);
    sign(&first, NOW, &ann, old);
    sign(&second, NOW, &ann, new);
    assert_string_not_equal(old, new);
    for (int turn = 0; turn < 2; turn++) { /* in either order */
        sign(&s, NOW, &ann, sig);
        assert_string_equal(sig, old);
        sign(&s, NOW + 14, &ann, sig);
        assert_string_equal(sig, old);
        sign(&s, NOW + 15, &ann, sig);
        assert_string_equal(sig, new);
        sign(&s, NOW + 1000, &ann, sig);
        assert_string_equal(sig, new);
        assert_int_equal(check(&s, NOW, PATH, new, EXPIRES), 0);
        assert_int_equal(check(&s, NOW + 1000, PATH, new, EXPIRES), 0);
        assert_int_equal(check(&s, NOW + 99, PATH, old, EXPIRES), 0);
        assert_int_equal(check(&s, NOW + 100, PATH, old, EXPIRES), P3D_E_SIGNATURE_INVALID);
        struct p3d_key_half swapped[] = {both[1], both[0]};
        p3d_signing_set(&s, swapped, 2, other);
    }
    p3d_signing_done(&s);
    p3d_signing_done(&first);
    p3d_signing_done(&second);
}

/* A clock behind the one that made the key signs all the same; an ended key never does. */
static void clocks(void **state)
{
    struct p3d_key_half h = half(1, NOW, NOW + 100),
                        later[] = {half(3, NOW + 50, 0), half(2, NOW + 20, 0)};
    struct p3d_signing s = {.n = 0}, two = {.n = 0};
    char sig[81], want[81];
    (void)state;
    p3d_signing_set(&s, &h, 1, other);
    sign(&s, NOW - 500, &ann, sig);
    assert_int_equal(check(&s, NOW - 500, PATH, sig, EXPIRES), 0);
    assert_int_equal(p3d_signing_sign(&s, NOW + 100, P3D_STR(PATH), EXPIRES, &ann, sig),
                     P3D_E_UNAVAILABLE);
    p3d_signing_set(&s, &later[1], 1, other);
    sign(&s, NOW, &ann, want);
    p3d_signing_set(&two, later, 2, other);
    sign(&two, NOW, &ann, sig); /* neither may yet: the one that will be first */
    assert_string_equal(sig, want);
    p3d_signing_done(&s);
    p3d_signing_done(&two);
}

static void many_keys(void **state)
{
    struct p3d_key_half list[12];
    struct p3d_signing s = {.n = 0}, one = {.n = 0};
    char sig[81];
    (void)state;
    for (int i = 0; i < 12; i++) /* 7, 2, 9, 4, 11, 6, 1, 8, 3, 10, 5, 0 */
        list[i] = half((i * 7 + 7) % 12, NOW, 0);
    p3d_signing_set(&s, list, 12, other);
    assert_int_equal(s.n, P3D_SIGNING_KEYS);
    for (int i = 0; i < 12; i++) {
        p3d_signing_set(&one, &list[i], 1, other);
        sign(&one, NOW, &ann, sig);
        assert_int_equal(check(&s, NOW, PATH, sig, EXPIRES),
                         list[i].number >= 4 ? 0 : P3D_E_SIGNATURE_INVALID);
        if (list[i].number == 11) {
            char newest[81];
            sign(&s, NOW, &ann, newest);
            assert_string_equal(newest, sig);
        }
    }
    p3d_signing_done(&s);
    p3d_signing_done(&one);
}

static void no_key(void **state)
{
    static const struct p3d_signing zero;
    struct p3d_signing s = {.n = 0};
    char sig[81] = "untouched";
    (void)state;
    assert_int_equal(p3d_signing_sign(&s, NOW, P3D_STR(PATH), EXPIRES, &ann, sig),
                     P3D_E_UNAVAILABLE);
    assert_string_equal(sig, "untouched");
    s = one_key();
    sign(&s, NOW, &ann, sig);
    assert_memory_not_equal(&s, &zero, sizeof(s));
    p3d_signing_set(&s, NULL, 0, other); /* what was there is wiped, wherever it stood */
    assert_memory_equal(&s, &zero, sizeof(s));
    assert_int_equal(check(&s, NOW, PATH, sig, EXPIRES), P3D_E_SIGNATURE_INVALID);
    s = one_key();
    p3d_signing_done(&s);
    assert_memory_equal(&s, &zero, sizeof(s));
    /* the sum of an empty key is no way in */
    unsigned char sum[32];
    p3d_hmac_sha256((struct p3d_str){(const char *)zero.keys[0].secret, 32},
                    P3D_STR("GET\n" PATH "\n1700003600\n0123456789abcdef\n"), sum);
    p3d_hex(sum, 32, sig + 16);
    assert_int_equal(check(&s, NOW, PATH, sig, EXPIRES), P3D_E_SIGNATURE_INVALID);
}

/* What a page of 500 rows pays: said, not judged. */
static void cost(void **state)
{
    struct p3d_signing s = one_key();
    struct timespec a, b;
    char sig[81];
    (void)state;
    (void)clock_gettime(CLOCK_MONOTONIC, &a);
    for (int i = 0; i < 2000; i++)
        sign(&s, NOW, &ann, sig);
    (void)clock_gettime(CLOCK_MONOTONIC, &b);
    double us = (double)(b.tv_sec - a.tv_sec) * 1e6 + (double)(b.tv_nsec - a.tv_nsec) / 1e3;
    print_message("2000 signatures: %.1f ms\n", us / 1e3);
    p3d_signing_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known),         cmocka_unit_test(every_change),
        cmocka_unit_test(other_changes), cmocka_unit_test(halves),
        cmocka_unit_test(two_keys),      cmocka_unit_test(clocks),
        cmocka_unit_test(many_keys),     cmocka_unit_test(no_key),
        cmocka_unit_test(cost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
