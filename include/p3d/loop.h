/* SPDX-License-Identifier: MIT
 *
 * The event loop as core/ sees it. Two implementations: server/http on the h2o loop, core/base/loop_poll.c on
 * poll(2) (workers, supervisor, command line, tests). Timers, end-of-turn calls and posts from threads are common
 * code over both. All calls on the loop's own thread, except p3d_loop_post.
 */
#pragma once
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "p3d/err.h"

struct p3d_loop;
struct p3d_watch;

enum { P3D_READABLE = 1, P3D_WRITABLE = 2 };

struct p3d_loop_ops {
    /* A new watch with no interest; fd stays the caller's and must stay open until unwatch. */
    struct p3d_watch *(*watch)(struct p3d_loop *l, int fd, void (*cb)(void *priv, int events), void *priv);
    void (*interest)(struct p3d_watch *w, int events); /* level-triggered; may be called from cb */
    void (*unwatch)(struct p3d_watch *w);              /* NULL is fine; may be called from its own cb */
};

/* One-shot, embedded by its owner, zero-initialised with cb set; clear it before freeing its owner. */
struct p3d_timer {
    uint64_t at_ms;  /* monotonic */
    size_t slot;     /* 1-based place in the heap, 0 = not set; written by loop.c only */
    void (*cb)(struct p3d_timer *t);
};

/* Something to do once at the end of the turn, before the loop sleeps (flush of a connection). Embedded, zeroed. */
struct p3d_turn {
    struct p3d_turn *next;
    bool queued;
    void (*cb)(struct p3d_turn *t);
};

/* A message from another thread. Embedded; in flight from post until its cb runs on the loop. */
struct p3d_post {
    struct p3d_post *next;
    void (*cb)(struct p3d_post *p);
};

struct p3d_loop {
    const struct p3d_loop_ops *ops;
    struct p3d_timer **heap;
    size_t heap_n, heap_cap;
    struct p3d_turn *turns, *turns_last; /* oldest first */
    pthread_mutex_t post_lock;
    struct p3d_post *posts;       /* newest first, under post_lock */
    struct p3d_post *posts_ready; /* oldest first, taken over by the loop */
    int post_fd;            /* eventfd */
    struct p3d_watch *post_watch;
};

/* For implementations: set up the common part (ops must work already) and tear it down. */
P3D_MUST int p3d_loop_init(struct p3d_loop *l, const struct p3d_loop_ops *ops);
void p3d_loop_done(struct p3d_loop *l);
/* For implementations: run the end-of-turn calls, then say how long to sleep (0..max_ms). */
int p3d_loop_before_wait(struct p3d_loop *l, int max_ms);
/* For implementations: run the timers that are due. */
void p3d_loop_after_wait(struct p3d_loop *l);

struct p3d_watch *p3d_watch(struct p3d_loop *l, int fd, void (*cb)(void *priv, int events), void *priv);
void p3d_interest(struct p3d_loop *l, struct p3d_watch *w, int events);
void p3d_unwatch(struct p3d_loop *l, struct p3d_watch *w);

void p3d_timer_set(struct p3d_loop *l, struct p3d_timer *t, uint64_t in_ms); /* moves one that is set */
void p3d_timer_clear(struct p3d_loop *l, struct p3d_timer *t);
void p3d_turn_end(struct p3d_loop *l, struct p3d_turn *t); /* once, however often called in a turn */
void p3d_turn_clear(struct p3d_loop *l, struct p3d_turn *t); /* before freeing its owner; not queued is fine */
void p3d_loop_post(struct p3d_loop *l, struct p3d_post *p); /* any thread */

/* The poll(2) loop. run_once sleeps at most max_ms (-1 = until something happens); EINTR ends a turn. */
struct p3d_poll_loop;
P3D_MUST int p3d_poll_loop_new(struct p3d_poll_loop **ret);
void p3d_poll_loop_free(struct p3d_poll_loop *l); /* NULL is fine; watches must be gone */
struct p3d_loop *p3d_poll_loop_base(struct p3d_poll_loop *l);
void p3d_poll_loop_run_once(struct p3d_poll_loop *l, int max_ms);
/* Run l until *done. For straight-line programs. Errors: P3D_E_TIMEOUT. */
P3D_MUST int p3d_poll_wait(struct p3d_poll_loop *l, const bool *done, uint64_t timeout_ms);

/* A bounded pool of threads for what would block. task->work runs on a thread, then task->done on the loop. */
struct p3d_pool;
struct p3d_task {
    struct p3d_post post; /* first */
    struct p3d_task *next;
    struct p3d_pool *pool;
    void (*work)(struct p3d_task *t);
    void (*done)(struct p3d_task *t);
};
P3D_MUST int p3d_pool_new(struct p3d_loop *l, unsigned threads, unsigned queue_max, struct p3d_pool **ret);
/* Errors: P3D_E_BUSY when queue_max tasks wait already (task untouched). */
P3D_MUST int p3d_pool_run(struct p3d_pool *p, struct p3d_task *t);
/* Waits: waiting tasks are worked on too, then all done callbacks run, here. NULL is fine. Loop thread. */
void p3d_pool_free(struct p3d_pool *p);
