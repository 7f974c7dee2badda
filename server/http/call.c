/* SPDX-License-Identifier: MIT
 *
 * The cell of one request: what outlives the request itself. h2o frees a request whenever its
 * connection ends, and a store call or a disk read may still come back to it. Guarantee: the cell
 * lives while a user holds a reference or the request lives; `req` is NULL from the moment the
 * request's memory goes, told by the disposal of `hold`, a block in the request's own pool; exactly
 * one answer, 500 if every user let go without one. The request is reported to on_request once,
 * when it is over.
 */
#include "call_internal.h"

#include <assert.h>
#include <string.h>

#include "p3d/id.h"

/* h2o runs dispose when the pool is cleared; nobody may add a reference to it (then it would run
 * too late). */
struct hold {
    struct p3d_call *call;
    char *body;
};
struct arena {
    struct arena *next;
    max_align_t memory[];
};
struct deferred {
    struct deferred *next;
    void (*fn)(void *);
    void *arg;
};

const struct p3d_route p3d_route_none = {.pattern = "", .name = "none", .doc = "no route"};

static uint64_t now_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

double p3d_call_seconds(const struct p3d_call *c)
{
    return (double)(now_us() - c->start_us) / 1e6;
}

static void destroy(struct p3d_call *c)
{
    for (struct deferred *d = c->deferred; d != NULL; d = d->next)
        d->fn(d->arg);
    for (struct arena *a = c->arena, *next; a != NULL; a = next) {
        next = a->next;
        free(a);
    }
    free(c->base_url);
    c->magic = 0;
    free(c);
}

static void on_dispose(void *arg)
{
    struct hold *hold = arg;
    struct p3d_call *c = hold->call;
    const struct p3d_http_options *o = &c->http->o;
    if (o->on_request != NULL)
        o->on_request(o->app, c, c->replied ? c->status : P3D_STATUS_LEFT, p3d_call_seconds(c),
                      (int64_t)c->req->bytes_sent);
    struct conn *conn = p3d_conn_of(c->req);
    conn->calls--;
    p3d_leave_unwatch(c);
    p3d_drain_forget(c);
    c->req = NULL;
    c->hold = NULL;
    free(hold->body);
    if (c->next != NULL)
        c->next->prev = c->prev;
    *(c->prev != NULL ? &c->prev->next : &c->http->calls) = c->next;
    c->refs++; /* who is told may drop the last one */
    if (c->on_gone != NULL) {
        void (*gone)(void *) = c->on_gone;
        c->on_gone = NULL;
        gone(c->on_gone_arg);
    }
    p3d_leave_tell(c);
    c->refs--;
    if (c->refs == 0)
        destroy(c);
}

static bool is_request_id(struct p3d_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char ch = s.p[i];
        bool alnum =
            (ch >= '0' && ch <= '9') || (ch >= 'A' && ch <= 'Z') || (ch >= 'a' && ch <= 'z');
        if (!alnum && ch != '.' && ch != '_' && ch != '-')
            return false;
    }
    return s.n >= 1 && s.n <= 64;
}

static void copy_cut(char *dst, size_t size, struct p3d_str s)
{
    size_t n = s.n < size - 1 ? s.n : size - 1;
    memcpy(dst, s.p, n);
    dst[n] = '\0';
}

static void copy_head(struct p3d_call *c, const h2o_req_t *req)
{
    struct p3d_str id = p3d_call_peek(c, "x-request-id"),
                   target = {req->input.path.base, req->input.path.len}, path, query;
    p3d_target_cut(target, &path, &query); /* the query may hold a signature: not kept */
    if (is_request_id(id))
        copy_cut(c->request_id, sizeof(c->request_id), id);
    else
        p3d_nonce(c->request_id);
    copy_cut(c->method, sizeof(c->method),
             (struct p3d_str){req->input.method.base, req->input.method.len});
    copy_cut(c->path, sizeof(c->path), path);
    c->head = strcmp(c->method, "HEAD") == 0;
    c->cors_origin = p3d_cors_origin(c->http->o.cfg->security_cors_origins,
                                     p3d_call_peek(c, "origin"), &c->cors_vary);
}

/* Several fields of one name are one list (RFC 9110 section 5.3). */
static void copy_client(struct p3d_call *c, const char *peer)
{
    static const char name[] = "x-forwarded-for";
    struct p3d_buf list;
    ssize_t at = -1;
    p3d_buf_init(&list, P3D_HEAD_MAX);
    while (c->http->proxies_n > 0 && (at = h2o_find_header_by_str(&c->req->headers, name, sizeof(name) - 1, at)) >= 0) {
        p3d_buf_addz(&list, list.n > 0 ? "," : "");
        p3d_buf_add(&list, c->req->headers.entries[at].value.base, c->req->headers.entries[at].value.len);
    }
    p3d_client_address(c->http->proxies, c->http->proxies_n, peer, p3d_buf_str(&list), c->client);
    p3d_buf_done(&list);
}

struct p3d_call *p3d_call_new(struct p3d_http *h, h2o_req_t *req)
{
    struct p3d_call *c = p3d_alloc(sizeof(*c));
    struct conn *conn = p3d_conn_of(req);
    c->magic = P3D_CALL_MAGIC;
    c->refs = 1;
    c->http = h;
    c->req = req;
    c->route = &p3d_route_none;
    c->start_us = now_us();
    c->headers_end = &c->headers;
    c->hold = h2o_mem_alloc_shared(&req->pool, sizeof(*c->hold), on_dispose);
    *c->hold = (struct hold){.call = c};
    c->next = h->calls;
    if (c->next != NULL)
        c->next->prev = c;
    h->calls = c;
    conn->calls++;
    copy_client(c, conn->peer);
    copy_head(c, req);
    return c;
}

void p3d_call_keep(struct p3d_call *c, char *body)
{
    assert(c->hold != NULL && c->hold->body == NULL);
    c->hold->body = body;
}

struct p3d_call *p3d_call_ref(struct p3d_call *c)
{
    assert(c->magic == P3D_CALL_MAGIC);
    c->refs++;
    return c;
}

void p3d_call_unref(struct p3d_call *c)
{
    assert(c->magic == P3D_CALL_MAGIC && c->refs > 0);
    if (--c->refs > 0)
        return;
    if (!c->replied && c->req != NULL)
        p3d_reply_error(c, P3D_E_INTERNAL, NULL);
    if (c->hold == NULL)
        destroy(c);
}

void *p3d_call_alloc(struct p3d_call *c, size_t n)
{
    struct arena *a = p3d_alloc(sizeof(*a) + n);
    a->next = c->arena;
    c->arena = a;
    return a->memory;
}

void p3d_call_defer(struct p3d_call *c, void (*fn)(void *), void *arg)
{
    struct deferred *d = p3d_call_alloc(c, sizeof(*d));
    *d = (struct deferred){.next = c->deferred, .fn = fn, .arg = arg};
    c->deferred = d;
}
