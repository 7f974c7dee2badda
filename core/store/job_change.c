/* SPDX-License-Identifier: MIT
 *
 * What ends a job or begins it again: cancel, delete, retry. Guarantee: what the operator, or an administrator, does to a
 * job of somebody else stands in the audit before it is answered. The two are of different families and cannot be one
 * script: whoever dies between them leaves the change without its entry, never an entry without the change. What people
 * do to their own jobs, and anybody in simple mode, is nobody else's affair.
 */
#include <string.h>

#include "account_internal.h"
#include "job_internal.h"
#include "p3d/retry.h"

/* What the entry says, and the answer while it is being written. */
struct change {
    const char *action;
    bool operator;
    char address[64];
    struct p3d_job_id id, to; /* to: of a retry, the new job */
    struct p3d_job job;       /* its texts live in op->rows */
};

/* The texts of a job point into the reply, which ends before the next one comes: rows becomes a copy of them. */
static void keep_job(struct p3d_op *op, const struct p3d_job *job, struct p3d_job *ret)
{
    char *texts = p3d_alloc(job->spec.n + job->detail.n + 2);
    *ret = *job;
    if (job->spec.n > 0)
        memcpy(texts, job->spec.p, job->spec.n);
    ret->spec.p = texts;
    if (job->detail.n > 0)
        memcpy(texts + job->spec.n + 1, job->detail.p, job->detail.n);
    ret->detail.p = texts + job->spec.n + 1;
    free(op->rows);
    op->rows = texts;
}

static int decode_noted(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    const struct change *c = op->state;
    (void)r;
    a->jobs = &c->job;
    a->n = 1;
    return 0;
}

/* The change is made; jobs[0] is in a. Answers at once, or when the entry is written. */
static int note(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    struct change *c = op->state;
    const struct p3d_job *job = &a->jobs[0];
    char detail[2 * sizeof(job->id.s) + 8];
    struct p3d_args args;
    p3d_access_took(op, r);
    bool others = op->caller.s[0] != '\0' && strcmp(op->caller.s, job->owner.s) != 0;
    if (!c->operator && !others)
        return 0;
    (void)p3d_format(detail, sizeof detail, "%s%s%s", c->id.s, c->to.s[0] != '\0' ? " as " : "", c->to.s);
    keep_job(op, job, &c->job);
    p3d_args_init(&args, 5);
    p3d_args_z(&args, p3d_actor(op));
    p3d_args_z(&args, c->action);
    p3d_args_z(&args, c->job.owner.s);
    p3d_args_z(&args, c->address);
    p3d_args_z(&args, detail);
    op->refused = NULL;
    int err = p3d_op_step(op, P3D_SCRIPT_audit_add, &args, decode_noted);
    return err ? P3D_E_STORE_DOWN : 0; /* whatever the reason: what is made is not to be called refused */
}

static int decode_changed(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    int err = p3d_job_decode(op, r, a);
    return err ? err : note(op, r, a);
}

static int decode_retried(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    int err = p3d_job_decode_submit(op, r, a);
    return err ? err : note(op, r, a);
}

static struct change *begin(struct p3d_op *op, const struct p3d_access *who, const struct p3d_job_id *id,
                            const char *action)
{
    struct change *c = op->state = p3d_alloc(sizeof *c);
    c->action = action;
    c->id = *id;
    c->operator = who->kind == P3D_ACCESS_SYSTEM;
    (void)p3d_format(c->address, sizeof c->address, "%s", who->address);
    op->decode = decode_changed;
    return c;
}

/* The record comes with the refusal. */
static void final_refused(struct p3d_op *op, int err, const redisReply *r, struct p3d_answer *a)
{
    struct p3d_str record;
    struct p3d_job *job = op->rows = p3d_alloc(sizeof *job);
    if (err == P3D_E_JOB_FINAL && p3d_reply_str(r, 3, &record) &&
        p3d_record_parse(p3d_str_z(op->text), record, false, job) == 0) {
        a->jobs = job;
        a->n = 1;
    }
}

int p3d_store_job_cancel(struct p3d_store *s, const struct p3d_access *who, const struct p3d_job_id *id,
                         p3d_store_cb *cb, void *priv)
{
    struct p3d_args args;
    struct p3d_op *op = p3d_job_about(s, who, id, 0, cb, priv, &args);
    (void)begin(op, who, id, "job_cancelled");
    op->refused = final_refused;
    return p3d_op_send(op, P3D_SCRIPT_job_cancel, &args);
}

int p3d_store_job_delete(struct p3d_store *s, const struct p3d_access *who, const struct p3d_job_id *id,
                         p3d_store_cb *cb, void *priv)
{
    struct p3d_args args;
    struct p3d_op *op = p3d_job_about(s, who, id, 0, cb, priv, &args);
    (void)begin(op, who, id, "job_deleted");
    return p3d_op_send(op, P3D_SCRIPT_job_delete, &args);
}

int p3d_store_job_retry(struct p3d_store *s, const struct p3d_access *who, const struct p3d_retry *r, p3d_store_cb *cb,
                        void *priv)
{
    struct p3d_args args;
    struct p3d_op *op = p3d_job_about(s, who, &r->from, 4, cb, priv, &args);
    struct change *c = begin(op, who, &r->from, "job_retried");
    op->decode = decode_retried;
    c->to = r->id;
    p3d_args_z(&args, p3d_job_id_ulid(&r->id));
    p3d_args_z(&args, r->spec);
    p3d_args_int(&args, (int64_t)r->rev);
    p3d_args_z(&args, r->detail);
    return p3d_op_send(op, P3D_SCRIPT_job_retry, &args);
}
