/* SPDX-License-Identifier: MIT
 *
 * Password hashes: PBKDF2-HMAC-SHA256 in a PHC-like line, reading the older salted SHA-256, and
 * wrapping that in the new one without knowing the password.
 * Guarantee: a wrong password costs the rounds that are asked for, whether there is such a user or
 * not and however old or weak the hash is, so time does not tell which names exist (a hash that was
 * made with more rounds than are asked for now costs those); digests are compared in constant time
 * and wiped. Does not: judge passwords (length, letters) or run in the background: call it on
 * a pool thread.
 */
#include "p3d/crypto.h"

#include <assert.h>
#include <limits.h>
#include <string.h>

#include "crypto_internal.h"

#define PREFIX "$pbkdf2-sha256$i="
#define WRAP_PREFIX "$pbkdf2-sha256-over-sha256$i="
#define SALT_BYTES 16
#define HASH_BYTES 32
#define SALT_MIN 4 /* ours has 16; the published vectors that the tests read have 4 */
#define SALT_MAX 64
#define ROUNDS_MAX                                                                                 \
    100000000 /* the most that the configuration allows; a stored line cannot ask for a day */
#define OLD_SALT_HEX 32
#define OLD_HASH_HEX 64

static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

_Static_assert(sizeof(WRAP_PREFIX "100000000$") + OLD_SALT_HEX + 1 + 22 + 1 + 43 <=
                   P3D_PASSWORD_HASH_SIZE,
               "the longest line fits");

enum form { FORM_NONE, FORM_PLAIN, FORM_OLD, FORM_WRAPPED };

struct stored {
    enum form form;
    unsigned rounds;         /* 0: none (old form, nothing stored) */
    struct p3d_str old_salt; /* OLD, WRAPPED: its text, in what was read */
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

/* PBKDF2 of `secret` with a fresh salt, as the end of a line: `<rounds>$<middle><salt>$<hash>`. */
static void write_line(const char *prefix, struct p3d_str middle, struct p3d_str secret,
                       unsigned iterations, char dst[P3D_PASSWORD_HASH_SIZE])
{
    unsigned char salt[SALT_BYTES], hash[HASH_BYTES];
    char salt_text[2 * SALT_BYTES], hash_text[2 * HASH_BYTES];
    unsigned rounds = iterations > 0 ? iterations : 1;
    p3d_random(salt, sizeof(salt));
    derive(secret, salt, sizeof(salt), rounds, hash);
    (void)base64_write(salt, sizeof(salt), salt_text);
    (void)base64_write(hash, sizeof(hash), hash_text);
    (void)p3d_format(dst, P3D_PASSWORD_HASH_SIZE, "%s%u$%.*s%s$%s", prefix, rounds, (int)middle.n,
                     middle.n > 0 ? middle.p : "", salt_text, hash_text);
    p3d_wipe(hash, sizeof(hash));
    p3d_wipe(hash_text, sizeof(hash_text));
}

void p3d_password_hash(struct p3d_str password, unsigned iterations,
                       char dst[P3D_PASSWORD_HASH_SIZE])
{
    write_line(PREFIX, (struct p3d_str){NULL, 0}, password, iterations, dst);
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

/* `<salt>$<hash>` to the end. */
static bool read_salt_hash(struct p3d_str s, struct stored *ret)
{
    struct p3d_str salt_text;
    size_t hash_n;
    return take_part(&s, &salt_text) && base64_read(salt_text, ret->salt, SALT_MAX, &ret->salt_n) &&
           ret->salt_n >= SALT_MIN && base64_read(s, ret->hash, HASH_BYTES, &hash_n) &&
           hash_n == HASH_BYTES;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool all_hex(struct p3d_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (hex_value(s.p[i]) < 0)
            return false;
    return true;
}

static bool take_rounds(struct p3d_str *s, const char *prefix, unsigned *ret)
{
    struct p3d_str text;
    int64_t rounds;
    if (!p3d_str_starts(*s, prefix))
        return false;
    s->p += strlen(prefix);
    s->n -= strlen(prefix);
    if (!take_part(s, &text) || p3d_str_to_i64(text, 1, ROUNDS_MAX, &rounds) != 0)
        return false;
    *ret = (unsigned)rounds;
    return true;
}

static bool read_plain(struct p3d_str s, struct stored *ret)
{
    return take_rounds(&s, PREFIX, &ret->rounds) && read_salt_hash(s, ret);
}

static bool read_wrapped(struct p3d_str s, struct stored *ret)
{
    return take_rounds(&s, WRAP_PREFIX, &ret->rounds) && take_part(&s, &ret->old_salt) &&
           ret->old_salt.n == OLD_SALT_HEX && all_hex(ret->old_salt) && read_salt_hash(s, ret);
}

/* `<32 hex>$<64 hex>`. */
static bool read_old(struct p3d_str s, struct stored *ret)
{
    if (s.n != OLD_SALT_HEX + 1 + OLD_HASH_HEX || s.p[OLD_SALT_HEX] != '$')
        return false;
    ret->old_salt = (struct p3d_str){s.p, OLD_SALT_HEX};
    struct p3d_str hash = {s.p + OLD_SALT_HEX + 1, OLD_HASH_HEX};
    if (!all_hex(ret->old_salt) || !all_hex(hash))
        return false;
    for (size_t i = 0; i < HASH_BYTES; i++)
        ret->hash[i] =
            (unsigned char)(hex_value(hash.p[2 * i]) << 4 | hex_value(hash.p[2 * i + 1]));
    return true;
}

static bool read_stored(struct p3d_str s, struct stored *ret)
{
    static const struct {
        enum form form;
        bool (*read)(struct p3d_str s, struct stored *ret);
    } forms[] = {{FORM_PLAIN, read_plain}, {FORM_WRAPPED, read_wrapped}, {FORM_OLD, read_old}};
    for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
        struct stored got = {.form = forms[i].form};
        if (forms[i].read(s, &got)) {
            *ret = got;
            return true;
        }
    }
    *ret = (struct stored){.form = FORM_NONE};
    return false;
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

/* SHA-256(password followed by the text of the salt). */
static void old_digest(struct p3d_str password, struct p3d_str salt, unsigned char dst[HASH_BYTES])
{
    char joined[P3D_PASSWORD_MAX + OLD_SALT_HEX];
    assert(password.n <= P3D_PASSWORD_MAX && salt.n == OLD_SALT_HEX);
    if (password.n > 0)
        memcpy(joined, password.p, password.n);
    memcpy(joined + password.n, salt.p, salt.n);
    p3d_sha256((struct p3d_str){joined, password.n + salt.n}, dst);
    p3d_wipe(joined, sizeof(joined));
}

static bool match(struct p3d_str password, const struct stored *s)
{
    unsigned char got[HASH_BYTES];
    char text[OLD_HASH_HEX + 1];
    if (s->form == FORM_OLD || s->form == FORM_WRAPPED)
        old_digest(password, s->old_salt, got);
    if (s->form == FORM_WRAPPED) {
        p3d_hex(got, sizeof(got), text);
        derive((struct p3d_str){text, OLD_HASH_HEX}, s->salt, s->salt_n, s->rounds, got);
    } else if (s->form == FORM_PLAIN) {
        derive(password, s->salt, s->salt_n, s->rounds, got);
    }
    bool same = s->form != FORM_NONE && same_hash(got, s->hash);
    p3d_wipe(got, sizeof(got));
    p3d_wipe(text, sizeof(text));
    return same;
}

int p3d_password_verify(struct p3d_str password, struct p3d_str stored, unsigned iterations,
                        bool *ret_stale)
{
    struct stored s;
    /* Nobody has one of those; who tries learns only what he sent. HMAC pads its key with NUL, so
     * "pw" and "pw\0" would be the same password. */
    if (password.n > P3D_PASSWORD_MAX ||
        (password.n > 0 && memchr(password.p, '\0', password.n) != NULL))
        return P3D_E_LOGIN_FAILED;
    if (!read_stored(stored, &s) && stored.n > 0)
        return P3D_E_CORRUPT;
    if (!match(password, &s)) {
        if (s.rounds < iterations)
            burn(password, iterations - s.rounds);
        return P3D_E_LOGIN_FAILED;
    }
    *ret_stale = s.form != FORM_PLAIN || s.rounds < iterations;
    return 0;
}

int p3d_password_wrap(struct p3d_str old, unsigned iterations, char dst[P3D_PASSWORD_HASH_SIZE])
{
    struct stored s = {.form = FORM_OLD};
    char text[OLD_HASH_HEX + 1], salt[OLD_SALT_HEX + 2];
    if (!read_old(old, &s))
        return P3D_E_VALIDATION;
    p3d_hex(s.hash, HASH_BYTES, text); /* lower case, as the check will make it */
    (void)p3d_format(salt, sizeof(salt), "%.*s$", OLD_SALT_HEX, s.old_salt.p);
    write_line(WRAP_PREFIX, (struct p3d_str){salt, OLD_SALT_HEX + 1},
               (struct p3d_str){text, OLD_HASH_HEX}, iterations, dst);
    p3d_wipe(text, sizeof(text));
    return 0;
}
