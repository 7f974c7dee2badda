/* SPDX-License-Identifier: MIT
 *
 * A failed or cancelled job once more, for administrators and the operator: what the new job is to be, judged by the
 * configuration of today, and the call of the store (store.h says how those behave). The old job stays as it is and
 * says which one came of it: "retried_as" in its detail, "retried_from" in the new one's spec. So a run over many jobs
 * can be cut off anywhere and begun again. Inputs are not judged once more: the model did that, or will.
 */
#pragma once
#include "p3d/model.h"
#include "p3d/store.h"

/* Everything owned. Free with _done, also after an error. */
struct p3d_retry {
    struct p3d_job_id from, id; /* the old job, the new one */
    uint64_t rev;               /* of the old one, when it was looked at */
    const struct p3d_model *model; /* of the configuration; NULL after an error */
    char *spec;                 /* of the new one */
    char *detail;               /* of the old one from then on */
};
/* Look at a job. Errors, with their words in err (when not NULL): P3D_E_NOT_RETRIABLE neither failed nor cancelled;
 * P3D_E_FEATURE_UNKNOWN, _NO_MODEL, _MODEL_UNKNOWN as at a submit of that very model; P3D_E_CORRUPT. */
P3D_MUST int p3d_retry_init(struct p3d_retry *r, const struct p3d_job *job, const struct p3d_models *m,
                            struct p3d_error *err);
void p3d_retry_done(struct p3d_retry *r);

/* Do it. The new job has the owner, priority and attempts of the old one, no deadline, and waits whatever its owner's
 * limit of queued jobs says. Admins only (who->admin). jobs[0] is the new one, without spec and detail.
 * Errors: P3D_E_JOB_NOT_FOUND; P3D_E_USER_NOT_FOUND its account is deleted; P3D_E_NOT_RETRIABLE; P3D_E_CONFLICT the old
 * one has changed since (somebody else retried it); P3D_E_STORE_FULL. */
P3D_MUST int p3d_store_job_retry(struct p3d_store *s, const struct p3d_access *who, const struct p3d_retry *r,
                                 p3d_store_cb *cb, void *priv);
