/* SPDX-License-Identifier: MIT
 *
 * `p3d users create`: an account and its first token, made by the operator. Guarantee: the same
 * rules as registration (account.h), decided by the same script; the password reaches Redis only as
 * its hash and the token only as its digest; the token is shown once, here. Works without a running
 * server: the embedded Redis is started for the call when it does not run.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "ask_internal.h"
#include "options_internal.h"
#include "p3d/account.h"
#include "p3d/clock.h"
#include "p3d/crypto.h"
#include "p3d/json.h"
#include "p3d/loop.h"
#include "p3d/role.h"
#include "p3d/store.h"

enum {
    CONNECT_MS = 5000,
    TOKEN_NAME_MAX = 100,
    TOKEN_DAYS = 365,
    TOKEN_DAYS_MAX = 3650,
    PREFIX = 12
};

/* The account to be made, then what came of it. */
struct add {
    char username[80], email[300]; /* longer than allowed, so that the check says what is wrong */
    bool admin;
    const char *token_name;
    int64_t token_days;
    struct p3d_token token;
    char password_hash[P3D_PASSWORD_HASH_SIZE];

    bool answered;
    int err;
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
    const char *name = o->value[P3D_OPT_TOKEN_NAME], *days = o->value[P3D_OPT_TOKEN_DAYS];
    a->token_name = name != NULL ? name : a->admin ? "Default admin token" : "Default token";
    size_t n = strlen(a->token_name);
    if (n == 0 || n > TOKEN_NAME_MAX || !p3d_utf8_valid(p3d_str_z(a->token_name)))
        return refuse(P3D_EXIT_USAGE, "--token-name: 1 to 100 bytes of text");
    a->token_days = TOKEN_DAYS;
    if (days != NULL && p3d_str_to_i64(p3d_str_z(days), 1, TOKEN_DAYS_MAX, &a->token_days) != 0)
        return refuse(P3D_EXIT_USAGE, "--token-days: a number from 1 to 3650");
    return 0;
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
        return refuse(P3D_EXIT_REFUSED, p3d_err_info(err)->detail);
    if (rc == 0)
        rc = fill(o, P3D_OPT_EMAIL, "email", a->email, sizeof(a->email));
    err = rc == 0 ? p3d_email_check(p3d_str_z(a->email)) : 0;
    if (err != 0)
        return refuse(P3D_EXIT_REFUSED, p3d_err_info(err)->detail);
    return rc;
}

static int hash_password(struct p3d_options *o, const struct p3d_config *cfg, struct add *a)
{
    struct p3d_secret password = {0};
    struct p3d_error err = {0};
    int rc = p3d_ask_password(o, &password);
    struct p3d_str text = {(const char *)password.p, password.n};
    if (rc == 0 && p3d_password_check(text, cfg->security_password_min_length, &err) != 0)
        rc = refuse(P3D_EXIT_REFUSED, err.detail);
    if (rc == 0)
        p3d_password_hash(text, (unsigned)cfg->security_password_iterations, a->password_hash);
    p3d_secret_done(&password);
    return rc;
}

static void on_added(void *priv, int err, const struct p3d_answer *answer)
{
    struct add *a = priv;
    a->answered = true;
    a->err = err;
    if (err == 0 && answer->n == 1)
        a->user = answer->users[0];
    else if (err == 0)
        a->err = P3D_E_CORRUPT;
}

static int send_add(struct p3d_store *s, struct add *a)
{
    char digest[P3D_SHA256_HEX];
    p3d_token_new(0, &a->token);
    p3d_sha256_hex(p3d_str_z(a->token.s), digest);
    const struct p3d_new_user u = {
        .username = p3d_str_z(a->username),
        .email = p3d_str_z(a->email),
        .password_hash = p3d_str_z(a->password_hash),
        .admin = a->admin,
        .token_hash = digest,
        .token_prefix = {a->token.s, PREFIX},
        .token_name = p3d_str_z(a->token_name),
        .token_expires_ms = p3d_wall_ms() + a->token_days * 86400000,
    };
    return p3d_store_user_add(s, &u, on_added, a);
}

/* Connect and ask. Returns 0 with a->answered, or P3D_E_STORE_DOWN. */
static int talk(struct p3d_poll_loop *loop, struct p3d_store *s, struct add *a)
{
    uint64_t end = p3d_mono_ms() + CONNECT_MS;
    while (!p3d_store_up(s)) {
        if (p3d_mono_ms() >= end)
            return P3D_E_STORE_DOWN;
        p3d_poll_loop_run_once(loop, 100);
    }
    int err = send_add(s, a);
    if (err == 0) /* the store answers in any case, with an error when time is up */
        err = p3d_poll_wait(loop, &a->answered, UINT64_MAX);
    return err != 0 ? err : a->err;
}

/* The address without user and password: behind the last '@' of the part between "//" and the next
 * '/'. */
static void say_unreachable(const struct p3d_config *cfg)
{
    const char *url = (const char *)cfg->redis_url.p;
    if (cfg->redis_url.n == 0) {
        (void)fprintf(stderr, "Redis cannot be reached at unix://%s/run/redis.sock\n",
                      cfg->top_data_dir);
        return;
    }
    struct p3d_str all = {url, cfg->redis_url.n};
    const char *slashes = memmem(all.p, all.n, "//", 2);
    const char *start = slashes != NULL ? slashes + 2 : all.p;
    const char *at = memrchr(start, '@', (size_t)(all.p + all.n - start));
    const char *rest = at != NULL ? at + 1 : start;
    (void)fprintf(stderr, "Redis cannot be reached at %.*s%.*s\n", (int)(start - all.p), all.p,
                  (int)(all.p + all.n - rest), rest);
}

static int report(const struct p3d_config *cfg, int err)
{
    if (err == P3D_E_STORE_DOWN)
        say_unreachable(cfg);
    else if (err != 0)
        (void)fprintf(stderr, "%s\n",
                      p3d_err_info(err)->detail != NULL ? p3d_err_info(err)->detail
                                                        : p3d_err_info(err)->message);
    return err == 0                           ? P3D_EXIT_OK
           : p3d_err_info(err)->status == 503 ? P3D_EXIT_UNAVAILABLE
                                              : P3D_EXIT_REFUSED;
}

static int add_user(const struct p3d_config *cfg, struct add *a)
{
    struct p3d_poll_loop *loop = NULL;
    struct p3d_store *store = NULL;
    struct p3d_error why = {0};
    int err = p3d_poll_loop_new(&loop);
    if (err == 0)
        err = p3d_store_open(p3d_poll_loop_base(loop), cfg, NULL, NULL, &store, &why);
    if (err != 0) {
        p3d_poll_loop_free(loop);
        (void)fprintf(stderr, "redis.url: %s\n", why.detail);
        return P3D_EXIT_REFUSED;
    }
    err = talk(loop, store, a);
    p3d_store_close(store);
    p3d_poll_loop_free(loop);
    return report(cfg, err);
}

static int with_redis(const struct p3d_config *cfg, struct add *a)
{
    struct p3d_error err = {0};
    sigset_t stops, before;
    int pid = 0;
    if (cfg->redis_url.n > 0)
        return add_user(cfg, a);
    /* Ctrl-C must not leave a redis-server behind that nobody watches; this takes a second. */
    (void)sigemptyset(&stops);
    (void)sigaddset(&stops, SIGINT);
    (void)sigaddset(&stops, SIGTERM);
    (void)sigaddset(&stops, SIGHUP);
    (void)sigprocmask(SIG_BLOCK, &stops, &before);
    int status = P3D_EXIT_UNAVAILABLE;
    if (p3d_embedded_redis_start(cfg, &pid, &err) != 0)
        (void)fprintf(stderr, "Redis cannot be reached at unix://%s/run/redis.sock: %s\n",
                      cfg->top_data_dir, err.detail);
    else
        status = add_user(cfg, a);
    p3d_embedded_redis_stop(cfg, pid);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    return status;
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
        char *text P3D_CLEANUP(p3d_freep) = p3d_json_dump(all, NULL);
        (void)printf("%s\n", text);
        json_decref(all);
        return;
    }
    (void)printf(
        "User ID: %s\nUsername: %s\nEmail: %s\nRole: %s\nToken name: %s (%lld days)\nToken: %s\n",
        u->id.s, u->username, u->email, role, a->token_name, (long long)a->token_days, a->token.s);
    (void)fputs("Keep the token: it is not shown again.\n", stderr);
}

int p3d_users_create(struct p3d_options *o)
{
    struct p3d_config *cfg = NULL;
    struct add a = {0};
    int rc = p3d_options_config(o, &cfg);
    if (rc == 0)
        rc = fill_add(o, &a);
    if (rc == 0)
        rc = hash_password(o, cfg, &a);
    if (rc == 0)
        rc = with_redis(cfg, &a);
    if (rc == 0)
        print(&a, o->value[P3D_OPT_JSON] != NULL);
    p3d_wipe(&a.token, sizeof(a.token));
    p3d_config_free(cfg);
    return rc;
}
