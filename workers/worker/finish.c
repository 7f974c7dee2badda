/* SPDX-License-Identifier: MIT
 *
 * Telling the store how an attempt ended. Guarantee: it is said again, with the same words, until
 * the store answers, the lease is known to be lost, or the orphan time is up; a success is said
 * only with a lease that was renewed within its time; what was said once is never followed by
 * something else. The answer may bring the next job: then the worker goes on without asking.
 */
#include "p3d/clock.h"
#include "work_internal.h"

#define AGAIN_MS 100
#define TROUBLE_MS 1000
#define REFUSALS_MAX 5 /* answers that should not be, before the attempt is dropped */

static const char *const events[] = {
    [P3D_END_NONE] = "job_dropped",     [P3D_END_COMPLETE] = "job_completed",
    [P3D_END_RELEASE] = "job_released", [P3D_END_FAIL] = "job_failed",
    [P3D_END_CANCEL] = "job_failed",    [P3D_END_DROP] = "job_dropped",
};

static void told(struct p3d_work *w, const struct p3d_answer *answer, uint64_t sent_ms)
{
    bool more = w->a->with_next && answer->n > 0;
    p3d_work_log(w, P3D_LOG_INFO, events[w->a->end]);
    if (!more) {
        p3d_work_over(w);
        return;
    }
    p3d_work_unleased(w);
    p3d_attempt_free(w->a);
    w->a = NULL;
    p3d_work_leased(w, sent_ms);
    p3d_work_got(w, &answer->jobs[0]);
}

static void refused(struct p3d_work *w, int err)
{
    p3d_log(P3D_LOG_ERROR, "finish_refused", P3D_S("job", w->a->lease.job.s),
            P3D_S("error", p3d_err_info(err)->symbol));
    if (++w->a->refusals < REFUSALS_MAX) {
        p3d_timer_set(w->loop, &w->finish_at, TROUBLE_MS);
        return;
    }
    (void)p3d_attempt_decide(w->a, P3D_END_DROP, NULL, false, P3D_STR(""));
    p3d_work_finish(w);
}

static void on_told(void *priv, int err, const struct p3d_answer *answer)
{
    struct p3d_work_call *c = priv;
    struct p3d_work *w = c->w;
    c->out = false;
    if (w->state != P3D_WORK_FINISHING)
        return;
    if (c->serial != w->a->serial) {
        p3d_work_finish_send(w);
    } else if (err == 0) {
        told(w, answer, c->sent_ms);
    } else if (err == P3D_E_STALE) {
        p3d_work_log(w, P3D_LOG_WARN, "lease_lost");
        w->a->told = false; /* it is known now that it did not count: what was published goes */
        p3d_work_end(w, P3D_END_DROP, NULL, false, "", P3D_ON_KILL);
    } else if (err == P3D_E_STORE_DOWN) {
        p3d_timer_set(w->loop, &w->finish_at, AGAIN_MS);
    } else {
        refused(w, err);
    }
}

static int64_t files_bytes(const struct p3d_attempt *a)
{
    int64_t sum = 0;
    for (size_t i = 0; i < a->files_n; i++)
        sum += a->files[i].size_bytes;
    return sum;
}

static int send(struct p3d_work *w)
{
    struct p3d_attempt *a = w->a;
    size_t n;
    if (a->end == P3D_END_RELEASE)
        return p3d_store_release(w->store, &a->lease, on_told, &w->finish);
    if (!a->told) { /* decided at the first time: a repeat must be the same */
        a->with_next = !w->draining && w->kinds_n > 0;
        if (a->with_next)
            p3d_work_claim_new(w);
    }
    const struct p3d_claim *next = a->with_next ? &w->claim_text : NULL;
    char *text P3D_CLEANUP(p3d_freep) = p3d_attempt_detail(a, &n);
    struct p3d_str detail = {text, n};
    int r = a->end == P3D_END_COMPLETE
                ? p3d_store_complete(w->store, &a->lease, detail, files_bytes(a), next, on_told,
                                     &w->finish)
                : p3d_store_fail(w->store, &a->lease, a->retry, detail, next, on_told, &w->finish);
    a->told = a->told || r == 0;
    return r;
}

void p3d_work_finish_send(struct p3d_work *w)
{
    if (w->state != P3D_WORK_FINISHING || w->finish.out)
        return;
    if (w->a->end == P3D_END_COMPLETE && !w->a->told && !p3d_work_lease_fresh(w)) {
        p3d_work_beat(w); /* its answer leads here again, or drops the attempt */
        return;
    }
    w->finish.serial = w->a->serial;
    w->finish.sent_ms = p3d_mono_ms();
    int r = send(w);
    if (r == 0)
        w->finish.out = true;
    else if (r != P3D_E_STORE_DOWN)
        p3d_timer_set(w->loop, &w->finish_at, AGAIN_MS);
    else if (w->draining && w->a->end == P3D_END_RELEASE)
        p3d_work_over(w); /* the lease ends by itself: not worth waiting for */
}

void p3d_work_finish(struct p3d_work *w)
{
    p3d_timer_clear(w->loop, &w->finish_at);
    if (w->a->end == P3D_END_DROP) {
        p3d_work_log(w, P3D_LOG_INFO, events[P3D_END_DROP]);
        p3d_work_over(w);
        return;
    }
    p3d_work_finish_send(w);
}

void p3d_work_on_finish_timer(struct p3d_timer *t)
{
    p3d_work_finish_send((struct p3d_work *)((char *)t - offsetof(struct p3d_work, finish_at)));
}
