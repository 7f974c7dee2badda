/* SPDX-License-Identifier: MIT
 *
 * A bounded pool of threads for what would block the loop: password hashes, disk.
 * Guarantee: at most `threads` tasks run and at most queue_max wait, oldest first; each accepted
 * task is worked on once and then done once, on the loop. The threads take no signals. Does not:
 * cancel. A task that nobody waits for any more runs and is done all the same; its owner lives
 * until then.
 */
#include "p3d/loop.h"

#include <assert.h>
#include <signal.h>

#include "loop_internal.h"
#include "p3d/str.h"

struct p3d_pool {
    struct p3d_loop *loop;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct p3d_task *first, *last; /* waiting */
    size_t open_n;                 /* waiting and running; below lock like all the rest */
    size_t open_max;
    bool stopping;
    size_t threads_n;
    pthread_t threads[];
};

static void on_done(struct p3d_post *post)
{
    struct p3d_task *t = (struct p3d_task *)post; /* post is its first field */
    t->done(t);
}

/* The next task, or NULL when the pool ends and none is left. */
static struct p3d_task *take(struct p3d_pool *p)
{
    (void)pthread_mutex_lock(&p->lock);
    while (p->first == NULL && !p->stopping)
        (void)pthread_cond_wait(&p->wake, &p->lock);
    struct p3d_task *t = p->first;
    if (t != NULL)
        p->first = t->next;
    (void)pthread_mutex_unlock(&p->lock);
    return t;
}

static void *run(void *arg)
{
    struct p3d_pool *p = arg;
    struct p3d_task *t;
    while ((t = take(p)) != NULL) {
        t->work(t);
        (void)pthread_mutex_lock(&p->lock);
        p->open_n--;
        (void)pthread_mutex_unlock(&p->lock);
        p3d_loop_post(p->loop, &t->post); /* t belongs to the loop from here on */
    }
    return NULL;
}

int p3d_pool_run(struct p3d_pool *p, struct p3d_task *t)
{
    (void)pthread_mutex_lock(&p->lock);
    /* Running ones count with the waiting ones: whether a thread has woken up yet is chance, and
     * must not decide. */
    if (p->stopping || p->open_n >= p->open_max) {
        (void)pthread_mutex_unlock(&p->lock);
        return P3D_E_BUSY;
    }
    t->post.cb = on_done;
    t->pool = p;
    t->next = NULL;
    *(p->first != NULL ? &p->last->next : &p->first) = t;
    p->last = t;
    p->open_n++;
    (void)pthread_cond_signal(&p->wake);
    (void)pthread_mutex_unlock(&p->lock);
    return 0;
}

int p3d_pool_new(struct p3d_loop *l, unsigned threads, unsigned queue_max, struct p3d_pool **ret)
{
    assert(threads > 0);
    struct p3d_pool *p = p3d_alloc(sizeof(*p) + threads * sizeof(pthread_t));
    p->loop = l;
    p->open_max = (size_t)threads + queue_max;
    (void)pthread_mutex_init(&p->lock, NULL);
    (void)pthread_cond_init(&p->wake, NULL);
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    while (p->threads_n < threads && pthread_create(&p->threads[p->threads_n], NULL, run, p) == 0)
        p->threads_n++;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (p->threads_n < threads) {
        p3d_pool_free(p);
        return P3D_E_UNAVAILABLE;
    }
    *ret = p;
    return 0;
}

void p3d_pool_free(struct p3d_pool *p)
{
    if (p == NULL)
        return;
    (void)pthread_mutex_lock(&p->lock);
    p->stopping = true;
    (void)pthread_cond_broadcast(&p->wake);
    (void)pthread_mutex_unlock(&p->lock);
    for (size_t i = 0; i < p->threads_n; i++)
        (void)pthread_join(p->threads[i], NULL);
    p3d_loop_run_posts(p->loop); /* a done callback that wants the pool gets P3D_E_BUSY */
    (void)pthread_cond_destroy(&p->wake);
    (void)pthread_mutex_destroy(&p->lock);
    free(p);
}
