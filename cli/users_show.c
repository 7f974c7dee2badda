/* SPDX-License-Identifier: MIT
 *
 * `p3d users list` and `p3d users get`. Does not: change anything, show a hash or a token.
 */
#include "verbs_internal.h"

#include <stdio.h>

#include "print_internal.h"
#include "users_internal.h"

enum { LIST_DEFAULT = 100, LIST_MAX = 1000, OFFSET_MAX = 1000000000 };

struct list {
    json_t *users; /* of p3d_users_json, or rows of the table */
    bool json;
    int64_t total;
};

static json_t *table_row(const struct p3d_user *u)
{
    char number[24], created[P3D_TIME_SIZE], seen[P3D_TIME_SIZE];
    char running[P3D_USERS_LIMIT_SIZE], queued[P3D_USERS_LIMIT_SIZE];
    (void)p3d_format(number, sizeof(number), "%lld", (long long)u->number);
    return json_pack(
        "[s,s,o,o,s,s,s,s,s,s]", number, u->id.s, p3d_json_str(p3d_str_z(u->username)),
        p3d_json_str(p3d_str_z(u->email)), p3d_users_role(u), p3d_user_status_name(u->status),
        p3d_users_limit(u->max_concurrent_jobs, running),
        p3d_users_limit(u->max_queued_jobs, queued), p3d_print_time(u->created_ms, created),
        p3d_print_time(u->last_login_ms, seen));
}

static int take_list(void *list, const struct p3d_answer *a)
{
    struct list *l = list;
    l->total = a->total;
    for (size_t i = 0; i < a->n; i++)
        (void)json_array_append_new(l->users, l->json ? p3d_users_json(&a->users[i])
                                                      : table_row(&a->users[i]));
    return 0;
}

static void print_list(struct list *l)
{
    static const char *const heads[] = {"ID",     "USER ID",  "USERNAME", "EMAIL",   "ROLE",
                                        "STATUS", "RUN JOBS", "QUEUE",    "CREATED", "LAST LOGIN"};
    size_t n = json_array_size(l->users);
    if (l->json) {
        p3d_print_json(json_pack("{s:O,s:I}", "users", l->users, "total", (json_int_t)l->total));
        return;
    }
    p3d_print_table(heads, sizeof(heads) / sizeof(*heads), l->users);
    if ((int64_t)n != l->total)
        (void)fprintf(stderr, "%zu of %lld accounts\n", n, (long long)l->total);
}

int p3d_users_list(struct p3d_options *o)
{
    struct p3d_session s = {0};
    struct list l = {.users = json_array(), .json = o->value[P3D_OPT_JSON] != NULL};
    struct p3d_reply r = {.take = take_list, .priv = &l};
    int64_t limit = LIST_DEFAULT, offset = 0;
    int rc = p3d_options_number(o, P3D_OPT_LIMIT, 1, LIST_MAX, &limit);
    if (rc == 0)
        rc = p3d_options_number(o, P3D_OPT_OFFSET, 0, OFFSET_MAX, &offset);
    if (rc == 0)
        rc = p3d_session_open(o, &s);
    if (rc == 0)
        rc = p3d_session_wait(&s,
                              p3d_store_user_list(p3d_session_store(&s), &s.who, limit, offset,
                                                  p3d_session_answer, &r),
                              &r);
    if (rc == 0)
        print_list(&l);
    json_decref(l.users);
    p3d_session_close(&s);
    return rc;
}

/* "default (no limit)": with what the configuration says. */
static void print_limit(const char *label, int64_t limit, int64_t of_config)
{
    char own[P3D_USERS_LIMIT_SIZE], common[P3D_USERS_LIMIT_SIZE];
    (void)printf("%s%s", label, p3d_users_limit(limit, own));
    if (limit == P3D_LIMIT_DEFAULT)
        (void)printf(" (%s)", p3d_users_limit(of_config, common));
    (void)putchar('\n');
}

static void print_user(const struct p3d_config *cfg, const struct p3d_user *u)
{
    char name[sizeof(u->username)], email[sizeof(u->email)];
    char created[P3D_TIME_SIZE], seen[P3D_TIME_SIZE];
    (void)printf("ID:                   %lld\nUser ID:              %s\n"
                 "Username:             %s\nEmail:                %s\n"
                 "Role:                 %s\nStatus:               %s\n",
                 (long long)u->number, u->id.s, p3d_print_safe(u->username, name, sizeof(name)),
                 p3d_print_safe(u->email, email, sizeof(email)), p3d_users_role(u),
                 p3d_user_status_name(u->status));
    print_limit("Max concurrent jobs:  ", u->max_concurrent_jobs, cfg->limits_max_concurrent_jobs);
    print_limit("Max queued jobs:      ", u->max_queued_jobs, cfg->limits_max_queued_jobs);
    (void)printf("Failed logins lately: %lld\nLast login:           %s\nCreated:              %s\n",
                 (long long)u->failed_logins, p3d_print_time(u->last_login_ms, seen),
                 p3d_print_time(u->created_ms, created));
}

int p3d_users_get(struct p3d_options *o)
{
    struct p3d_session s = {0};
    struct p3d_user user;
    int rc = p3d_session_open(o, &s);
    if (rc == 0)
        rc = p3d_users_find(&s, o->value[P3D_OPT_ID], &user);
    if (rc == 0 && o->value[P3D_OPT_JSON] != NULL) {
        json_t *all = p3d_users_json(&user);
        (void)json_object_set_new(all, "failed_logins", json_integer(user.failed_logins));
        p3d_print_json(all);
    } else if (rc == 0) {
        print_user(s.cfg, &user);
    }
    p3d_session_close(&s);
    return rc;
}
