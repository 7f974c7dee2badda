/* SPDX-License-Identifier: MIT
 *
 * Leaving, on both sides: clients that close while nothing is sent to them, and a server that
 * drains while answers have no end of their own. Guarantee: a client that closes or resets its
 * connection is noticed at once, by reading nothing but the fact (bytes that are taken in the
 * middle of an answer could move the request's head), and within LOOK_MS when bytes behind the
 * request hide it; who asked to be told is told once; a drain tells streams and waits one by one
 * over DRAIN_MS, so that not all clients come back in the same moment, and cuts what has not ended
 * a while later. A client that only shuts its sending side counts as gone. Does not: end anything
 * itself, but for that last cut.
 */
#include "call_internal.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#define DRAIN_MS 4000u /* never more than four fifths of server.drain_seconds */
#define TICK_MS 50u
#define LOOK_MS 1000u

/* ---- the client ---- */

void p3d_leave_unwatch(struct p3d_call *c)
{
    if (!c->watched)
        return;
    struct conn *conn = p3d_conn_of(c->req);
    c->watched = false;
    conn->watcher = NULL;
    p3d_timer_clear(&c->http->loop.base, &c->look);
    h2o_socket_dont_read(conn->sock, 0);
    h2o_socket_read_stop(conn->sock);
}

void p3d_leave_tell(struct p3d_call *c)
{
    void (*gone)(void *) = c->on_leave;
    c->on_leave = NULL;
    if (gone != NULL)
        gone(c->on_leave_arg);
}

/* Nobody reads the answer, but the library ends a request no other way. */
void p3d_leave_refuse(struct p3d_call *c)
{
    void (*gone)(void *) = c->on_leave;
    c->req->http1_is_persistent = 0;
    (void)p3d_call_ref(c);
    p3d_reply_error(c, P3D_E_BUSY, NULL);
    c->left = true;
    c->on_leave = gone; /* an answer ends the wish to be told */
    p3d_leave_tell(c);
    p3d_call_unref(c);
}

static void leaves(struct p3d_call *c)
{
    p3d_leave_unwatch(c);
    if (c->stream != NULL) {
        p3d_stream_cut(c);
    } else {
        p3d_leave_refuse(c);
        if (c->hold != NULL)
            c->status = P3D_STATUS_LEFT;
    }
}

/* The end stands behind bytes that nobody may read yet: they stay readable, so the loop can say no
 * more about this connection, and is not asked to. */
static void look(struct p3d_call *c)
{
    struct pollfd p = {.fd = h2o_socket_get_fd(p3d_conn_of(c->req)->sock), .events = POLLRDHUP};
    if (poll(&p, 1, 0) == 1)
        leaves(c);
    else
        p3d_timer_set(&c->http->loop.base, &c->look, LOOK_MS);
}

static void on_look(struct p3d_timer *t)
{
    look(H2O_STRUCT_FROM_MEMBER(struct p3d_call, look, t));
}

static void on_peek(h2o_socket_t *sock, const char *err)
{
    struct p3d_call *c = ((struct conn *)sock->on_close.data)->watcher;
    char byte;
    (void)err;
    ssize_t n = recv(h2o_socket_get_fd(sock), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        leaves(c);
        return;
    }
    h2o_socket_read_stop(sock);
    look(c);
}

void p3d_leave_watch(struct p3d_call *c)
{
    if (c->watched || c->req == NULL)
        return;
    struct conn *conn = p3d_conn_of(c->req);
    c->watched = true;
    c->look.cb = on_look;
    conn->watcher = c;
    h2o_socket_dont_read(conn->sock, 1);
    h2o_socket_read_start(conn->sock, on_peek);
}

void p3d_call_on_gone(struct p3d_call *c, void (*gone)(void *arg), void *arg)
{
    if (c->replied || c->req == NULL)
        return;
    c->on_leave = gone;
    c->on_leave_arg = arg;
    if (gone != NULL)
        p3d_leave_watch(c);
    else
        p3d_leave_unwatch(c);
}

/* ---- the server ---- */

void p3d_drain_forget(struct p3d_call *c)
{
    if (c->on_drain == NULL)
        return;
    c->on_drain = NULL;
    if (c->drain_next != NULL)
        c->drain_next->drain_prev = c->drain_prev;
    *(c->drain_prev != NULL ? &c->drain_prev->drain_next : &c->http->drainers) = c->drain_next;
    c->http->drainers_n--;
}

static void tell_first(struct p3d_http *h)
{
    struct p3d_call *c = p3d_call_ref(h->drainers);
    void (*drain)(void *) = c->on_drain;
    p3d_drain_forget(c);
    drain(c->on_drain_arg);
    p3d_call_unref(c);
}

static void cut_rest(struct p3d_timer *t)
{
    struct p3d_http *h = H2O_STRUCT_FROM_MEMBER(struct p3d_http, cut, t);
    for (struct p3d_call *c = h->calls; c != NULL; c = c->next)
        if (c->stream != NULL)
            p3d_stream_cut(c);
    p3d_timer_set(&h->loop.base, t, P3D_IDLE_AGAIN_MS);
}

static void on_tick(struct p3d_timer *t)
{
    struct p3d_http *h = H2O_STRUCT_FROM_MEMBER(struct p3d_http, tick, t);
    size_t n = h->drainers_n;
    if (h->drain_ticks > 1) {
        n = (n + h->drain_ticks - 1) / h->drain_ticks;
        h->drain_ticks--;
    }
    for (; n > 0 && h->drainers != NULL; n--)
        tell_first(h);
    if (h->drainers != NULL)
        p3d_timer_set(&h->loop.base, t, TICK_MS);
}

void p3d_drain_begin(struct p3d_http *h)
{
    uint64_t span_ms = (uint64_t)h->o.cfg->server_drain_seconds * 800;
    if (span_ms > DRAIN_MS)
        span_ms = DRAIN_MS;
    h->tick.cb = on_tick;
    h->cut.cb = cut_rest;
    h->drain_ticks = (unsigned)(span_ms / TICK_MS);
    p3d_timer_set(&h->loop.base, &h->tick, 0);
    p3d_timer_set(&h->loop.base, &h->cut, span_ms + span_ms / 8);
}

void p3d_drain_stop(struct p3d_http *h)
{
    p3d_timer_clear(&h->loop.base, &h->tick);
    p3d_timer_clear(&h->loop.base, &h->cut);
    for (struct p3d_call *c = h->calls; c != NULL; c = c->next) /* they are cut now, and see it */
        if (c->look.slot != 0)
            p3d_timer_set(&h->loop.base, &c->look, 0);
}

void p3d_call_on_drain(struct p3d_call *c, void (*drain)(void *arg), void *arg)
{
    struct p3d_http *h = c->http;
    p3d_drain_forget(c);
    if (drain == NULL || c->req == NULL)
        return;
    c->on_drain = drain;
    c->on_drain_arg = arg;
    c->drain_prev = NULL;
    c->drain_next = h->drainers;
    if (c->drain_next != NULL)
        c->drain_next->drain_prev = c;
    h->drainers = c;
    h->drainers_n++;
    if (h->draining && h->tick.slot == 0)
        p3d_timer_set(&h->loop.base, &h->tick, 0);
}
