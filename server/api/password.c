/* SPDX-License-Identifier: MIT
 *
 * Changing one's password. Guarantee: the old one is verified as one counted attempt, like a login; the new one is
 * taken only if the account's hash is still the one that was verified, so of two changes at once one wins; the other
 * tokens of the account end in the same step, unless security.keep_tokens_on_password_change.
 */
#include "users_internal.h"

#include "p3d/account.h"

struct change {
    struct p3d_try attempt; /* first */
    struct p3d_secret wanted;
};

static void change_done(void *arg)
{
    struct change *w = arg;
    p3d_secret_done(&w->wanted);
}

static void on_set(void *priv, int err, const struct p3d_answer *a)
{
    struct p3d_call *c = priv;
    if (err == P3D_E_CONFLICT)
        p3d_reply_error(c, err, "The password was changed meanwhile");
    else if (err != 0)
        p3d_api_failed(c, err, a);
    else
        p3d_reply_json(c, 200, json_pack("{s:b, s:s}", "success", 1, "message", "Password changed successfully"));
    p3d_call_unref(c);
}

static void on_new_hash(void *priv, const struct p3d_hashed *h)
{
    struct p3d_try *t = priv;
    struct p3d_app *app = p3d_call_app(t->call);
    int err = p3d_store_password_set(app->store, p3d_call_access(t->call), &t->user.id,
                                     p3d_str_z(t->user.password_hash), p3d_str_z(h->hash),
                                     !app->cfg->security_keep_tokens_on_password_change, &t->attempt, on_set, t->call);
    if (err != 0)
        p3d_try_end(t, P3D_ATTEMPT_DROPPED, err);
}

static void on_right(struct p3d_try *t, const struct p3d_hashed *h)
{
    struct change *w = (struct change *)t;
    (void)h; /* a fresh hash of the old password: of no use here */
    int err = p3d_hash_make(p3d_call_app(t->call)->hashing, p3d_password_text(&w->wanted), p3d_password_rounds(t->call),
                            on_new_hash, t);
    p3d_secret_done(&w->wanted);
    if (err != 0)
        p3d_try_end(t, P3D_ATTEMPT_DROPPED, err);
}

/* The new one, in the words of this call. */
static int judge(const struct p3d_call *c, const json_t *body, struct p3d_error *ret)
{
    int64_t min = p3d_call_app(c)->cfg->security_password_min_length;
    int err = p3d_password_check(p3d_json_get_str(body, "new_password"), min, ret);
    if (err == P3D_E_PASSWORD_SHORT)
        return p3d_fail(ret, err, "New password must be at least %lld characters", (long long)min);
    return err;
}

static int read_body(struct p3d_call *c, struct change *w, struct p3d_refusal *why)
{
    static const struct p3d_body_field fields[] = {
        {.name = "old_password", .type = P3D_BODY_STRING, .required = true},
        {.name = "new_password", .type = P3D_BODY_STRING, .required = true},
    };
    json_t *body = NULL;
    int err = p3d_body_read(c, &body, why);
    if (err != 0)
        return err;
    err = p3d_body_check(body, fields, 2, false, &why->faults);
    if (err == 0)
        err = judge(c, body, &why->error);
    bool old_fits = p3d_password_take(body, "old_password", &w->attempt.password);
    bool new_fits = p3d_password_take(body, "new_password", &w->wanted);
    if (err == 0 && !(old_fits && new_fits))
        err = P3D_E_PASSWORD_LONG;
    json_decref(body);
    return why->error.code = err;
}

void p3d_api_password_change(struct p3d_call *c)
{
    struct p3d_refusal why = {.faults = {NULL}};
    struct change *w = p3d_call_alloc(c, sizeof(*w));
    struct p3d_try *t = &w->attempt;
    p3d_call_defer(c, change_done, w);
    p3d_try_init(t, c);
    if (read_body(c, w, &why) != 0) {
        p3d_api_refuse(c, &why, NULL);
        p3d_call_unref(c);
        return;
    }
    t->wrong = P3D_E_PASSWORD_INVALID;
    t->right = on_right;
    p3d_api_began(c, p3d_store_self_begin(p3d_call_app(c)->store, p3d_call_access(c), &t->attempt, p3d_try_begun, t));
}
