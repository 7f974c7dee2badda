/* SPDX-License-Identifier: MIT
 *
 * core/crypto/token.c against a million guesses of each kind: of those that are not tokens none is taken, all real ones
 * are. The guesses are the same in every run (a fixed seed), so that chance fails no run. Which are real is said by a
 * CRC-32 written a second time.
 */
#include "../base/unit.h"

#include <string.h>

#include "p3d/crypto.h"

#define GUESSES 1000000
#define SUM_AT 48
#define BODY_AT 5

static const char base62[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
static const char base64url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static uint64_t seed;

static unsigned below(unsigned n)
{
    uint64_t z = (seed += 0x9e3779b97f4a7c15u); /* splitmix64 */
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (unsigned)((z ^ (z >> 31)) >> 33) % n;
}

static void fill(char *dst, size_t n, const char *alphabet)
{
    unsigned size = (unsigned)strlen(alphabet);
    for (size_t i = 0; i < n; i++)
        dst[i] = alphabet[below(size)];
}

static void sum_of(const char *text, char dst[6])
{
    static const uint32_t half[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
                                      0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
                                      0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < SUM_AT; i++) {
        crc ^= (unsigned char)text[i];
        crc = (crc >> 4) ^ half[crc & 15];
        crc = (crc >> 4) ^ half[crc & 15];
    }
    crc = ~crc;
    for (size_t i = 6; i-- > 0; crc /= 62)
        dst[i] = base62[crc % 62];
}

static void make_real(char dst[P3D_TOKEN_LEN])
{
    memcpy(dst, "p3d_", 4);
    fill(dst + 4, 1, base62);
    fill(dst + BODY_AT, SUM_AT - BODY_AT, base64url);
    sum_of(dst, dst + SUM_AT);
}

/* Is it one, by the page of the contract? */
static bool is_real(const char text[P3D_TOKEN_LEN])
{
    char sum[6];
    if (memcmp(text, "p3d_", 4) != 0 || strspn(text + 4, base62) < 1 ||
        strspn(text + BODY_AT, base64url) < SUM_AT - BODY_AT)
        return false;
    sum_of(text, sum);
    return memcmp(text + SUM_AT, sum, 6) == 0;
}

/* How many of so many guesses are taken; every judgement must be the contract's. */
static unsigned taken(void (*guess)(char dst[P3D_TOKEN_LEN]))
{
    char text[P3D_TOKEN_LEN + 1] = "";
    unsigned n = 0, shard;
    seed = 4711;
    for (unsigned i = 0; i < GUESSES; i++) {
        guess(text);
        int r = p3d_token_check((struct p3d_str){text, P3D_TOKEN_LEN}, &shard);
        assert_int_equal(r, is_real(text) ? 0 : P3D_E_TOKEN_INVALID);
        assert_false(p3d_token_is_legacy((struct p3d_str){text, P3D_TOKEN_LEN}));
        n += r == 0;
    }
    print_message("%u of %d taken\n", n, GUESSES);
    return n;
}

static void guess_text(char dst[P3D_TOKEN_LEN])
{
    fill(dst, P3D_TOKEN_LEN, base64url);
}

static void guess_form(char dst[P3D_TOKEN_LEN])
{
    memcpy(dst, "p3d_0", BODY_AT);
    fill(dst + BODY_AT, SUM_AT - BODY_AT, base64url);
    fill(dst + SUM_AT, P3D_TOKEN_LEN - SUM_AT, base62);
}

/* A real one with some characters changed, two of them swapped, a part turned round, or the sum of another. */
static void guess_change(char dst[P3D_TOKEN_LEN])
{
    char was[P3D_TOKEN_LEN], other[P3D_TOKEN_LEN];
    make_real(was);
    make_real(other);
    do {
        memcpy(dst, was, P3D_TOKEN_LEN);
        unsigned a = below(P3D_TOKEN_LEN), b = below(P3D_TOKEN_LEN);
        switch (below(4)) {
        case 0:
            for (unsigned i = 0, n = 1 + below(4); i < n; i++)
                fill(dst + below(P3D_TOKEN_LEN), 1, base64url);
            break;
        case 1:
            dst[a] = was[b];
            dst[b] = was[a];
            break;
        case 2:
            a = BODY_AT + a % (SUM_AT - BODY_AT);
            for (unsigned i = BODY_AT; i < SUM_AT; i++)
                dst[i] = was[BODY_AT + (i + a) % (SUM_AT - BODY_AT)];
            break;
        default:
            memcpy(dst + SUM_AT, other + SUM_AT, P3D_TOKEN_LEN - SUM_AT);
        }
    } while (memcmp(dst, was, P3D_TOKEN_LEN) == 0);
}

static void any_text(void **state)
{
    (void)state;
    assert_int_equal(taken(guess_text), 0);
}

static void any_sum(void **state)
{
    (void)state;
    assert_int_equal(taken(guess_form), 0);
}

static void changed(void **state)
{
    (void)state;
    assert_int_equal(taken(guess_change), 0);
}

static void real(void **state)
{
    (void)state;
    assert_int_equal(taken(make_real), GUESSES);
}

/* What the server itself makes is what the contract says. */
static void fresh(void **state)
{
    (void)state;
    struct p3d_token t;
    for (unsigned i = 0; i < 10000; i++) {
        p3d_token_new(i % 62, &t);
        assert_true(is_real(t.s));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_text), cmocka_unit_test(any_sum), cmocka_unit_test(changed),
        cmocka_unit_test(real),     cmocka_unit_test(fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
