/* SPDX-License-Identifier: MIT
 *
 * Making an account. Guarantee: uniqueness is the store's, under any number of concurrent registrations; the password
 * is hashed on the pool, a bounded number of them for one address, and none for a name that is taken. Does not: judge what a good username, email or password is (account.h).
 */
#include "users_internal.h"

#include "p3d/account.h"
#include "user_json_internal.h"

struct registration {
    struct p3d_call *call;
    char *username, *email;
    struct p3d_secret password;
    struct p3d_attempt attempt; /* its place among the hashes of this address */
    struct p3d_minted minted; /* token.s[0] == 0: none */
};

static void registration_done(void *arg)
{
    struct registration *r = arg;
    p3d_secret_done(&r->password);
    free(r->username);
    free(r->email);
    p3d_wipe(r, sizeof(*r));
}

static void on_added(void *priv, int err, const struct p3d_answer *a)
{
    struct registration *r = priv;
    struct p3d_call *c = r->call;
    if (err == 0 && a->n == 0)
        err = P3D_E_CORRUPT;
    if (err != 0) {
        p3d_api_failed(c, err, a);
    } else {
        json_t *o = json_pack("{s:b, s:s, s:o}", "success", 1, "message",
                              "User registered successfully. Please login to get an API token.", "user",
                              p3d_user_json(&a->users[0]));
        if (r->minted.token.s[0] != '\0') {
            (void)json_object_set_new(o, "token", json_string(r->minted.token.s));
            (void)json_object_set_new(o, "token_name", json_string(r->minted.login_name));
        }
        p3d_reply_json(c, 200, o);
    }
    p3d_call_unref(c);
}

/* The slot is given back whatever comes of it; nobody waits for that. */
static void give_back(struct registration *r)
{
    static const struct p3d_owner_id nobody;
    P3D_IGNORE(p3d_store_attempt_end(p3d_call_app(r->call)->store, &r->attempt, &nobody, P3D_ATTEMPT_DROPPED, NULL, NULL));
}

static void on_hash(void *priv, const struct p3d_hashed *h)
{
    struct registration *r = priv;
    struct p3d_call *c = r->call;
    give_back(r);
    struct p3d_new_user u = {.username = p3d_str_z(r->username),
                             .email = p3d_str_z(r->email),
                             .password_hash = p3d_str_z(h->hash),
                             .address = p3d_call_access(c)->address};
    if (p3d_call_app(c)->cfg->security_token_on_register) {
        p3d_minted_login(&r->minted, c, r->username);
        u.token = r->minted.row;
    }
    p3d_api_began(c, p3d_store_user_add(p3d_call_app(c)->store, &u, on_added, r));
}

static char *take_text(const json_t *body, const char *key)
{
    struct p3d_str s = p3d_json_get_str(body, key);
    return p3d_strndup(s.n > 0 ? s.p : "", s.n);
}

static int judge(const struct p3d_call *c, const json_t *body, struct p3d_refusal *why)
{
    static const struct p3d_body_field fields[] = {
        {.name = "username", .type = P3D_BODY_STRING, .required = true},
        {.name = "email", .type = P3D_BODY_STRING, .required = true},
        {.name = "password", .type = P3D_BODY_STRING, .required = true},
    };
    int err = p3d_body_check(body, fields, 3, false, &why->faults);
    if (err == 0)
        err = p3d_username_check(p3d_json_get_str(body, "username"));
    if (err == 0)
        err = p3d_email_check(p3d_json_get_str(body, "email"));
    if (err == 0)
        err = p3d_password_check(p3d_json_get_str(body, "password"),
                                 p3d_call_app(c)->cfg->security_password_min_length, &why->error);
    return err;
}

static int read_body(struct p3d_call *c, struct registration *r, struct p3d_refusal *why)
{
    json_t *body = NULL;
    int err = p3d_body_read(c, &body, why);
    if (err != 0)
        return err;
    err = judge(c, body, why);
    if (!p3d_password_take(body, "password", &r->password) && err == 0)
        err = P3D_E_PASSWORD_LONG;
    r->username = take_text(body, "username");
    r->email = take_text(body, "email");
    json_decref(body);
    return why->error.code = err;
}

static void on_begun(void *priv, int err, const struct p3d_answer *a)
{
    struct registration *r = priv;
    struct p3d_call *c = r->call;
    if (err != 0) {
        p3d_api_failed(c, err, a);
        p3d_call_unref(c);
        return;
    }
    err = p3d_hash_make(p3d_call_app(c)->hashing, p3d_password_text(&r->password), p3d_password_rounds(c), on_hash, r);
    p3d_secret_done(&r->password);
    if (err != 0)
        give_back(r);
    p3d_api_began(c, err);
}

void p3d_api_register(struct p3d_call *c)
{
    struct p3d_app *app = p3d_call_app(c);
    struct p3d_refusal why = {.faults = {NULL}};
    struct registration *r = p3d_call_alloc(c, sizeof(*r));
    p3d_call_defer(c, registration_done, r);
    if (read_body(c, r, &why) != 0) {
        p3d_api_refuse(c, &why, NULL);
        return;
    }
    r->call = p3d_call_ref(c);
    r->attempt.free = app->cfg->security_login_free_failures;
    (void)p3d_format(r->attempt.address, sizeof(r->attempt.address), "%s", p3d_call_access(c)->address);
    p3d_api_began(c, p3d_store_register_begin(app->store, p3d_str_z(r->username), p3d_str_z(r->email), &r->attempt,
                                              on_begun, r));
}
