/* SPDX-License-Identifier: MIT
 *
 * `p3d users create`: an account and its first token, made by the operator. Guarantee: the same
 * rules as registration (account.h), decided by the same script; the password reaches Redis only as
 * its hash and the token only as its digest; the token is shown once, here. Works without a running
 * server: the embedded Redis is started for the call when it does not run.
 */
#include "verbs_internal.h"

#include <stdio.h>
#include <string.h>

#include "ask_internal.h"
#include "print_internal.h"
#include "users_internal.h"
#include "p3d/account.h"

enum { TOKEN_NAME_MAX = 100, TOKEN_DAYS = 365, TOKEN_DAYS_MAX = 3650 };

/* The account to be made, then what came of it. */
struct add {
    char username[80], email[300]; /* longer than allowed, so that the check says what is wrong */
    bool admin;
    const char *token_name;
    int64_t token_days;
    struct p3d_token token;
    char password_hash[P3D_PASSWORD_HASH_SIZE];

    struct p3d_user user;
};

static int refuse(int status, const char *what)
{
    (void)fprintf(stderr, "%s\n", what);
    return status;
}

/* One text from its flag or the terminal. */
static int fill(const struct p3d_options *o, enum p3d_option flag, const char *question, char *dst,
                size_t size)
{
    const char *given = o->value[flag];
    if (given != NULL) {
        (void)p3d_format(dst, size, "%s", given);
        return 0;
    }
    if (p3d_ask_possible())
        return p3d_ask_line(question, dst, size) ? 0 : P3D_EXIT_REFUSED;
    (void)fprintf(stderr, "--%s is missing\n", question);
    return P3D_EXIT_USAGE;
}

static int fill_token(const struct p3d_options *o, struct add *a)
{
    const char *name = o->value[P3D_OPT_TOKEN_NAME];
    a->token_name = name != NULL ? name : a->admin ? "Default admin token" : "Default token";
    size_t n = strlen(a->token_name);
    if (n == 0 || n > TOKEN_NAME_MAX || !p3d_utf8_valid(p3d_str_z(a->token_name)))
        return refuse(P3D_EXIT_USAGE, "--token-name: 1 to 100 bytes of text");
    a->token_days = TOKEN_DAYS;
    return p3d_options_number(o, P3D_OPT_TOKEN_DAYS, 1, TOKEN_DAYS_MAX, &a->token_days);
}

static int fill_add(struct p3d_options *o, struct add *a)
{
    const char *role = o->value[P3D_OPT_ROLE];
    a->admin = role != NULL && strcmp(role, "admin") == 0;
    if (role != NULL && !a->admin && strcmp(role, "user") != 0)
        return refuse(P3D_EXIT_USAGE, "--role: user or admin");
    int rc = fill_token(o, a);
    if (rc == 0)
        rc = fill(o, P3D_OPT_USERNAME, "username", a->username, sizeof(a->username));
    int err = rc == 0 ? p3d_username_check(p3d_str_z(a->username)) : 0;
    if (err != 0)
        return refuse(P3D_EXIT_REFUSED, p3d_err_text(err));
    if (rc == 0)
        rc = fill(o, P3D_OPT_EMAIL, "email", a->email, sizeof(a->email));
    err = rc == 0 ? p3d_email_check(p3d_str_z(a->email)) : 0;
    if (err != 0)
        return refuse(P3D_EXIT_REFUSED, p3d_err_text(err));
    return rc;
}

static int send_add(struct p3d_session *s, struct add *a)
{
    char digest[P3D_SHA256_HEX];
    struct p3d_reply r = {.take = p3d_users_take, .priv = &a->user};
    p3d_token_new(0, &a->token);
    p3d_sha256_hex(p3d_str_z(a->token.s), digest);
    const struct p3d_new_user u = {
        .username = p3d_str_z(a->username),
        .email = p3d_str_z(a->email),
        .password_hash = p3d_str_z(a->password_hash),
        .admin = a->admin,
        .token = {.hash = digest,
                  .prefix = {a->token.s, P3D_TOKEN_PREFIX_LEN},
                  .name = p3d_str_z(a->token_name),
                  .expires_ms = p3d_wall_ms() + a->token_days * 86400000},
    };
    return p3d_session_wait(s, p3d_store_user_add(p3d_session_store(s), &u, p3d_session_answer, &r),
                            &r);
}

static void print(const struct add *a, bool json)
{
    const struct p3d_user *u = &a->user;
    const char *role = u->admin ? "admin" : "user";
    if (json) {
        json_t *all = json_pack("{s:{s:s,s:s,s:s,s:s,s:b,s:o},s:s,s:s}", "user", "user_id", u->id.s,
                                "username", u->username, "email", u->email, "role", role,
                                "is_active", u->active, "created_at", p3d_json_time(u->created_ms),
                                "token", a->token.s, "token_name", a->token_name);
        p3d_print_json(all);
        return;
    }
    (void)printf(
        "User ID: %s\nUsername: %s\nEmail: %s\nRole: %s\nToken name: %s (%lld days)\nToken: %s\n",
        u->id.s, u->username, u->email, role, a->token_name, (long long)a->token_days, a->token.s);
    (void)fputs("Keep the token: it is not shown again.\n", stderr);
}

int p3d_users_create(struct p3d_options *o)
{
    struct p3d_session s = {0};
    struct add a = {0};
    int rc = p3d_session_configure(o, &s);
    if (rc == 0)
        rc = fill_add(o, &a);
    if (rc == 0)
        rc = p3d_ask_password_hash(o, s.cfg, true, a.password_hash);
    if (rc == 0)
        rc = p3d_session_connect(&s);
    if (rc == 0)
        rc = send_add(&s, &a);
    if (rc == 0)
        print(&a, o->value[P3D_OPT_JSON] != NULL);
    p3d_wipe(&a.token, sizeof(a.token));
    p3d_wipe(a.password_hash, sizeof(a.password_hash));
    p3d_session_close(&s);
    return rc;
}
