/* SPDX-License-Identifier: MIT
 *
 * What every event loop has, whatever waits below it: timers in a heap, calls at the end of the
 * turn, posts from other threads through an eventfd. Guarantee: any callback may set, clear or
 * queue anything, itself included; one turn runs a bounded number of them, so timers and turns that
 * renew themselves never starve the descriptors. Does not: wait. That is loop_poll.c here and the
 * h2o loop in the server.
 */
#include "p3d/loop.h"

#include <errno.h>
#include <limits.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "loop_internal.h"
#include "p3d/clock.h"
#include "p3d/str.h"

#define TURN_BUDGET                                                                                \
    4096 /* calls at the end of one turn; more wait for the next, which then does not sleep */

struct p3d_watch *p3d_watch(struct p3d_loop *l, int fd, void (*cb)(void *priv, int events),
                            void *priv)
{
    return l->ops->watch(l, fd, cb, priv);
}

void p3d_interest(struct p3d_loop *l, struct p3d_watch *w, int events)
{
    l->ops->interest(w, events);
}

void p3d_unwatch(struct p3d_loop *l, struct p3d_watch *w)
{
    if (w != NULL)
        l->ops->unwatch(w);
}

/* Put t where slot (1-based) is. */
static void heap_place(struct p3d_loop *l, struct p3d_timer *t, size_t slot)
{
    l->heap[slot - 1] = t;
    t->slot = slot;
}

static void heap_up(struct p3d_loop *l, struct p3d_timer *t, size_t slot)
{
    while (slot > 1 && l->heap[slot / 2 - 1]->at_ms > t->at_ms) {
        heap_place(l, l->heap[slot / 2 - 1], slot);
        slot /= 2;
    }
    heap_place(l, t, slot);
}

static void heap_down(struct p3d_loop *l, struct p3d_timer *t, size_t slot)
{
    for (;;) {
        size_t child = slot * 2;
        if (child > l->heap_n)
            break;
        if (child < l->heap_n && l->heap[child]->at_ms < l->heap[child - 1]->at_ms)
            child++;
        if (l->heap[child - 1]->at_ms >= t->at_ms)
            break;
        heap_place(l, l->heap[child - 1], slot);
        slot = child;
    }
    heap_place(l, t, slot);
}

void p3d_timer_clear(struct p3d_loop *l, struct p3d_timer *t)
{
    size_t slot = t->slot;
    if (slot == 0)
        return;
    t->slot = 0;
    struct p3d_timer *moved = l->heap[--l->heap_n];
    if (moved == t)
        return;
    if (slot > 1 && l->heap[slot / 2 - 1]->at_ms > moved->at_ms)
        heap_up(l, moved, slot);
    else
        heap_down(l, moved, slot);
}

void p3d_timer_set(struct p3d_loop *l, struct p3d_timer *t, uint64_t in_ms)
{
    p3d_timer_clear(l, t);
    if (__builtin_add_overflow(p3d_mono_ms(), in_ms, &t->at_ms))
        t->at_ms = UINT64_MAX;
    if (l->heap_n == l->heap_cap) {
        l->heap_cap = l->heap_cap == 0 ? 16 : l->heap_cap * 2;
        l->heap = p3d_realloc(l->heap, l->heap_cap * sizeof(struct p3d_timer *));
    }
    l->heap_n++;
    heap_up(l, t, l->heap_n);
}

void p3d_loop_after_wait(struct p3d_loop *l)
{
    uint64_t now_ms = p3d_mono_ms();
    /* As many as were set: one that sets itself anew with 0 ms runs in the next turn. */
    for (size_t budget = l->heap_n; budget > 0 && l->heap_n > 0; budget--) {
        struct p3d_timer *t = l->heap[0];
        if (t->at_ms > now_ms)
            break;
        p3d_timer_clear(l, t);
        t->cb(t);
    }
}

void p3d_turn_end(struct p3d_loop *l, struct p3d_turn *t)
{
    if (t->queued)
        return;
    t->queued = true;
    t->next = NULL;
    *(l->turns != NULL ? &l->turns_last->next : &l->turns) = t;
    l->turns_last = t;
}

void p3d_turn_clear(struct p3d_loop *l, struct p3d_turn *t)
{
    struct p3d_turn *before = NULL;
    if (!t->queued)
        return;
    for (struct p3d_turn *at = l->turns; at != t; at = at->next)
        before = at;
    *(before != NULL ? &before->next : &l->turns) = t->next;
    if (l->turns_last == t)
        l->turns_last = before;
    t->queued = false;
}

static void run_turns(struct p3d_loop *l)
{
    for (int budget = TURN_BUDGET; budget > 0 && l->turns != NULL; budget--) {
        struct p3d_turn *t = l->turns;
        l->turns = t->next;
        t->queued = false;
        t->cb(t);
    }
}

int p3d_loop_before_wait(struct p3d_loop *l, int max_ms)
{
    run_turns(l);
    if (l->turns != NULL)
        return 0;
    if (l->heap_n == 0)
        return max_ms;
    uint64_t now_ms = p3d_mono_ms(), at_ms = l->heap[0]->at_ms;
    uint64_t wait_ms = at_ms > now_ms ? at_ms - now_ms : 0;
    uint64_t limit_ms = max_ms < 0 ? INT_MAX : (uint64_t)max_ms;
    return (int)(wait_ms < limit_ms ? wait_ms : limit_ms);
}

void p3d_loop_post(struct p3d_loop *l, struct p3d_post *p)
{
    (void)pthread_mutex_lock(&l->post_lock);
    bool first = l->posts == NULL;
    p->next = l->posts;
    l->posts = p;
    if (first) {
        /* Under the lock, so that the loop cannot end between the post and its wake-up. EAGAIN
         * would mean that the counter is full: then the loop is awake anyway. */
        uint64_t one = 1;
        ssize_t r;
        do
            r = write(l->post_fd, &one, sizeof(one));
        while (r < 0 && errno == EINTR);
    }
    (void)pthread_mutex_unlock(&l->post_lock);
}

void p3d_loop_run_posts(struct p3d_loop *l)
{
    (void)pthread_mutex_lock(&l->post_lock);
    struct p3d_post *newest = l->posts, *oldest = NULL;
    l->posts = NULL;
    (void)pthread_mutex_unlock(&l->post_lock);
    while (newest != NULL) {
        struct p3d_post *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    struct p3d_post **end = &l->posts_ready;
    while (*end != NULL)
        end = &(*end)->next;
    *end = oldest;
    while (l->posts_ready != NULL) {
        struct p3d_post *p = l->posts_ready;
        l->posts_ready = p->next;
        p->cb(p);
    }
}

static void on_post(void *priv, int events)
{
    struct p3d_loop *l = priv;
    uint64_t count;
    (void)events;
    /* First the counter, then the list: a post in between finds the list empty or not, and wakes us
     * if it must. */
    (void)!read(l->post_fd, &count, sizeof(count));
    p3d_loop_run_posts(l);
}

int p3d_loop_init(struct p3d_loop *l, const struct p3d_loop_ops *ops)
{
    *l = (struct p3d_loop){.ops = ops, .post_fd = -1};
    l->post_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (l->post_fd < 0)
        return P3D_E_UNAVAILABLE;
    (void)pthread_mutex_init(&l->post_lock, NULL);
    l->post_watch = p3d_watch(l, l->post_fd, on_post, l);
    p3d_interest(l, l->post_watch, P3D_READABLE);
    return 0;
}

void p3d_loop_done(struct p3d_loop *l)
{
    p3d_unwatch(l, l->post_watch);
    (void)close(l->post_fd);
    (void)pthread_mutex_destroy(&l->post_lock);
    free(l->heap);
    l->heap = NULL;
    l->post_watch = NULL;
    l->post_fd = -1;
}
