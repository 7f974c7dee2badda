/* SPDX-License-Identifier: MIT
 *
 * Judging a password: the attempt is begun in the store, hashed on the pool, and ended in the store. Guarantee: a wrong
 * password and an unknown user make the same trips and the same hash and get the same answer; the failure is counted
 * before the answer goes out; an attempt that was not judged (full pool, process ending) is given back; a store that
 * cannot count is 503, for right and wrong alike. Nothing here asks whether the client is still there, so a client that
 * leaves early saves itself nothing. Does not: know what the password was for (login.c, password.c).
 */
#include "users_internal.h"

static void try_done(void *arg)
{
    struct p3d_try *t = arg;
    p3d_secret_done(&t->password);
    p3d_wipe(t->user.password_hash, sizeof(t->user.password_hash));
}

void p3d_try_init(struct p3d_try *t, struct p3d_call *c)
{
    t->call = p3d_call_ref(c);
    t->attempt.free = p3d_call_app(c)->cfg->security_login_free_failures;
    (void)p3d_format(t->attempt.address, sizeof(t->attempt.address), "%s", p3d_call_access(c)->address);
    p3d_call_defer(c, try_done, t);
}

static void on_ended(void *priv, int err, const struct p3d_answer *a)
{
    struct p3d_try *t = priv;
    struct p3d_call *c = t->call;
    p3d_api_failed(c, err != 0 ? err : t->err, err != 0 ? a : NULL);
    p3d_call_unref(c);
}

void p3d_try_end(struct p3d_try *t, enum p3d_attempt_end how, int err)
{
    struct p3d_store *store = p3d_call_app(t->call)->store;
    t->err = err;
    p3d_api_began(t->call, p3d_store_attempt_end(store, &t->attempt, &t->user.id, how, on_ended, t));
}

static void on_verified(void *priv, const struct p3d_hashed *h)
{
    struct p3d_try *t = priv;
    if (h->err == P3D_E_LOGIN_FAILED)
        p3d_try_end(t, P3D_ATTEMPT_FAILED, t->wrong);
    else if (h->err != 0)
        p3d_try_end(t, P3D_ATTEMPT_DROPPED, h->err);
    else if (!t->user.active)
        p3d_try_end(t, P3D_ATTEMPT_DISABLED, P3D_E_USER_DISABLED);
    else
        t->right(t, h);
}

void p3d_try_begun(void *priv, int err, const struct p3d_answer *a)
{
    struct p3d_try *t = priv;
    struct p3d_call *c = t->call;
    if (err == 0 && a->n == 0)
        err = P3D_E_CORRUPT;
    if (err != 0 && err != P3D_E_USER_NOT_FOUND) {
        p3d_api_failed(c, err, a);
        p3d_call_unref(c);
        return;
    }
    if (err == 0)
        t->user = a->users[0];
    err = p3d_hash_verify(p3d_call_app(c)->hashing, p3d_password_text(&t->password),
                          p3d_str_z(t->user.password_hash), p3d_password_rounds(c), on_verified, t);
    p3d_secret_done(&t->password);
    if (err != 0)
        p3d_try_end(t, P3D_ATTEMPT_DROPPED, err);
}
