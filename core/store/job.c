/* SPDX-License-Identifier: MIT
 *
 * The clients' side of the queue: submit, one job, a page of history, numbers. Each is one script that decides access
 * itself; nothing here is reachable without a p3d_access.
 */
#include <string.h>

#include "store_internal.h"

static void args_kinds(struct p3d_args *a, const struct p3d_new_job *j)
{
    p3d_args_str(a, j->kind);
    p3d_args_int(a, j->priority);
    p3d_args_int(a, j->max_attempts);
    p3d_args_int(a, j->max_queued);
    p3d_args_str(a, j->spec);
}

static int decode_submit(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    struct p3d_str ulid, head;
    int64_t replayed;
    struct p3d_job *job = op->rows = p3d_alloc(sizeof *job);
    p3d_reply_caller(r, a);
    if (!p3d_reply_int(r, 3, &replayed) || !p3d_reply_str(r, 4, &ulid) || !p3d_reply_str(r, 5, &head) ||
        p3d_record_parse(ulid, head, true, job) || !p3d_reply_int(r, 6, &job->queue_position))
        return P3D_E_CORRUPT;
    a->replayed = replayed != 0;
    a->jobs = job;
    a->n = 1;
    return 0;
}

int p3d_store_submit(struct p3d_store *s, const struct p3d_access *who, const struct p3d_new_job *j, p3d_store_cb *cb,
                     void *priv)
{
    struct p3d_job_id id;
    char key[P3D_SHA256_HEX] = "";
    p3d_job_id_new(0, p3d_wall_ms(), &id);
    if (j->idempotency_key.n)
        p3d_sha256_hex(j->idempotency_key, key);
    struct p3d_args args;
    p3d_args_init(&args, 12);
    p3d_args_access(&args, who);
    p3d_args_z(&args, p3d_job_id_ulid(&id));
    args_kinds(&args, j);
    p3d_args_str(&args, (struct p3d_str){key, j->idempotency_key.n ? 32 : 0});
    p3d_args_str(&args, (struct p3d_str){j->body_hash, j->idempotency_key.n ? 32 : 0});
    return p3d_op_send(p3d_op_new(s, cb, priv, decode_submit), P3D_SCRIPT_submit, &args);
}

static int decode_job(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    struct p3d_str record;
    struct p3d_job *job = op->rows = p3d_alloc(sizeof *job);
    p3d_reply_caller(r, a);
    if (!p3d_reply_str(r, 3, &record) || p3d_record_parse(p3d_str_z(op->text), record, false, job) ||
        !p3d_reply_int(r, 4, &job->queue_position))
        return P3D_E_CORRUPT;
    a->jobs = job;
    a->n = 1;
    return 0;
}

int p3d_store_job_get(struct p3d_store *s, const struct p3d_access *who, const struct p3d_job_id *id, p3d_store_cb *cb,
                      void *priv)
{
    struct p3d_op *op = p3d_op_new(s, cb, priv, decode_job);
    memcpy(op->text, p3d_job_id_ulid(id), P3D_ULID_LEN + 1);
    struct p3d_args args;
    p3d_args_init(&args, 5);
    p3d_args_access(&args, who);
    p3d_args_z(&args, op->text);
    return p3d_op_send(op, P3D_SCRIPT_job_get, &args);
}

static int decode_history(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    p3d_reply_caller(r, a);
    size_t n = r->elements < 5 ? 0 : (r->elements - 5) / 3;
    struct p3d_job *jobs = op->rows = p3d_alloc((n + 1) * sizeof *jobs);
    struct p3d_str ulid, record;
    if (!p3d_reply_int(r, 3, &a->total) || !p3d_reply_copy(r, 4, op->text, sizeof op->text))
        return P3D_E_CORRUPT;
    for (size_t i = 0; i < n; i++)
        if (!p3d_reply_str(r, 5 + 3 * i, &ulid) || !p3d_reply_str(r, 6 + 3 * i, &record) ||
            p3d_record_parse(ulid, record, false, &jobs[i]) || !p3d_reply_int(r, 7 + 3 * i, &jobs[i].queue_position))
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
