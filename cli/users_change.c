/* SPDX-License-Identifier: MIT
 *
 * `p3d users promote|demote|suspend|activate|update`: an account found by any of its names, one
 * change of it, and what that came to. Guarantee: when it says "now", every server refuses or
 * allows accordingly at the next request (the store answers after the copy that they read is
 * written). Repeating is fine. Does not: ask; what is changed here can be changed back.
 */
#include "verbs_internal.h"

#include <stdio.h>
#include <string.h>

#include "print_internal.h"
#include "users_internal.h"
#include "p3d/account.h"

enum { LIMIT_MAX = 100000000 };

struct change {
    struct p3d_user_change what;
    const char *is; /* "an admin": what it is then; NULL: told field by field */
};

static bool same(const struct p3d_user *a, const struct p3d_user *b)
{
    return strcmp(a->username, b->username) == 0 && a->admin == b->admin &&
           a->status == b->status && a->max_concurrent_jobs == b->max_concurrent_jobs &&
           a->max_queued_jobs == b->max_queued_jobs;
}

static void print_limit(const char *label, int64_t before, int64_t after)
{
    char old[P3D_USERS_LIMIT_SIZE], now[P3D_USERS_LIMIT_SIZE];
    if (before != after)
        (void)printf("%s: %s -> %s\n", label, p3d_users_limit(before, old),
                     p3d_users_limit(after, now));
}

static void print_change(const struct change *c, const struct p3d_user *before,
                         const struct p3d_user *after)
{
    char old[sizeof(before->username)], now[sizeof(after->username)];
    (void)p3d_print_safe(before->username, old, sizeof(old));
    (void)p3d_print_safe(after->username, now, sizeof(now));
    if (c->is != NULL) {
        (void)printf("%s is %s %s\n", now, c->is, same(before, after) ? "already" : "now");
        return;
    }
    if (same(before, after))
        (void)printf("%s is like that already\n", now);
    else if (strcmp(old, now) != 0)
        (void)printf("username: %s -> %s\n", old, now);
    print_limit("max concurrent jobs", before->max_concurrent_jobs, after->max_concurrent_jobs);
    print_limit("max queued jobs", before->max_queued_jobs, after->max_queued_jobs);
}

static int make_change(struct p3d_session *s, const struct p3d_user *before, const struct change *c,
                       struct p3d_user *ret)
{
    struct p3d_reply r = {.take = p3d_users_take, .priv = ret};
    int called = p3d_store_user_change(p3d_session_store(s), &s->who, false, &before->id, &c->what,
                                       p3d_session_answer, &r);
    return p3d_session_wait(s, called, &r);
}

static int change(struct p3d_options *o, const struct change *c)
{
    struct p3d_session s = {0};
    struct p3d_user before, after;
    int rc = p3d_session_open(o, &s);
    if (rc == 0)
        rc = p3d_users_find(&s, o->value[P3D_OPT_ID], &before);
    if (rc == 0)
        rc = make_change(&s, &before, c, &after);
    if (rc == 0 && o->value[P3D_OPT_JSON] != NULL)
        p3d_print_json(json_pack("{s:o,s:b}", "user", p3d_users_json(&after), "changed",
                                 !same(&before, &after)));
    else if (rc == 0)
        print_change(c, &before, &after);
    if (rc == 0 && (!after.admin || !after.active))
        p3d_users_warn_last_admin(&s, &before);
    p3d_session_close(&s);
    return rc;
}

int p3d_users_promote(struct p3d_options *o)
{
    return change(o, &(struct change){{.role = "admin"}, "an admin"});
}

int p3d_users_demote(struct p3d_options *o)
{
    return change(o, &(struct change){{.role = "user"}, "an ordinary user"});
}

int p3d_users_suspend(struct p3d_options *o)
{
    return change(o, &(struct change){{.status = "suspended"}, "suspended"});
}

int p3d_users_activate(struct p3d_options *o)
{
    return change(o, &(struct change){{.status = "active"}, "active"});
}

/* *ret_given: NULL when the flag was not given. */
static int read_limit(const struct p3d_options *o, enum p3d_option flag, int64_t *number,
                      const int64_t **ret_given)
{
    const char *text = o->value[flag];
    if (text == NULL)
        return 0;
    *ret_given = number;
    *number = P3D_LIMIT_DEFAULT;
    if (strcmp(text, "default") == 0 || p3d_str_to_i64(p3d_str_z(text), -1, LIMIT_MAX, number) == 0)
        return 0;
    (void)fprintf(stderr, "a limit is a number from 0 to %d, -1 for none, or default\n", LIMIT_MAX);
    return P3D_EXIT_USAGE;
}

int p3d_users_update(struct p3d_options *o)
{
    struct change c = {.is = NULL};
    int64_t running, queued;
    const char *username = o->value[P3D_OPT_USERNAME];
    int rc = read_limit(o, P3D_OPT_MAX_CONCURRENT_JOBS, &running, &c.what.max_concurrent_jobs);
    if (rc == 0)
        rc = read_limit(o, P3D_OPT_MAX_QUEUED_JOBS, &queued, &c.what.max_queued_jobs);
    if (rc != 0)
        return rc;
    if (username == NULL && c.what.max_concurrent_jobs == NULL && c.what.max_queued_jobs == NULL) {
        (void)fputs("nothing to change: --username, --max-concurrent-jobs or --max-queued-jobs\n",
                    stderr);
        return P3D_EXIT_USAGE;
    }
    if (username != NULL) {
        c.what.username = p3d_str_z(username);
        int err = p3d_username_check(c.what.username);
        if (err != 0) {
            (void)fprintf(stderr, "%s\n", p3d_err_text(err));
            return P3D_EXIT_REFUSED;
        }
    }
    return change(o, &c);
}
