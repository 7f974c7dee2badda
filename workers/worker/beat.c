/* SPDX-License-Identifier: MIT
 *
 * The lease of the attempt in hand. Guarantee: it is renewed every third of its time in whatever
 * state the attempt is; when the store refuses, or is away for workers.orphan_seconds, the attempt
 * is dropped and its runner killed; an answer about an older attempt changes nothing. Somebody who
 * cancels is heard at once on the attempt's control list; that is a hint, the next heartbeat decides.
 */
#include "p3d/clock.h"
#include "work_internal.h"

/* Most cancels come later, and a job that is shorter costs no watch; one that comes before is found in the list. */
#define WATCH_AFTER_MS 50

static void renewed(struct p3d_work *w, uint64_t sent_ms)
{
    w->renewed_ms = sent_ms; /* when it was asked: the lease cannot be longer than from then */
    p3d_timer_set(w->loop, &w->orphan_at, (uint64_t)w->cfg->workers_orphan_seconds * 1000);
}

void p3d_work_leased(struct p3d_work *w, uint64_t sent_ms)
{
    renewed(w, sent_ms);
    p3d_timer_set(w->loop, &w->beat_at, (uint64_t)w->lease_ms / 3);
    p3d_timer_set(w->loop, &w->watch_at, WATCH_AFTER_MS);
}

void p3d_work_unleased(struct p3d_work *w)
{
    p3d_timer_clear(w->loop, &w->beat_at);
    p3d_timer_clear(w->loop, &w->orphan_at);
    p3d_timer_clear(w->loop, &w->watch_at);
    p3d_waker_unwatch(w->waker, w->store);
    w->beat_again = false;
}

bool p3d_work_lease_fresh(const struct p3d_work *w)
{
    return p3d_mono_ms() - w->renewed_ms < (uint64_t)w->lease_ms;
}

void p3d_work_lost(struct p3d_work *w)
{
    p3d_work_log(w, P3D_LOG_WARN, "lease_lost");
    w->a->stale = true;
    p3d_work_end(w, P3D_END_DROP, NULL, false, "", P3D_ON_KILL);
}

static void on_beaten(void *priv, int err, const struct p3d_answer *answer)
{
    struct p3d_work_call *c = priv;
    struct p3d_work *w = c->w;
    c->out = false;
    if (w->a == NULL || w->state == P3D_WORK_STOPPED)
        return;
    if (c->serial == w->a->serial) {
        if (err == 0) {
            renewed(w, c->sent_ms);
            if (answer->cancel)
                p3d_work_end(w, P3D_END_CANCEL, "CANCELLED", false, "cancelled while it ran",
                             P3D_ON_END);
            p3d_work_finish_send(w);
        } else if (err == P3D_E_STALE && !w->a->told) { /* told: complete itself answers */
            p3d_work_lost(w);
        }
    }
    if (w->beat_again && w->a != NULL && w->state != P3D_WORK_STOPPED) {
        w->beat_again = false;
        p3d_work_beat(w);
    }
}

void p3d_work_beat(struct p3d_work *w)
{
    if (w->a == NULL)
        return;
    if (w->beat.out) {
        w->beat_again = true;
        return;
    }
    w->beat.serial = w->a->serial;
    w->beat.sent_ms = p3d_mono_ms();
    w->beat.out =
        p3d_store_heartbeat(w->store, &w->a->lease, w->lease_ms, on_beaten, &w->beat) == 0;
}

void p3d_work_on_beat_timer(struct p3d_timer *t)
{
    struct p3d_work *w = (struct p3d_work *)((char *)t - offsetof(struct p3d_work, beat_at));
    p3d_timer_set(w->loop, t, (uint64_t)w->lease_ms / 3);
    if (!w->beat.out)
        p3d_work_beat(w);
}

void p3d_work_on_orphan_timer(struct p3d_timer *t)
{
    struct p3d_work *w = (struct p3d_work *)((char *)t - offsetof(struct p3d_work, orphan_at));
    if (w->a == NULL)
        return;
    p3d_work_log(w, P3D_LOG_WARN, "lease_orphaned");
    p3d_work_end(w, P3D_END_DROP, NULL, false, "", P3D_ON_KILL);
}

void p3d_work_on_watch_timer(struct p3d_timer *t)
{
    struct p3d_work *w = (struct p3d_work *)((char *)t - offsetof(struct p3d_work, watch_at));
    if (w->a != NULL)
        p3d_waker_watch(w->waker, w->a->lease.nonce);
}

void p3d_work_on_hint(struct p3d_work *w)
{
    p3d_work_beat(w);
    p3d_waker_watch(w->waker, w->a->lease.nonce);
}
