/* SPDX-License-Identifier: MIT
 *
 * An answer of unknown length, in pieces as they come: chunked for HTTP/1.1, up to the end of the
 * connection for HTTP/1.0. Guarantee: one piece is on its way at a time and what comes meanwhile
 * waits, at most max_bytes, then the connection is reset; a client that leaves is noticed at once,
 * with or without anything to send; `gone` is told once, never from within a call of the stream's
 * owner and never after the end; memory is the call's and goes with it. HEAD gets the head only.
 * Does not: know what the pieces mean, or when the server drains (leave.c).
 */
#include "call_internal.h"

#include <string.h>
#include <sys/socket.h>

struct stream {
    h2o_generator_t gen; /* first */
    struct p3d_call *call;
    struct p3d_turn late;
    struct p3d_buf queue;
    char *flight; /* on its way; NULL when nothing is */
    size_t flight_n;
    void (*gone)(void *arg);
    void *arg;
    bool flying; /* the library has not asked for more yet */
    bool ending; /* no more is taken */
    bool over;   /* the last piece is given */
    bool cut;    /* the connection is shut down */
};

static void drop(struct stream *s)
{
    char *waiting = p3d_buf_take(&s->queue); /* keeps the limit */
    free(waiting);
}

static void landed(struct stream *s)
{
    s->flying = false;
    free(s->flight);
    s->flight = NULL;
    s->flight_n = 0;
}

static void tell(struct stream *s)
{
    void (*gone)(void *) = s->ending ? NULL : s->gone;
    s->ending = true;
    if (gone != NULL)
        gone(s->arg);
}

/* The request is over: all sent, or nobody there. */
static void on_disposed(void *arg)
{
    struct stream *s = arg;
    s->over = true;
    landed(s);
    drop(s);
    tell(s);
}

/* Nobody was there when it began. */
static void on_late(struct p3d_turn *t)
{
    struct stream *s = H2O_STRUCT_FROM_MEMBER(struct stream, late, t);
    tell(s);
    p3d_call_unref(s->call);
}

static void push(struct stream *s)
{
    if (s->flying || s->over || s->cut || (s->queue.n == 0 && !s->ending))
        return;
    struct p3d_call *c = s->call;
    h2o_iovec_t piece = h2o_iovec_init(NULL, s->queue.n);
    if (piece.len > 0)
        piece.base = p3d_buf_take(&s->queue);
    s->flight = piece.base;
    s->flight_n = piece.len;
    s->flying = true;
    s->over = s->ending;
    if (s->over) {
        p3d_leave_unwatch(c);
        if (c->http->draining)
            c->req->http1_is_persistent = 0;
    }
    h2o_send(c->req, &piece, piece.len > 0 ? 1 : 0,
             s->over ? H2O_SEND_STATE_FINAL : H2O_SEND_STATE_IN_PROGRESS);
}

/* The library notices that a connection is shut down through a write that fails. */
static void fail(struct stream *s)
{
    static char byte[] = "\n";
    h2o_iovec_t piece = h2o_iovec_init(byte, 1);
    s->flying = true;
    h2o_send(s->call->req, &piece, 1, H2O_SEND_STATE_IN_PROGRESS);
}

static void proceed(h2o_generator_t *gen, h2o_req_t *req)
{
    struct stream *s = (struct stream *)gen;
    (void)req;
    landed(s);
    if (s->cut)
        fail(s);
    else
        push(s);
}

/* A reset instead of an end, so that the client knows, and the kernel keeps nothing for it. */
void p3d_stream_cut(struct p3d_call *c)
{
    struct stream *s = c->stream;
    if (c->req == NULL || s->cut)
        return;
    int fd = h2o_socket_get_fd(p3d_conn_of(c->req)->sock);
    p3d_leave_unwatch(c);
    drop(s);
    s->cut = true;
    c->req->http1_is_persistent = 0;
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1, .l_linger = 0}, sizeof(struct linger));
    (void)shutdown(fd, SHUT_RDWR);
    if (!s->flying)
        fail(s);
}

/* The head at once, before there is a byte to send: the library holds it back for the first piece, and its encoder lets
 * no empty one through, so it is given to the connection's own stream, behind the encoder. */
static void send_head(h2o_req_t *req)
{
    h2o_ostream_t *o = req->_ostr_top;
    while (o->next != NULL)
        o = o->next;
    o->do_send(o, req, NULL, 0, H2O_SEND_STATE_IN_PROGRESS);
}

void p3d_stream_begin(struct p3d_call *c, const char *content_type, size_t max_bytes, void (*gone)(void *arg),
                      void *arg)
{
    static h2o_generator_t none;
    struct stream *s = p3d_call_alloc(c, sizeof(*s));
    *s = (struct stream){.gen.proceed = proceed, .call = c, .late.cb = on_late, .gone = gone, .arg = arg};
    p3d_buf_init(&s->queue, max_bytes);
    c->stream = s;
    p3d_reply_default(c, "content-type", content_type);
    p3d_reply_default(c, "cache-control", "no-store");
    p3d_reply_header(c, "x-accel-buffering", "no"); /* a proxy in front would keep it back */
    if (c->req != NULL) {
        c->req->compress_hint = H2O_COMPRESS_HINT_DISABLE;
        if (c->req->version < 0x101)
            c->req->http1_is_persistent = 0;
    }
    if (!p3d_reply_begin(c, 200, SIZE_MAX, c->head ? &none : &s->gen)) {
        s->over = true;
        (void)p3d_call_ref(c);
        p3d_turn_end(&c->http->loop.base, &s->late);
        return;
    }
    c->on_gone = on_disposed;
    c->on_gone_arg = s;
    s->over = c->head;
    s->flying = true; /* the head */
    if (c->head) {
        h2o_send(c->req, NULL, 0, H2O_SEND_STATE_FINAL);
        return;
    }
    p3d_leave_watch(c);
    send_head(c->req);
}

void p3d_stream_send(struct p3d_call *c, struct p3d_str bytes)
{
    struct stream *s = c->stream;
    if (s == NULL || s->over || s->cut || s->ending || bytes.n == 0)
        return;
    p3d_buf_add(&s->queue, bytes.p, bytes.n);
    if (s->queue.full)
        p3d_stream_cut(c);
    else
        push(s);
}

void p3d_stream_end(struct p3d_call *c)
{
    struct stream *s = c->stream;
    if (s == NULL || s->ending)
        return;
    s->ending = true;
    push(s);
}

size_t p3d_stream_waiting(const struct p3d_call *c)
{
    const struct stream *s = c->stream;
    return s != NULL ? s->queue.n + s->flight_n : 0;
}
