/* SPDX-License-Identifier: MIT
 *
 * GET /events: all jobs that the caller may see as one event stream: the unfinished ones (newest first) and the newest
 * 100 finished ones, then each change. Guarantee: what changes during the first part comes afterwards, or in between
 * when it is much, so nothing is lost; of one job revisions never go back; one read of the store is under way at a time,
 * each with the credential of the stream, and none while the client has much to take still; of all streams of the process
 * PAGES_MAX read a page at a time, the others in their turn; when more than WAITING_MAX jobs change before they are told,
 * the first part begins again, and a client that has much to take still is sent away to begin anew. Does not: say that a job was deleted.
 */
#include <string.h>

#include "watch_internal.h"

#include "p3d/log.h"

#define PAGE 50
#define UNFINISHED_MAX INT64_MAX /* a page at a time */
#define FINISHED_MAX 100
#define WAITING_MAX 1000
#define PAGES_MAX 4 /* of up to 50 records, on the one connection that everybody uses */
#define RECENT 64
#define CURSOR_SIZE 64
#define SLOW_MS 20
#define LATER_MS 1000
#define BIT(state) (1U << P3D_JOB_##state)

struct change {
    struct p3d_job_id id;
    uint64_t rev;
};
enum part { PART_UNFINISHED, PART_FINISHED, PART_NONE };
static const struct {
    unsigned states;
    int64_t most;
} parts[] = {
    [PART_UNFINISHED] = {BIT(QUEUED) | BIT(PROCESSING), UNFINISHED_MAX},
    [PART_FINISHED] = {BIT(COMPLETED) | BIT(FAILED) | BIT(CANCELLED), FINISHED_MAX},
};

struct all_events {
    struct p3d_sse out; /* first */
    struct p3d_listener *listener;
    struct p3d_owner_id caller;
    bool all;     /* the caller may see everything */
    bool ended;
    bool busy;    /* a call of the store is under way */
    bool recheck; /* the caller may have lost the right to be here */
    struct p3d_timer later;

    enum part part; /* of the snapshot that comes next */
    int64_t part_sent;
    char cursor[CURSOR_SIZE];
    unsigned round, page_round; /* of the snapshot, and of the page that is under way */
    bool queued;                /* for its turn to read a page */
    struct all_events *next;    /* in app->events_turn */

    struct change *waiting; /* to be read, oldest first */
    size_t waiting_n, waiting_cap;
    struct change reading;
    struct change *recent; /* ring of what was sent: the event of it may still be on its way */
    size_t recent_at;
};

static void pump(struct all_events *x);

/* ---- whose turn it is to read a page ---- */

static void leave_queue(struct all_events *x)
{
    struct all_events **at = &p3d_call_app(x->out.call)->events_turn;
    while (*at != NULL && *at != x)
        at = &(*at)->next;
    if (*at != NULL)
        *at = x->next;
    x->queued = false;
}

/* False: later, turn_over() calls. */
static bool my_turn(struct all_events *x)
{
    struct p3d_app *app = p3d_call_app(x->out.call);
    struct all_events **at = &app->events_turn;
    if (x->queued)
        return false;
    if (app->events_pages < PAGES_MAX) {
        app->events_pages++;
        return true;
    }
    while (*at != NULL)
        at = &(*at)->next;
    *at = x;
    x->next = NULL;
    x->queued = true;
    return false;
}

static void turn_over(struct p3d_app *app)
{
    struct all_events *x = app->events_turn;
    app->events_pages--;
    if (x == NULL)
        return;
    leave_queue(x);
    pump(x);
}

static void end(struct all_events *x)
{
    if (x->queued)
        leave_queue(x);
    x->ended = true;
    p3d_hub_unlisten(x->listener);
    x->listener = NULL;
    p3d_timer_clear(p3d_call_app(x->out.call)->loop, &x->later);
}

static void finish(struct all_events *x, bool comes_back)
{
    end(x);
    p3d_sse_end(&x->out, comes_back);
}

static void on_over(void *priv)
{
    end(priv);
}

static void release(void *priv)
{
    struct all_events *x = priv;
    free(x->waiting);
    free(x->recent);
}

static void on_later(struct p3d_timer *t)
{
    pump((struct all_events *)(void *)((char *)t - offsetof(struct all_events, later)));
}

static void pump_later(struct all_events *x, uint64_t ms)
{
    x->later.cb = on_later;
    if (!x->ended)
        p3d_timer_set(p3d_call_app(x->out.call)->loop, &x->later, ms);
}

/* ---- what waits ---- */

static void drop_waiting(struct all_events *x, size_t i)
{
    x->waiting_n--;
    memmove(&x->waiting[i], &x->waiting[i + 1], (x->waiting_n - i) * sizeof(x->waiting[0]));
}

static struct change *find_waiting(const struct all_events *x, const struct p3d_job_id *id)
{
    for (size_t i = 0; i < x->waiting_n; i++)
        if (strcmp(x->waiting[i].id.s, id->s) == 0)
            return &x->waiting[i];
    return NULL;
}

static bool was_sent(const struct all_events *x, const struct change *new)
{
    for (size_t i = 0; x->recent != NULL && i < RECENT; i++)
        if (x->recent[i].rev >= new->rev && strcmp(x->recent[i].id.s, new->id.s) == 0)
            return true;
    return false;
}

static void begin_round(struct all_events *x)
{
    x->part = PART_UNFINISHED;
    x->part_sent = 0;
    x->cursor[0] = '\0';
    x->round++;
}

static void add_waiting(struct all_events *x, const struct change *new)
{
    struct change *old = find_waiting(x, &new->id);
    if (old != NULL) {
        old->rev = new->rev > old->rev ? new->rev : old->rev;
        return;
    }
    if (x->waiting_n == WAITING_MAX && p3d_stream_waiting(x->out.call) > P3D_SSE_HIGH) {
        finish(x, true);
        return;
    }
    if (x->waiting_n == WAITING_MAX) { /* more than can be told one by one: as pages, then */
        x->waiting_n = 0;
        begin_round(x);
    }
    if (x->waiting_n == x->waiting_cap) {
        x->waiting_cap = x->waiting_cap == 0 ? 8 : 2 * x->waiting_cap;
        x->waiting = p3d_realloc(x->waiting, x->waiting_cap * sizeof(x->waiting[0]));
    }
    x->waiting[x->waiting_n++] = *new;
}

static void send_job(struct all_events *x, const struct p3d_job *job)
{
    struct change this = {.id = job->id, .rev = job->rev}, *old = find_waiting(x, &job->id);
    if (old != NULL && old->rev <= job->rev)
        drop_waiting(x, (size_t)(old - x->waiting));
    if (was_sent(x, &this))
        return;
    if (x->recent == NULL)
        x->recent = p3d_alloc(RECENT * sizeof(x->recent[0]));
    x->recent[x->recent_at++ % RECENT] = this;
    if (p3d_sse_send(&x->out, job, &x->caller, true) != 0)
        p3d_log(P3D_LOG_ERROR, "job_unreadable", P3D_S("job", job->id.s),
                P3D_S("req", p3d_call_request_id(x->out.call)));
}

/* ---- reads ---- */

/* What a failed call means for the stream. true: it was one that counts. */
static bool failed(struct all_events *x, int err)
{
    if (err == 0)
        return false;
    if (p3d_err_info(err)->retryable)
        pump_later(x, LATER_MS);
    else
        finish(x, false);
    return true;
}

/* After any call: drops its reference. */
static void done(struct all_events *x)
{
    struct p3d_call *c = x->out.call;
    if (x->later.slot == 0)
        pump(x);
    p3d_call_unref(c);
}

static void on_checked(void *priv, int err, const struct p3d_answer *a)
{
    struct all_events *x = priv;
    x->busy = false;
    if (!x->ended && !failed(x, err)) {
        x->recheck = false;
        if (a->caller_admin != x->all)
            finish(x, true); /* sees more, or less, than before */
    }
    done(x);
}

static void on_page(void *priv, int err, const struct p3d_answer *a)
{
    struct all_events *x = priv;
    turn_over(p3d_call_app(x->out.call));
    x->busy = false;
    if (!x->ended && !failed(x, err)) {
        for (size_t i = 0; i < a->n; i++)
            send_job(x, &a->jobs[i]);
        if (x->page_round != x->round) { /* the snapshot has begun anew meanwhile: this page was of the old one */
            done(x);
            return;
        }
        x->part_sent += (int64_t)a->n;
        if (a->cursor == NULL || x->part_sent >= parts[x->part].most ||
            !p3d_format(x->cursor, sizeof(x->cursor), "%s", a->cursor)) {
            x->part++;
            x->part_sent = 0;
            x->cursor[0] = '\0';
        }
    }
    done(x);
}

static void on_job(void *priv, int err, const struct p3d_answer *a)
{
    struct all_events *x = priv;
    x->busy = false;
    if (x->ended) {
        done(x);
        return;
    }
    if (err == 0 && a->n == 1)
        send_job(x, &a->jobs[0]);
    else if (err != P3D_E_JOB_NOT_FOUND && err != P3D_E_JOB_FORBIDDEN && err != P3D_E_CORRUPT && failed(x, err) &&
             !x->ended)
        add_waiting(x, &x->reading);
    done(x);
}

static int read_page(struct all_events *x)
{
    int64_t left = parts[x->part].most - x->part_sent;
    x->page_round = x->round;
    struct p3d_history h = {.limit = left < PAGE ? left : PAGE,
                            .states = parts[x->part].states,
                            .cursor = p3d_str_z(x->cursor)};
    return p3d_store_history(p3d_call_app(x->out.call)->store, p3d_call_access(x->out.call), &h, on_page, x);
}

static int read_job(struct all_events *x)
{
    x->reading = x->waiting[0];
    drop_waiting(x, 0);
    return p3d_store_job_get(p3d_call_app(x->out.call)->store, p3d_call_access(x->out.call), &x->reading.id, on_job, x);
}

/* The next thing to do, when there is one and it is time for it. */
static void pump(struct all_events *x)
{
    struct p3d_call *c = x->out.call;
    bool page = x->part != PART_NONE && x->waiting_n <= WAITING_MAX / 4;
    int err;
    if (x->ended || x->busy || (!x->recheck && x->part == PART_NONE && x->waiting_n == 0))
        return;
    if (p3d_stream_waiting(c) > P3D_SSE_HIGH) {
        pump_later(x, SLOW_MS);
        return;
    }
    if (!x->recheck && page && !my_turn(x))
        return;
    x->busy = true;
    (void)p3d_call_ref(c);
    p3d_store_cb *cb = x->recheck ? on_checked : page ? on_page : on_job;
    if (x->recheck)
        err = p3d_store_check_access(p3d_call_app(c)->store, p3d_call_access(c), NULL, on_checked, x);
    else
        err = page ? read_page(x) : read_job(x);
    if (err != 0)
        cb(x, err, NULL);
}

/* ---- what happens ---- */

static void on_event(void *priv, const struct p3d_event_of_job *e)
{
    struct all_events *x = priv;
    const struct change new = {.id = e->id, .rev = e->rev};
    if (!was_sent(x, &new))
        add_waiting(x, &new);
    if (x->later.slot == 0)
        pump(x);
}

static void on_ready(void *priv)
{
    struct all_events *x = priv;
    begin_round(x);
    pump(x);
}

static void check_again(void *priv)
{
    struct all_events *x = priv;
    x->recheck = p3d_call_access(x->out.call)->kind != P3D_ACCESS_OPEN;
    pump(x);
}

static void on_account(void *priv, const struct p3d_owner_id *owner)
{
    struct all_events *x = priv;
    if (strcmp(owner->s, x->caller.s) == 0)
        check_again(x);
}

static void begin(struct all_events *x)
{
    static const struct p3d_hub_callbacks callbacks = {.event = on_event, .ready = on_ready, .account = on_account};
    struct p3d_hub *hub = p3d_call_app(x->out.call)->hub;
    p3d_sse_begin(&x->out, x);
    if (p3d_call_is_head(x->out.call) || hub == NULL)
        finish(x, true);
    else
        x->listener = p3d_hub_listen(hub, x->all ? NULL : &x->caller, &callbacks, x);
}

static void on_may(void *priv, int err, const struct p3d_answer *a)
{
    struct all_events *x = priv;
    struct p3d_call *c = x->out.call;
    if (err != 0) {
        p3d_api_failed(c, err, a);
    } else {
        x->caller = a->caller;
        x->all = a->caller_admin || p3d_call_access(c)->kind == P3D_ACCESS_OPEN;
        begin(x);
    }
    p3d_call_unref(c);
}

void p3d_api_events(struct p3d_call *c)
{
    struct all_events *x = p3d_call_alloc(c, sizeof(*x));
    *x = (struct all_events){.out = {.call = c, .over = on_over, .beat = check_again}, .part = PART_NONE};
    p3d_call_defer(c, release, x);
    (void)p3d_call_ref(c);
    p3d_api_began(c, p3d_api_check(c, p3d_call_access(c), on_may, x));
}
