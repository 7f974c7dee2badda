/* SPDX-License-Identifier: MIT
 *
 * Accounts: made, listed, found, changed, deleted. Who may is judged in the work family first; how a change travels is
 * account.c's. Does not: know passwords (login.c) or tokens (token.c).
 */
#include <string.h>

#include "account_internal.h"

/* ---- add ---- */

static int decode_added(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    struct p3d_token_draft *token = op->state;
    (void)a;
    if (!p3d_reply_int(r, 1 + P3D_ROW, &token->number))
        return P3D_E_CORRUPT;
    return p3d_account_apply(op, r, "", token->hash[0] ? token : NULL, 1);
}

int p3d_store_user_add(struct p3d_store *s, const struct p3d_new_user *u, p3d_store_cb *cb, void *priv)
{
    struct p3d_op *op = p3d_op_new(s, cb, priv, decode_added);
    struct p3d_token_draft *token = op->state = p3d_alloc(sizeof *token);
    struct p3d_owner_id id;
    struct p3d_args args;
    p3d_owner_id_new(&id);
    p3d_draft_fill(token, &u->token);
    p3d_args_init(&args, 8);
    p3d_args_z(&args, id.s);
    p3d_args_str(&args, u->username);
    p3d_args_str(&args, u->email);
    p3d_args_str(&args, u->password_hash);
    p3d_args_z(&args, u->admin ? "admin" : "user");
    p3d_args_z(&args, token->hash[0] ? "1" : "0");
    p3d_args_z(&args, u->address ? "" : "operator");
    p3d_args_z(&args, u->address ? u->address : "local");
    return p3d_op_send(op, P3D_SCRIPT_user_add, &args);
}

/* ---- list, find ---- */

struct page {
    int64_t limit, offset;
};

static int decode_list(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    if (r->elements < 2 || !p3d_reply_int(r, 1, &a->total))
        return P3D_E_CORRUPT;
    size_t n = (r->elements - 2) / P3D_ROW, kept = 0;
    struct p3d_user *users = op->rows = p3d_alloc((n + 1) * sizeof *users);
    for (size_t i = 0; i < n; i++)
        kept += p3d_row_read(r, 2 + P3D_ROW * i, &users[kept], NULL); /* one deleted in this moment has no row */
    a->users = users;
    a->n = kept;
    return 0;
}

static int list_allowed(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    const struct page *page = op->state;
    struct p3d_args args;
    (void)a;
    p3d_access_took(op, r);
    p3d_args_init(&args, 2);
    p3d_args_int(&args, page->limit);
    p3d_args_int(&args, page->offset);
    return p3d_op_step(op, P3D_SCRIPT_user_list, &args, decode_list);
}

int p3d_store_user_list(struct p3d_store *s, const struct p3d_access *who, int64_t limit, int64_t offset,
                        p3d_store_cb *cb, void *priv)
{
    struct p3d_op *op = p3d_op_new(s, cb, priv, list_allowed);
    struct page *page = op->state = p3d_alloc(sizeof *page);
    *page = (struct page){limit, offset};
    return p3d_access_send(op, who, NULL);
}

/* One account, and what is to be done with it. */
struct target {
    char name[320]; /* an id where it is not a name that is looked for */
    char address[64];
    bool self;
    size_t n; /* of the fields */
    struct {
        const char *field;
        char value[80];
    } set[5];
};

static struct p3d_op *about(struct p3d_store *s, const struct p3d_access *who, struct p3d_str name, p3d_store_cb *cb,
                            void *priv, int (*decode)(struct p3d_op *, const redisReply *, struct p3d_answer *))
{
    struct p3d_op *op = p3d_op_new(s, cb, priv, decode);
    struct target *t = op->state = p3d_alloc(sizeof *t);
    if (!p3d_format(t->name, sizeof t->name, "%.*s", (int)name.n, name.n ? name.p : ""))
        t->name[0] = '\0'; /* longer than any name: nobody */
    (void)p3d_format(t->address, sizeof t->address, "%s", who->address);
    return op;
}

/* Others are the administrators' affair. */
static bool may_touch(struct p3d_op *op, const redisReply *r)
{
    const struct target *t = op->state;
    p3d_access_took(op, r);
    return !t->self || op->caller_admin || strcmp(op->caller.s, t->name) == 0;
}

static int decode_found(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    if (!p3d_row_read(r, 1, &op->user, NULL) || !p3d_reply_int(r, 1 + P3D_ROW, &op->user.failed_logins))
        return P3D_E_CORRUPT;
    a->caller = op->caller;
    a->caller_admin = op->caller_admin;
    return p3d_answer_user(op, a);
}

static int find_allowed(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    const struct target *t = op->state;
    struct p3d_args args;
    (void)a;
    if (!may_touch(op, r))
        return P3D_E_ADMIN_REQUIRED;
    p3d_args_init(&args, 1);
    p3d_args_z(&args, t->name);
    return p3d_op_step(op, P3D_SCRIPT_user_find, &args, decode_found);
}

int p3d_store_user_find(struct p3d_store *s, const struct p3d_access *who, bool self, struct p3d_str name,
                        p3d_store_cb *cb, void *priv)
{
    struct p3d_op *op = about(s, who, name, cb, priv, find_allowed);
    ((struct target *)op->state)->self = self;
    return p3d_access_send(op, who, NULL);
}

/* ---- change ---- */

static void set(struct target *t, const char *field, struct p3d_str value)
{
    t->set[t->n].field = field;
    if (!p3d_format(t->set[t->n].value, sizeof t->set[0].value, "%.*s", (int)value.n, value.p))
        abort(); /* the caller has checked the lengths */
    t->n++;
}

static void set_limit(struct target *t, const char *field, const int64_t *limit)
{
    char text[24] = "";
    if (limit && *limit != P3D_LIMIT_DEFAULT)
        (void)p3d_format(text, sizeof text, "%lld", (long long)*limit);
    if (limit)
        set(t, field, p3d_str_z(text));
}

static int decode_changed(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    (void)a;
    return p3d_account_apply(op, r, "", NULL, 1);
}

static bool suspends(const struct target *t)
{
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->set[i].field, "status") == 0 && strcmp(t->set[i].value, "active") != 0)
            return true;
    return false;
}

static int change_allowed(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    const struct target *t = op->state;
    struct p3d_args args;
    (void)a;
    if (!may_touch(op, r))
        return P3D_E_ADMIN_REQUIRED;
    if (suspends(t) && strcmp(op->caller.s, t->name) == 0)
        return P3D_E_DELETE_SELF;
    p3d_args_init(&args, 3 + 2 * t->n);
    p3d_args_z(&args, t->name);
    p3d_args_z(&args, p3d_actor(op));
    p3d_args_z(&args, t->address);
    for (size_t i = 0; i < t->n; i++) {
        p3d_args_z(&args, t->set[i].field);
        p3d_args_z(&args, t->set[i].value);
    }
    return p3d_op_step(op, P3D_SCRIPT_user_change, &args, decode_changed);
}

int p3d_store_user_change(struct p3d_store *s, const struct p3d_access *who, bool self, const struct p3d_owner_id *id,
                          const struct p3d_user_change *change, p3d_store_cb *cb, void *priv)
{
    struct p3d_op *op = about(s, who, p3d_str_z(id->s), cb, priv, change_allowed);
    struct target *t = op->state;
    t->self = self;
    if (change->username.p)
        set(t, "username", change->username);
    if (change->role)
        set(t, "role", p3d_str_z(change->role));
    if (change->status)
        set(t, "status", p3d_str_z(change->status));
    set_limit(t, "max_concurrent_jobs", change->max_concurrent_jobs);
    set_limit(t, "max_queued_jobs", change->max_queued_jobs);
    return p3d_access_send(op, who, NULL);
}

/* ---- delete ---- */

static int decode_deleted(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    const struct target *t = op->state;
    (void)r;
    (void)a;
    return p3d_account_drop(op, t->name);
}

static int delete_allowed(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    const struct target *t = op->state;
    struct p3d_args args;
    (void)a;
    p3d_access_took(op, r);
    if (strcmp(op->caller.s, t->name) == 0)
        return P3D_E_DELETE_SELF;
    p3d_args_init(&args, 3);
    p3d_args_z(&args, t->name);
    p3d_args_z(&args, p3d_actor(op));
    p3d_args_z(&args, t->address);
    return p3d_op_step(op, P3D_SCRIPT_user_delete, &args, decode_deleted);
}

int p3d_store_user_delete(struct p3d_store *s, const struct p3d_access *who, const struct p3d_owner_id *id,
                          p3d_store_cb *cb, void *priv)
{
    return p3d_access_send(about(s, who, p3d_str_z(id->s), cb, priv, delete_allowed), who, NULL);
}
