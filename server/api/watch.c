/* SPDX-License-Identifier: MIT
 *
 * Watching one job. Guarantee: after p3d_job_watch_listen no change is lost, because the job is read once more when the
 * subscription stands, and again after each loss of it; one read is under way at a time, and what happens meanwhile
 * leads to one more; every read is judged by the store with the credential that the request came with, so that whoever
 * loses his right finds out with the next one. Does not: answer anybody, or know which states are of interest.
 */
#include "watch_internal.h"

#include <string.h>

#define LATER_MS 1000

static void on_read(void *priv, int err, const struct p3d_answer *a)
{
    struct p3d_job_watch *w = priv;
    struct p3d_call *c = w->call;
    w->reading = false;
    if (!w->ended) {
        if (err == 0 && a->n != 1)
            err = P3D_E_CORRUPT;
        if (err == 0 && a->jobs[0].rev > w->rev)
            w->rev = a->jobs[0].rev;
        w->seen(w, err, a);
    }
    if (!w->ended && w->again)
        p3d_job_watch_look(w);
    p3d_call_unref(c);
}

void p3d_job_watch_look(struct p3d_job_watch *w)
{
    if (w->ended)
        return;
    w->again = w->reading;
    if (w->reading)
        return;
    w->reading = true;
    (void)p3d_call_ref(w->call);
    int err = p3d_store_job_get(p3d_call_app(w->call)->store, p3d_call_access(w->call), &w->id, on_read, w);
    if (err != 0)
        on_read(w, err, NULL);
}

static void on_later(struct p3d_timer *t)
{
    p3d_job_watch_look((struct p3d_job_watch *)(void *)((char *)t - offsetof(struct p3d_job_watch, later)));
}

void p3d_job_watch_look_later(struct p3d_job_watch *w)
{
    w->later.cb = on_later;
    if (!w->ended)
        p3d_timer_set(p3d_call_app(w->call)->loop, &w->later, LATER_MS);
}

static void on_event(void *priv, const struct p3d_event_of_job *e)
{
    struct p3d_job_watch *w = priv;
    if (strcmp(e->id.s, w->id.s) == 0 && e->rev > w->rev)
        p3d_job_watch_look(w);
}

static void on_ready(void *priv)
{
    p3d_job_watch_look(priv);
}

static void on_account(void *priv, const struct p3d_owner_id *owner)
{
    (void)owner; /* the caller's, or the job's owner's: it may be gone with its jobs */
    p3d_job_watch_look(priv);
}

void p3d_job_watch_listen(struct p3d_job_watch *w, const struct p3d_answer *a)
{
    static const struct p3d_hub_callbacks callbacks = {.event = on_event, .ready = on_ready, .account = on_account};
    struct p3d_hub *hub = p3d_call_app(w->call)->hub;
    if (hub == NULL || w->ended || w->job != NULL)
        return; /* the process ends */
    w->job = p3d_hub_listen(hub, &a->jobs[0].owner, &callbacks, w);
    if (a->caller.s[0] != '\0' && strcmp(a->caller.s, a->jobs[0].owner.s) != 0)
        w->caller = p3d_hub_listen(hub, &a->caller, &callbacks, w);
}

void p3d_job_watch_end(struct p3d_job_watch *w)
{
    w->ended = true;
    p3d_timer_clear(p3d_call_app(w->call)->loop, &w->later);
    p3d_hub_unlisten(w->job);
    p3d_hub_unlisten(w->caller);
    w->job = w->caller = NULL;
}
