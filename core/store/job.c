/* SPDX-License-Identifier: MIT
 *
 * The clients' side of the queue: submit, one job, a page of history, numbers. Each is one script that decides access
 * itself; nothing here is reachable without a p3d_access. What ends a job or begins it again is in job_change.c.
 */
#include <string.h>

#include "job_internal.h"

enum { JOB_ARGS = 7, SUBMITTED_AT = 4, SUBMITTED = 4 };

/* A job for add_job of lua/queue.lua. id: lives until the call. */
static void args_job(struct p3d_args *a, const struct p3d_new_job *j, const struct p3d_job_id *id)
{
    p3d_args_z(a, p3d_job_id_ulid(id));
    p3d_args_str(a, j->kind);
    p3d_args_int(a, j->priority);
    p3d_args_int(a, j->max_attempts);
    p3d_args_int(a, j->run_at_ms);
    p3d_args_int(a, j->expires_ms);
    p3d_args_str(a, j->spec);
}

/* ULID, head, position, eta at element i. */
static bool read_submitted(const redisReply *r, size_t i, struct p3d_job *job)
{
    struct p3d_str ulid, head;
    return p3d_reply_str(r, i, &ulid) && p3d_reply_str(r, i + 1, &head) &&
           p3d_record_parse(ulid, head, true, job) == 0 && p3d_reply_int(r, i + 2, &job->queue_position) &&
           p3d_reply_int(r, i + 3, &job->eta_ms);
}

int p3d_job_decode_submit(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    int64_t replayed;
    size_t n = r->elements < SUBMITTED_AT ? 0 : (r->elements - SUBMITTED_AT) / SUBMITTED;
    struct p3d_job *jobs = op->rows = p3d_alloc((n + 1) * sizeof *jobs);
    p3d_reply_caller(r, a);
    if (n == 0 || !p3d_reply_int(r, 3, &replayed))
        return P3D_E_CORRUPT;
    for (size_t i = 0; i < n; i++)
        if (!read_submitted(r, SUBMITTED_AT + SUBMITTED * i, &jobs[i]))
            return P3D_E_CORRUPT;
    a->replayed = replayed != 0;
    a->jobs = jobs;
    a->n = n;
    return 0;
}

static void late(struct p3d_op *op, int err, const redisReply *r, struct p3d_answer *a)
{
    (void)op;
    if (err == P3D_E_EXPIRES_PAST && !p3d_reply_int(r, 3, &a->total))
        a->total = 0;
}

int p3d_store_submit_batch(struct p3d_store *s, const struct p3d_access *who, const struct p3d_new_job *jobs, size_t n,
                           p3d_store_cb *cb, void *priv)
{
    const struct p3d_new_job *first = &jobs[0];
    struct p3d_job_id *ids = p3d_alloc((n + 1) * sizeof *ids);
    size_t key_n = first->idempotency_key.n ? 32 : 0;
    char key[P3D_SHA256_HEX] = "";
    if (key_n)
        p3d_sha256_hex(first->idempotency_key, key);
    struct p3d_args args;
    p3d_args_init(&args, 7 + n * JOB_ARGS);
    p3d_args_access(&args, who);
    p3d_args_int(&args, first->max_queued);
    p3d_args_str(&args, (struct p3d_str){key, key_n});
    p3d_args_str(&args, (struct p3d_str){first->body_hash, key_n});
    for (size_t i = 0; i < n; i++) {
        p3d_job_id_new(0, p3d_wall_ms(), &ids[i]);
        args_job(&args, &jobs[i], &ids[i]);
    }
    struct p3d_op *op = p3d_op_new(s, cb, priv, p3d_job_decode_submit);
    op->refused = late;
    int err = p3d_op_send(op, P3D_SCRIPT_submit, &args);
    free(ids);
    return err;
}

int p3d_store_submit(struct p3d_store *s, const struct p3d_access *who, const struct p3d_new_job *j, p3d_store_cb *cb,
                     void *priv)
{
    return p3d_store_submit_batch(s, who, j, 1, cb, priv);
}

int p3d_job_decode(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    struct p3d_str record;
    struct p3d_job *job = op->rows = p3d_alloc(sizeof *job);
    p3d_reply_caller(r, a);
    if (!p3d_reply_str(r, 3, &record) || p3d_record_parse(p3d_str_z(op->text), record, false, job) ||
        !p3d_reply_int(r, 4, &job->queue_position))
        return P3D_E_CORRUPT;
    if (r->elements > 5 && !p3d_reply_int(r, 5, &job->eta_ms))
        return P3D_E_CORRUPT;
    a->jobs = job;
    a->n = 1;
    return 0;
}

struct p3d_op *p3d_job_about(struct p3d_store *s, const struct p3d_access *who, const struct p3d_job_id *id, size_t more,
                             p3d_store_cb *cb, void *priv, struct p3d_args *args)
{
    struct p3d_op *op = p3d_op_new(s, cb, priv, p3d_job_decode);
    memcpy(op->text, p3d_job_id_ulid(id), P3D_ULID_LEN + 1);
    p3d_args_init(args, 5 + more);
    p3d_args_access(args, who);
    p3d_args_z(args, op->text);
    return op;
}

int p3d_store_job_get(struct p3d_store *s, const struct p3d_access *who, const struct p3d_job_id *id, p3d_store_cb *cb,
                      void *priv)
{
    struct p3d_args args;
    return p3d_op_send(p3d_job_about(s, who, id, 0, cb, priv, &args), P3D_SCRIPT_job_get, &args);
}

static int decode_caller(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    (void)op;
    p3d_reply_caller(r, a);
    return 0;
}

int p3d_store_result_drop(struct p3d_store *s, const struct p3d_access *who, const struct p3d_job_id *id, uint64_t rev,
                          struct p3d_str detail, p3d_store_cb *cb, void *priv)
{
    struct p3d_args args;
    struct p3d_op *op = p3d_job_about(s, who, id, 2, cb, priv, &args);
    op->decode = decode_caller;
    p3d_args_int(&args, (int64_t)rev);
    p3d_args_str(&args, detail);
    return p3d_op_send(op, P3D_SCRIPT_result_drop, &args);
}

static int decode_history(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    p3d_reply_caller(r, a);
    size_t n = r->elements < 5 ? 0 : (r->elements - 5) / 4;
    struct p3d_job *jobs = op->rows = p3d_alloc((n + 1) * sizeof *jobs);
    struct p3d_str ulid, record;
    if (!p3d_reply_int(r, 3, &a->total) || !p3d_reply_copy(r, 4, op->text, sizeof op->text))
        return P3D_E_CORRUPT;
    for (size_t i = 0; i < n; i++)
        if (!p3d_reply_str(r, 5 + 4 * i, &ulid) || !p3d_reply_str(r, 6 + 4 * i, &record) ||
            p3d_record_parse(ulid, record, false, &jobs[i]) ||
            !p3d_reply_int(r, 7 + 4 * i, &jobs[i].queue_position) || !p3d_reply_int(r, 8 + 4 * i, &jobs[i].eta_ms))
            return P3D_E_CORRUPT;
    a->cursor = op->text[0] ? op->text : NULL;
    a->jobs = jobs;
    a->n = n;
    return 0;
}

/* "<ms>:<ULID>" */
static bool cursor_valid(struct p3d_str c)
{
    if (!c.n)
        return true;
    const char *colon = memchr(c.p, ':', c.n);
    int64_t ms;
    struct p3d_job_id id;
    char text[sizeof id.s];
    if (!colon || p3d_str_to_i64((struct p3d_str){c.p, (size_t)(colon - c.p)}, 0, INT64_C(1) << 46, &ms))
        return false;
    size_t n = c.n - (size_t)(colon + 1 - c.p);
    return n == P3D_ULID_LEN && p3d_format(text, sizeof text, "job_0%.*s", (int)n, colon + 1) &&
           p3d_job_id_parse(p3d_str_z(text), &id) == 0;
}

int p3d_store_history(struct p3d_store *s, const struct p3d_access *who, const struct p3d_history *h, p3d_store_cb *cb,
                      void *priv)
{
    if (!cursor_valid(h->cursor))
        return P3D_E_VALIDATION;
    struct p3d_args args;
    p3d_args_init(&args, 13);
    p3d_args_access(&args, who);
    p3d_args_int(&args, h->limit);
    p3d_args_int(&args, h->offset);
    p3d_args_int(&args, h->states);
    p3d_args_str(&args, h->feature);
    p3d_args_str(&args, h->model);
    p3d_args_int(&args, h->from_ms);
    p3d_args_int(&args, h->to_ms);
    p3d_args_str(&args, h->cursor);
    p3d_args_z(&args, h->user.s);
    return p3d_op_send(p3d_op_new(s, cb, priv, decode_history), P3D_SCRIPT_history, &args);
}

/* Counters and their kinds live in one piece. */
struct stats_rows {
    struct p3d_stats stats;
    struct p3d_kind_stats kinds[];
};

static bool count(const redisReply *r, size_t at, int64_t *ret, int64_t *sum)
{
    return p3d_reply_int(r, at, ret) && !__builtin_add_overflow(*sum, *ret, sum);
}

static int decode_stats(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    p3d_reply_caller(r, a);
    size_t n = r->elements < 5 ? 0 : (r->elements - 5) / 6;
    struct stats_rows *rows = op->rows = p3d_alloc(sizeof *rows + n * sizeof rows->kinds[0]);
    struct p3d_stats *st = &rows->stats;
    if (!p3d_reply_int(r, 3, &st->workers_alive) || !p3d_reply_int(r, 4, &st->workers_busy))
        return P3D_E_CORRUPT;
    for (size_t i = 0; i < n; i++) {
        struct p3d_kind_stats *k = &rows->kinds[i];
        struct p3d_str name;
        size_t at = 5 + 6 * i;
        if (!p3d_reply_str(r, at, &name) || !count(r, at + 1, &k->queued, &st->queued) ||
            !count(r, at + 2, &k->processing, &st->processing) || !count(r, at + 3, &k->completed, &st->completed) ||
            !count(r, at + 4, &k->failed, &st->failed) || !count(r, at + 5, &k->cancelled, &st->cancelled))
            return P3D_E_CORRUPT;
        k->kind = name.p; /* terminated by hiredis, lives until the callback returns */
    }
    st->kinds = rows->kinds;
    st->kinds_n = n;
    a->stats = st;
    return 0;
}

int p3d_store_queue_stats(struct p3d_store *s, const struct p3d_access *who, p3d_store_cb *cb, void *priv)
{
    struct p3d_args args;
    p3d_args_init(&args, 4);
    p3d_args_access(&args, who);
    return p3d_op_send(p3d_op_new(s, cb, priv, decode_stats), P3D_SCRIPT_queue_stats, &args);
}
