/* SPDX-License-Identifier: MIT
 *
 * One attempt at one job, from the claim to its end: what the store said, what runs, what came of it. Owned by the
 * worker's loop; while the helper has its task, only the fields named there are the helper's.
 */
#pragma once
#include <jansson.h>
#include <stdatomic.h>

#include "../runner/runner_internal.h"
#include "p3d/artifact.h"
#include "p3d/loop.h"
#include "p3d/model.h"
#include "p3d/lease.h"

/* How it is to end. A greater one replaces a smaller one, never the other way: verdict.c decides. */
enum p3d_end {
    P3D_END_NONE,
    P3D_END_COMPLETE,
    P3D_END_RELEASE, /* back to the queue as if never claimed */
    P3D_END_FAIL,    /* code, message, retry */
    P3D_END_CANCEL,  /* FAIL that was asked for */
    P3D_END_DROP,    /* the lease is not ours any more: say nothing */
};

#define P3D_LOG_LINES 10          /* of the log, in an error's message */
#define P3D_MESSAGE_MAX 4096      /* bytes of an error's message */
#define P3D_PROGRESS_TEXT_MAX 200 /* bytes of a progress message */
#define P3D_INFO_MAX 16384        /* bytes of generation_info from the runner */

struct p3d_attempt {
    struct p3d_lease lease;
    char name[P3D_ATTEMPT_SIZE]; /* "<fence>-<nonce>": its directory, here and in the artifact store */
    unsigned number;
    uint64_t serial;           /* of this process: tells late answers about an older attempt */
    uint64_t claimed_ms;       /* monotonic */
    json_t *spec;              /* NULL when it could not be read */
    const struct p3d_model *model; /* NULL when the configuration has none */

    char *dir;                 /* absolute path */
    char **env;
    int64_t timeout_ms;
    struct p3d_events events;
    struct p3d_joblog log;
    struct p3d_outputs outputs;
    bool ran;                  /* the command was started */
    bool killed;               /* SIGKILL was asked for */
    int status;                /* of the runner, as waitpid */
    int64_t cpu_ms, max_rss_kib;

    unsigned progress;         /* 0..10000 */
    char *progress_text;       /* or NULL */
    bool progress_new;         /* not told yet */
    json_t *info;              /* merged info events */
    bool info_full;

    enum p3d_end end;
    bool retry;
    char code[65];
    char *message;             /* of the error; clean */
    bool said_error;           /* the runner named code and message itself: kept until it is judged */
    bool said_retry;
    char said_code[65];
    char *said_message;
    bool told;                 /* complete or fail was sent at least once: it may have counted */
    bool with_next;            /* and asked for the next job: a repeat must be the same */
    unsigned refusals;         /* answers that should not be */

    /* ---- helper tasks: one at a time ---- */
    struct p3d_task task;      /* worker and attempt are found through owner */
    struct p3d_work *owner;
    atomic_bool abandon;       /* set by the loop, read by the helper */
    char *input_json;          /* for prepare */
    size_t input_json_n;
    int dirfd;                 /* made by prepare, used by wrap; -1 = none */
    bool publish_outputs;      /* for wrap */
    bool stale;                /* the store said that it is not ours: whatever was told before did not count */
    bool take_back;            /* for wrap: it was to be a success, and is none */
    bool emptied;              /* nothing of it is in the artifact store */
    bool keep_log;             /* else nothing of the attempt stays in the store */
    int result;                /* of the task: 0 or P3D_E_* */
    struct p3d_error error;
    struct p3d_artifact files[P3D_OUTPUTS_MAX];
    size_t files_n;
    int mesh, thumbnail;       /* index into files, or -1 */
};

/* ---- attempt.c ---- */
struct p3d_attempt *p3d_attempt_new(struct p3d_work *w, const struct p3d_job *job);
void p3d_attempt_free(struct p3d_attempt *a);

/* ---- verdict.c ---- */
/* Decide how it ends, unless that is decided stronger already. message is cleaned and cut. True: it counts now. */
bool p3d_attempt_decide(struct p3d_attempt *a, enum p3d_end end, const char *code, bool retry,
                        struct p3d_str message);
void p3d_attempt_judge(struct p3d_attempt *a);        /* everybody is gone: what does the exit mean? */
void p3d_attempt_judge_wrap(struct p3d_attempt *a);   /* and how did publishing go? */

/* ---- detail.c ---- */
/* JSON texts as job.h has them, owned. */
char *p3d_attempt_input(const struct p3d_attempt *a, size_t *ret_n); /* input.json */
char *p3d_attempt_progress(const struct p3d_attempt *a, size_t *ret_n);
char *p3d_attempt_detail(const struct p3d_attempt *a, size_t *ret_n); /* error or result */
