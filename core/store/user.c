/* SPDX-License-Identifier: MIT
 *
 * Accounts. The directory family is the truth; the work family holds a copy that every hot script reads. A change is
 * one script on the directory, which notes the account in its outbox, then one on the copy (idempotent, by version),
 * then the note is taken out. A process that dies in between leaves the note: any reaper finishes the change.
 */
#include <string.h>

#include "p3d/loop.h"

#include "store_internal.h"

/* An account at element i: id, number, username, email, role, status, created. */
static bool read_user(const redisReply *r, size_t i, struct p3d_user *u)
{
    struct p3d_str id, role, status;
    *u = (struct p3d_user){0};
    if (!p3d_reply_str(r, i, &id) || p3d_owner_id_parse(id, &u->id) || !p3d_reply_int(r, i + 1, &u->number) ||
        !p3d_reply_copy(r, i + 2, u->username, sizeof u->username) ||
        !p3d_reply_copy(r, i + 3, u->email, sizeof u->email) || !p3d_reply_str(r, i + 4, &role) ||
        !p3d_reply_str(r, i + 5, &status) || !p3d_reply_int(r, i + 6, &u->created_ms))
        return false;
    u->admin = p3d_str_eq_z(role, "admin");
    u->active = p3d_str_eq_z(status, "active");
    return true;
}

static int one_user(struct p3d_op *op, struct p3d_answer *a)
{
    a->users = &op->user;
    a->n = 1;
    return 0;
}

enum { SHA, PREFIX, NAME };                                     /* op->text of a token */
enum { EXPIRES, TOKEN_NUMBER, MAX_LOGIN, WITH_TOKEN, VERSION }; /* op->number; MAX_LOGIN 0 = no login token */

/* ---- the outbox ---- */

/* ver: of the change that has arrived, 0 = the deletion; the note of a later one stays. */
static void outbox_done(struct p3d_store *s, const char *id, int64_t ver)
{
    struct p3d_args args;
    p3d_args_init(&args, 3);
    p3d_args_z(&args, "done");
    p3d_args_z(&args, id);
    p3d_args_int(&args, ver);
    P3D_IGNORE(p3d_op_send(p3d_op_new(s, NULL, NULL, p3d_decode_ok), P3D_SCRIPT_outbox, &args));
}

static int decode_replayed(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    (void)r;
    (void)a;
    outbox_done(op->s, op->text[0], op->number[VERSION]);
    return 0;
}

/* apply and drop end alike: the change has arrived. */
static int replay(struct p3d_store *s, const redisReply *r, size_t i)
{
    struct p3d_str v;
    int64_t ver;
    struct p3d_owner_id id;
    if (!p3d_reply_str(r, i, &v) || p3d_owner_id_parse(v, &id) || !p3d_reply_int(r, i + 1, &ver))
        return P3D_E_CORRUPT;
    struct p3d_op *op = p3d_op_new(s, NULL, NULL, decode_replayed);
    memcpy(op->text[0], id.s, sizeof id.s);
    op->number[VERSION] = ver;
    struct p3d_args args;
    p3d_args_init(&args, 9);
    p3d_args_z(&args, id.s);
    if (ver == 0)
        return p3d_op_send(op, P3D_SCRIPT_account_drop, &args);
    for (size_t k = 1; k < 8; k++) {
        if (!p3d_reply_str(r, i + k, &v))
            v = (struct p3d_str){0};
        p3d_args_str(&args, v);
    }
    p3d_args_z(&args, "0");
    return p3d_op_send(op, P3D_SCRIPT_account_apply, &args);
}

static int decode_outbox(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    (void)a;
    for (size_t i = 1; i + 7 < r->elements; i += 8)
        if (replay(op->s, r, i))
            return P3D_E_CORRUPT;
    return 0;
}

int p3d_store_outbox_replay(struct p3d_store *s)
{
    struct p3d_args args;
    p3d_args_init(&args, 1);
    p3d_args_z(&args, "get");
    return p3d_op_send(p3d_op_new(s, NULL, NULL, decode_outbox), P3D_SCRIPT_outbox, &args);
}

/* ---- register ---- */

static void args_token(struct p3d_args *args, const struct p3d_op *op)
{
    p3d_args_z(args, op->text[SHA]);
    p3d_args_z(args, op->text[PREFIX]);
    p3d_args_z(args, op->text[NAME]);
    p3d_args_int(args, op->number[EXPIRES]);
    p3d_args_int(args, op->number[TOKEN_NUMBER]);
    p3d_args_z(args, ""); /* scopes: all of the role */
    p3d_args_z(args, op->number[MAX_LOGIN] ? "1" : "0");
    p3d_args_int(args, op->number[MAX_LOGIN]);
}

static bool keep_token(struct p3d_op *op, const char *sha, struct p3d_str prefix, struct p3d_str name)
{
    return p3d_format(op->text[SHA], sizeof op->text[0], "%s", sha ? sha : "") &&
           p3d_format(op->text[PREFIX], sizeof op->text[0], "%.*s", (int)prefix.n, prefix.n ? prefix.p : "") &&
           p3d_format(op->text[NAME], sizeof op->text[0], "%.*s", (int)name.n, name.n ? name.p : "");
}

static int decode_applied(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    (void)r;
    outbox_done(op->s, op->user.id.s, op->number[VERSION]);
    return one_user(op, a);
}

static int decode_added(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    (void)a;
    struct p3d_user *u = &op->user;
    if (!p3d_reply_int(r, 1, &u->number) || !p3d_reply_int(r, 2, &u->created_ms) ||
        !p3d_reply_int(r, 3, &op->number[VERSION]) ||
        !p3d_reply_int(r, 4, &op->number[TOKEN_NUMBER]))
        return P3D_E_CORRUPT;
    struct p3d_args args;
    p3d_args_init(&args, 17);
    p3d_args_z(&args, u->id.s);
    p3d_args_int(&args, op->number[VERSION]);
    p3d_args_int(&args, u->number);
    p3d_args_z(&args, u->username);
    p3d_args_z(&args, u->email);
    p3d_args_z(&args, u->admin ? "admin" : "user");
    p3d_args_z(&args, "active");
    p3d_args_int(&args, u->created_ms);
    p3d_args_int(&args, op->number[WITH_TOKEN]);
    if (op->number[WITH_TOKEN])
        args_token(&args, op);
    return p3d_op_step(op, P3D_SCRIPT_account_apply, &args, decode_applied);
}

int p3d_store_user_add(struct p3d_store *s, const struct p3d_new_user *u, p3d_store_cb *cb, void *priv)
{
    struct p3d_op *op = p3d_op_new(s, cb, priv, decode_added);
    p3d_owner_id_new(&op->user.id);
    op->user.admin = u->admin;
    op->user.active = true;
    op->number[EXPIRES] = u->token_expires_ms;
    op->number[WITH_TOKEN] = u->token_hash != NULL;
    op->number[MAX_LOGIN] = u->login_token ? INT32_MAX : 0; /* the first one: nothing to prune */
    bool fits = p3d_format(op->user.username, sizeof op->user.username, "%.*s", (int)u->username.n, u->username.p) &&
                p3d_format(op->user.email, sizeof op->user.email, "%.*s", (int)u->email.n, u->email.p) &&
                keep_token(op, u->token_hash, u->token_prefix, u->token_name);
    struct p3d_args args;
    p3d_args_init(&args, 6);
    p3d_args_z(&args, op->user.id.s);
    p3d_args_z(&args, op->user.username);
    p3d_args_z(&args, op->user.email);
    p3d_args_str(&args, u->password_hash);
    p3d_args_z(&args, u->admin ? "admin" : "user");
    p3d_args_int(&args, op->number[WITH_TOKEN]);
    if (!fits)
        abort(); /* the caller has checked the lengths */
    return p3d_op_send(op, P3D_SCRIPT_user_add, &args);
}

/* ---- login ---- */

static int decode_user(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    if (!read_user(r, 1, &op->user))
        return P3D_E_CORRUPT;
    return one_user(op, a);
}

static int decode_login(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    if (!read_user(r, 1, &op->user) ||
        !p3d_reply_copy(r, 9, op->user.password_hash, sizeof op->user.password_hash))
        return P3D_E_CORRUPT;
    return one_user(op, a);
}

int p3d_store_login_find(struct p3d_store *s, struct p3d_str name, p3d_store_cb *cb, void *priv)
{
    struct p3d_args args;
    p3d_args_init(&args, 2);
    p3d_args_z(&args, "login");
    p3d_args_str(&args, name);
    return p3d_op_send(p3d_op_new(s, cb, priv, decode_login), P3D_SCRIPT_user_find, &args);
}

static int decode_token_number(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    (void)a;
    if (!p3d_reply_int(r, 1, &op->number[TOKEN_NUMBER]))
        return P3D_E_CORRUPT;
    struct p3d_args args;
    p3d_args_init(&args, 9);
    p3d_args_z(&args, op->user.id.s);
    args_token(&args, op);
    return p3d_op_step(op, P3D_SCRIPT_token_add, &args, p3d_decode_ok);
}

int p3d_store_login_token(struct p3d_store *s, const struct p3d_owner_id *owner, const char *token_hash,
                          struct p3d_str prefix, struct p3d_str name, int64_t expires_ms, int64_t max_login,
                          p3d_store_cb *cb, void *priv)
{
    struct p3d_op *op = p3d_op_new(s, cb, priv, decode_token_number);
    op->user.id = *owner;
    op->number[EXPIRES] = expires_ms;
    op->number[MAX_LOGIN] = max_login;
    if (!keep_token(op, token_hash, prefix, name))
        abort(); /* names are ours */
    struct p3d_args args;
    p3d_args_init(&args, 1);
    p3d_args_z(&args, op->user.id.s);
    return p3d_op_send(op, P3D_SCRIPT_token_number, &args);
}

int p3d_store_password_swap(struct p3d_store *s, const struct p3d_owner_id *owner, struct p3d_str old_hash,
                            struct p3d_str new_hash, p3d_store_cb *cb, void *priv)
{
    struct p3d_args args;
    p3d_args_init(&args, 3);
    p3d_args_z(&args, owner->s);
    p3d_args_str(&args, old_hash);
    p3d_args_str(&args, new_hash);
    return p3d_op_send(p3d_op_new(s, cb, priv, p3d_decode_ok), P3D_SCRIPT_password_swap, &args);
}

/* ---- access, list, get, delete ---- */

static int decode_access(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    struct p3d_str role, status;
    struct p3d_user *u = &op->user;
    p3d_reply_caller(r, a);
    if (!a->caller.s[0])
        return 0;
    u->id = a->caller;
    if (!p3d_reply_int(r, 3, &u->number) || !p3d_reply_copy(r, 4, u->username, sizeof u->username) ||
        !p3d_reply_copy(r, 5, u->email, sizeof u->email) || !p3d_reply_str(r, 6, &role) ||
        !p3d_reply_str(r, 7, &status) || !p3d_reply_int(r, 8, &u->created_ms))
        return P3D_E_CORRUPT;
    u->admin = p3d_str_eq_z(role, "admin");
    u->active = p3d_str_eq_z(status, "active");
    return one_user(op, a);
}

static int send_access(struct p3d_op *op, const struct p3d_access *who, const struct p3d_job_id *job)
{
    struct p3d_args args;
    p3d_args_init(&args, 5);
    p3d_args_access(&args, who);
    p3d_args_z(&args, job ? p3d_job_id_ulid(job) : "");
    return p3d_op_send(op, P3D_SCRIPT_access, &args);
}

int p3d_store_check_access(struct p3d_store *s, const struct p3d_access *who, const struct p3d_job_id *job,
                           p3d_store_cb *cb, void *priv)
{
    return send_access(p3d_op_new(s, cb, priv, decode_access), who, job);
}

/* First step of the admins' calls: note who asks; the next step is in the work of the caller. */
static void allowed(struct p3d_op *op, const redisReply *r)
{
    struct p3d_answer a = {0};
    p3d_reply_caller(r, &a);
    op->caller = a.caller;
    op->caller_admin = a.caller_admin;
}

static int decode_list(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    if (r->elements < 2 || !p3d_reply_int(r, 1, &a->total))
        return P3D_E_CORRUPT;
    size_t n = (r->elements - 2) / 7, kept = 0;
    struct p3d_user *users = op->rows = p3d_alloc((n + 1) * sizeof *users);
    for (size_t i = 0; i < n; i++)
        kept += read_user(r, 2 + 7 * i, &users[kept]); /* one deleted in this moment has no row */
    a->users = users;
    a->n = kept;
    return 0;
}

static int list_allowed(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    (void)a;
    allowed(op, r);
    struct p3d_args args;
    p3d_args_init(&args, 2);
    p3d_args_int(&args, op->number[0]);
    p3d_args_int(&args, op->number[1]);
    return p3d_op_step(op, P3D_SCRIPT_user_list, &args, decode_list);
}

int p3d_store_user_list(struct p3d_store *s, const struct p3d_access *who, int64_t limit, int64_t offset,
                        p3d_store_cb *cb, void *priv)
{
    struct p3d_op *op = p3d_op_new(s, cb, priv, list_allowed);
    op->number[0] = limit;
    op->number[1] = offset;
    return send_access(op, who, NULL);
}

static int get_allowed(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    (void)a;
    allowed(op, r);
    struct p3d_args args;
    p3d_args_init(&args, 2);
    p3d_args_z(&args, "id");
    p3d_args_z(&args, op->text[0]);
    return p3d_op_step(op, P3D_SCRIPT_user_find, &args, decode_user);
}

static struct p3d_op *about_user(struct p3d_store *s, const struct p3d_owner_id *id, p3d_store_cb *cb, void *priv,
                                 int (*decode)(struct p3d_op *, const redisReply *, struct p3d_answer *))
{
    struct p3d_op *op = p3d_op_new(s, cb, priv, decode);
    memcpy(op->text[0], id->s, sizeof id->s);
    return op;
}

int p3d_store_user_get(struct p3d_store *s, const struct p3d_access *who, const struct p3d_owner_id *id,
                       p3d_store_cb *cb, void *priv)
{
    return send_access(about_user(s, id, cb, priv, get_allowed), who, NULL);
}

static int decode_dropped(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    (void)r;
    (void)a;
    outbox_done(op->s, op->text[0], 0);
    return 0;
}

static int decode_deleted(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    (void)r;
    (void)a;
    struct p3d_args args;
    p3d_args_init(&args, 1);
    p3d_args_z(&args, op->text[0]);
    return p3d_op_step(op, P3D_SCRIPT_account_drop, &args, decode_dropped);
}

static int delete_allowed(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    (void)a;
    allowed(op, r);
    if (strcmp(op->caller.s, op->text[0]) == 0)
        return P3D_E_DELETE_SELF;
    struct p3d_args args;
    p3d_args_init(&args, 1);
    p3d_args_z(&args, op->text[0]);
    return p3d_op_step(op, P3D_SCRIPT_user_delete, &args, decode_deleted);
}

int p3d_store_user_delete(struct p3d_store *s, const struct p3d_access *who, const struct p3d_owner_id *id,
                          p3d_store_cb *cb, void *priv)
{
    return send_access(about_user(s, id, cb, priv, delete_allowed), who, NULL);
}
