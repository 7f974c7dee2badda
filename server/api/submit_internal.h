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
};
/* The body of POST /jobs. Errors: those of p3d_body_check, P3D_E_FEATURE_UNKNOWN, _NO_MODEL, _MODEL_UNKNOWN; all are
 * described in r. s is filled on success only; free with _done in either case. */
P3D_MUST int p3d_submission_read(const struct p3d_models *m, const json_t *body, struct p3d_submission *s,
                                 struct p3d_refusal *r);
/* The flat body of a feature's own route. */
P3D_MUST int p3d_submission_read_flat(const struct p3d_feature *f, const json_t *body, struct p3d_submission *s,
                                      struct p3d_refusal *r);
void p3d_submission_done(struct p3d_submission *s);
