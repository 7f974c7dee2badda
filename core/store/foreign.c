/* SPDX-License-Identifier: MIT
 *
 * Straight-line reading of a Redis that is not ours, over one connection without scripts.
 * Guarantee: the commands are those of the tables below, all of which only read; every answer is
 * copied out and checked for its shape before it is handed on. A server that closes idle
 * connections does no harm: a call waits for the connection to be made again; one that is lost
 * under a call ends the call.
 */
#include "p3d/foreign.h"

#include <string.h>

#include "conn_internal.h"
#include "p3d/clock.h"
#include "p3d/config.h"

enum {
    COUNT_FIRST = 16, /* a walk does not know yet how large the values are */
    COUNT_MAX = 1024,
    PAGE_LOW = 256 << 10, /* smaller pages: ask for twice as much; larger than high: half */
    PAGE_HIGH = 4 << 20,
    INFLIGHT = 10000,
    TURN_MS = 50,
    RECONNECT_MS = 3000,
    FIELDS_MAX = 100000,
};

struct p3d_foreign {
    struct p3d_poll_loop *loop;
    struct p3d_conn *conn;
    uint64_t timeout_ms;
    char error[256];
};

/* A call under way; its answers come in order. */
struct wait {
    struct p3d_foreign *f;
    struct p3d_foreign_page *page;
    size_t left; /* answers to come */
    int err;
    int64_t number;
    bool loose; /* texts: what is no text is nothing */
    int (*take)(struct wait *w, const redisReply *r);
};

/* Keys and values of others may be tokens and hashes of passwords. */
static void page_clear(struct p3d_foreign_page *p)
{
    if (p->bytes.n > 0)
        p3d_wipe(p->bytes.p, p->bytes.n);
    p3d_buf_done(&p->bytes);
    free(p->v);
}

void p3d_foreign_page_done(struct p3d_foreign_page *p)
{
    page_clear(p);
    *p = (struct p3d_foreign_page){0};
}

/* v holds offsets + 1 in place of pointers until all bytes are there: the buffer moves while it
 * grows. */
static void page_begin(struct p3d_foreign_page *p, size_t n)
{
    page_clear(p);
    p3d_buf_init(&p->bytes, 0);
    p->v = p3d_alloc(n * sizeof *p->v);
    p->n = 0;
}

static void page_add(struct p3d_foreign_page *p, const redisReply *r)
{
    struct p3d_str *s = &p->v[p->n++];
    if (!r || (r->type != REDIS_REPLY_STRING && r->type != REDIS_REPLY_STATUS)) {
        *s = (struct p3d_str){0};
        return;
    }
    *s = (struct p3d_str){(const char *)(uintptr_t)(p->bytes.n + 1), r->len};
    p3d_buf_add(&p->bytes, r->str, r->len);
    p3d_buf_add(&p->bytes, "", 1);
}

static void page_end(struct p3d_foreign_page *p)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->v[i].p)
            p->v[i].p = p->bytes.p + (uintptr_t)p->v[i].p - 1;
}

static int fail(struct p3d_foreign *f, int err, const char *why)
{
    (void)p3d_format(f->error, sizeof f->error, "%s", why);
    return err;
}

/* Words of a foreign server, made one printable line. */
static int fail_reply(struct p3d_foreign *f, int err, const redisReply *r)
{
    (void)p3d_format(f->error, sizeof f->error, "%.*s", (int)(r->len < 200 ? r->len : 200), r->str);
    for (char *p = f->error; *p; p++)
        if (*p < ' ' || *p > '~')
            *p = '?';
    return err;
}

static void on_answer(void *priv, int err, const redisReply *r)
{
    struct wait *w = priv;
    w->left--;
    if (w->err)
        return;
    if (err && w->loose && r && err == P3D_E_CORRUPT) {
        r = NULL; /* one key of another type says nothing of the next one */
        err = 0;
    }
    if (err)
        w->err = r ? fail_reply(w->f, err, r) : err;
    else
        w->err = w->take(w, r);
}

static int lost(struct p3d_foreign *f)
{
    const char *why = p3d_conn_last_error(f->conn);
    return fail(f, P3D_E_STORE_DOWN, *why ? why : "the connection was lost");
}

/* first: what is wrong at the first try is wrong; later, a server may be starting again. */
static int wait_up(struct p3d_foreign *f, bool first)
{
    uint64_t end = p3d_mono_ms() + (first ? f->timeout_ms : RECONNECT_MS);
    f->error[0] = 0;
    while (!p3d_conn_up(f->conn)) {
        if (p3d_mono_ms() >= end || (first && *p3d_conn_last_error(f->conn)))
            return lost(f);
        p3d_poll_loop_run_once(f->loop, TURN_MS);
    }
    return 0;
}

static int send(struct wait *w, const struct p3d_str *argv, size_t n)
{
    int err = p3d_conn_call(w->f->conn, argv, n, 0, on_answer, w);
    if (!err)
        w->left++;
    return err;
}

/* All answers are waited for also after an error: w is on the caller's stack. */
static int finish(struct wait *w, int err)
{
    while (w->left)
        p3d_poll_loop_run_once(w->f->loop, TURN_MS);
    if (!err)
        err = w->err;
    if ((err == P3D_E_STORE_DOWN && !w->f->error[0]) || err == P3D_E_BUSY)
        return lost(w->f);
    return err; /* with the server's own words */
}

static int ask(struct wait *w, const struct p3d_str *argv, size_t n)
{
    int err = wait_up(w->f, false);
    return err ? err : finish(w, send(w, argv, n));
}

static const char no_sense[] = "an answer makes no sense: is this a Redis server?";

static int take_page(struct wait *w, const redisReply *r)
{
    if (r->type != REDIS_REPLY_ARRAY)
        return fail(w->f, P3D_E_CORRUPT, no_sense);
    page_begin(w->page, r->elements);
    for (size_t i = 0; i < r->elements; i++)
        page_add(w->page, r->element[i]);
    page_end(w->page);
    return 0;
}

struct scan {
    struct wait wait; /* first */
    struct p3d_foreign_walk *walk;
    bool pairs;
};

static int take_scan(struct wait *w, const redisReply *r)
{
    struct scan *s = (struct scan *)w;
    const redisReply *cursor =
        r->type == REDIS_REPLY_ARRAY && r->elements == 2 ? r->element[0] : NULL;
    if (!cursor || cursor->type != REDIS_REPLY_STRING || !cursor->len ||
        cursor->len >= sizeof s->walk->cursor || strspn(cursor->str, "0123456789") != cursor->len ||
        r->element[1]->type != REDIS_REPLY_ARRAY || (s->pairs && r->element[1]->elements % 2))
        return fail(w->f, P3D_E_CORRUPT, no_sense);
    (void)p3d_format(s->walk->cursor, sizeof s->walk->cursor, "%s", cursor->str);
    s->walk->ended = p3d_str_eq_z(p3d_str_z(cursor->str), "0");
    return take_page(w, r->element[1]);
}

static const struct kind {
    const char *scan, *count;
    bool pairs;
} kinds[] = {
    [P3D_FOREIGN_KEYS] = {"SCAN", "DBSIZE", false},
    [P3D_FOREIGN_SET] = {"SSCAN", "SCARD", false},
    [P3D_FOREIGN_HASH] = {"HSCAN", "HLEN", true},
    [P3D_FOREIGN_ZSET] = {"ZSCAN", "ZCARD", true},
};

int p3d_foreign_next(struct p3d_foreign *f, enum p3d_foreign_kind kind, struct p3d_str of,
                     struct p3d_foreign_walk *w, struct p3d_foreign_page *ret)
{
    struct scan s = {{.f = f, .page = ret, .take = take_scan}, w, kinds[kind].pairs};
    char count[16];
    if (!w->count)
        w->count = kind == P3D_FOREIGN_HASH ? COUNT_FIRST : COUNT_MAX;
    (void)p3d_format(count, sizeof count, "%u", w->count);
    const struct p3d_str cursor = *w->cursor ? p3d_str_z(w->cursor) : P3D_STR("0");
    const struct p3d_str keys[] = {p3d_str_z(kinds[kind].scan),
                                   cursor,
                                   P3D_STR("MATCH"),
                                   of,
                                   P3D_STR("COUNT"),
                                   p3d_str_z(count)};
    const struct p3d_str parts[] = {keys[0], of, cursor, keys[4], keys[5]};
    int err = kind == P3D_FOREIGN_KEYS ? ask(&s.wait, keys, 6) : ask(&s.wait, parts, 5);
    if (!err && ret->bytes.n > PAGE_HIGH && w->count > 1)
        w->count /= 2;
    else if (!err && ret->bytes.n < PAGE_LOW && w->count < COUNT_MAX)
        w->count *= 2;
    return err;
}

static int take_text(struct wait *w, const redisReply *r)
{
    page_add(w->page, r);
    return 0;
}

int p3d_foreign_texts(struct p3d_foreign *f, const struct p3d_str *keys, size_t n, size_t max,
                      struct p3d_foreign_page *ret)
{
    struct wait w = {.f = f, .page = ret, .take = take_text, .loose = true};
    char last[24];
    int err = wait_up(f, false);
    page_begin(ret, n);
    (void)p3d_format(last, sizeof last, "%zu", max ? max - 1 : 0);
    for (size_t i = 0; i < n && !err; i++) {
        const struct p3d_str argv[] = {P3D_STR("GETRANGE"), keys[i], P3D_STR("0"), p3d_str_z(last)};
        while (w.left >= INFLIGHT / 2)
            p3d_poll_loop_run_once(f->loop, TURN_MS);
        err = send(&w, argv, 4);
    }
    err = finish(&w, err);
    page_end(ret);
    return err;
}

int p3d_foreign_fields(struct p3d_foreign *f, struct p3d_str key, const struct p3d_str *fields,
                       size_t n, struct p3d_foreign_page *ret)
{
    struct wait w = {.f = f, .page = ret, .take = take_page};
    if (n == 0 || n > FIELDS_MAX)
        return fail(f, P3D_E_CORRUPT, "too many fields at a time");
    struct p3d_str *argv = p3d_alloc((n + 2) * sizeof *argv);
    argv[0] = P3D_STR("HMGET");
    argv[1] = key;
    memcpy(argv + 2, fields, n * sizeof *argv);
    int err = ask(&w, argv, n + 2);
    free(argv);
    return err || ret->n == n ? err : fail(f, P3D_E_CORRUPT, no_sense);
}

static int take_number(struct wait *w, const redisReply *r)
{
    if (r->type != REDIS_REPLY_INTEGER || r->integer < 0)
        return fail(w->f, P3D_E_CORRUPT, no_sense);
    w->number = r->integer;
    return 0;
}

int p3d_foreign_count(struct p3d_foreign *f, enum p3d_foreign_kind kind, struct p3d_str key,
                      int64_t *ret)
{
    struct wait w = {.f = f, .take = take_number};
    const struct p3d_str argv[] = {p3d_str_z(kinds[kind].count), key};
    int err = ask(&w, argv, kind == P3D_FOREIGN_KEYS ? 1 : 2);
    if (!err)
        *ret = w.number;
    return err;
}

/* Where it was tried, without user and password. */
static int fail_open(const struct p3d_foreign *f, struct p3d_str url, struct p3d_error *err)
{
    struct p3d_redis_url u;
    int rc = p3d_redis_url_parse(url, "", &u, err);
    if (rc)
        return rc;
    if (u.path)
        rc = p3d_fail(err, P3D_E_STORE_DOWN, "Redis cannot be reached at unix://%.200s: %s", u.path,
                      f->error);
    else
        rc = p3d_fail(err, P3D_E_STORE_DOWN, "Redis cannot be reached at %.200s:%d: %s", u.host,
                      u.port, f->error);
    p3d_redis_url_done(&u);
    return rc;
}

int p3d_foreign_open(struct p3d_poll_loop *l, struct p3d_str url, uint64_t timeout_ms,
                     struct p3d_foreign **ret, struct p3d_error *err)
{
    struct p3d_config cfg = {0}; /* of a connection: where it goes */
    struct p3d_conn_options o = {
        .cfg = &cfg, .timeout_ms = timeout_ms, .max_inflight = INFLIGHT, .no_scripts = true};
    if (!url.n || url.n > P3D_SECRET_MAX)
        return p3d_fail(err, P3D_E_CONFIG,
                        "write redis://[user:password@]host:port/db or unix:///path");
    struct p3d_foreign *f = p3d_alloc(sizeof *f);
    f->loop = l;
    f->timeout_ms = timeout_ms;
    p3d_secret_set(&cfg.redis_url, url);
    int rc = p3d_conn_open(p3d_poll_loop_base(l), &o, &f->conn, err);
    p3d_secret_done(&cfg.redis_url);
    if (!rc && wait_up(f, true))
        rc = fail_open(f, url, err);
    if (rc) {
        p3d_foreign_close(f);
        return rc;
    }
    *ret = f;
    return 0;
}

void p3d_foreign_close(struct p3d_foreign *f)
{
    if (!f)
        return;
    p3d_conn_close(f->conn);
    free(f);
}

const char *p3d_foreign_error(const struct p3d_foreign *f)
{
    return f->error;
}
