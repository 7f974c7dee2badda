/* SPDX-License-Identifier: MIT
 *
 * A job as the store answers it. States: job_state.def. `spec` is written once at submit; `detail` is what the running
 * or finished attempt said last. Both are JSON objects kept as text; Redis never parses them.
 *
 * spec:   {"feature","model_id","model_preference","inputs":{…},"metadata":{…},"timeout_seconds",
 *          "output_format"?,"model_parameters"?{…},"retried_from"?: job id}
 * detail: {"progress_message"?, "error"?: {"code","message"}, "retried_as"?: job id, "result"?: {
 *            "attempt": "<fence>-<nonce>", "mesh": "<name>"?, "thumbnail": "<name>"?,
 *            "files": [{"name","role","size_bytes","sha256","content_type"}], "generation_info": {…}}}
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "p3d/id.h"
#include "p3d/str.h"

enum p3d_job_state {
#define P3D_JOB_STATE(sym, number, name, final) P3D_JOB_##sym = (number),
#include "p3d/job_state.def"
#undef P3D_JOB_STATE
    P3D_JOB__COUNT
};

struct p3d_job {
    struct p3d_job_id id;
    struct p3d_owner_id owner; /* empty: no owner */
    enum p3d_job_state state;
    unsigned priority;      /* 0..9 */
    unsigned progress;      /* 0..10000 */
    unsigned attempt;       /* attempts begun, the running one included */
    unsigned max_attempts;
    unsigned losses;        /* workers lost */
    uint64_t fence;         /* of the newest attempt, 0 before the first */
    char nonce[17];
    uint64_t rev;           /* grows with every change */
    int64_t created_ms, started_ms, ended_ms; /* wall time of Redis, 0 = not yet */
    int64_t expires_ms;     /* it fails if it has not begun by then; 0 = never */
    bool cancelling;        /* its attempt has been told to stop */
    int64_t files_bytes;    /* of its result's files */
    struct p3d_str spec, detail; /* terminated behind n; detail may be empty */

    int64_t queue_position; /* own jobs ahead in that model's queue + 1; 0 = not queued or not asked */
    int64_t eta_ms;         /* -1 = not known */
};

const char *p3d_job_state_name(enum p3d_job_state s);
bool p3d_job_state_final(enum p3d_job_state s);
/* -1 when there is no such state. */
int p3d_job_state_find(struct p3d_str name);
