/* SPDX-License-Identifier: MIT
 *
 * Register, login, me. Guarantee: an unknown user and a wrong password get the same answer after the same work; a
 * disabled account is told so only after the right password; uniqueness is the store's, under any number of concurrent
 * registrations; a password is hashed on the pool and wiped wherever it was copied to. Does not: judge what a good
 * username, email or password is (account.h).
 */
#include "app_internal.h"

#include <string.h>

#include "p3d/account.h"
#include "p3d/clock.h"
#include "p3d/hash.h"
#include "user_json_internal.h"

#define NAME_MAX_BYTES 320 /* longer than any username or email */
#define DAY_MS INT64_C(86400000)
#define PREFIX_LEN 12

/* One login or registration on its way. */
struct entry {
    struct p3d_call *call;
    char *username, *email;
    struct p3d_secret password;
    struct p3d_user user;    /* login: as found; its hash "" = unknown */
    char hash[P3D_PASSWORD_HASH_SIZE];
    struct p3d_token token;
    char token_hash[P3D_SHA256_HEX];
    char token_name[96];
};

static void entry_done(void *arg)
{
    struct entry *e = arg;
    p3d_secret_done(&e->password);
    free(e->username);
    free(e->email);
    p3d_wipe(e, sizeof(*e));
}

static struct entry *entry_new(struct p3d_call *c)
{
    struct entry *e = p3d_call_alloc(c, sizeof(*e));
    e->call = c;
    p3d_call_defer(c, entry_done, e);
    return e;
}

/* Takes the password out of the body and wipes it there. false: longer than any password may be. */
static bool take_password(struct entry *e, json_t *body)
{
    struct p3d_str s = p3d_json_get_str(body, "password");
    if (s.n <= P3D_PASSWORD_MAX)
        p3d_secret_set(&e->password, s);
    if (s.n > 0)
        p3d_wipe((void *)(uintptr_t)s.p, s.n);
    return s.n <= P3D_PASSWORD_MAX;
}

static char *take_text(const json_t *body, const char *key)
{
    struct p3d_str s = p3d_json_get_str(body, key);
    return p3d_strndup(s.n > 0 ? s.p : "", s.n);
}

static struct p3d_str password_of(const struct entry *e)
{
    return (struct p3d_str){(const char *)e->password.p, e->password.n};
}

static unsigned iterations(const struct p3d_call *c)
{
    return (unsigned)p3d_call_app(c)->cfg->security_password_iterations;
}

static void make_token(struct entry *e, const char *username)
{
    p3d_token_new(0, &e->token);
    p3d_sha256_hex(p3d_str_z(e->token.s), e->token_hash);
    (void)p3d_format(e->token_name, sizeof(e->token_name), "Login token - %s", username);
}

static int64_t token_expires_ms(const struct p3d_call *c)
{
    return p3d_wall_ms() + p3d_call_app(c)->cfg->security_login_token_days * DAY_MS;
}

static struct p3d_str token_prefix(const struct entry *e)
{
    return (struct p3d_str){e->token.s, PREFIX_LEN};
}

/* ---- register ---- */

static void on_added(void *priv, int err, const struct p3d_answer *a)
{
    struct entry *e = priv;
    struct p3d_call *c = e->call;
    if (err == 0 && a->n == 0)
        err = P3D_E_CORRUPT;
    if (err != 0) {
        p3d_api_store_failed(c, err);
    } else {
        json_t *o = json_pack("{s:b, s:s, s:o}", "success", 1, "message",
                              "User registered successfully. Please login to get an API token.", "user",
                              p3d_user_json(&a->users[0]));
        if (e->token.s[0] != '\0') {
            (void)json_object_set_new(o, "token", json_string(e->token.s));
            (void)json_object_set_new(o, "token_name", json_string(e->token_name));
        }
        p3d_reply_json(c, 200, o);
    }
    p3d_call_unref(c);
}

static void on_new_hash(void *priv, const struct p3d_hashed *h)
{
    struct entry *e = priv;
    struct p3d_call *c = e->call;
    struct p3d_new_user u = {.username = p3d_str_z(e->username),
                             .email = p3d_str_z(e->email),
                             .password_hash = p3d_str_z(h->hash)};
    if (p3d_call_app(c)->cfg->security_token_on_register) {
        make_token(e, e->username);
        u.token_hash = e->token_hash;
        u.token_prefix = token_prefix(e);
        u.token_name = p3d_str_z(e->token_name);
        u.token_expires_ms = token_expires_ms(c);
        u.login_token = true;
    }
    p3d_api_began(c, p3d_store_user_add(p3d_call_app(c)->store, &u, on_added, e));
}

static int read_registration(struct p3d_call *c, struct entry *e, struct p3d_refusal *r)
{
    static const struct p3d_body_field fields[] = {
        {.name = "username", .type = P3D_BODY_STRING, .required = true},
        {.name = "email", .type = P3D_BODY_STRING, .required = true},
        {.name = "password", .type = P3D_BODY_STRING, .required = true},
    };
    json_t *body = NULL;
    int err = p3d_body_read(c, &body, r);
    if (err != 0)
        return err;
    err = p3d_body_check(body, fields, 3, false, &r->faults);
    if (err == 0)
        err = p3d_username_check(p3d_json_get_str(body, "username"));
    if (err == 0)
        err = p3d_email_check(p3d_json_get_str(body, "email"));
    if (err == 0)
        err = p3d_password_check(p3d_json_get_str(body, "password"),
                                 p3d_call_app(c)->cfg->security_password_min_length, &r->error);
    if (!take_password(e, body) && err == 0)
        err = P3D_E_PASSWORD_LONG;
    e->username = take_text(body, "username");
    e->email = take_text(body, "email");
    json_decref(body);
    r->error.code = err;
    return err;
}

void p3d_api_register(struct p3d_call *c)
{
    struct p3d_app *app = p3d_call_app(c);
    struct p3d_refusal r = {.faults = {NULL}};
    struct entry *e = entry_new(c);
    if (read_registration(c, e, &r) != 0) {
        p3d_api_refuse(c, &r, NULL);
        return;
    }
    (void)p3d_call_ref(c);
    /* A second of hashing for a store that cannot take the account would be work for nobody. */
    int err = p3d_store_up(app->store)
                  ? p3d_hash_make(app->hashing, password_of(e), iterations(c), on_new_hash, e)
                  : P3D_E_STORE_DOWN;
    p3d_secret_done(&e->password);
    p3d_api_began(c, err);
}

/* ---- login ---- */

static void on_token(void *priv, int err, const struct p3d_answer *a)
{
    struct entry *e = priv;
    struct p3d_call *c = e->call;
    (void)a;
    if (err == P3D_E_USER_NOT_FOUND) /* deleted between the two trips */
        err = P3D_E_LOGIN_FAILED;
    if (err != 0)
        p3d_api_store_failed(c, err);
    else
        p3d_reply_json(c, 200,
                       json_pack("{s:o, s:s, s:s, s:s}", "user", p3d_user_json(&e->user), "token", e->token.s,
                                 "token_name", e->token_name, "message",
                                 "Login successful. Use this token in Authorization header."));
    p3d_call_unref(c);
}

static void give_token(struct entry *e)
{
    struct p3d_call *c = e->call;
    struct p3d_app *app = p3d_call_app(c);
    make_token(e, e->user.username);
    p3d_api_began(c, p3d_store_login_token(app->store, &e->user.id, e->token_hash, token_prefix(e),
                                           p3d_str_z(e->token_name), token_expires_ms(c),
                                           app->cfg->security_max_login_tokens, on_token, e));
}

/* Whether or not the newer hash was taken, the password was right: the login goes on. */
static void on_swapped(void *priv, int err, const struct p3d_answer *a)
{
    (void)err;
    (void)a;
    give_token(priv);
}

static void on_verified(void *priv, const struct p3d_hashed *h)
{
    struct entry *e = priv;
    struct p3d_call *c = e->call;
    int err = h->err == 0 && !e->user.active ? P3D_E_USER_DISABLED : h->err;
    if (err != 0) {
        p3d_api_store_failed(c, err);
        p3d_call_unref(c);
        return;
    }
    if (h->hash[0] == '\0' ||
        p3d_store_password_swap(p3d_call_app(c)->store, &e->user.id, p3d_str_z(e->user.password_hash),
                                p3d_str_z(h->hash), on_swapped, e) != 0)
        give_token(e);
}

static void on_found(void *priv, int err, const struct p3d_answer *a)
{
    struct entry *e = priv;
    struct p3d_call *c = e->call;
    if (err == 0 && a->n == 1)
        e->user = a->users[0];
    if (err == 0 || err == P3D_E_USER_NOT_FOUND)
        err = p3d_hash_verify(p3d_call_app(c)->hashing, password_of(e), p3d_str_z(e->user.password_hash),
                              iterations(c), on_verified, e);
    p3d_secret_done(&e->password);
    p3d_api_began(c, err);
}

static int read_login(struct p3d_call *c, struct entry *e, struct p3d_refusal *r)
{
    static const struct p3d_body_field fields[] = {
        {.name = "username", .type = P3D_BODY_STRING, .required = true},
        {.name = "password", .type = P3D_BODY_STRING, .required = true},
    };
    json_t *body = NULL;
    int err = p3d_body_read(c, &body, r);
    if (err != 0)
        return err;
    err = p3d_body_check(body, fields, 2, false, &r->faults);
    if (!take_password(e, body) && err == 0)
        err = P3D_E_PASSWORD_LONG;
    e->username = take_text(body, "username");
    json_decref(body);
    r->error.code = err;
    return err;
}

void p3d_api_login(struct p3d_call *c)
{
    struct p3d_refusal r = {.faults = {NULL}};
    struct entry *e = entry_new(c);
    if (read_login(c, e, &r) != 0) {
        p3d_api_refuse(c, &r, NULL);
        return;
    }
    struct p3d_str name = p3d_utf8_cut(p3d_str_z(e->username), NAME_MAX_BYTES);
    (void)p3d_call_ref(c);
    p3d_api_began(c, p3d_store_login_find(p3d_call_app(c)->store, name, on_found, e));
}

/* ---- me ---- */

static void on_me(void *priv, int err, const struct p3d_answer *a)
{
    struct p3d_call *c = priv;
    if (err == 0 && a->n == 0)
        err = P3D_E_CORRUPT;
    if (err != 0)
        p3d_api_store_failed(c, err);
    else
        p3d_reply_json(c, 200, json_pack("{s:b, s:o}", "success", 1, "user", p3d_user_json(&a->users[0])));
    p3d_call_unref(c);
}

void p3d_api_me(struct p3d_call *c)
{
    p3d_api_began(c, p3d_store_check_access(p3d_call_app(c)->store, p3d_call_access(c), NULL, on_me, p3d_call_ref(c)));
}
