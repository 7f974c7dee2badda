/* SPDX-License-Identifier: MIT
 *
 * What job.c and job_change.c share.
 */
#pragma once
#include "store_internal.h"

/* A call about one job, with room for more arguments behind the five; its ULID stays in op->text. */
struct p3d_op *p3d_job_about(struct p3d_store *s, const struct p3d_access *who, const struct p3d_job_id *id, size_t more,
                             p3d_store_cb *cb, void *priv, struct p3d_args *args);
/* ok, caller, admin, record, queue position[, eta]: jobs[0]. */
P3D_MUST int p3d_job_decode(struct p3d_op *op, const redisReply *r, struct p3d_answer *a);
/* ok, caller, admin, replayed, then per job ULID, head, queue position, eta: jobs[n]. */
P3D_MUST int p3d_job_decode_submit(struct p3d_op *op, const redisReply *r, struct p3d_answer *a);
