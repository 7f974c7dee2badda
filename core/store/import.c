/* SPDX-License-Identifier: MIT
 *
 * Records brought from another system: accounts with the ids they had, tokens by their digest, jobs in any state but
 * running. Each is made only when it is not there yet.
 */
#include "account_internal.h"
#include "p3d/records.h"

static int decode_user(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    int64_t made;
    (void)a;
    if (!p3d_reply_int(r, 1 + P3D_ROW, &made))
        return P3D_E_CORRUPT;
    return p3d_account_apply(op, r, "", NULL, made); /* also when it was there: the copy may be missing */
}

int p3d_store_import_user(struct p3d_store *s, const struct p3d_import_user *u, p3d_store_cb *cb, void *priv)
{
    struct p3d_args args;
    p3d_args_init(&args, 7);
    p3d_args_z(&args, u->id.s);
    p3d_args_str(&args, u->username);
    p3d_args_str(&args, u->email);
    p3d_args_str(&args, u->password_hash);
    p3d_args_z(&args, u->admin ? "admin" : "user");
    p3d_args_z(&args, u->active ? "active" : "suspended");
    p3d_args_int(&args, u->created_ms);
    return p3d_op_send(p3d_op_new(s, cb, priv, decode_user), P3D_SCRIPT_import_user, &args);
}

struct token {
    struct p3d_owner_id owner;
    int64_t created_ms, used_ms;
    struct p3d_token_draft draft;
};

static int decode_made(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    (void)op;
    return p3d_reply_int(r, 1, &a->total) ? 0 : P3D_E_CORRUPT;
}

static int decode_number(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    struct token *t = op->state;
    struct p3d_args args;
    (void)a;
    if (!p3d_reply_int(r, 1, &t->draft.number))
        return P3D_E_CORRUPT;
    p3d_args_init(&args, 3 + P3D_DRAFT_ARGS);
    p3d_args_z(&args, t->owner.s);
    p3d_draft_args(&args, &t->draft);
    p3d_args_int(&args, t->created_ms);
    p3d_args_int(&args, t->used_ms);
    return p3d_op_step(op, P3D_SCRIPT_import_token, &args, decode_made);
}

int p3d_store_import_token(struct p3d_store *s, const struct p3d_import_token *i, p3d_store_cb *cb, void *priv)
{
    struct p3d_op *op = p3d_op_new(s, cb, priv, decode_number);
    struct token *t = op->state = p3d_alloc(sizeof *t);
    const struct p3d_new_token as = {
        .hash = i->hash, .prefix = i->prefix, .name = i->name, .expires_ms = i->expires_ms};
    struct p3d_args args;
    t->owner = i->owner;
    t->created_ms = i->created_ms;
    t->used_ms = i->last_used_ms;
    p3d_draft_fill(&t->draft, &as);
    p3d_args_init(&args, 2);
    p3d_args_z(&args, t->owner.s);
    p3d_args_z(&args, "1");
    return p3d_op_send(op, P3D_SCRIPT_token_number, &args);
}

int p3d_store_import_job(struct p3d_store *s, const struct p3d_import_job *i, p3d_store_cb *cb, void *priv)
{
    const struct p3d_job *j = &i->job;
    struct p3d_args args;
    p3d_args_init(&args, 13);
    p3d_args_z(&args, p3d_job_id_ulid(&j->id));
    p3d_args_str(&args, i->kind);
    p3d_args_z(&args, j->owner.s);
    p3d_args_int(&args, j->state);
    p3d_args_int(&args, j->priority);
    p3d_args_int(&args, j->attempt);
    p3d_args_int(&args, j->max_attempts);
    p3d_args_int(&args, j->created_ms);
    p3d_args_int(&args, j->started_ms);
    p3d_args_int(&args, j->ended_ms);
    p3d_args_str(&args, j->spec);
    p3d_args_str(&args, j->detail);
    p3d_args_int(&args, j->files_bytes);
    return p3d_op_send(p3d_op_new(s, cb, priv, decode_made), P3D_SCRIPT_import_job, &args);
}
