/* SPDX-License-Identifier: MIT
 *
 * Accounts as an administrator sees them: list, get, delete. Who is an administrator is decided by the store.
 */
#include "app_internal.h"

#include "p3d/accounts.h"
#include "user_json_internal.h"

struct page {
    struct p3d_call *call;
    int64_t limit, offset;
};

static json_t *page_json(const struct page *p, const struct p3d_answer *a)
{
    json_t *users = json_array();
    for (size_t i = 0; i < a->n; i++)
        (void)json_array_append_new(users, p3d_user_json(&a->users[i]));
    return json_pack("{s:b, s:o, s:I, s:{s:I, s:I, s:I, s:b}}", "success", 1, "users", users, "count",
                     (json_int_t)a->n, "pagination", "limit", (json_int_t)p->limit, "offset", (json_int_t)p->offset,
                     "total", (json_int_t)a->total, "has_more", (int)(p->offset + (int64_t)a->n < a->total));
}

static void on_list(void *priv, int err, const struct p3d_answer *a)
{
    struct page *p = priv;
    struct p3d_call *c = p->call;
    if (err != 0)
        p3d_api_failed(c, err, a);
    else
        p3d_reply_json(c, 200, page_json(p, a));
    p3d_call_unref(c);
}

void p3d_api_admin_user_list(struct p3d_call *c)
{
    struct p3d_refusal r = {.faults = {NULL}};
    struct page *p = p3d_call_alloc(c, sizeof(*p));
    p->limit = p3d_query_int(c, "limit", 1, 1000, 100, &r.faults);
    p->offset = p3d_query_int(c, "offset", 0, INT64_C(1) << 40, 0, &r.faults);
    if (r.faults.list != NULL) {
        p3d_api_refuse(c, &r, NULL);
        return;
    }
    p->call = p3d_call_ref(c);
    p3d_api_began(c, p3d_store_user_list(p3d_call_app(c)->store, p3d_call_access(c), p->limit, p->offset, on_list, p));
}

static void on_get(void *priv, int err, const struct p3d_answer *a)
{
    p3d_api_done(priv, err == 0 && a->n == 0 ? P3D_E_USER_NOT_FOUND : err, a, p3d_user_answer_json);
}

/* The path's user id. false: answered already. */
static bool user_id(struct p3d_call *c, struct p3d_owner_id *ret)
{
    struct p3d_refusal r = {.faults = {NULL}};
    r.error.code = p3d_owner_id_parse(p3d_call_param(c, 0), ret);
    if (r.error.code == 0)
        return true;
    p3d_api_refuse(c, &r, NULL);
    return false;
}

void p3d_api_admin_user_get(struct p3d_call *c)
{
    struct p3d_owner_id id;
    if (user_id(c, &id))
        p3d_api_began(c, p3d_store_user_find(p3d_call_app(c)->store, p3d_call_access(c), false, p3d_str_z(id.s), on_get,
                                             p3d_call_ref(c)));
}

static void on_deleted(void *priv, int err, const struct p3d_answer *a)
{
    struct p3d_call *c = priv;
    if (err != 0) {
        p3d_api_failed(c, err, a);
    } else {
        struct p3d_str id = p3d_call_param(c, 0);
        char *message = p3d_asprintf("User %.*s deleted successfully", (int)id.n, id.p);
        p3d_reply_json(c, 200, json_pack("{s:b, s:s}", "success", 1, "message", message));
        free(message);
    }
    p3d_call_unref(c);
}

void p3d_api_admin_user_delete(struct p3d_call *c)
{
    struct p3d_owner_id id;
    if (user_id(c, &id))
        p3d_api_began(c, p3d_store_user_delete(p3d_call_app(c)->store, p3d_call_access(c), &id, on_deleted,
                                               p3d_call_ref(c)));
}
