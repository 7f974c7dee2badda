/* SPDX-License-Identifier: MIT
 *
 * What the verbs of accounts share: finding one, showing one, and the warning about the last admin.
 * Does not: judge; the store's scripts do.
 */
#include "users_internal.h"

#include <stdio.h>

enum { NAME_MAX_BYTES = 255, PAGE = 1000 };

int p3d_users_take(void *user, const struct p3d_answer *a)
{
    if (a->n != 1)
        return P3D_E_CORRUPT;
    *(struct p3d_user *)user = a->users[0];
    return 0;
}

int p3d_users_find(struct p3d_session *s, const char *name, struct p3d_user *ret)
{
    struct p3d_reply r = {.take = p3d_users_take, .priv = ret};
    struct p3d_str text = p3d_str_z(name);
    if (text.n == 0 || text.n > NAME_MAX_BYTES || !p3d_utf8_valid(text)) /* nobody is called so */
        return p3d_session_say(s, P3D_E_USER_NOT_FOUND);
    int called =
        p3d_store_user_find(p3d_session_store(s), &s->who, false, text, p3d_session_answer, &r);
    return p3d_session_wait(s, called, &r);
}

int p3d_users_filter(struct p3d_session *s, const char *name, struct p3d_owner_id *ret)
{
    struct p3d_user user;
    if (name == NULL || p3d_owner_id_parse(p3d_str_z(name), ret) == 0)
        return 0;
    int rc = p3d_users_find(s, name, &user);
    if (rc == 0)
        *ret = user.id;
    return rc;
}

const char *p3d_users_role(const struct p3d_user *u)
{
    return u->admin ? "admin" : "user";
}

static json_t *limit_json(int64_t limit)
{
    return limit == P3D_LIMIT_DEFAULT ? json_null() : json_integer(limit);
}

json_t *p3d_users_json(const struct p3d_user *u)
{
    return json_pack("{s:I,s:s,s:o,s:o,s:s,s:s,s:b,s:o,s:o,s:o,s:o}", "id", (json_int_t)u->number,
                     "user_id", u->id.s, "username", p3d_json_str(p3d_str_z(u->username)), "email",
                     p3d_json_str(p3d_str_z(u->email)), "role", p3d_users_role(u), "status",
                     p3d_user_status_name(u->status), "is_active", u->active, "created_at",
                     p3d_json_time(u->created_ms), "last_login_at", p3d_json_time(u->last_login_ms),
                     "max_concurrent_jobs", limit_json(u->max_concurrent_jobs), "max_queued_jobs",
                     limit_json(u->max_queued_jobs));
}

const char *p3d_users_limit(int64_t limit, char *dst)
{
    if (limit == P3D_LIMIT_DEFAULT)
        (void)p3d_format(dst, P3D_USERS_LIMIT_SIZE, "default");
    else if (limit < 0)
        (void)p3d_format(dst, P3D_USERS_LIMIT_SIZE, "no limit");
    else
        (void)p3d_format(dst, P3D_USERS_LIMIT_SIZE, "%lld", (long long)limit);
    return dst;
}

/* Is there an active admin, or might there be one further down? */
static int take_admin_left(void *left, const struct p3d_answer *a)
{
    bool *found = left;
    *found = a->total > (int64_t)a->n;
    for (size_t i = 0; i < a->n && !*found; i++)
        *found = a->users[i].admin && a->users[i].active;
    return 0;
}

void p3d_users_warn_last_admin(struct p3d_session *s, const struct p3d_user *before)
{
    bool left = true;
    struct p3d_reply r = {.take = take_admin_left, .priv = &left};
    if (!before->admin || !before->active)
        return;
    int called =
        p3d_store_user_list(p3d_session_store(s), &s->who, PAGE, 0, p3d_session_answer, &r);
    if (p3d_session_try(s, called, &r) == 0 && !left)
        (void)fputs("warning: no active admin is left; `p3d users promote <id>` makes one\n",
                    stderr);
}
