/* SPDX-License-Identifier: MIT
 *
 * The pages of `p3d doctor` (lua/doctor.lua does the looking): what was found, by the names of doctor.def. A page that
 * names something else is P3D_E_CORRUPT. And what an operator wants to know of the Redis beside it.
 */
#include <string.h>

#include "p3d/doctor.h"
#include "store_internal.h"

enum { PAGE_AT = 5, FINDING = 4, PAGE_ARGS = 2, DETAIL_MAX = 40 };

static const struct p3d_ailment_info ailments[P3D_AILMENT__COUNT] = {
#define P3D_AILMENT(symbol, text, repair) {#symbol, text, repair},
#include "p3d/doctor.def"
#undef P3D_AILMENT
};

const struct p3d_ailment_info *p3d_ailment_info(enum p3d_ailment a)
{
    return &ailments[a];
}

/* A page, its walks and its findings live in one piece each. */
struct page_rows {
    struct p3d_doctor_page page;
    const char *walks[];
};

/* Terminated by hiredis; a zero byte in it ends it for us. */
static bool text(const redisReply *r, size_t i, const char **ret)
{
    struct p3d_str s;
    if (!p3d_reply_str(r, i, &s))
        return false;
    *ret = s.p;
    return true;
}

static bool find(const redisReply *r, size_t i, enum p3d_ailment *ret)
{
    struct p3d_str s;
    if (!p3d_reply_str(r, i, &s))
        return false;
    for (int k = 0; k < P3D_AILMENT__COUNT; k++) {
        if (!p3d_str_eq_z(s, ailments[k].symbol))
            continue;
        *ret = (enum p3d_ailment)k;
        return true;
    }
    return false;
}

static bool read_finding(const redisReply *r, size_t i, struct p3d_finding *f)
{
    int64_t repaired;
    if (!find(r, i, &f->what) || !text(r, i + 1, &f->where) || !text(r, i + 2, &f->detail) ||
        !p3d_reply_int(r, i + 3, &repaired))
        return false;
    f->repaired = repaired == 1;
    return true;
}

static int decode_page(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    int64_t walks;
    if (!p3d_reply_int(r, 4, &walks) || walks < 0 || (uint64_t)walks > r->elements - PAGE_AT ||
        (r->elements - PAGE_AT - (size_t)walks) % FINDING != 0)
        return P3D_E_CORRUPT;
    size_t n = (r->elements - PAGE_AT - (size_t)walks) / FINDING;
    struct page_rows *rows = op->rows = p3d_alloc(sizeof *rows + (size_t)walks * sizeof rows->walks[0]);
    struct p3d_finding *findings = op->state = p3d_alloc((n + 1) * sizeof *findings);
    rows->page = (struct p3d_doctor_page){
        .walks = rows->walks, .walks_n = (size_t)walks, .findings = findings, .n = n};
    if (!text(r, 1, &rows->page.cursor) || !p3d_reply_int(r, 2, &rows->page.keys) ||
        !p3d_reply_int(r, 3, &rows->page.jobs))
        return P3D_E_CORRUPT;
    for (size_t i = 0; i < (size_t)walks; i++)
        if (!text(r, PAGE_AT + i, &rows->walks[i]))
            return P3D_E_CORRUPT;
    for (size_t i = 0; i < n; i++)
        if (!read_finding(r, PAGE_AT + (size_t)walks + i * FINDING, &findings[i]))
            return P3D_E_CORRUPT;
    a->doctor = &rows->page;
    return 0;
}

static void args_begin(struct p3d_args *args, const struct p3d_doctor *d, size_t more)
{
    p3d_args_init(args, PAGE_ARGS + more);
    p3d_args_z(args, d->repair ? "1" : "0");
    p3d_args_int(args, d->lease_ms);
}

int p3d_store_doctor_keys(struct p3d_store *s, const struct p3d_doctor *d, const char *cursor, p3d_store_cb *cb,
                          void *priv)
{
    struct p3d_args args;
    args_begin(&args, d, 1);
    p3d_args_z(&args, cursor);
    return p3d_op_send(p3d_op_new(s, cb, priv, decode_page), P3D_SCRIPT_doctor_keys, &args);
}

int p3d_store_doctor_members(struct p3d_store *s, const struct p3d_doctor *d, const char *cursor, const char *key,
                             p3d_store_cb *cb, void *priv)
{
    struct p3d_args args;
    args_begin(&args, d, 2);
    p3d_args_z(&args, cursor);
    p3d_args_z(&args, key);
    return p3d_op_send(p3d_op_new(s, cb, priv, decode_page), P3D_SCRIPT_doctor_members, &args);
}

int p3d_store_doctor_wake(struct p3d_store *s, const struct p3d_doctor *d, const char *kind, int64_t max_workers,
                          p3d_store_cb *cb, void *priv)
{
    struct p3d_args args;
    args_begin(&args, d, 2);
    p3d_args_z(&args, kind);
    p3d_args_int(&args, max_workers);
    return p3d_op_send(p3d_op_new(s, cb, priv, decode_page), P3D_SCRIPT_doctor_wake, &args);
}

int p3d_store_doctor_bytes(struct p3d_store *s, const struct p3d_doctor *d, const char *cursor, const char *known,
                           p3d_store_cb *cb, void *priv)
{
    struct p3d_args args;
    args_begin(&args, d, 2);
    p3d_args_z(&args, cursor);
    p3d_args_z(&args, known);
    return p3d_op_send(p3d_op_new(s, cb, priv, decode_page), P3D_SCRIPT_doctor_bytes, &args);
}

int p3d_store_doctor_note(struct p3d_store *s, const char *detail, p3d_store_cb *cb, void *priv)
{
    const char *const entry[] = {"operator", "repaired", "", "local", detail};
    struct p3d_args args;
    p3d_args_init(&args, sizeof entry / sizeof *entry);
    for (size_t i = 0; i < sizeof entry / sizeof *entry; i++)
        p3d_args_z(&args, entry[i]);
    return p3d_op_send(p3d_op_new(s, cb, priv, p3d_decode_ok), P3D_SCRIPT_audit_add, &args);
}

/* ---- about ---- */

static int decode_home(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    struct p3d_doctor_about *about = op->state;
    if (!p3d_reply_copy(r, 1, about->schema, sizeof about->schema) || !p3d_reply_copy(r, 2, about->home, sizeof about->home))
        return P3D_E_CORRUPT;
    a->about = about;
    return 0;
}

static int decode_about(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    struct p3d_doctor_about *about = op->state;
    struct p3d_args args;
    (void)a;
    if (!p3d_reply_int(r, 1, &about->now_ms) || !p3d_reply_int(r, 2, &about->reaped_ms) ||
        !p3d_reply_int(r, 3, &about->idle) || !p3d_reply_int(r, 4, &about->running) ||
        !p3d_reply_copy(r, 5, about->version, sizeof about->version) ||
        !p3d_reply_copy(r, 6, about->append_only, sizeof about->append_only) ||
        !p3d_reply_copy(r, 7, about->append_status, sizeof about->append_status) ||
        !p3d_reply_copy(r, 8, about->policy, sizeof about->policy))
        return P3D_E_CORRUPT;
    p3d_args_init(&args, 1);
    return p3d_op_step(op, P3D_SCRIPT_doctor_home, &args, decode_home);
}

/* A service for Redis may refuse CONFIG: then this is not known. */
static void on_fsync(void *priv, int err, const redisReply *r)
{
    struct p3d_op *op = priv;
    struct p3d_doctor_about *about = op->state;
    p3d_store_cb *cb = op->cb;
    void *whose = op->priv;
    struct p3d_args args;
    if (err == 0 && r->type == REDIS_REPLY_ARRAY)
        (void)p3d_reply_copy(r, 1, about->fsync, sizeof about->fsync);
    p3d_args_init(&args, 1);
    if (p3d_op_send(op, P3D_SCRIPT_doctor_about, &args))
        cb(whose, P3D_E_STORE_DOWN, NULL);
}

int p3d_store_doctor_about(struct p3d_store *s, p3d_store_cb *cb, void *priv)
{
    const struct p3d_str argv[] = {P3D_STR("CONFIG"), P3D_STR("GET"), P3D_STR("appendfsync")};
    struct p3d_op *op = p3d_op_new(s, cb, priv, decode_about);
    op->state = p3d_alloc(sizeof(struct p3d_doctor_about));
    int err = !s->conn ? P3D_E_STORE_DOWN : p3d_conn_call(s->conn, argv, 3, 0, on_fsync, op);
    if (err)
        p3d_op_free(op);
    return err;
}
