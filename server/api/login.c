/* SPDX-License-Identifier: MIT
 *
 * Trading a password for a token. Guarantee: what attempt.c guarantees; a disabled account is told so only after the
 * right password; a password that was changed between the two trips gives no token. A hash of the old form, or of fewer
 * rounds than are asked for now, is replaced on the way.
 */
#include "users_internal.h"

#include "user_json_internal.h"

#define NAME_MAX_BYTES 320 /* longer than any username or email */

struct login {
    struct p3d_try attempt; /* first */
    struct p3d_minted minted;
};

static void login_done(void *arg)
{
    struct login *l = arg;
    p3d_wipe(&l->minted, sizeof(l->minted));
}

static void on_token(void *priv, int err, const struct p3d_answer *a)
{
    struct login *l = priv;
    struct p3d_call *c = l->attempt.call;
    if (err == P3D_E_USER_NOT_FOUND) /* deleted between the two trips */
        err = P3D_E_LOGIN_FAILED;
    if (err != 0)
        p3d_api_failed(c, err, a);
    else
        p3d_reply_json(c, 200,
                       json_pack("{s:o, s:s, s:s, s:s}", "user", p3d_user_json(&l->attempt.user), "token",
                                 l->minted.token.s, "token_name", l->minted.login_name, "message",
                                 "Login successful. Use this token in Authorization header."));
    p3d_call_unref(c);
}

static void give_token(struct login *l)
{
    struct p3d_try *t = &l->attempt;
    p3d_minted_login(&l->minted, t->call, t->user.username);
    int err = p3d_store_login_token(p3d_call_app(t->call)->store, &t->attempt, &t->user, &l->minted.row, on_token, l);
    if (err != 0)
        p3d_try_end(t, P3D_ATTEMPT_DROPPED, err);
}

/* Whether or not the newer hash was taken, the password was right: the login goes on. */
static void on_swapped(void *priv, int err, const struct p3d_answer *a)
{
    (void)err;
    (void)a;
    give_token(priv);
}

static void on_right(struct p3d_try *t, const struct p3d_hashed *h)
{
    struct login *l = (struct login *)t;
    if (h->hash[0] == '\0' ||
        p3d_store_password_swap(p3d_call_app(t->call)->store, &t->user.id, p3d_str_z(t->user.password_hash),
                                p3d_str_z(h->hash), on_swapped, l) != 0)
        give_token(l);
}

/* ret_name: in the call's memory. */
static int read_body(struct p3d_call *c, struct p3d_secret *ret_password, struct p3d_str *ret_name,
                     struct p3d_refusal *why)
{
    static const struct p3d_body_field fields[] = {
        {.name = "username", .type = P3D_BODY_STRING, .required = true},
        {.name = "password", .type = P3D_BODY_STRING, .required = true},
    };
    json_t *body = NULL;
    int err = p3d_body_read(c, &body, why);
    if (err != 0)
        return err;
    err = p3d_body_check(body, fields, 2, false, &why->faults);
    if (!p3d_password_take(body, "password", ret_password) && err == 0)
        err = P3D_E_PASSWORD_LONG;
    *ret_name = p3d_call_text(c, p3d_utf8_cut(p3d_json_get_str(body, "username"), NAME_MAX_BYTES));
    json_decref(body);
    return why->error.code = err;
}

void p3d_api_login(struct p3d_call *c)
{
    struct p3d_refusal why = {.faults = {NULL}};
    struct p3d_str name = {NULL, 0};
    struct login *l = p3d_call_alloc(c, sizeof(*l));
    struct p3d_try *t = &l->attempt;
    p3d_call_defer(c, login_done, l);
    p3d_try_init(t, c);
    if (read_body(c, &t->password, &name, &why) != 0) {
        p3d_api_refuse(c, &why, NULL);
        p3d_call_unref(c);
        return;
    }
    t->wrong = P3D_E_LOGIN_FAILED;
    t->right = on_right;
    p3d_api_began(c, p3d_store_login_begin(p3d_call_app(c)->store, name, &t->attempt, p3d_try_begun, t));
}
