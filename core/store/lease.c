/* SPDX-License-Identifier: MIT
 *
 * The workers' side of the queue: claim, renew, report, finish, give back, and the bounded round of housekeeping.
 * Every call about an attempt carries its fence and nonce; the scripts refuse a stale pair and change nothing.
 */
#include "p3d/lease.h"

#include "store_internal.h"

/* A job at element i (ULID) and i + 1 (record); absent is fine: nothing to do. */
static int decode_claimed(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    struct p3d_str ulid, record;
    if (r->elements < 3)
        return 0;
    struct p3d_job *job = op->rows = p3d_alloc(sizeof *job);
    if (!p3d_reply_str(r, 1, &ulid) || !p3d_reply_str(r, 2, &record) || p3d_record_parse(ulid, record, false, job))
        return P3D_E_CORRUPT;
    a->jobs = job;
    a->n = 1;
    return 0;
}

static size_t claim_args(const struct p3d_claim *c)
{
    return c ? 5 + 2 * c->n : 0;
}

static void args_claim(struct p3d_args *a, const struct p3d_claim *c)
{
    p3d_args_z(a, c->worker_id);
    p3d_args_z(a, c->nonce);
    p3d_args_int(a, c->lease_ms);
    p3d_args_int(a, c->max_concurrent);
    p3d_args_int(a, (int64_t)c->n);
    for (size_t i = 0; i < c->n; i++) {
        p3d_args_str(a, c->kinds[i]);
        p3d_args_int(a, c->max_workers[i]);
    }
}

static void args_next(struct p3d_args *a, const struct p3d_claim *next)
{
    p3d_args_z(a, next ? "1" : "0");
    if (next)
        args_claim(a, next);
}

static void args_lease(struct p3d_args *a, const struct p3d_lease *l)
{
    p3d_args_z(a, p3d_job_id_ulid(&l->job));
    p3d_args_int(a, (int64_t)l->fence);
    p3d_args_z(a, l->nonce);
}

int p3d_store_claim(struct p3d_store *s, const struct p3d_claim *c, p3d_store_cb *cb, void *priv)
{
    struct p3d_args args;
    p3d_args_init(&args, claim_args(c));
    args_claim(&args, c);
    return p3d_op_send(p3d_op_new(s, cb, priv, decode_claimed), P3D_SCRIPT_claim, &args);
}

static int decode_heartbeat(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    (void)op;
    int64_t cancel;
    if (!p3d_reply_int(r, 1, &cancel))
        return P3D_E_CORRUPT;
    a->cancel = cancel != 0;
    return 0;
}

int p3d_store_heartbeat(struct p3d_store *s, const struct p3d_lease *l, int64_t lease_ms, p3d_store_cb *cb, void *priv)
{
    struct p3d_args args;
    p3d_args_init(&args, 4);
    args_lease(&args, l);
    p3d_args_int(&args, lease_ms);
    return p3d_op_send(p3d_op_new(s, cb, priv, decode_heartbeat), P3D_SCRIPT_heartbeat, &args);
}

int p3d_store_progress(struct p3d_store *s, const struct p3d_lease *l, unsigned progress, struct p3d_str detail,
                       p3d_store_cb *cb, void *priv)
{
    struct p3d_args args;
    p3d_args_init(&args, 5);
    args_lease(&args, l);
    p3d_args_int(&args, progress > 10000 ? 10000 : progress);
    p3d_args_str(&args, detail);
    return p3d_op_send(p3d_op_new(s, cb, priv, p3d_decode_ok), P3D_SCRIPT_progress, &args);
}

int p3d_store_complete(struct p3d_store *s, const struct p3d_lease *l, struct p3d_str detail,
                       int64_t files_bytes, const struct p3d_claim *next, p3d_store_cb *cb, void *priv)
{
    struct p3d_args args;
    p3d_args_init(&args, 6 + claim_args(next));
    args_lease(&args, l);
    p3d_args_str(&args, detail);
    p3d_args_int(&args, files_bytes);
    args_next(&args, next);
    return p3d_op_send(p3d_op_new(s, cb, priv, decode_claimed), P3D_SCRIPT_complete, &args);
}

int p3d_store_fail(struct p3d_store *s, const struct p3d_lease *l, bool retry, struct p3d_str detail,
                   const struct p3d_claim *next, p3d_store_cb *cb, void *priv)
{
    uint16_t jitter;
    p3d_random(&jitter, sizeof jitter);
    struct p3d_args args;
    p3d_args_init(&args, 7 + claim_args(next));
    args_lease(&args, l);
    p3d_args_str(&args, detail);
    p3d_args_z(&args, retry ? "1" : "0");
    p3d_args_int(&args, jitter % 1001);
    args_next(&args, next);
    return p3d_op_send(p3d_op_new(s, cb, priv, decode_claimed), P3D_SCRIPT_fail, &args);
}

int p3d_store_release(struct p3d_store *s, const struct p3d_lease *l, p3d_store_cb *cb, void *priv)
{
    struct p3d_args args;
    p3d_args_init(&args, 3);
    args_lease(&args, l);
    return p3d_op_send(p3d_op_new(s, cb, priv, p3d_decode_ok), P3D_SCRIPT_release, &args);
}

#define REAP_MOST 64

static int decode_reap(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    size_t n = r->elements < 2 ? 0 : r->elements - 2;
    struct p3d_job *jobs = op->rows = p3d_alloc((n + 1) * sizeof *jobs);
    struct p3d_str ulid;
    char id[sizeof jobs->id.s];
    if (!p3d_reply_int(r, 1, &a->total))
        return P3D_E_CORRUPT;
    for (size_t i = 0; i < n; i++)
        if (!p3d_reply_str(r, 2 + i, &ulid) || !p3d_format(id, sizeof id, "job_0%.*s", (int)ulid.n, ulid.p) ||
            p3d_job_id_parse(p3d_str_z(id), &jobs[i].id))
            return P3D_E_CORRUPT;
    a->jobs = jobs;
    a->n = n;
    return 0;
}

int p3d_store_reap(struct p3d_store *s, int64_t lease_ms, const struct p3d_retention *keep, size_t room, p3d_store_cb *cb,
                   void *priv)
{
    struct p3d_args args;
    p3d_args_init(&args, 5);
    p3d_args_int(&args, lease_ms);
    p3d_args_int(&args, keep->age_ms);
    p3d_args_int(&args, keep->jobs);
    p3d_args_int(&args, keep->bytes);
    p3d_args_int(&args, room < REAP_MOST ? (int64_t)room : REAP_MOST);
    P3D_IGNORE(p3d_store_outbox_replay(s));
    return p3d_op_send(p3d_op_new(s, cb, priv, decode_reap), P3D_SCRIPT_reap, &args);
}

int p3d_store_purged(struct p3d_store *s, const struct p3d_job_id *id, p3d_store_cb *cb, void *priv)
{
    struct p3d_args args;
    p3d_args_init(&args, 1);
    p3d_args_z(&args, p3d_job_id_ulid(id));
    return p3d_op_send(p3d_op_new(s, cb, priv, p3d_decode_ok), P3D_SCRIPT_purged, &args);
}
