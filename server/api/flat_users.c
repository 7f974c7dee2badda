/* SPDX-License-Identifier: MIT
 *
 * The same accounts under /api/users, as flat objects without an envelope. Guarantee: without role admin one sees and
 * changes oneself only, and others are 403 whether they exist or not (judged in the store's script). DELETE suspends
 * and removes nothing.
 */
#include "app_internal.h"

#include "p3d/account.h"
#include "p3d/accounts.h"
#include "user_json_internal.h"

static void on_one(void *priv, int err, const struct p3d_answer *a)
{
    p3d_api_done(priv, err == 0 && a->n == 0 ? P3D_E_CORRUPT : err, a, p3d_user_flat_answer_json);
}

void p3d_api_flat_me(struct p3d_call *c)
{
    p3d_api_began(c, p3d_store_check_access(p3d_call_app(c)->store, p3d_call_access(c), NULL, on_one, p3d_call_ref(c)));
}

/* ---- all ---- */

static json_t *list_json(const struct p3d_answer *a)
{
    json_t *list = json_array();
    for (size_t i = 0; i < a->n; i++)
        (void)json_array_append_new(list, p3d_user_flat_json(&a->users[i]));
    return list;
}

static void on_list(void *priv, int err, const struct p3d_answer *a)
{
    p3d_api_done(priv, err, a, list_json);
}

void p3d_api_flat_user_list(struct p3d_call *c)
{
    struct p3d_refusal why = {.faults = {NULL}};
    int64_t limit = p3d_query_int(c, "limit", 1, 1000, 100, &why.faults);
    int64_t offset = p3d_query_int(c, "offset", 0, INT64_C(1) << 40, 0, &why.faults);
    if (why.faults.list != NULL) {
        p3d_api_refuse(c, &why, NULL);
        return;
    }
    p3d_api_began(c, p3d_store_user_list(p3d_call_app(c)->store, p3d_call_access(c), limit, offset, on_list,
                                         p3d_call_ref(c)));
}

/* ---- one ---- */

/* The path's user id. false: answered already; it can be nobody's then: 403 for all but admins, who learn of the 404. */
static bool user_id(struct p3d_call *c, struct p3d_owner_id *ret)
{
    struct p3d_refusal why = {.error = {.code = p3d_owner_id_parse(p3d_call_param(c, 0), ret)}};
    struct p3d_access who = *p3d_call_access(c);
    if (why.error.code == 0)
        return true;
    who.admin = true;
    p3d_api_refuse_as(c, &who, &why, NULL);
    return false;
}

void p3d_api_flat_user_get(struct p3d_call *c)
{
    struct p3d_owner_id id;
    if (user_id(c, &id))
        p3d_api_began(c, p3d_store_user_find(p3d_call_app(c)->store, p3d_call_access(c), true, p3d_str_z(id.s), on_one,
                                             p3d_call_ref(c)));
}

/* ret_username: in the call's memory. */
static int read_username(struct p3d_call *c, struct p3d_str *ret_username, struct p3d_refusal *why)
{
    static const struct p3d_body_field fields[] = {{.name = "username", .type = P3D_BODY_STRING, .required = true}};
    json_t *body = NULL;
    int err = p3d_body_read(c, &body, why);
    if (err != 0)
        return err;
    err = p3d_body_check(body, fields, 1, false, &why->faults);
    if (err == 0)
        err = p3d_username_check(p3d_json_get_str(body, "username"));
    *ret_username = p3d_call_text(c, p3d_json_get_str(body, "username"));
    json_decref(body);
    return why->error.code = err;
}

void p3d_api_flat_user_put(struct p3d_call *c)
{
    struct p3d_store *store = p3d_call_app(c)->store;
    struct p3d_refusal why = {.faults = {NULL}};
    struct p3d_user_change change = {.role = NULL};
    struct p3d_owner_id id;
    if (!user_id(c, &id))
        return;
    if (read_username(c, &change.username, &why) == 0)
        p3d_api_began(c, p3d_store_user_change(store, p3d_call_access(c), true, &id, &change, on_one, p3d_call_ref(c)));
    else /* whether one may, and whether it exists, comes before what is wrong with the body */
        p3d_api_began(c, p3d_store_user_find(store, p3d_call_access(c), true, p3d_str_z(id.s), p3d_api_refused,
                                             p3d_api_refusal(c, &why)));
}

/* ---- suspend ---- */

static void on_suspended(void *priv, int err, const struct p3d_answer *a)
{
    struct p3d_call *c = priv;
    if (err != 0)
        p3d_api_failed(c, err, a);
    else
        p3d_reply_json(c, 204, NULL);
    p3d_call_unref(c);
}

void p3d_api_flat_user_delete(struct p3d_call *c)
{
    struct p3d_user_change change = {.status = "suspended"};
    struct p3d_owner_id id;
    if (user_id(c, &id))
        p3d_api_began(c, p3d_store_user_change(p3d_call_app(c)->store, p3d_call_access(c), false, &id, &change,
                                               on_suspended, p3d_call_ref(c)));
}
