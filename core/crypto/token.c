/* SPDX-License-Identifier: MIT
 *
 * The text of tokens: `p3d_`, shard, 256 random bits, checksum.
 * Guarantee: a mistyped, cut or made-up token is refused without a question to the store; any
 * change of one character is seen. The random bits alone are the secret: the checksum is no
 * signature. Tokens of another system have no checksum and are told by their form alone. Does not:
 * store, look up or compare tokens; the store knows only their SHA-256.
 */
#include "p3d/crypto.h"

#include <string.h>
#include <zlib.h>

#include "p3d/id.h"

#define PREFIX "p3d_"
#define SHARD_AT 4
#define RANDOM_AT 5
#define RANDOM_BYTES 32
#define RANDOM_CHARS 43
#define SUM_AT (RANDOM_AT + RANDOM_CHARS)
#define SUM_CHARS 6

_Static_assert(SUM_AT + SUM_CHARS == P3D_TOKEN_LEN, "the parts make the whole");

static const char base64url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void write_random(const unsigned char bytes[RANDOM_BYTES], char *dst)
{
    unsigned acc = 0, bits = 0;
    for (size_t i = 0; i < RANDOM_BYTES; i++) {
        acc = (acc << 8 | bytes[i]) & 0xFFFF;
        for (bits += 8; bits >= 6; bits -= 6)
            *dst++ = base64url[acc >> (bits - 6) & 63];
    }
    *dst = base64url[acc << (6 - bits) & 63]; /* 256 bits leave 4 for the last of 43 */
}

static void write_sum(const char *token, char dst[SUM_CHARS])
{
    unsigned long sum = crc32(crc32(0, NULL, 0), (const unsigned char *)token, SUM_AT);
    for (size_t i = SUM_CHARS; i-- > 0; sum /= 62)
        dst[i] = p3d_base62((unsigned)(sum % 62));
}

void p3d_token_new(unsigned shard, struct p3d_token *ret)
{
    unsigned char bytes[RANDOM_BYTES];
    memcpy(ret->s, PREFIX, SHARD_AT);
    ret->s[SHARD_AT] = p3d_base62(shard);
    p3d_random(bytes, sizeof(bytes));
    write_random(bytes, ret->s + RANDOM_AT);
    write_sum(ret->s, ret->s + SUM_AT);
    ret->s[P3D_TOKEN_LEN] = '\0';
    p3d_wipe(bytes, sizeof(bytes));
}

static bool is_base64url(struct p3d_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '\0' || strchr(base64url, s.p[i]) == NULL)
            return false;
    return true;
}

int p3d_token_check(struct p3d_str text, unsigned *ret_shard)
{
    char sum[SUM_CHARS];
    if (text.n != P3D_TOKEN_LEN || !p3d_str_starts(text, PREFIX))
        return P3D_E_TOKEN_INVALID;
    int shard = p3d_base62_value(text.p[SHARD_AT]);
    if (shard < 0)
        return P3D_E_TOKEN_INVALID;
    if (!is_base64url((struct p3d_str){text.p + RANDOM_AT, RANDOM_CHARS}))
        return P3D_E_TOKEN_INVALID;
    write_sum(text.p, sum);
    if (memcmp(sum, text.p + SUM_AT, SUM_CHARS) != 0)
        return P3D_E_TOKEN_INVALID;
    *ret_shard = (unsigned)shard;
    return 0;
}

bool p3d_token_is_legacy(struct p3d_str text)
{
    return text.n == P3D_LEGACY_TOKEN_LEN && is_base64url(text);
}
