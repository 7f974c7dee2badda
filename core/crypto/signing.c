/* SPDX-License-Identifier: MIT
 *
 * Signatures of URLs: which key signs, which are good, and the HMAC between.
 * Guarantee: a signature covers every byte of path, end and account, each ended by a byte that none
 * of them holds, so no two URLs share a text; all keys are tried, in a time that does not tell
 * which was right or how far; key bytes are wiped when they go. Does not: know the clock of the
 * store or whether an account still may; a path that clients send is judged as they wrote it.
 */
#include "p3d/signing.h"

#include <inttypes.h>
#include <string.h>

#define ID_HEX 16
#define USER "user_"
static const char nobody[] = "0000000000000000";

_Static_assert(ID_HEX + P3D_SHA256_HEX - 1 == P3D_SIGNATURE_LEN, "the parts make the whole");

static struct p3d_str secret_of(const struct p3d_key_half *k)
{
    return (struct p3d_str){(const char *)k->secret, P3D_SIGNING_KEY_SIZE};
}

/* Where a key goes: behind the others, or in the place of the oldest if that is older. */
static struct p3d_key_half *place(struct p3d_signing *s, int64_t number)
{
    struct p3d_key_half *oldest = s->keys;
    if (s->n < P3D_SIGNING_KEYS)
        return &s->keys[s->n++];
    for (size_t i = 1; i < s->n; i++)
        if (s->keys[i].number < oldest->number)
            oldest = &s->keys[i];
    return oldest->number < number ? oldest : NULL;
}

void p3d_signing_set(struct p3d_signing *s, const struct p3d_key_half *halves, size_t n,
                     const unsigned char other[P3D_SIGNING_KEY_SIZE])
{
    struct p3d_str key = {(const char *)other, P3D_SIGNING_KEY_SIZE};
    p3d_signing_done(s);
    for (size_t i = 0; i < n; i++) {
        struct p3d_key_half *to = place(s, halves[i].number);
        if (to == NULL)
            continue;
        *to = halves[i];
        p3d_hmac_sha256(key, secret_of(&halves[i]), to->secret);
    }
}

void p3d_signing_done(struct p3d_signing *s)
{
    p3d_wipe(s, sizeof(*s)); /* leaves zeros: no keys */
}

static bool is_good(const struct p3d_key_half *k, int64_t now_ms)
{
    return k->until_ms == 0 || now_ms < k->until_ms;
}

/* The newest that may sign. When none may yet, because this clock is behind the one that made it:
 * the first that will. */
static const struct p3d_key_half *signer(const struct p3d_signing *s, int64_t now_ms)
{
    const struct p3d_key_half *best = NULL;
    for (size_t i = 0; i < s->n; i++) {
        const struct p3d_key_half *k = &s->keys[i];
        if (!is_good(k, now_ms))
            continue;
        bool may = k->from_ms <= now_ms, best_may = best != NULL && best->from_ms <= now_ms;
        if (best == NULL || (may && !best_may) || (may && k->number > best->number) ||
            (!may && !best_may && k->number < best->number))
            best = k;
    }
    return best;
}

static void sum(const struct p3d_key_half *k, struct p3d_str path, int64_t expires_s,
                const char id[ID_HEX], char dst[P3D_SHA256_HEX])
{
    unsigned char raw[32];
    struct p3d_buf b;
    p3d_buf_init(&b, 0);
    p3d_buf_addz(&b, "GET\n");
    p3d_buf_add(&b, path.p, path.n);
    p3d_buf_addf(&b, "\n%" PRId64 "\n%.*s\n", expires_s, ID_HEX, id);
    p3d_hmac_sha256(secret_of(k), p3d_buf_str(&b), raw);
    p3d_hex(raw, sizeof(raw), dst);
    p3d_buf_done(&b);
}

int p3d_signing_sign(const struct p3d_signing *s, int64_t now_ms, struct p3d_str path,
                     int64_t expires_s, const struct p3d_owner_id *user,
                     char dst[P3D_SIGNATURE_LEN + 1])
{
    const struct p3d_key_half *k = signer(s, now_ms);
    const char *id = user->s[0] != '\0' ? user->s + sizeof(USER) - 1 : nobody;
    if (k == NULL)
        return P3D_E_UNAVAILABLE;
    memcpy(dst, id, ID_HEX);
    sum(k, path, expires_s, id, dst + ID_HEX);
    return 0;
}

/* The account that a signature names. */
static int read_user(struct p3d_str signature, struct p3d_owner_id *ret)
{
    char text[sizeof(USER) + ID_HEX];
    memcpy(text, USER, sizeof(USER) - 1);
    memcpy(text + sizeof(USER) - 1, signature.p, ID_HEX);
    text[sizeof(text) - 1] = '\0';
    *ret = (struct p3d_owner_id){.s = ""};
    if (memcmp(signature.p, nobody, ID_HEX) == 0)
        return 0;
    return p3d_owner_id_parse(p3d_str_z(text), ret) == 0 ? 0 : P3D_E_SIGNATURE_INVALID;
}

int p3d_signing_check(const struct p3d_signing *s, int64_t now_ms, struct p3d_str path,
                      struct p3d_str signature, int64_t expires_s, struct p3d_owner_id *ret_user)
{
    struct p3d_owner_id user;
    bool good = false;
    if (signature.n != P3D_SIGNATURE_LEN || read_user(signature, &user) != 0)
        return P3D_E_SIGNATURE_INVALID;
    struct p3d_str given = {signature.p + ID_HEX, signature.n - ID_HEX};
    for (size_t i = 0; i < s->n; i++) { /* all of them, so that time does not tell which */
        char want[P3D_SHA256_HEX];
        sum(&s->keys[i], path, expires_s, signature.p, want);
        good |= p3d_equal((struct p3d_str){want, sizeof(want) - 1}, given) &&
                is_good(&s->keys[i], now_ms);
    }
    if (!good)
        return P3D_E_SIGNATURE_INVALID;
    *ret_user = user;
    return 0;
}
