/* SPDX-License-Identifier: MIT
 *
 * What the account handlers share: passwords on their way through a request, tokens being made, and the one way to
 * judge a password. Everything here belongs to one request: it lives in the call's memory and is wiped with it.
 */
#pragma once
#include <jansson.h>

#include "app_internal.h"
#include "p3d/accounts.h"
#include "p3d/hash.h"

/* ---- users.c ---- */
/* Moves the text out of the body: into ret, and wiped where it was. false: longer than any password may be. */
bool p3d_password_take(json_t *body, const char *key, struct p3d_secret *ret);
struct p3d_str p3d_password_text(const struct p3d_secret *s);
unsigned p3d_password_rounds(const struct p3d_call *c);

/* A token being made. row points into it, so it stays where it is. */
struct p3d_minted {
    struct p3d_token token;
    char hash[P3D_SHA256_HEX];
    char login_name[96];
    struct p3d_new_token row;
};
/* name: kept by the caller as long as row is used. No end, all scopes. */
void p3d_minted_new(struct p3d_minted *m, struct p3d_str name);
/* The token that a login gives: named after the user, with an end, one of the newest few. */
void p3d_minted_login(struct p3d_minted *m, const struct p3d_call *c, const char *username);

/* ---- attempt.c ---- */
/* One verification of a password: begun, hashed, ended exactly once, whatever happens to the client.
 *   p3d_try_init(t, c); set password, wrong, right; begin it in the store with p3d_try_begun and t, answer with
 *   p3d_api_began(). right() ends it by the store call that the password was for, or by p3d_try_end(). */
struct p3d_try {
    struct p3d_call *call; /* one reference is held from p3d_try_init to the answer */
    struct p3d_secret password;
    struct p3d_attempt attempt;
    struct p3d_user user; /* as found; its hash "" = unknown */
    int wrong;            /* the error of a wrong password and of an unknown user */
    int err;              /* what is answered when the attempt has ended; attempt.c only */
    void (*right)(struct p3d_try *t, const struct p3d_hashed *h);
};
void p3d_try_init(struct p3d_try *t, struct p3d_call *c);
p3d_store_cb p3d_try_begun;
/* End it and then answer with err: an answer that a wrong password gets comes after it has been counted. */
void p3d_try_end(struct p3d_try *t, enum p3d_attempt_end how, int err);
