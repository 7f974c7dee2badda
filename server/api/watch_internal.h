/* SPDX-License-Identifier: MIT
 *
 * Requests that stay: what waits for a job (wait.c), streams of events (events.c, events_all.c), and what they share.
 * Lifetime: all of these structs are memory of the request's cell; whoever waits holds a reference to it.
 */
#pragma once
#include "app_internal.h"
#include "job_json_internal.h"
#include "p3d/hub.h"

/* ---- watch.c: one job, looked at again whenever it may have changed, with the request's own credential ---- */
struct p3d_job_watch {
    struct p3d_call *call; /* these three are set by the owner */
    struct p3d_job_id id;
    /* What a look gave; err 0: a->jobs[0]. May end the watch or ask for another look. */
    void (*seen)(struct p3d_job_watch *w, int err, const struct p3d_answer *a);

    uint64_t rev; /* newest that was seen; watch.c only from here on */
    struct p3d_listener *job, *caller;
    struct p3d_timer later;
    bool reading, again, ended;
};
/* Read the job now, or once more after the read that is under way. May call `seen` before it returns. */
void p3d_job_watch_look(struct p3d_job_watch *w);
void p3d_job_watch_look_later(struct p3d_job_watch *w); /* in a second; the store cannot answer now */
/* Look at each change from here on, and when the caller's account changes. Once, with the answer of the first look. */
void p3d_job_watch_listen(struct p3d_job_watch *w, const struct p3d_answer *a);
void p3d_job_watch_end(struct p3d_job_watch *w); /* `seen` is not called any more */

/* ---- wait.c ---- */
void p3d_api_job_wait(struct p3d_call *c, const struct p3d_job_id *id, int64_t seconds);

/* ---- sse.c: a stream of job objects ---- */
#define P3D_SSE_HIGH (64u << 10) /* bytes that wait for the client: no use in reading more jobs */
struct p3d_sse {
    struct p3d_call *call;    /* these three are set by the owner */
    void (*over)(void *priv); /* the client has left, or the server drains: once, and not after p3d_sse_end */
    void (*beat)(void *priv); /* every 15 s: time to look whether the caller may still be here */

    void *priv;
    struct p3d_timer timer;
    bool open;
};
void p3d_sse_begin(struct p3d_sse *e, void *priv); /* holds the cell until the end */
/* One event: `id: <rev>`, or with_job `id: <job_id>:<rev>`. Errors: P3D_E_CORRUPT the record cannot be read. */
P3D_MUST int p3d_sse_send(struct p3d_sse *e, const struct p3d_job *job, const struct p3d_owner_id *caller,
                             bool with_job);
/* comes_back: the client is told when to connect again. Not open any more: nothing happens. */
void p3d_sse_end(struct p3d_sse *e, bool comes_back);
