/* SPDX-License-Identifier: MIT
 *
 * GET /{id}?wait=N: the job when it is final, or as it is after N seconds. Guarantee: answered with a read that was made
 * after the change that it tells of; a client that leaves frees everything at once; a server that drains answers early.
 * Does not: hold anything in the store.
 */
#include "watch_internal.h"

struct waiting {
    struct p3d_job_watch watch; /* first */
    struct p3d_timer end;
    bool begun; /* to wait */
    bool last;  /* whatever the next look gives is the answer */
};

/* Drops the reference that the wait holds. */
static void finish(struct waiting *x)
{
    struct p3d_call *c = x->watch.call;
    p3d_job_watch_end(&x->watch);
    p3d_timer_clear(p3d_call_app(c)->loop, &x->end);
    p3d_call_on_drain(c, NULL, NULL);
    p3d_call_unref(c);
}

static void on_gone(void *priv)
{
    finish(priv);
}

static void look_for_the_last_time(void *priv)
{
    struct waiting *x = priv;
    x->last = true;
    p3d_job_watch_look(&x->watch);
}

static void on_end(struct p3d_timer *t)
{
    look_for_the_last_time((char *)t - offsetof(struct waiting, end));
}

static void begin(struct waiting *x, const struct p3d_answer *a)
{
    struct p3d_call *c = x->watch.call;
    x->begun = true;
    p3d_call_on_gone(c, on_gone, x);
    p3d_call_on_drain(c, look_for_the_last_time, x);
    p3d_job_watch_listen(&x->watch, a);
}

static void seen(struct p3d_job_watch *w, int err, const struct p3d_answer *a)
{
    struct waiting *x = (struct waiting *)w;
    if (p3d_call_gone(w->call)) {
        finish(x); /* before it was waiting */
    } else if (err != 0 || x->last || p3d_job_state_final(a->jobs[0].state)) {
        p3d_api_answer_job(w->call, err, a);
        finish(x);
    } else if (!x->begun) {
        begin(x, a);
    }
}

void p3d_api_job_wait(struct p3d_call *c, const struct p3d_job_id *id, int64_t seconds)
{
    struct waiting *x = p3d_call_alloc(c, sizeof(*x));
    *x = (struct waiting){.watch = {.call = p3d_call_ref(c), .id = *id, .seen = seen}, .end.cb = on_end};
    p3d_timer_set(p3d_call_app(c)->loop, &x->end, (uint64_t)seconds * 1000);
    p3d_job_watch_look(&x->watch);
}
