/* SPDX-License-Identifier: MIT
 *
 * Signed URLs: `?exp=<unix s>&sig=<16 hex of the user it was issued to, zeros for none><64 hex HMAC-SHA-256>`, over
 * "GET", the path, exp and that id, each ended by a newline. Keys and arithmetic only: whether the user still may is
 * judged by the store (P3D_ACCESS_URL). Nothing here blocks; any thread, nothing is written but what is passed in.
 *
 * A key has two halves: one in Redis (store: p3d_store_keys), made once and rotated, and one in the artifact store
 * (p3d_artifacts_key). Neither alone signs anything: a copy of Redis opens no door.
 */
#pragma once
#include <stdint.h>

#include "p3d/crypto.h"
#include "p3d/err.h"
#include "p3d/id.h"
#include "p3d/str.h"

#define P3D_SIGNING_KEYS 8
#define P3D_SIGNING_KEY_SIZE 32
#define P3D_SIGNATURE_LEN 80 /* 16 + 64 */

/* As kept in Redis. */
struct p3d_key_half {
    int64_t number;
    unsigned char secret[P3D_SIGNING_KEY_SIZE];
    int64_t from_ms;  /* signs from here on: other processes must have seen it first */
    int64_t until_ms; /* is verified until here; 0 = no end yet */
};

/* The keys of a process. Zero-initialised it has none: nothing is signed, nothing is good. */
struct p3d_signing {
    struct p3d_key_half keys[P3D_SIGNING_KEYS]; /* secret: both halves together */
    size_t n;
    bool stale; /* the store could not be asked lately: a key may be missing here. The owner's to set; set() clears it */
};

/* Replace the keys: secret = HMAC-SHA256(other half, half). The old ones are wiped. n > P3D_SIGNING_KEYS: the newest. */
void p3d_signing_set(struct p3d_signing *s, const struct p3d_key_half *halves, size_t n,
                     const unsigned char other[P3D_SIGNING_KEY_SIZE]);
void p3d_signing_done(struct p3d_signing *s); /* wipes */

/* user empty: zeros. path: as it will stand in the URL, no query. dst: 80 hex, terminated.
 * Errors: P3D_E_UNAVAILABLE there is no key. */
P3D_MUST int p3d_signing_sign(const struct p3d_signing *s, int64_t now_ms, struct p3d_str path, int64_t expires_s,
                              const struct p3d_owner_id *user, char dst[P3D_SIGNATURE_LEN + 1]);
/* path: as received, no query. Against every key that is verified at now_ms, in constant time. Does not look at
 * whether expires_s is past (the store does, by its clock). ret_user: empty for zeros.
 * Errors: P3D_E_SIGNATURE_INVALID. */
P3D_MUST int p3d_signing_check(const struct p3d_signing *s, int64_t now_ms, struct p3d_str path, struct p3d_str signature,
                               int64_t expires_s, struct p3d_owner_id *ret_user);
