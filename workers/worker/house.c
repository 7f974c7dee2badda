/* SPDX-License-Identifier: MIT
 *
 * Housekeeping, which every process does: the tick about once a second, and the files of deleted jobs that it names,
 * removed by a thread of their own so that no attempt waits for it. Guarantee: a job whose files could not be removed
 * is not reported as removed; the store names it again later. A series of failures is logged once.
 */
#include "p3d/artifact.h"
#include "work_internal.h"

#define TICK_MS 1000
#define AGAIN_MS 10 /* a full round: there is more */
#define FULL 64

static uint64_t jitter_ms(uint64_t around_ms)
{
    uint32_t r;
    p3d_random(&r, sizeof(r));
    return around_ms * 4 / 5 + r % (around_ms * 2 / 5 + 1);
}

static void on_purged(void *priv, int err, const struct p3d_answer *answer)
{
    (void)priv, (void)err, (void)answer; /* lost: the store names the job again */
}

static void on_removed(void *priv, const struct p3d_job_id *id, int err)
{
    struct p3d_work *w = priv;
    if (err == 0)
        P3D_IGNORE(p3d_store_purged(w->store, id, on_purged, NULL));
    else if (!w->purge_failing)
        p3d_log(P3D_LOG_ERROR, "purge_failed", P3D_S("job", id->s), P3D_S("error", p3d_err_info(err)->symbol));
    w->purge_failing = err != 0;
}

int p3d_work_house_open(struct p3d_work *w)
{
    int r = p3d_pool_new(w->loop, 1, 0, &w->purge_pool);
    if (r == 0)
        w->purge = p3d_purge_new(w->artifacts, w->purge_pool, on_removed, w);
    return r;
}

void p3d_work_house_close(struct p3d_work *w)
{
    p3d_pool_free(w->purge_pool);
    p3d_purge_free(w->purge);
}

static void on_reaped(void *priv, int err, const struct p3d_answer *answer)
{
    struct p3d_work_call *c = priv;
    struct p3d_work *w = c->w;
    c->out = false;
    if (err != 0 || w->state == P3D_WORK_STOPPED)
        return;
    for (size_t i = 0; i < answer->n; i++)
        p3d_purge_add(w->purge, &answer->jobs[i].id);
    if (answer->total >= FULL)
        p3d_timer_set(w->loop, &w->reap_at, AGAIN_MS);
}

void p3d_work_on_reap_timer(struct p3d_timer *t)
{
    struct p3d_work *w = (struct p3d_work *)((char *)t - offsetof(struct p3d_work, reap_at));
    struct p3d_retention keep = p3d_retention_of(w->cfg);
    p3d_timer_set(w->loop, t, jitter_ms(TICK_MS));
    if (!w->reap.out && w->checked)
        w->reap.out = p3d_store_reap(w->store, w->lease_ms, &keep, p3d_purge_room(w->purge), on_reaped,
                                     &w->reap) == 0;
}
