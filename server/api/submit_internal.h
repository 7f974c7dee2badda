/* SPDX-License-Identifier: MIT
 *
 * A submit as data: read out of a body (submit_read.c), sent and answered (submit.c).
 */
#pragma once
#include <jansson.h>

#include "app_internal.h"

struct p3d_submission {
    const struct p3d_feature *feature;
    const struct p3d_model *model;
    json_t *spec; /* as job.h has it; owned */
    unsigned priority;
    int64_t max_attempts;
    int64_t run_at_ms, expires_ms; /* 0 = at once, never */
};
/* The body of POST /jobs. Errors: those of p3d_body_check, P3D_E_FEATURE_UNKNOWN, _NO_MODEL, _MODEL_UNKNOWN; all are
 * described in r. s is filled on success only; free with _done in either case. */
P3D_MUST int p3d_submission_read(const struct p3d_models *m, const json_t *body, struct p3d_submission *s,
                                 struct p3d_refusal *r);
/* The flat body of a feature's own route. */
P3D_MUST int p3d_submission_read_flat(const struct p3d_feature *f, const json_t *body, struct p3d_submission *s,
                                      struct p3d_refusal *r);
void p3d_submission_done(struct p3d_submission *s);

/* ---- submit.c ---- */
/* The Idempotency-Key of the request, into j (points into the request). Errors: P3D_E_VALIDATION, described in r. */
P3D_MUST int p3d_submit_key(const struct p3d_call *c, struct p3d_new_job *j, struct p3d_refusal *r);
/* What makes two requests the same: route and body. Any thread. */
void p3d_submit_hash(const char *pattern, struct p3d_str body, char dst[P3D_SHA256_HEX]);
/* Everything of j that comes from the submission; spec is the dump of sub->spec and stays the caller's. */
void p3d_submit_fill(const struct p3d_submission *sub, struct p3d_str spec, int64_t max_queued, struct p3d_new_job *j);
void p3d_submit_late(struct p3d_faults *f); /* the fault of an expires_at that is over */
/* {"job_id","status","message"} and, unless brief, {"queue_position","eta_seconds"}. */
json_t *p3d_submitted_json(const struct p3d_feature *f, const struct p3d_job *j, bool brief);
