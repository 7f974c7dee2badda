/* SPDX-License-Identifier: MIT
 *
 * Password hashing off the loop. The password is copied when a call begins and wiped when its thread has used it; the
 * answer comes on the loop, exactly once, also when nobody waits for it any more.
 */
#pragma once
#include <stdbool.h>

#include "p3d/crypto.h"
#include "p3d/loop.h"

struct p3d_hashed {
    int err;                            /* verify: 0, P3D_E_LOGIN_FAILED, P3D_E_CORRUPT; make: 0 */
    char hash[P3D_PASSWORD_HASH_SIZE]; /* make: the hash; verify: a fresh one when the stored one is stale, else "" */
};
typedef void p3d_hashed_cb(void *priv, const struct p3d_hashed *h); /* a function type */

/* pool NULL: the process ends. Errors of both: P3D_E_BUSY (cb is not called). */
P3D_MUST int p3d_hash_make(struct p3d_pool *pool, struct p3d_str password, unsigned iterations, p3d_hashed_cb *cb,
                           void *priv);
/* stored empty: an unknown user; takes as long as a known one and never matches. */
P3D_MUST int p3d_hash_verify(struct p3d_pool *pool, struct p3d_str password, struct p3d_str stored,
                             unsigned iterations, p3d_hashed_cb *cb, void *priv);
