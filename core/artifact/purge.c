/* SPDX-License-Identifier: MIT
 *
 * Removing the files of deleted jobs beside everything else a process does: a short list of jobs, taken a few at a time
 * by one task of a pool. It remembers nothing over a restart and refuses what it has no room for; whoever names the jobs
 * names them again until they are reported as removed.
 */
#include <string.h>

#include "p3d/artifact.h"
#include "p3d/loop.h"

enum { ROOM = 256, BATCH = 8 };

struct p3d_purge {
    struct p3d_task task; /* first */
    struct p3d_artifacts *store;
    struct p3d_pool *pool;
    void (*removed)(void *priv, const struct p3d_job_id *id, int err);
    void *priv;

    struct p3d_job_id waiting[ROOM]; /* oldest first */
    size_t n;
    bool busy;                       /* batch is the thread's */
    struct p3d_job_id batch[BATCH];
    int err[BATCH];
    size_t batch_n;
};

static void work(struct p3d_task *t)
{
    struct p3d_purge *p = (struct p3d_purge *)t;
    for (size_t i = 0; i < p->batch_n; i++)
        p->err[i] = p3d_artifact_remove(p->store, &p->batch[i], NULL);
}

static void begin(struct p3d_purge *p);

static void done(struct p3d_task *t)
{
    struct p3d_purge *p = (struct p3d_purge *)t;
    for (size_t i = 0; i < p->batch_n; i++)
        p->removed(p->priv, &p->batch[i], p->err[i]);
    p->batch_n = 0;
    p->busy = false;
    begin(p);
}

size_t p3d_purge_room(const struct p3d_purge *p)
{
    return ROOM - p->n;
}

static void begin(struct p3d_purge *p)
{
    if (p->busy || !p->n)
        return;
    p->batch_n = p->n < BATCH ? p->n : BATCH;
    memcpy(p->batch, p->waiting, p->batch_n * sizeof p->batch[0]);
    p->task.work = work;
    p->task.done = done;
    if (p3d_pool_run(p->pool, &p->task)) {
        p->n = p->batch_n = 0; /* busy, or ending: another time */
        return;
    }
    p->busy = true;
    p->n -= p->batch_n;
    memmove(p->waiting, p->waiting + p->batch_n, p->n * sizeof p->waiting[0]);
}

static bool has(const struct p3d_job_id *v, size_t n, const struct p3d_job_id *id)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(v[i].s, id->s))
            return true;
    return false;
}

struct p3d_purge *p3d_purge_new(struct p3d_artifacts *a, struct p3d_pool *pool,
                                void (*removed)(void *priv, const struct p3d_job_id *id, int err), void *priv)
{
    struct p3d_purge *p = p3d_alloc(sizeof *p);
    p->store = a;
    p->pool = pool;
    p->removed = removed;
    p->priv = priv;
    return p;
}

void p3d_purge_add(struct p3d_purge *p, const struct p3d_job_id *id)
{
    if (p->n == ROOM || has(p->waiting, p->n, id) || has(p->batch, p->batch_n, id))
        return;
    p->waiting[p->n++] = *id;
    begin(p);
}

void p3d_purge_free(struct p3d_purge *p)
{
    free(p);
}
