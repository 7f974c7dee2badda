/* SPDX-License-Identifier: MIT
 *
 * The job object of the API, made from the record. Guarantee: the same keys in every state, null until known; no server
 * path, no other host's name, nothing of `detail` that is not named here, except what the model itself said for
 * generation_info. Does not: decide who may see it (the store's scripts).
 */
#include "job_json_internal.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "p3d/artifact.h"
#include "p3d/json.h"

static json_t *text_or_null(struct p3d_str s)
{
    return s.p != NULL ? p3d_json_str(s) : json_null();
}

/* A deep copy: what comes out of the view must outlive it. */
static json_t *object_or_empty(const json_t *v)
{
    return json_is_object(v) ? json_deep_copy(v) : json_object();
}

static void set(json_t *o, const char *key, json_t *value)
{
    (void)json_object_set_new(o, key, value);
}

json_t *p3d_job_seconds_json(const struct p3d_job *j)
{
    if (j->started_ms == 0 || j->ended_ms == 0)
        return json_null();
    return json_real((double)(j->ended_ms - j->started_ms) / 1000.0);
}

json_t *p3d_megabytes_json(int64_t size_bytes)
{
    return json_real(round((double)size_bytes / 1048576.0 * 1e4) / 1e4);
}

json_t *p3d_file_info_json(const struct p3d_result_file *f)
{
    json_t *o = json_object();
    set(o, "filename", p3d_json_str(p3d_str_z(f->name)));
    set(o, "file_size_bytes", json_integer(f->size_bytes));
    set(o, "file_size_mb", p3d_megabytes_json(f->size_bytes));
    set(o, "content_type", json_string(p3d_content_type(f->name)));
    set(o, "file_extension", p3d_json_str(p3d_str_z(p3d_file_extension(f->name))));
    return o;
}

json_t *p3d_link_json(const struct p3d_links *l, const struct p3d_job *job, const char *tail, const char *query)
{
    char signature[P3D_SIGNATURE_LEN + 1];
    struct p3d_buf b;
    p3d_buf_init(&b, 0);
    p3d_buf_addf(&b, "%s" P3D_JOBS_PATH "%s/%s", l->base, job->id.s, tail);
    size_t base_n = strlen(l->base);
    struct p3d_str path = {b.p + base_n, b.n - base_n};
    int err = p3d_signing_sign(l->signing, l->now_ms, path, l->expires_s, &l->caller, signature);
    if (query != NULL)
        p3d_buf_addf(&b, "?%s", query);
    if (err == 0)
        p3d_buf_addf(&b, "%sexp=%" PRId64 "&sig=%s", query != NULL ? "&" : "?", l->expires_s, signature);
    json_t *v = p3d_json_str(p3d_buf_str(&b));
    p3d_buf_done(&b);
    return v;
}

json_t *p3d_job_files_json(const struct p3d_job_view *v, const struct p3d_links *l)
{
    json_t *list = json_array();
    size_t i;
    json_t *entry;
    json_array_foreach(json_object_get(v->result, "files"), i, entry)
    {
        struct p3d_result_file f;
        if (p3d_job_file(v, p3d_json_get_str(entry, "name"), &f) != 0)
            continue;
        json_t *o = json_object();
        char *tail = p3d_asprintf("files/%s", f.name);
        set(o, "name", p3d_json_str(p3d_str_z(f.name)));
        set(o, "role", p3d_json_str(p3d_str_z(f.role)));
        set(o, "size_bytes", json_integer(f.size_bytes));
        set(o, "sha256", text_or_null(p3d_str_z(f.sha256)));
        set(o, "content_type", json_string(p3d_content_type(f.name)));
        set(o, "url", p3d_link_json(l, v->job, tail, NULL));
        (void)json_array_append_new(list, o);
        free(tail);
    }
    return list;
}

json_t *p3d_job_generation_json(const struct p3d_job_view *v)
{
    json_t *o = object_or_empty(json_object_get(v->result, "generation_info"));
    if (json_object_get(o, "model_used") == NULL)
        set(o, "model_used", text_or_null(p3d_json_get_str(v->spec, "model_id")));
    if (json_object_get(o, "parameters") == NULL)
        set(o, "parameters", object_or_empty(json_object_get(v->spec, "model_parameters")));
    return o;
}

static void set_places(json_t *o, const struct p3d_job_view *v, const struct p3d_links *l)
{
    struct p3d_result_file mesh, thumbnail;
    bool has_mesh = p3d_job_mesh(v, &mesh) == 0;
    set(o, "output_mesh_path", has_mesh ? p3d_json_str(p3d_str_z(mesh.name)) : json_null());
    set(o, "mesh_url", has_mesh ? p3d_link_json(l, v->job, "download", NULL) : json_null());
    if (p3d_job_thumbnail(v, &thumbnail) == 0)
        set(o, "thumbnail_url", p3d_link_json(l, v->job, "thumbnail", NULL));
}

/* They stand at the job's top level as well: the same values, signed once. */
static void share_places(json_t *o, const json_t *result)
{
    static const char *const places[] = {"output_mesh_path", "mesh_url", "thumbnail_url"};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        json_t *value = json_object_get(result, places[i]);
        if (value != NULL)
            (void)json_object_set(o, places[i], value);
    }
}

static json_t *result_json(const struct p3d_job_view *v, const struct p3d_links *l)
{
    struct p3d_result_file f;
    json_t *o = json_object();
    set_places(o, v, l);
    set(o, "mesh_file_info", p3d_job_mesh(v, &f) == 0 ? p3d_file_info_json(&f) : json_null());
    if (p3d_job_thumbnail(v, &f) == 0)
        set(o, "thumbnail_file_info", p3d_file_info_json(&f));
    set(o, "files", p3d_job_files_json(v, l));
    set(o, "generation_info", p3d_job_generation_json(v));
    return o;
}

static json_t *error_json(const json_t *detail)
{
    const json_t *e = json_object_get(detail, "error");
    struct p3d_str code = p3d_json_get_str(e, "code"), message = p3d_json_get_str(e, "message");
    if (code.p == NULL)
        return json_null();
    return json_pack("{s:o, s:o}", "code", p3d_json_str(code), "message", p3d_json_str(message));
}

static void set_request(json_t *o, const struct p3d_job_view *v)
{
    const struct p3d_job *j = v->job;
    set(o, "job_id", json_string(j->id.s));
    set(o, "feature", text_or_null(p3d_json_get_str(v->spec, "feature")));
    set(o, "model_preference", text_or_null(p3d_json_get_str(v->spec, "model_preference")));
    set(o, "model_id", text_or_null(p3d_json_get_str(v->spec, "model_id")));
    set(o, "status", json_string(p3d_job_state_name(j->state)));
    set(o, "priority", json_integer(j->priority));
    set(o, "progress", json_real(j->state == P3D_JOB_COMPLETED ? 1.0 : (double)j->progress / 10000.0));
    set(o, "progress_message",
        j->cancelling ? json_string("Cancelling") : text_or_null(p3d_json_get_str(v->detail, "progress_message")));
    set(o, "inputs", object_or_empty(json_object_get(v->spec, "inputs")));
    set(o, "metadata", object_or_empty(json_object_get(v->spec, "metadata")));
    set(o, "user_id", j->owner.s[0] != '\0' ? json_string(j->owner.s) : json_null());
    set(o, "attempt", json_integer(j->attempt));
    set(o, "max_attempts", json_integer(j->max_attempts));
}

/* Whoever submitted it finds where a job came from that is none of their own making. */
static void set_retries(json_t *o, const struct p3d_job_view *v)
{
    struct p3d_str from = p3d_json_get_str(v->spec, "retried_from"), as = p3d_json_get_str(v->detail, "retried_as");
    if (from.n > 0)
        set(o, "retried_from", p3d_json_str(from));
    if (as.n > 0)
        set(o, "retried_as", p3d_json_str(as));
}

static void set_times(json_t *o, const struct p3d_job *j)
{
    bool failed = j->state == P3D_JOB_FAILED;
    set(o, "created_at", p3d_json_time(j->created_ms));
    set(o, "started_at", p3d_json_time(j->started_ms));
    set(o, "completed_at", p3d_json_time(p3d_job_state_final(j->state) && !failed ? j->ended_ms : 0));
    set(o, "failed_at", p3d_json_time(failed ? j->ended_ms : 0));
    set(o, "processing_time", p3d_job_seconds_json(j));
    if (j->queue_position > 0)
        set(o, "queue_position", json_integer(j->queue_position));
    if (j->state == P3D_JOB_QUEUED && j->eta_ms >= 0)
        set(o, "eta_seconds", json_real((double)j->eta_ms / 1000.0));
}

json_t *p3d_job_json(const struct p3d_job_view *v, const struct p3d_links *l)
{
    json_t *o = json_object();
    set_request(o, v);
    set_retries(o, v);
    set_times(o, v->job);
    set(o, "error", v->job->state == P3D_JOB_FAILED ? error_json(v->detail) : json_null());
    json_t *result = v->result != NULL ? result_json(v, l) : json_null();
    set(o, "result", result);
    share_places(o, result);
    return o;
}
