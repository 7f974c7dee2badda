/* SPDX-License-Identifier: MIT
 *
 * GET /ready: can a job be taken, run and kept right now? Asks Redis and the disk at the same time and waits for them
 * at most a second. Guarantee: an answer after a second whatever hangs; the disk is written to at most once a second
 * however often one asks. Does not: say anything that a stranger may not know (the route is public).
 */
#include "app_internal.h"

#include "p3d/clock.h"

#define WAIT_MS 1000
#define STORAGE_FRESH_MS 1000

/* One question; the cell is referenced once for each of the two that may answer, and once by the timer. */
struct ready {
    struct p3d_task task; /* first */
    struct p3d_timer timer;
    struct p3d_call *call;
    bool answered;
    bool redis_said, storage_said;
    bool redis, storage;
    int64_t workers;
    int storage_err; /* of the thread */
};

static struct ready *of_timer(struct p3d_timer *t)
{
    return (struct ready *)(void *)((char *)t - offsetof(struct ready, timer));
}

static void say(struct ready *q)
{
    struct p3d_call *c = q->call;
    if (q->redis && q->storage && q->workers > 0) {
        p3d_reply_json(c, 200, json_pack("{s:s, s:b, s:b, s:b, s:f}", "status", "ready", "redis", 1, "storage", 1,
                                         "workers", 1, "timestamp", p3d_wall_s()));
        return;
    }
    char text[128];
    (void)p3d_format(text, sizeof(text), "redis: %s; storage: %s; workers: %s", q->redis ? "ok" : "no answer",
                     q->storage ? "ok" : "not writable",
                     q->workers > 0 ? "ok" : q->redis ? "none alive" : "not known");
    p3d_reply_error(c, P3D_E_UNAVAILABLE, text);
}

static void answer(struct ready *q)
{
    if (q->answered)
        return;
    q->answered = true;
    say(q);
    if (q->timer.slot == 0)
        return;
    p3d_timer_clear(p3d_call_app(q->call)->loop, &q->timer);
    p3d_call_unref(q->call);
}

static void on_late(struct p3d_timer *t)
{
    struct ready *q = of_timer(t);
    struct p3d_call *c = q->call;
    answer(q);
    p3d_call_unref(c);
}

static void step(struct ready *q)
{
    if (q->redis_said && q->storage_said)
        answer(q);
}

static void on_ping(void *priv, int err, const struct p3d_answer *a)
{
    struct ready *q = priv;
    struct p3d_call *c = q->call;
    q->redis_said = true;
    q->redis = err == 0;
    q->workers = err == 0 && a->stats != NULL ? a->stats->workers_alive : 0;
    step(q);
    p3d_call_unref(c);
}

static void check_storage(struct p3d_task *t)
{
    struct ready *q = (struct ready *)t;
    struct p3d_error e;
    q->storage_err = p3d_artifacts_check(p3d_call_app(q->call)->artifacts, &e);
}

static void on_storage(struct p3d_task *t)
{
    struct ready *q = (struct ready *)t;
    struct p3d_call *c = q->call;
    struct p3d_app *app = p3d_call_app(c);
    app->storage_checked_ms = p3d_mono_ms();
    q->storage = app->storage_ok = q->storage_err == 0;
    q->storage_said = true;
    step(q);
    p3d_call_unref(c);
}

/* Asks the disk, or takes the newest answer when that is fresh or the pool is full. */
static void ask_storage(struct ready *q)
{
    struct p3d_app *app = p3d_call_app(q->call);
    bool fresh = app->storage_checked_ms != 0 && p3d_mono_ms() - app->storage_checked_ms < STORAGE_FRESH_MS;
    q->task.work = check_storage;
    q->task.done = on_storage;
    if (!fresh && app->files != NULL) {
        (void)p3d_call_ref(q->call);
        if (p3d_pool_run(app->files, &q->task) == 0)
            return;
        p3d_call_unref(q->call);
    }
    q->storage = app->storage_ok;
    q->storage_said = true;
}

void p3d_api_ready(struct p3d_call *c)
{
    struct p3d_app *app = p3d_call_app(c);
    struct ready *q = p3d_call_alloc(c, sizeof(*q));
    q->call = c;
    q->timer.cb = on_late;
    (void)p3d_call_ref(c); /* the timer's */
    p3d_timer_set(app->loop, &q->timer, WAIT_MS);
    ask_storage(q);
    (void)p3d_call_ref(c);
    if (p3d_store_ping(app->store, on_ping, q) != 0) {
        q->redis_said = true;
        p3d_call_unref(c);
    }
    step(q);
}
