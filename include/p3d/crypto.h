/* SPDX-License-Identifier: MIT
 *
 * Everything secret, on OpenSSL: randomness, digests, password hashes, token text. Compared in constant time, wiped.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "p3d/err.h"
#include "p3d/str.h"

/* An owned secret of at most 1,024 bytes; wiped by _done; the logger has no way to print it. */
struct p3d_secret {
    unsigned char *p;
    size_t n;
};
#define P3D_SECRET_MAX 1024
void p3d_secret_set(struct p3d_secret *s, struct p3d_str value); /* wipes the old one */
void p3d_secret_done(struct p3d_secret *s);
void p3d_wipe(void *p, size_t n);

void p3d_random(void *dst, size_t n); /* aborts if the system has no randomness */
bool p3d_equal(struct p3d_str a, struct p3d_str b); /* constant time for equal lengths */

/* Lower-case hex of n bytes; dst holds 2n + 1. */
void p3d_hex(const void *src, size_t n, char *dst);

#define P3D_SHA256_HEX 65
void p3d_sha256(struct p3d_str data, unsigned char dst[32]);
void p3d_sha256_hex(struct p3d_str data, char dst[P3D_SHA256_HEX]);
void p3d_hmac_sha256(struct p3d_str key, struct p3d_str data, unsigned char dst[32]);

/* Streaming digest, for files. */
struct p3d_digest;
struct p3d_digest *p3d_digest_new(void);
void p3d_digest_add(struct p3d_digest *d, const void *p, size_t n);
void p3d_digest_hex(struct p3d_digest *d, char dst[P3D_SHA256_HEX]); /* ends it */
void p3d_digest_free(struct p3d_digest *d);

#define P3D_PASSWORD_HASH_SIZE 160
#define P3D_PASSWORD_MAX 1024
/* PBKDF2-HMAC-SHA256, 16 random bytes of salt: `$pbkdf2-sha256$i=N$<salt b64>$<hash b64>` (no padding).
 * Blocks for 0.1–1 s at 600,000 rounds: on a pool thread only. */
void p3d_password_hash(struct p3d_str password, unsigned iterations, char dst[P3D_PASSWORD_HASH_SIZE]);
/* Verifies against that form, the old `<32 hex salt>$<64 hex>` = SHA-256(password ‖ salt text), or the old one wrapped.
 * An empty stored string takes as long as a real one with `iterations` and never matches (unknown user).
 * ret_stale: matched, but weaker than `iterations` or of the old form: hash it anew. Blocks as above.
 * Errors: P3D_E_LOGIN_FAILED no match (a password with a NUL or over P3D_PASSWORD_MAX never does); P3D_E_CORRUPT stored is neither form. */
P3D_MUST int p3d_password_verify(struct p3d_str password, struct p3d_str stored, unsigned iterations,
                                 bool *ret_stale);
/* The old form inside the new: PBKDF2 over the 64 hex of the old digest, so that no single round is at rest:
 * `$pbkdf2-sha256-over-sha256$i=N$<32 hex old salt>$<salt b64>$<hash b64>`. Blocks as above.
 * Errors: P3D_E_VALIDATION old is not of the old form. */
P3D_MUST int p3d_password_wrap(struct p3d_str old, unsigned iterations, char dst[P3D_PASSWORD_HASH_SIZE]);

/* Tokens: p3d_ + base62 shard + 43 base64url of 256 random bits + 6 base62 of CRC-32 (IEEE) over what stands before. */
#define P3D_TOKEN_LEN 54
struct p3d_token {
    char s[P3D_TOKEN_LEN + 1];
};
void p3d_token_new(unsigned shard, struct p3d_token *ret);
/* Form and checksum, no Redis. Errors: P3D_E_TOKEN_INVALID. */
P3D_MUST int p3d_token_check(struct p3d_str text, unsigned *ret_shard);
/* Tokens of 3DAIGC, brought by `p3d migrate`: 43 base64url, no checksum. */
#define P3D_LEGACY_TOKEN_LEN 43
bool p3d_token_is_legacy(struct p3d_str text);
#define P3D_TOKEN_PREFIX_LEN 12 /* shown to tell tokens apart */
