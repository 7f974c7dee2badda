/* SPDX-License-Identifier: MIT
 *
 * What an attempt has printed, as it is in the artifact store: all of it, or the last lines, or on and on until the job
 * is final; one that has not begun is waited for. Guarantee: the bytes as they were written, in order, none twice; when it ends by itself, all that was there
 * when the job ended has been sent; a new attempt goes on behind a line that says so; the disk is touched on the files
 * pool only; memory does not grow with the log, and a slow client is waited for. Who may read is decided by the store,
 * again with every look at the job. Does not: interpret a byte.
 */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "watch_internal.h"

#include "p3d/clock.h"

#define OPEN_MAX 1000             /* of one process: each holds a descriptor */
#define OPEN_MAX_CALLER 100       /* of one account */
#define TAIL_MAX 100000
#define PIECE 65536
#define HIGH (4 * PIECE)          /* bytes that wait for the client: no use in reading more */
#define STREAM_MAX (4 * HIGH)
#define LOOK_MS 15000
#define POLL_MS 200               /* between two looks at a log that has not ended */
#define SLOW_MS 50                /* between two looks at a client that does not take it */

struct logs {
    struct p3d_task task;         /* first */
    struct logs *next_open;       /* in app->logs, until the call ends */
    struct p3d_owner_id caller;
    struct p3d_job_watch watch;
    struct p3d_call *call;        /* one reference, until the end and no task */
    int64_t tail;                 /* lines; -1 = all */
    bool follow;
    bool known;                   /* the job has been seen */
    bool begun;                   /* the stream */
    bool last;                    /* the log grows no more, or is not waited for */
    bool busy;                    /* the task is out */
    bool ended;
    bool mid_line;                /* what was sent last did not end with a newline */
    char attempt[P3D_ATTEMPT_SIZE], next[P3D_ATTEMPT_SIZE]; /* "" = none yet */
    unsigned next_number;
    struct p3d_timer timer;
    uint64_t looked_ms; /* when the credential was judged last */

    /* The thread's while busy. */
    int fd;
    int64_t at, end;              /* end: of a log that is not followed */
    bool was_last;                /* `last`, when the read began */
    char *piece;
    size_t piece_n;
    int err;
};

static void release(void *arg)
{
    struct logs *l = arg, **at = &p3d_call_app(l->call)->logs;
    p3d_closep(&l->fd);
    for (; *at != NULL; at = &(*at)->next_open)
        if (*at == l) {
            *at = l->next_open;
            return;
        }
}

/* False: too many are open. */
static bool count(struct logs *l, const struct p3d_answer *a)
{
    struct p3d_app *app = p3d_call_app(l->call);
    unsigned all = 0, of_caller = 0;
    l->caller = a->caller;
    for (const struct logs *o = app->logs; o != NULL; o = o->next_open) {
        all++;
        of_caller += strcmp(o->caller.s, l->caller.s) == 0;
    }
    if (all >= OPEN_MAX || (l->caller.s[0] != '\0' && of_caller >= OPEN_MAX_CALLER))
        return false;
    l->next_open = app->logs;
    app->logs = l;
    return true;
}

/* Nothing of it is called any more; its reference goes with its task. */
static void stop(struct logs *l)
{
    if (l->ended)
        return;
    l->ended = true;
    p3d_job_watch_end(&l->watch);
    p3d_timer_clear(p3d_call_app(l->call)->loop, &l->timer);
    p3d_call_on_drain(l->call, NULL, NULL);
    if (!l->busy)
        p3d_call_unref(l->call);
}

static void finish(struct logs *l)
{
    if (l->begun && !l->ended)
        p3d_stream_end(l->call);
    stop(l);
}

/* ---- on the pool ---- */

/* Where the last `lines` lines begin. Errors: P3D_E_IO. */
static int tail_start(struct logs *l, int64_t size)
{
    int64_t left = l->tail;
    l->at = l->tail == 0 ? size : 0;
    if (left <= 0)
        return 0;
    for (int64_t end = size; end > 0;) {
        int64_t from = end > PIECE ? end - PIECE : 0;
        ssize_t n = pread(l->fd, l->piece, (size_t)(end - from), from);
        if (n < end - from)
            return P3D_E_IO; /* it never shrinks */
        for (int64_t i = end - 1; i >= from; i--)
            if (l->piece[i - from] == '\n' && i != size - 1 && --left == 0) {
                l->at = i + 1;
                return 0;
            }
        end = from;
    }
    return 0;
}

static int open_log(struct logs *l)
{
    int64_t size;
    int err = p3d_artifact_log(p3d_call_app(l->call)->artifacts, &l->watch.id, l->attempt, &l->fd, &size);
    if (err != 0)
        return err;
    err = l->begun ? 0 : tail_start(l, size); /* of the first one only */
    l->end = l->follow ? INT64_MAX : size;
    return err;
}

static void work(struct p3d_task *t)
{
    struct logs *l = (struct logs *)t;
    l->piece = p3d_alloc(PIECE);
    l->err = l->fd < 0 ? open_log(l) : 0;
    if (l->err != 0)
        return;
    int64_t room = l->end - l->at;
    ssize_t n = pread(l->fd, l->piece, room < PIECE ? (size_t)room : PIECE, l->at);
    if (n < 0)
        l->err = P3D_E_IO;
    else
        l->piece_n = (size_t)n;
}

/* ---- on the loop ---- */

static void read_more(struct logs *l);

static void later(struct logs *l, uint64_t ms)
{
    p3d_timer_set(p3d_call_app(l->call)->loop, &l->timer, ms);
}

static void on_timer(struct p3d_timer *t)
{
    struct logs *l = (struct logs *)(void *)((char *)t - offsetof(struct logs, timer));
    uint64_t now_ms = p3d_mono_ms();
    if (l->follow && now_ms - l->looked_ms >= LOOK_MS) { /* a credential also ends without an event, by its time */
        l->looked_ms = now_ms;
        p3d_job_watch_look(&l->watch);
    }
    read_more(l);
}

static void on_gone(void *arg)
{
    stop(arg);
}

/* What is there is sent still. */
static void on_drain(void *arg)
{
    struct logs *l = arg;
    l->follow = false;
    l->last = true;
    p3d_job_watch_end(&l->watch);
    later(l, 0);
}

static void begin(struct logs *l)
{
    l->begun = true;
    p3d_stream_begin(l->call, "text/plain; charset=utf-8", STREAM_MAX, on_gone, l);
    if (l->follow)
        p3d_call_on_drain(l->call, on_drain, l);
}

static void send(struct logs *l, const char *piece)
{
    l->at += (int64_t)l->piece_n;
    l->mid_line = piece[l->piece_n - 1] != '\n';
    p3d_stream_send(l->call, (struct p3d_str){piece, l->piece_n});
}

static void begin_next(struct logs *l)
{
    char line[64];
    (void)p3d_format(line, sizeof(line), "%s[p3d: attempt %u]\n", l->mid_line ? "\n" : "", l->next_number);
    p3d_stream_send(l->call, p3d_str_z(line));
    memcpy(l->attempt, l->next, sizeof(l->attempt));
    l->next[0] = '\0';
    p3d_closep(&l->fd);
    l->fd = -1;
    l->at = 0;
    l->mid_line = false;
}

/* All that was there has been sent. */
static void at_end(struct logs *l)
{
    if (l->next[0] != '\0') {
        begin_next(l);
        read_more(l);
    } else if (l->was_last) {
        finish(l);
    } else if (l->last) {
        read_more(l); /* once more: it may have grown before it ended */
    } else {
        later(l, POLL_MS);
    }
}

static void go_on(struct logs *l, const char *piece)
{
    bool absent = l->err == P3D_E_RESULT_NOT_FOUND, waits = absent && (l->begun || !l->was_last);
    if (l->err != 0 && !waits) {
        if (!l->begun && absent)
            p3d_reply_error(l->call, l->err, "No log available for this job");
        else if (!l->begun)
            p3d_api_store_failed(l->call, l->err);
        finish(l);
        return;
    }
    if (!l->begun)
        begin(l);
    if (p3d_call_is_head(l->call)) {
        finish(l);
        return;
    }
    if (l->piece_n > 0)
        send(l, piece);
    if (l->piece_n < PIECE)
        at_end(l);
    else if (p3d_stream_waiting(l->call) > HIGH)
        later(l, SLOW_MS);
    else
        read_more(l);
}

static void done(struct p3d_task *t)
{
    struct logs *l = (struct logs *)t;
    char *piece = l->piece;
    l->piece = NULL;
    l->busy = false;
    if (l->ended)
        p3d_call_unref(l->call); /* what stop() left to us */
    else
        go_on(l, piece);
    free(piece);
}

static void read_more(struct logs *l)
{
    struct p3d_pool *files = p3d_call_app(l->call)->files;
    if (l->busy || l->ended)
        return;
    p3d_timer_clear(p3d_call_app(l->call)->loop, &l->timer);
    if (l->attempt[0] == '\0') { /* it has not begun */
        if (l->last)
            finish(l);
        else
            later(l, LOOK_MS);
        return;
    }
    if (p3d_stream_waiting(l->call) > HIGH) {
        later(l, SLOW_MS);
        return;
    }
    l->task = (struct p3d_task){.work = work, .done = done};
    l->was_last = l->last;
    l->piece_n = 0;
    if (files != NULL && p3d_pool_run(files, &l->task) == 0) {
        l->busy = true;
    } else if (l->begun && files != NULL) {
        later(l, POLL_MS);
    } else {
        if (!l->begun)
            p3d_reply_error(l->call, P3D_E_BUSY, NULL);
        finish(l);
    }
}

/* ---- the job ---- */

static void note(struct logs *l, const struct p3d_job *job)
{
    char name[P3D_ATTEMPT_SIZE];
    l->last = !l->follow || p3d_job_state_final(job->state);
    if (job->fence == 0)
        return;
    (void)p3d_format(name, sizeof(name), "%" PRIu64 "-%s", job->fence, job->nonce);
    if (l->attempt[0] == '\0') {
        memcpy(l->attempt, name, sizeof(name));
    } else if (strcmp(name, l->attempt) != 0) {
        memcpy(l->next, name, sizeof(name));
        l->next_number = job->attempt;
    }
}

static void first_seen(struct logs *l, int err, const struct p3d_answer *a)
{
    if (err == 0)
        note(l, &a->jobs[0]);
    if (err != 0) {
        p3d_api_failed(l->call, err, a);
    } else if (l->attempt[0] == '\0' && l->last) {
        p3d_reply_error(l->call, P3D_E_RESULT_NOT_FOUND, "No log available for this job");
    } else if (!count(l, a)) {
        p3d_reply_error(l->call, P3D_E_BUSY, NULL);
    } else {
        l->known = true;
        if (!l->last)
            p3d_job_watch_listen(&l->watch, a);
        if (l->attempt[0] == '\0')
            begin(l);
        if (l->attempt[0] != '\0' || !p3d_call_is_head(l->call)) {
            read_more(l);
            return;
        }
    }
    finish(l);
}

static void seen(struct p3d_job_watch *w, int err, const struct p3d_answer *a)
{
    struct logs *l = (struct logs *)(void *)((char *)w - offsetof(struct logs, watch));
    bool was = l->last, had = l->attempt[0] != '\0';
    if (!l->known) {
        first_seen(l, err, a);
    } else if (err == 0) {
        note(l, &a->jobs[0]);
        if (l->last != was || !had || l->next[0] != '\0')
            read_more(l);
    } else if (p3d_err_info(err)->retryable) {
        p3d_job_watch_look_later(w);
    } else {
        finish(l); /* not his to read any more */
    }
}

static void read_query(struct logs *l, struct p3d_faults *f)
{
    struct p3d_str follow = p3d_query_text(l->call, "follow", 8, f);
    l->tail = p3d_query_int(l->call, "tail", 0, TAIL_MAX, -1, f);
    if (follow.p != NULL && p3d_str_to_bool(follow, &l->follow) != 0)
        p3d_faults_add(f, "bool_parsing", "Input should be a valid boolean", "query", "follow", NULL);
}

void p3d_api_job_logs(struct p3d_call *c)
{
    struct p3d_refusal r = {.faults = {NULL}};
    struct p3d_job_id id;
    if (!p3d_api_job_id(c, &id))
        return;
    struct logs *l = p3d_call_alloc(c, sizeof(*l));
    *l = (struct logs){.call = c, .watch = {.call = c, .id = id, .seen = seen}, .fd = -1, .timer.cb = on_timer};
    p3d_call_defer(c, release, l);
    read_query(l, &r.faults);
    if (r.faults.list != NULL) {
        p3d_api_refuse(c, &r, &id);
        return;
    }
    (void)p3d_call_ref(c);
    p3d_job_watch_look(&l->watch);
}
