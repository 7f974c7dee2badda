/* SPDX-License-Identifier: MIT
 *
 * How accounts travel. The directory family is the truth; the work family holds a copy that every hot script reads. A
 * change is one script on the directory, which notes the account in its outbox, then one on the copy (idempotent, by
 * version), then the note is taken out. A process that dies in between leaves the note: any reaper finishes the change.
 */
#include "account_internal.h"

#include <string.h>

/* An empty element is `fallback`. */
static bool read_int(const redisReply *r, size_t i, int64_t fallback, int64_t *ret)
{
    struct p3d_str s;
    if (p3d_reply_str(r, i, &s) && !s.n) {
        *ret = fallback;
        return true;
    }
    return p3d_reply_int(r, i, ret);
}

static bool read_status(const redisReply *r, size_t i, struct p3d_user *u)
{
    struct p3d_str s;
    if (!p3d_reply_str(r, i, &s))
        return false;
    for (unsigned k = 0; k < P3D_USER_STATUS__COUNT; k++)
        if (p3d_str_eq_z(s, p3d_user_status_name((enum p3d_user_status)k))) {
            u->status = (enum p3d_user_status)k;
            u->active = k == P3D_USER_ACTIVE;
            return true;
        }
    return false;
}

bool p3d_row_read(const redisReply *r, size_t i, struct p3d_user *u, int64_t *ret_version)
{
    struct p3d_str id, role;
    int64_t version;
    *u = (struct p3d_user){0};
    if (!p3d_reply_str(r, i, &id) || p3d_owner_id_parse(id, &u->id) || !p3d_reply_int(r, i + 1, &u->number) ||
        !p3d_reply_copy(r, i + 2, u->username, sizeof u->username) ||
        !p3d_reply_copy(r, i + 3, u->email, sizeof u->email) || !p3d_reply_str(r, i + 4, &role) ||
        !read_status(r, i + 5, u) || !p3d_reply_int(r, i + 6, &u->created_ms) ||
        !read_int(r, i + 7, 0, &u->last_login_ms) ||
        !read_int(r, i + 8, P3D_LIMIT_DEFAULT, &u->max_concurrent_jobs) ||
        !read_int(r, i + 9, P3D_LIMIT_DEFAULT, &u->max_queued_jobs) || !read_int(r, i + 10, 0, &u->generation) ||
        !p3d_reply_int(r, i + 11, &version))
        return false;
    u->admin = p3d_str_eq_z(role, "admin");
    if (ret_version)
        *ret_version = version;
    return true;
}

int p3d_answer_user(struct p3d_op *op, struct p3d_answer *a)
{
    a->users = &op->user;
    a->n = 1;
    return 0;
}

/* ---- tokens on their way ---- */

void p3d_draft_fill(struct p3d_token_draft *d, const struct p3d_new_token *t)
{
    *d = (struct p3d_token_draft){.expires_ms = t->expires_ms, .max_login = t->max_login, .scopes = t->scopes};
    if (!t->hash)
        return;
    if (!p3d_format(d->hash, sizeof d->hash, "%s", t->hash) ||
        !p3d_format(d->prefix, sizeof d->prefix, "%.*s", (int)t->prefix.n, t->prefix.p) ||
        !p3d_format(d->name, sizeof d->name, "%.*s", (int)t->name.n, t->name.n ? t->name.p : ""))
        abort();
}

void p3d_draft_args(struct p3d_args *args, const struct p3d_token_draft *d)
{
    p3d_args_z(args, d->hash);
    p3d_args_z(args, d->prefix);
    p3d_args_z(args, d->name);
    p3d_args_int(args, d->expires_ms);
    p3d_args_int(args, d->number);
    p3d_args_int(args, d->scopes);
    p3d_args_int(args, d->max_login);
}

/* ---- the outbox ---- */

/* version: of the change that has arrived, 0 = the deletion; the note of a later one stays. */
static void outbox_done(struct p3d_store *s, const char *id, int64_t version)
{
    struct p3d_args args;
    p3d_args_init(&args, 3);
    p3d_args_z(&args, "done");
    p3d_args_z(&args, id);
    p3d_args_int(&args, version);
    P3D_IGNORE(p3d_op_send(p3d_op_new(s, NULL, NULL, p3d_decode_ok), P3D_SCRIPT_outbox, &args));
}

static int decode_applied(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    (void)r;
    outbox_done(op->s, op->user.id.s, op->version);
    a->total = op->total;
    return p3d_answer_user(op, a);
}

static bool args_row(struct p3d_args *args, const redisReply *r, size_t i)
{
    struct p3d_str s;
    for (size_t k = 0; k < P3D_ROW; k++) {
        if (!p3d_reply_str(r, i + k, &s))
            return false;
        p3d_args_str(args, s);
    }
    return true;
}

int p3d_account_apply(struct p3d_op *op, const redisReply *r, const char *keep, const struct p3d_token_draft *token,
                      int64_t total)
{
    struct p3d_args args;
    p3d_args_init(&args, P3D_ROW + 2 + P3D_DRAFT_ARGS);
    op->total = total;
    if (!p3d_row_read(r, 1, &op->user, &op->version) || !args_row(&args, r, 1)) {
        p3d_args_done(&args);
        return P3D_E_CORRUPT;
    }
    p3d_args_z(&args, keep);
    p3d_args_z(&args, token ? "1" : "0");
    if (token)
        p3d_draft_args(&args, token);
    return p3d_op_step(op, P3D_SCRIPT_account_apply, &args, decode_applied);
}

static int decode_dropped(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    (void)r;
    (void)a;
    outbox_done(op->s, op->user.id.s, 0);
    return 0;
}

int p3d_account_drop(struct p3d_op *op, const char *id)
{
    struct p3d_args args;
    p3d_args_init(&args, 1);
    (void)p3d_format(op->user.id.s, sizeof op->user.id.s, "%s", id);
    p3d_args_z(&args, op->user.id.s);
    return p3d_op_step(op, P3D_SCRIPT_account_drop, &args, decode_dropped);
}

/* ---- what a process that died has left ---- */

/* It has been deleted meanwhile: nothing to bring any more. */
static void replay_refused(struct p3d_op *op, int err, const redisReply *r, struct p3d_answer *a)
{
    (void)r;
    (void)a;
    if (err == P3D_E_USER_NOT_FOUND)
        outbox_done(op->s, op->user.id.s, op->version);
}

static int replay(struct p3d_store *s, const redisReply *r, size_t i)
{
    struct p3d_str id, version;
    struct p3d_args args;
    struct p3d_op *op = p3d_op_new(s, NULL, NULL, decode_dropped);
    p3d_args_init(&args, P3D_ROW + 2);
    if (!p3d_reply_str(r, i, &id) || p3d_owner_id_parse(id, &op->user.id) ||
        !p3d_reply_str(r, i + P3D_ROW - 1, &version))
        goto corrupt;
    if (!version.n) {
        p3d_args_z(&args, op->user.id.s);
        return p3d_op_send(op, P3D_SCRIPT_account_drop, &args);
    }
    if (!p3d_row_read(r, i, &op->user, &op->version) || !args_row(&args, r, i))
        goto corrupt;
    op->decode = decode_applied;
    op->refused = replay_refused;
    p3d_args_z(&args, ""); /* whoever changed the password will log in again */
    p3d_args_z(&args, "0");
    return p3d_op_send(op, P3D_SCRIPT_account_apply, &args);
corrupt:
    p3d_args_done(&args);
    p3d_op_free(op);
    return P3D_E_CORRUPT;
}

static int decode_outbox(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    int err = 0;
    (void)a;
    for (size_t i = 1; i + P3D_ROW <= r->elements; i += P3D_ROW)
        if (replay(op->s, r, i))
            err = P3D_E_CORRUPT; /* one bad record must not keep the others waiting */
    return err;
}

int p3d_store_outbox_replay(struct p3d_store *s)
{
    struct p3d_args args;
    p3d_args_init(&args, 1);
    p3d_args_z(&args, "get");
    return p3d_op_send(p3d_op_new(s, NULL, NULL, decode_outbox), P3D_SCRIPT_outbox, &args);
}

/* ---- who asks ---- */

int p3d_access_send(struct p3d_op *op, const struct p3d_access *who, const struct p3d_job_id *job)
{
    struct p3d_args args;
    p3d_args_init(&args, 5);
    p3d_args_access(&args, who);
    p3d_args_z(&args, job ? p3d_job_id_ulid(job) : "");
    return p3d_op_send(op, P3D_SCRIPT_access, &args);
}

void p3d_access_took(struct p3d_op *op, const redisReply *r)
{
    struct p3d_answer a = {0};
    p3d_reply_caller(r, &a);
    op->caller = a.caller;
    op->caller_admin = a.caller_admin;
}

static int decode_access(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    p3d_reply_caller(r, a);
    if (!a->caller.s[0])
        return 0;
    return p3d_row_read(r, 3, &op->user, NULL) ? p3d_answer_user(op, a) : P3D_E_CORRUPT;
}

int p3d_store_check_access(struct p3d_store *s, const struct p3d_access *who, const struct p3d_job_id *job,
                           p3d_store_cb *cb, void *priv)
{
    return p3d_access_send(p3d_op_new(s, cb, priv, decode_access), who, job);
}

const char *p3d_actor(const struct p3d_op *op)
{
    return op->caller.s[0] ? op->caller.s : "operator";
}

void p3d_audit_note(struct p3d_store *s, const char *actor, const char *action, const char *target, const char *address,
                    const char *detail)
{
    struct p3d_args args;
    p3d_args_init(&args, 5);
    p3d_args_z(&args, actor);
    p3d_args_z(&args, action);
    p3d_args_z(&args, target);
    p3d_args_z(&args, address);
    p3d_args_z(&args, detail);
    P3D_IGNORE(p3d_op_send(p3d_op_new(s, NULL, NULL, p3d_decode_ok), P3D_SCRIPT_audit_add, &args));
}
