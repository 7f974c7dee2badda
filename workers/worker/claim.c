/* SPDX-License-Identifier: MIT
 *
 * Asking for work. Guarantee: a claim whose answer was lost is repeated word for word (same nonce,
 * same kinds) until it is answered, so a job is never leased twice to this worker nor forgotten;
 * there is always a claim before the first waiting on a connection. Kinds are named from another
 * start each time, so that none starves behind a busy one.
 */
#include <string.h>

#include "p3d/clock.h"
#include "work_internal.h"

#define AGAIN_MS 20     /* the store had to clean up first */
#define TROUBLE_MS 1000 /* an answer that should not be */

void p3d_work_kinds(struct p3d_work *w)
{
    const struct p3d_models *m = w->cfg->models;
    size_t all = 0, n = 0;
    for (size_t i = 0; i < m->features_n; i++)
        all += m->features[i]->models_n;
    w->kinds = p3d_alloc(2 * all * sizeof(*w->kinds));
    w->max_workers = p3d_alloc(2 * all * sizeof(*w->max_workers));
    for (size_t i = 0; i < m->features_n; i++) {
        for (size_t j = 0; j < m->features[i]->models_n; j++) {
            const struct p3d_model *model = m->features[i]->models[j];
            if (!model->enabled || model->mode != P3D_MODE_ONESHOT)
                continue;
            w->kinds[n] = p3d_str_z(model->kind);
            w->max_workers[n++] = model->max_workers;
        }
    }
    memcpy(w->kinds + n, w->kinds, n * sizeof(*w->kinds));
    memcpy(w->max_workers + n, w->max_workers, n * sizeof(*w->max_workers));
    w->kinds_n = n;
}

void p3d_work_claim_new(struct p3d_work *w)
{
    w->kinds_at = w->kinds_n > 0 ? (w->kinds_at + 1) % w->kinds_n : 0;
    w->claim_text = (struct p3d_claim){
        .worker_id = w->id,
        .kinds = w->kinds + w->kinds_at,
        .max_workers = w->max_workers + w->kinds_at,
        .n = w->kinds_n,
        .lease_ms = w->lease_ms,
        .max_concurrent = w->max_concurrent,
    };
    p3d_nonce(w->claim_text.nonce);
}

void p3d_work_got(struct p3d_work *w, const struct p3d_job *job)
{
    w->a = p3d_attempt_new(w, job);
    w->a->serial = ++w->serial;
    char line[64];
    (void)p3d_format(line, sizeof(line), "busy %s\n", w->a->lease.job.s);
    p3d_work_say(w, line);
    if (w->draining) {
        (void)p3d_attempt_decide(w->a, P3D_END_RELEASE, NULL, false, P3D_STR(""));
        p3d_work_raise(w, P3D_ON_UNWANTED);
    } else {
        p3d_work_log(w, P3D_LOG_INFO, "job_claimed");
        p3d_work_raise(w, P3D_ON_JOB);
    }
}

static void send(struct p3d_work *w);

static void on_claimed(void *priv, int err, const struct p3d_answer *answer)
{
    struct p3d_work_call *c = priv;
    struct p3d_work *w = c->w;
    c->out = false;
    if (w->state != P3D_WORK_CLAIMING)
        return;
    if (err == P3D_E_STORE_DOWN) { /* it may have been made: the same again */
        if (w->draining)           /* an unconfirmed lease goes back free of charge */
            p3d_work_raise(w, P3D_ON_LEAVE);
        else
            p3d_timer_set(w->loop, &w->claim_at, AGAIN_MS);
        return;
    }
    w->claim_open = false;
    if (err == 0 && answer->n > 0) {
        p3d_work_leased(w, c->sent_ms);
        p3d_work_got(w, &answer->jobs[0]);
    } else if (w->draining) {
        p3d_work_raise(w, P3D_ON_LEAVE);
    } else if (err == P3D_E_NOT_FOUND || err == 0) {
        p3d_work_raise(w, P3D_ON_NOTHING);
    } else if (err == P3D_E_BUSY) {
        p3d_timer_set(w->loop, &w->claim_at, AGAIN_MS);
    } else {
        p3d_log(P3D_LOG_ERROR, "claim_refused", P3D_S("error", p3d_err_info(err)->symbol));
        p3d_timer_set(w->loop, &w->claim_at, TROUBLE_MS);
    }
}

static void send(struct p3d_work *w)
{
    if (w->claim.out || w->state != P3D_WORK_CLAIMING)
        return;
    if (!w->claim_open)
        p3d_work_claim_new(w);
    w->claim_open = true;
    w->claim.sent_ms = p3d_mono_ms();
    int r = p3d_store_claim(w->store, &w->claim_text, on_claimed, &w->claim);
    if (r == 0)
        w->claim.out = true;
    else if (r != P3D_E_STORE_DOWN) /* else: when it is up again */
        p3d_timer_set(w->loop, &w->claim_at, TROUBLE_MS);
}

void p3d_work_claim(struct p3d_work *w)
{
    if (w->kinds_n == 0)
        p3d_work_raise(w, P3D_ON_NOTHING);
    else
        send(w);
}

void p3d_work_claim_repeat(struct p3d_work *w)
{
    send(w);
}

void p3d_work_on_claim_timer(struct p3d_timer *t)
{
    struct p3d_work *w = (struct p3d_work *)((char *)t - offsetof(struct p3d_work, claim_at));
    if (w->state == P3D_WORK_IDLE)
        p3d_work_raise(w, P3D_ON_WAKE);
    else
        send(w);
}

void p3d_work_on_wake(void *priv, bool up)
{
    struct p3d_work *w = priv;
    if (w->a != NULL && up)
        p3d_work_on_hint(w);
    if (w->state != P3D_WORK_IDLE)
        return;
    if (up)
        p3d_work_raise(w, P3D_ON_WAKE);
    else /* the connection is being made anew: not as fast as it fails */
        p3d_timer_set(w->loop, &w->claim_at, 200);
}
