/* SPDX-License-Identifier: MIT
 *
 * Password hashes: PBKDF2-HMAC-SHA256 in a PHC-like line, and reading the older salted SHA-256.
 * Guarantee: a wrong password, an unknown user and a user whose hash is old or weak all cost the
 * same number of rounds, so time does not tell which names exist; digests are compared in constant
 * time and wiped. Does not: judge passwords (length, letters) or run in the background: call it on
 * a pool thread.
 */
#include "p3d/crypto.h"

#include <assert.h>
#include <limits.h>
#include <string.h>

#include "crypto_internal.h"

#define PREFIX "$pbkdf2-sha256$i="
#define SALT_BYTES 16
#define HASH_BYTES 32
#define SALT_MIN 4 /* ours has 16; the published vectors that the tests read have 4 */
#define SALT_MAX 64
#define ROUNDS_MAX                                                                                 \
    100000000 /* the most that the configuration allows; a stored line cannot ask for a day */
#define OLD_SALT_HEX 32
#define OLD_HASH_HEX 64

static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

struct stored {
    unsigned rounds;
    unsigned char salt[SALT_MAX];
    size_t salt_n;
    unsigned char hash[HASH_BYTES];
};

/* Without padding; terminated. Returns the end. */
static char *base64_write(const unsigned char *p, size_t n, char *dst)
{
    unsigned acc = 0, bits = 0;
    for (size_t i = 0; i < n; i++) {
        acc = (acc << 8 | p[i]) & 0xFFFF;
        for (bits += 8; bits >= 6; bits -= 6)
            *dst++ = base64[acc >> (bits - 6) & 63];
    }
    if (bits > 0)
        *dst++ = base64[acc << (6 - bits) & 63];
    *dst = '\0';
    return dst;
}

/* Strict: no padding, no spare bits set. */
static bool base64_read(struct p3d_str s, unsigned char *dst, size_t max, size_t *ret_n)
{
    unsigned acc = 0, bits = 0;
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        const char *at = s.p[i] == '\0' ? NULL : strchr(base64, s.p[i]);
        if (at == NULL)
            return false;
        acc = (acc << 6 | (unsigned)(at - base64)) & 0xFFFF;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            if (n == max)
                return false;
            dst[n++] = (unsigned char)(acc >> bits & 0xFF);
        }
    }
    *ret_n = n;
    return bits < 6 && (acc & ((1U << bits) - 1)) == 0;
}

static void derive(struct p3d_str password, const unsigned char *salt, size_t salt_n,
                   unsigned rounds, unsigned char dst[HASH_BYTES])
{
    assert(password.n <= INT_MAX && rounds <= INT_MAX);
    if (PKCS5_PBKDF2_HMAC(password.n > 0 ? password.p : "", (int)password.n, salt, (int)salt_n,
                          (int)(rounds > 0 ? rounds : 1), p3d_crypto_sha256(), HASH_BYTES,
                          dst) != 1)
        p3d_crypto_die("PBKDF2");
}

void p3d_password_hash(struct p3d_str password, unsigned iterations,
                       char dst[P3D_PASSWORD_HASH_SIZE])
{
    unsigned char salt[SALT_BYTES], hash[HASH_BYTES];
    char salt_text[2 * SALT_BYTES], hash_text[2 * HASH_BYTES];
    unsigned rounds = iterations > 0 ? iterations : 1;
    p3d_random(salt, sizeof(salt));
    derive(password, salt, sizeof(salt), rounds, hash);
    (void)base64_write(salt, sizeof(salt), salt_text);
    (void)base64_write(hash, sizeof(hash), hash_text);
    (void)p3d_format(dst, P3D_PASSWORD_HASH_SIZE, PREFIX "%u$%s$%s", rounds, salt_text, hash_text);
    p3d_wipe(hash, sizeof(hash));
    p3d_wipe(hash_text, sizeof(hash_text));
}

/* Part of *s before the next '$', which is taken away too. */
static bool take_part(struct p3d_str *s, struct p3d_str *ret)
{
    const char *end = s->n > 0 ? memchr(s->p, '$', s->n) : NULL;
    if (end == NULL)
        return false;
    *ret = (struct p3d_str){s->p, (size_t)(end - s->p)};
    s->n -= ret->n + 1;
    s->p = end + 1;
    return true;
}

static bool read_line(struct p3d_str s, struct stored *ret)
{
    struct p3d_str rounds_text, salt_text;
    int64_t rounds;
    size_t hash_n;
    if (!p3d_str_starts(s, PREFIX))
        return false;
    s.p += sizeof(PREFIX) - 1;
    s.n -= sizeof(PREFIX) - 1;
    if (!take_part(&s, &rounds_text) || !take_part(&s, &salt_text) ||
        p3d_str_to_i64(rounds_text, 1, ROUNDS_MAX, &rounds) != 0)
        return false;
    ret->rounds = (unsigned)rounds;
    return base64_read(salt_text, ret->salt, SALT_MAX, &ret->salt_n) && ret->salt_n >= SALT_MIN &&
           base64_read(s, ret->hash, HASH_BYTES, &hash_n) && hash_n == HASH_BYTES;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* `<32 hex>$<64 hex>`; the hash's bytes into ret. */
static bool read_old(struct p3d_str s, unsigned char ret[HASH_BYTES])
{
    if (s.n != OLD_SALT_HEX + 1 + OLD_HASH_HEX || s.p[OLD_SALT_HEX] != '$')
        return false;
    for (size_t i = 0; i < OLD_SALT_HEX; i++)
        if (hex_value(s.p[i]) < 0)
            return false;
    for (size_t i = 0; i < HASH_BYTES; i++) {
        const char *at = s.p + OLD_SALT_HEX + 1 + 2 * i;
        int high = hex_value(at[0]), low = hex_value(at[1]);
        if (high < 0 || low < 0)
            return false;
        ret[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

/* Spend the rounds that a real check would have. */
static void burn(struct p3d_str password, unsigned rounds)
{
    static const unsigned char salt[SALT_BYTES] = {0};
    unsigned char hash[HASH_BYTES];
    derive(password, salt, sizeof(salt), rounds, hash);
    p3d_wipe(hash, sizeof(hash));
}

static bool same_hash(const unsigned char *a, const unsigned char *b)
{
    return p3d_equal((struct p3d_str){(const char *)a, HASH_BYTES},
                     (struct p3d_str){(const char *)b, HASH_BYTES});
}

static bool match_old(struct p3d_str password, struct p3d_str salt, const unsigned char *hash)
{
    unsigned char got[HASH_BYTES];
    char joined[P3D_PASSWORD_MAX + OLD_SALT_HEX];
    if (password.n > 0)
        memcpy(joined, password.p, password.n);
    memcpy(joined + password.n, salt.p, salt.n);
    p3d_sha256((struct p3d_str){joined, password.n + salt.n}, got);
    bool same = same_hash(got, hash);
    p3d_wipe(joined, sizeof(joined));
    p3d_wipe(got, sizeof(got));
    return same;
}

int p3d_password_verify(struct p3d_str password, struct p3d_str stored, unsigned iterations,
                        bool *ret_stale)
{
    struct stored s = {.rounds = 0};
    bool old = false, match = false;
    /* Nobody has one of those; who tries learns only what he sent. HMAC pads its key with NUL, so
     * "pw" and "pw\0" would be the same password. */
    if (password.n > P3D_PASSWORD_MAX ||
        (password.n > 0 && memchr(password.p, '\0', password.n) != NULL))
        return P3D_E_LOGIN_FAILED;
    if (read_line(stored, &s)) {
        unsigned char got[HASH_BYTES];
        derive(password, s.salt, s.salt_n, s.rounds, got);
        match = same_hash(got, s.hash);
        p3d_wipe(got, sizeof(got));
    } else if (read_old(stored, s.hash)) {
        old = true;
        s.rounds = 0; /* read_line may have begun to fill it */
        match = match_old(password, (struct p3d_str){stored.p, OLD_SALT_HEX}, s.hash);
    } else if (stored.n > 0) {
        return P3D_E_CORRUPT;
    } else {
        s.rounds = 0;
    }
    if (!match) {
        if (s.rounds < iterations)
            burn(password, iterations - s.rounds);
        return P3D_E_LOGIN_FAILED;
    }
    *ret_stale = old || s.rounds < iterations;
    return 0;
}
