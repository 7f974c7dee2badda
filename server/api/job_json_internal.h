/* SPDX-License-Identifier: MIT
 *
 * A job of the store as the API shows it, and its result as the download routes need it. Pure functions: no clock, no
 * configuration, no call; only p3d_links_of (links.c) reads those. Texts of the record are data of another process and
 * are judged like a request.
 */
#pragma once
#include <jansson.h>

#include "p3d/err.h"
#include "p3d/job.h"
#include "p3d/signing.h"

#define P3D_JOBS_PATH "/api/v1/system/jobs/"

/* The parsed texts of a job. job is borrowed. */
struct p3d_job_view {
    const struct p3d_job *job;
    json_t *spec;   /* object */
    json_t *detail; /* object, perhaps empty */
    const json_t *result; /* inside detail; NULL unless the job is completed and says one */
};
/* Errors: P3D_E_CORRUPT a text is no JSON object. Free with _done in either case. */
P3D_MUST int p3d_job_view_init(struct p3d_job_view *v, const struct p3d_job *job);
void p3d_job_view_done(struct p3d_job_view *v);

/* One file of the result, as the record has it; pointers into the view. */
struct p3d_result_file {
    const char *name, *role;
    const char *sha256;   /* 64 hex, or NULL */
    int64_t size_bytes;
};
const char *p3d_job_attempt(const struct p3d_job_view *v); /* "<fence>-<nonce>", or NULL without a result */
/* By name. Errors: P3D_E_RESULT_NOT_FOUND. */
P3D_MUST int p3d_job_file(const struct p3d_job_view *v, struct p3d_str name, struct p3d_result_file *ret);
P3D_MUST int p3d_job_mesh(const struct p3d_job_view *v, struct p3d_result_file *ret); /* the main file */
P3D_MUST int p3d_job_thumbnail(const struct p3d_job_view *v, struct p3d_result_file *ret);

/* How the URLs of one answer are made: what stands before them, and for whom and until when they are signed. Borrows
 * everything; lives no longer than the answer that is being made. */
struct p3d_links {
    const char *base;                  /* "http://host:port", or "" for relative ones */
    const struct p3d_signing *signing; /* without a key they are left unsigned */
    struct p3d_owner_id caller;        /* issued to; empty in simple mode */
    int64_t now_ms, expires_s;         /* wall time */
};
struct p3d_call;
/* For an answer to c, whose credential is the caller's (p3d_answer.caller): absolute ones. links.c. */
struct p3d_links p3d_links_of(const struct p3d_call *c, const struct p3d_owner_id *caller);
/* …/<job>/<tail>[?query&]exp=…&sig=…; query NULL or "format=base64". New reference. */
json_t *p3d_link_json(const struct p3d_links *l, const struct p3d_job *job, const char *tail, const char *query);

/* The job object of the API. New reference. */
json_t *p3d_job_json(const struct p3d_job_view *v, const struct p3d_links *l);
/* {"filename","file_size_bytes","file_size_mb","content_type","file_extension"} */
json_t *p3d_file_info_json(const struct p3d_result_file *f);
json_t *p3d_megabytes_json(int64_t size_bytes); /* of 2^20, four digits behind the point */
/* [{"name","role","size_bytes","sha256","content_type","url"}] */
json_t *p3d_job_files_json(const struct p3d_job_view *v, const struct p3d_links *l);
/* {"model_used","parameters", … what the model said}; never NULL. */
json_t *p3d_job_generation_json(const struct p3d_job_view *v);
json_t *p3d_job_seconds_json(const struct p3d_job *j); /* processing_time */
/* The extension of a name without its dot; empty when it has none. Inside name. */
const char *p3d_file_extension(const char *name);
