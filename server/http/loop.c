/* SPDX-License-Identifier: MIT
 *
 * struct p3d_loop on h2o's event loop, so that the store, the pools and all timers run where the
 * requests run. Guarantee: readiness is level-triggered; a watch may be changed or removed from any
 * callback, its own included, and is never called after its removal. h2o closes the descriptor of a
 * socket that goes away, so each watch owns a dup(). Does not: sleep longer than MAX_WAIT_MS, so
 * that a step of the wall clock, on which h2o's timeouts run, is noticed.
 */
#include "http_internal.h"

#include <assert.h>
#include <fcntl.h>

#define MAX_WAIT_MS 10000
#define NO_FD_RETRY_MS 50

struct p3d_watch {
    struct p3d_h2o_loop *owner;
    h2o_socket_t *sock; /* NULL while no descriptor could be had */
    int fd;             /* the caller's */
    int events;
    bool busy, removed; /* inside its callback; removed there */
    void (*cb)(void *priv, int events);
    void *priv;
    struct p3d_timer retry;
};

static void apply(struct p3d_watch *w);

static void call(struct p3d_watch *w, int events)
{
    events &= w->events;
    if (events == 0)
        return;
    w->busy = true;
    w->cb(w->priv, events);
    w->busy = false;
    if (w->removed)
        free(w);
    else
        apply(w);
}

static void on_readable(h2o_socket_t *sock, const char *err)
{
    (void)err;
    call(sock->data, P3D_READABLE);
}

/* One-shot in h2o: apply() arms it again while it is wanted. One that is no longer wanted fires
 * once, unheard. */
static void on_writable(h2o_socket_t *sock, const char *err)
{
    (void)err;
    call(sock->data, P3D_WRITABLE);
}

static void apply(struct p3d_watch *w)
{
    if (w->sock == NULL)
        return;
    bool read = (w->events & P3D_READABLE) != 0;
    if (read && !h2o_socket_is_reading(w->sock))
        h2o_socket_read_start(w->sock, on_readable);
    else if (!read && h2o_socket_is_reading(w->sock))
        h2o_socket_read_stop(w->sock);
    if ((w->events & P3D_WRITABLE) != 0 && !h2o_socket_is_writing(w->sock))
        h2o_socket_notify_write(w->sock, on_writable);
}

static void attach(struct p3d_watch *w)
{
    int fd = fcntl(w->fd, F_DUPFD_CLOEXEC, 3);
    if (fd < 0) { /* out of descriptors: connections that end give some back */
        p3d_timer_set(&w->owner->base, &w->retry, NO_FD_RETRY_MS);
        return;
    }
    w->sock = h2o_evloop_socket_create(w->owner->ev, fd, H2O_SOCKET_FLAG_DONT_READ);
    w->sock->data = w;
    apply(w);
}

static void on_retry(struct p3d_timer *t)
{
    attach(H2O_STRUCT_FROM_MEMBER(struct p3d_watch, retry, t));
}

static struct p3d_watch *h2o_watch(struct p3d_loop *base, int fd,
                                   void (*cb)(void *priv, int events), void *priv)
{
    struct p3d_watch *w = p3d_alloc(sizeof(*w));
    *w = (struct p3d_watch){.owner = (struct p3d_h2o_loop *)base,
                            .fd = fd,
                            .cb = cb,
                            .priv = priv,
                            .retry.cb = on_retry};
    attach(w);
    return w;
}

static void h2o_interest(struct p3d_watch *w, int events)
{
    assert(!w->removed);
    w->events = events;
    if (!w->busy)
        apply(w);
}

static void h2o_unwatch(struct p3d_watch *w)
{
    if (w == NULL)
        return;
    assert(!w->removed);
    p3d_timer_clear(&w->owner->base, &w->retry);
    if (w->sock != NULL)
        h2o_socket_close(w->sock);
    w->sock = NULL;
    w->removed = true;
    w->events = 0;
    if (!w->busy)
        free(w);
}

static const struct p3d_loop_ops h2o_ops = {
    .watch = h2o_watch,
    .interest = h2o_interest,
    .unwatch = h2o_unwatch,
};

int p3d_h2o_loop_init(struct p3d_h2o_loop *l)
{
    h2o_evloop_t *ev = h2o_evloop_create();
    struct p3d_loop *base = &l->base;
    l->ev = ev; /* p3d_loop_init makes its first watch already; it writes `base` only */
    return p3d_loop_init(base, &h2o_ops);
}

void p3d_h2o_loop_run_once(struct p3d_h2o_loop *l, int max_ms)
{
    int ms =
        p3d_loop_before_wait(&l->base, max_ms < 0 || max_ms > MAX_WAIT_MS ? MAX_WAIT_MS : max_ms);
    /* What our timers and end-of-turn calls wrote has callbacks waiting that h2o runs only after
     * its wait. */
    if (l->ev->_pending_as_server != NULL || l->ev->_pending_as_client != NULL)
        ms = 0;
    (void)h2o_evloop_run(l->ev, ms); /* -1: a signal ended the wait; the turn goes on */
    p3d_loop_after_wait(&l->base);
}
