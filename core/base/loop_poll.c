/* SPDX-License-Identifier: MIT
 *
 * The event loop on poll(2), for workers, supervisor, command line and tests: a handful of
 * descriptors each. Guarantee: any callback may add, change or remove any watch. A removed watch is
 * never called again, also when its descriptor was already reported in this turn; a new one is
 * first called in the next turn. A watch without interest is not polled, so a hung-up peer does not
 * spin the loop. Does not: nest. run_once from a callback of the same loop is a bug.
 */
#include "p3d/loop.h"

#include <assert.h>
#include <poll.h>

#include "p3d/str.h"

struct p3d_watch {
    struct p3d_poll_loop *owner;
    int fd;
    int events; /* interest; 0 when removed */
    bool removed;
    void (*cb)(void *priv, int events);
    void *priv;
};

struct p3d_poll_loop {
    struct p3d_loop base; /* first: ops get this pointer */
    struct p3d_watch **watches;
    struct pollfd *fds; /* same places as watches, filled anew every turn */
    size_t n, cap;
    size_t removed_n;
    bool dispatching;
};

static struct p3d_watch *poll_watch(struct p3d_loop *base, int fd,
                                    void (*cb)(void *priv, int events), void *priv)
{
    struct p3d_poll_loop *l = (struct p3d_poll_loop *)base;
    struct p3d_watch *w = p3d_alloc(sizeof(*w));
    *w = (struct p3d_watch){.owner = l, .fd = fd, .cb = cb, .priv = priv};
    if (l->n == l->cap) {
        l->cap = l->cap == 0 ? 16 : l->cap * 2;
        l->watches = p3d_realloc(l->watches, l->cap * sizeof(struct p3d_watch *));
        l->fds = p3d_realloc(l->fds, l->cap * sizeof(struct pollfd));
    }
    l->watches[l->n++] = w;
    return w;
}

static void poll_interest(struct p3d_watch *w, int events)
{
    assert(!w->removed);
    w->events = events;
}

/* Free the removed ones and close the gaps. */
static void sweep(struct p3d_poll_loop *l)
{
    size_t kept = 0;
    if (l->removed_n == 0)
        return;
    for (size_t i = 0; i < l->n; i++) {
        if (l->watches[i]->removed)
            free(l->watches[i]);
        else
            l->watches[kept++] = l->watches[i];
    }
    l->n = kept;
    l->removed_n = 0;
}

static void poll_unwatch(struct p3d_watch *w)
{
    if (w == NULL)
        return;
    assert(!w->removed);
    w->removed = true;
    w->events = 0;
    w->owner->removed_n++;
    if (!w->owner->dispatching)
        sweep(w->owner);
}

static const struct p3d_loop_ops poll_ops = {
    .watch = poll_watch,
    .interest = poll_interest,
    .unwatch = poll_unwatch,
};

static void fill(struct p3d_poll_loop *l)
{
    for (size_t i = 0; i < l->n; i++) {
        const struct p3d_watch *w = l->watches[i];
        int events = ((w->events & P3D_READABLE) != 0 ? POLLIN : 0) |
                     ((w->events & P3D_WRITABLE) != 0 ? POLLOUT : 0);
        /* poll(2) skips a negative fd; with events 0 it would still report a hang-up, for ever. */
        l->fds[i] = (struct pollfd){.fd = events != 0 ? w->fd : -1, .events = (short)events};
    }
}

static void dispatch(struct p3d_poll_loop *l)
{
    const short failed = POLLERR | POLLHUP | POLLNVAL;
    size_t n = l->n; /* watches added from here on were not polled */
    for (size_t i = 0; i < n; i++) {
        struct p3d_watch *w = l->watches[i];
        short got = l->fds[i].revents;
        int events = 0;
        if ((got & (POLLIN | failed)) != 0)
            events |= P3D_READABLE;
        if ((got & (POLLOUT | failed)) != 0)
            events |= P3D_WRITABLE;
        events &= w->events; /* as it is now: an earlier callback may have changed or removed it */
        if (events != 0)
            w->cb(w->priv, events);
    }
}

void p3d_poll_loop_run_once(struct p3d_poll_loop *l, int max_ms)
{
    assert(!l->dispatching);
    int wait_ms = p3d_loop_before_wait(&l->base, max_ms);
    fill(l);
    int r = poll(l->fds, l->n, wait_ms);
    l->dispatching = true;
    if (r > 0)
        dispatch(l);
    p3d_loop_after_wait(&l->base);
    l->dispatching = false;
    sweep(l);
}

int p3d_poll_loop_new(struct p3d_poll_loop **ret)
{
    struct p3d_poll_loop *l = p3d_alloc(sizeof(*l));
    int r = p3d_loop_init(&l->base, &poll_ops);
    if (r != 0) {
        free(l);
        return r;
    }
    *ret = l;
    return 0;
}

void p3d_poll_loop_free(struct p3d_poll_loop *l)
{
    if (l == NULL)
        return;
    p3d_loop_done(&l->base);
    assert(l->n ==
           0); /* a watch that is left would be called by nobody, and its owner would not know */
    free(l->watches);
    free(l->fds);
    free(l);
}

struct p3d_loop *p3d_poll_loop_base(struct p3d_poll_loop *l)
{
    return &l->base;
}
