/* SPDX-License-Identifier: MIT
 *
 * GET /{id}/events: one job as an event stream, from what it is now to its final state. Guarantee: revisions grow and
 * none is sent twice; the newest one always comes (one that was overtaken may be left out); the stream ends when the
 * credential is no longer good or the job is deleted. Does not: keep anything between two connections; what a client
 * has seen it says itself (Last-Event-ID).
 */
#include "watch_internal.h"

struct job_events {
    struct p3d_job_watch watch; /* first */
    struct p3d_sse out;
    bool begun, resumed; /* resumed: the client has seen revision `last` */
    int64_t last;
    uint64_t sent; /* newest revision */
};

static void on_over(void *priv)
{
    struct job_events *x = priv;
    p3d_job_watch_end(&x->watch);
}

static void on_beat(void *priv)
{
    struct job_events *x = priv;
    p3d_job_watch_look(&x->watch); /* a credential also ends without an event, by its time */
}

static void finish(struct job_events *x)
{
    p3d_job_watch_end(&x->watch);
    p3d_sse_end(&x->out, false);
}

static void send_job(struct job_events *x, const struct p3d_answer *a)
{
    const struct p3d_job *job = &a->jobs[0];
    if (job->rev <= x->sent && x->sent != 0)
        return;
    x->sent = job->rev;
    if (p3d_sse_send(&x->out, job, &a->caller, false) != 0 || p3d_job_state_final(job->state))
        finish(x);
}

static void begin(struct job_events *x, const struct p3d_answer *a)
{
    struct p3d_call *c = x->watch.call;
    const struct p3d_job *job = &a->jobs[0];
    x->begun = true;
    if (x->resumed && p3d_job_state_final(job->state) && (uint64_t)x->last == job->rev) {
        p3d_job_watch_end(&x->watch);
        p3d_reply_json(c, 204, NULL);
        return;
    }
    p3d_sse_begin(&x->out, x);
    send_job(x, a);
    if (p3d_call_is_head(c))
        finish(x);
    else
        p3d_job_watch_listen(&x->watch, a);
}

static void seen(struct p3d_job_watch *w, int err, const struct p3d_answer *a)
{
    struct job_events *x = (struct job_events *)w;
    if (!x->begun && err != 0) {
        p3d_job_watch_end(w);
        p3d_api_store_failed(w->call, err);
    } else if (!x->begun) {
        begin(x, a);
    } else if (err == 0) {
        send_job(x, a);
    } else if (p3d_err_info(err)->retryable) {
        p3d_job_watch_look_later(w);
    } else {
        finish(x);
    }
}

void p3d_api_job_events(struct p3d_call *c)
{
    struct p3d_job_id id;
    if (!p3d_api_job_id(c, &id))
        return;
    struct job_events *x = p3d_call_alloc(c, sizeof(*x));
    *x = (struct job_events){.watch = {.call = c, .id = id, .seen = seen},
                             .out = {.call = c, .over = on_over, .beat = on_beat}};
    x->resumed = p3d_str_to_i64(p3d_call_header(c, "last-event-id"), 0, INT64_MAX, &x->last) == 0;
    p3d_job_watch_look(&x->watch);
}
