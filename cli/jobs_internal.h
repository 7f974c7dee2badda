/* SPDX-License-Identifier: MIT
 *
 * What the verbs of jobs share. What returns an exit status has said on stderr what is wrong.
 */
#pragma once
#include "p3d/json.h"
#include "p3d/store.h"
#include "session_internal.h"

/* ---- jobs.c ---- */
/* A word as an id. Errors: P3D_E_JOB_NOT_FOUND: no id, or of a shard that is not here (a job has one name). */
P3D_MUST int p3d_jobs_id(const char *word, struct p3d_job_id *ret);

/* --status, --feature, --model. Texts point into o. Returns 0 or P3D_EXIT_USAGE. */
int p3d_jobs_filter(const struct p3d_options *o, struct p3d_history *ret);

/* The texts of a job, for people and programs: what cannot be read is an empty object. Borrows job. */
struct p3d_jobs_view {
    const struct p3d_job *job;
    json_t *spec, *detail; /* objects, owned */
};
void p3d_jobs_view_init(struct p3d_jobs_view *v, const struct p3d_job *job);
void p3d_jobs_view_done(struct p3d_jobs_view *v);
/* New reference; times as the API writes them. whole: spec and detail too, as they are in the record. */
json_t *p3d_jobs_json(const struct p3d_jobs_view *v, bool whole);
/* "CODE: message", or "". New, free. */
char *p3d_jobs_error(const struct p3d_jobs_view *v);

/* ---- jobs_outcome.c ---- */
/* What becomes of many jobs, said as it happens: a line each, or the pieces of one JSON object. Zero-initialise, begin,
 * any number of the others, end. */
struct p3d_outcome {
    bool json, begun;
    int64_t done, refused, left_out;
    int stop; /* an exit status: nothing further is tried */
};
void p3d_outcome_begin(struct p3d_outcome *u, bool json);
/* It is done: the line, and the object with "job_id" and key: value. */
void p3d_outcome_done(struct p3d_outcome *u, const char *job, const char *words, const char *key, const char *value);
/* err (P3D_E_*, with its words or NULL: its own) instead. What says that no call will be served ends everything. */
void p3d_outcome_refused(struct p3d_outcome *u, const struct p3d_session *s, const char *job, int err, const char *words);
/* Closes the object. verb: "retried", the key of the count. Returns the exit status: refused when one was. */
int p3d_outcome_end(struct p3d_outcome *u, const char *verb);
