/* SPDX-License-Identifier: MIT
 *
 * The store's handle, and the life of a typed call: arguments in, one script, the answer decoded, the callback once.
 * A reply that does not have the shape its script promises is P3D_E_CORRUPT, never a crash: Redis is not trusted.
 */
#include "store_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "p3d/config.h"

void p3d_args_init(struct p3d_args *a, size_t cap)
{
    *a = (struct p3d_args){.cap = cap};
    a->v = p3d_alloc(cap * sizeof *a->v);
    a->num = p3d_alloc(cap * sizeof *a->num);
}

void p3d_args_done(struct p3d_args *a)
{
    free(a->v);
    free(a->num);
    *a = (struct p3d_args){0};
}

void p3d_args_str(struct p3d_args *a, struct p3d_str s)
{
    if (a->n == a->cap)
        abort();
    a->v[a->n++] = s;
}

void p3d_args_z(struct p3d_args *a, const char *z)
{
    p3d_args_str(a, p3d_str_z(z));
}

void p3d_args_int(struct p3d_args *a, int64_t n)
{
    if (a->n == a->cap)
        abort();
    char *dst = a->num[a->n];
    int len = snprintf(dst, sizeof a->num[0], "%" PRId64, n);
    a->v[a->n++] = (struct p3d_str){dst, (size_t)len};
}

static void args_url(struct p3d_args *a, const struct p3d_access *who)
{
    if (a->n == a->cap)
        abort();
    char *dst = a->num[a->n];
    int len = snprintf(dst, sizeof a->num[0], "%s %" PRId64, who->url_user.s[0] ? who->url_user.s : "-",
                       who->url_expires_s);
    a->v[a->n++] = (struct p3d_str){dst, (size_t)len};
}

void p3d_args_access(struct p3d_args *a, const struct p3d_access *who)
{
    static const char *const kind[] = {[P3D_ACCESS_OPEN] = "o", [P3D_ACCESS_TOKEN] = "t", [P3D_ACCESS_SYSTEM] = "s",
                                       [P3D_ACCESS_URL] = "u"};
    p3d_args_z(a, kind[who->kind]);
    if (who->kind == P3D_ACCESS_URL)
        args_url(a, who);
    else
        p3d_args_z(a, who->token_hash);
    p3d_args_int(a, who->scope);
    p3d_args_z(a, who->admin ? "1" : "0");
}

struct p3d_op *p3d_op_new(struct p3d_store *s, p3d_store_cb *cb, void *priv,
                          int (*decode)(struct p3d_op *, const redisReply *, struct p3d_answer *))
{
    struct p3d_op *op = p3d_alloc(sizeof *op);
    op->s = s;
    op->cb = cb;
    op->priv = priv;
    op->decode = decode;
    return op;
}

void p3d_op_free(struct p3d_op *op)
{
    p3d_wipe(op->user.password_hash, sizeof op->user.password_hash);
    if (op->wipe)
        p3d_wipe(op->rows, op->wipe);
    if (op->wipe_state)
        p3d_wipe(op->state, op->wipe_state);
    free(op->rows);
    free(op->state);
    free(op);
}

static void op_done(struct p3d_op *op, int err, const struct p3d_answer *a)
{
    if (op->cb)
        op->cb(op->priv, err, a);
    p3d_op_free(op);
}

static void refuse(struct p3d_op *op, int err, const redisReply *reply, struct p3d_answer *a)
{
    p3d_reply_caller(reply, a);
    if (op->refused)
        op->refused(op, err, reply, a);
}

static void on_reply(void *priv, int err, const redisReply *reply)
{
    struct p3d_op *op = priv;
    struct p3d_answer a = {.caller = op->caller, .caller_admin = op->caller_admin};
    op->more = false;
    if (!reply || err == P3D_E_CORRUPT || err == P3D_E_STORE_DOWN) {
        op_done(op, err ? err : P3D_E_CORRUPT, NULL);
        return;
    }
    if (err == 0)
        err = op->decode(op, reply, &a);
    else
        refuse(op, err, reply, &a);
    if (op->more && err == 0)
        return;
    bool bare = err == P3D_E_CORRUPT || err == P3D_E_STORE_DOWN;
    op_done(op, err, bare ? NULL : &a);
}

static int send(struct p3d_op *op, enum p3d_script script, struct p3d_args *args)
{
    struct p3d_str key = p3d_str_z(p3d_script_info(script)->key);
    int err = !op->s->conn ? P3D_E_STORE_DOWN : p3d_conn_script(op->s->conn, script, &key, 1, args->v, args->n, on_reply, op);
    p3d_args_done(args);
    return err;
}

int p3d_op_send(struct p3d_op *op, enum p3d_script script, struct p3d_args *args)
{
    int err = send(op, script, args);
    if (err)
        p3d_op_free(op);
    return err;
}

int p3d_op_step(struct p3d_op *op, enum p3d_script script, struct p3d_args *args,
                int (*decode)(struct p3d_op *, const redisReply *, struct p3d_answer *))
{
    op->decode = decode;
    int err = send(op, script, args);
    op->more = err == 0;
    return err;
}

bool p3d_reply_str(const redisReply *r, size_t i, struct p3d_str *ret)
{
    if (i >= r->elements)
        return false;
    const redisReply *e = r->element[i];
    if (e->type != REDIS_REPLY_STRING && e->type != REDIS_REPLY_STATUS)
        return false;
    *ret = (struct p3d_str){e->str, (size_t)e->len};
    return true;
}

bool p3d_reply_int(const redisReply *r, size_t i, int64_t *ret)
{
    struct p3d_str s;
    if (i < r->elements && r->element[i]->type == REDIS_REPLY_INTEGER) {
        *ret = r->element[i]->integer;
        return true;
    }
    return p3d_reply_str(r, i, &s) && p3d_str_to_i64(s, INT64_MIN, INT64_MAX, ret) == 0;
}

bool p3d_reply_copy(const redisReply *r, size_t i, char *dst, size_t size)
{
    struct p3d_str s;
    if (!p3d_reply_str(r, i, &s) || s.n >= size)
        return false;
    if (s.n)
        memcpy(dst, s.p, s.n);
    dst[s.n] = 0;
    return true;
}

void p3d_reply_caller(const redisReply *r, struct p3d_answer *a)
{
    struct p3d_str admin = {0};
    if (r->type != REDIS_REPLY_ARRAY || !p3d_reply_str(r, 2, &admin))
        return;
    if (p3d_reply_copy(r, 1, a->caller.s, sizeof a->caller.s))
        a->caller_admin = p3d_str_eq_z(admin, "1");
}

int p3d_store_open(struct p3d_loop *l, const struct p3d_config *cfg, void (*on_state)(void *priv, bool up), void *priv,
                   struct p3d_store **ret, struct p3d_error *err)
{
    struct p3d_store *s = p3d_alloc(sizeof *s);
    s->loop = l;
    s->memory_limited = cfg->redis_memory_limit >= 0;
    struct p3d_conn_options o = {
        .cfg = cfg,
        .timeout_ms = (uint64_t)cfg->redis_timeout_ms,
        .max_inflight = (size_t)cfg->redis_max_inflight,
        .on_state = on_state,
        .priv = priv,
    };
    int rc = p3d_conn_open(l, &o, &s->conn, err);
    if (rc) {
        free(s);
        return rc;
    }
    *ret = s;
    return 0;
}

void p3d_store_stop(struct p3d_store *s)
{
    struct p3d_conn *conn = s->conn;
    s->conn = NULL; /* what the last answers begin finds nobody */
    p3d_conn_close(conn);
}

void p3d_store_close(struct p3d_store *s)
{
    if (!s)
        return;
    p3d_store_stop(s);
    free(s);
}

bool p3d_store_up(const struct p3d_store *s)
{
    return s->conn && p3d_conn_up(s->conn);
}

int p3d_decode_ok(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    (void)op;
    (void)r;
    (void)a;
    return 0;
}

static int decode_ping(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    struct p3d_stats *st = op->rows = p3d_alloc(sizeof *st);
    if (!p3d_reply_int(r, 1, &st->workers_alive) || !p3d_reply_int(r, 2, &st->workers_busy))
        return P3D_E_CORRUPT;
    a->stats = st;
    return 0;
}

int p3d_store_ping(struct p3d_store *s, p3d_store_cb *cb, void *priv)
{
    struct p3d_args args;
    p3d_args_init(&args, 1);
    return p3d_op_send(p3d_op_new(s, cb, priv, decode_ping), P3D_SCRIPT_ping, &args);
}
