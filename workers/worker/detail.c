/* SPDX-License-Identifier: MIT
 *
 * The JSON an attempt is told with: input.json for the runner, detail for the store (shapes:
 * p3d/job.h). Guarantee: every string in them is well-formed UTF-8 without NUL, and what the runner
 * said cannot replace what the worker knows (model_used, parameters). All on the loop's thread:
 * jansson's counters are not for two threads.
 */
#include <string.h>

#include "attempt_internal.h"
#include "p3d/json.h"

static json_t *member(const json_t *o, const char *key, json_t *otherwise)
{
    json_t *v = json_object_get(o, key);
    if (v == NULL || json_is_null(v))
        return otherwise;
    json_decref(otherwise);
    return json_incref(v);
}

static void set(json_t *o, const char *key, json_t *value)
{
    (void)json_object_set_new(o, key, value);
}

static char *text_of(json_t *o, size_t *ret_n)
{
    char *text = p3d_json_dump(o, ret_n);
    json_decref(o);
    return text;
}

char *p3d_attempt_input(const struct p3d_attempt *a, size_t *ret_n)
{
    json_t *o = json_object();
    set(o, "job_id", json_string(a->lease.job.s));
    set(o, "attempt", json_integer(a->number));
    set(o, "feature", member(a->spec, "feature", json_null()));
    set(o, "model", member(a->spec, "model_id", json_null()));
    set(o, "inputs", member(a->spec, "inputs", json_object()));
    set(o, "parameters", member(a->spec, "model_parameters", json_object()));
    set(o, "output_format", member(a->spec, "output_format", json_null()));
    return text_of(o, ret_n);
}

static json_t *start_detail(const struct p3d_attempt *a)
{
    json_t *o = json_object();
    if (a->progress_text != NULL)
        set(o, "progress_message", json_string(a->progress_text));
    return o;
}

char *p3d_attempt_progress(const struct p3d_attempt *a, size_t *ret_n)
{
    return text_of(start_detail(a), ret_n);
}

static json_t *file_row(const struct p3d_artifact *f)
{
    json_t *o = json_object();
    set(o, "name", json_string(f->name));
    set(o, "role", json_string(f->role));
    set(o, "size_bytes", json_integer(f->size_bytes));
    set(o, "sha256", json_string(f->sha256));
    set(o, "content_type", json_string(f->content_type));
    return o;
}

static json_t *result(const struct p3d_attempt *a)
{
    json_t *o = json_object(), *files = json_array(), *info = json_copy(a->info);
    set(o, "attempt", json_string(a->name));
    if (a->mesh >= 0)
        set(o, "mesh", json_string(a->files[a->mesh].name));
    if (a->thumbnail >= 0)
        set(o, "thumbnail", json_string(a->files[a->thumbnail].name));
    for (size_t i = 0; i < a->files_n; i++)
        (void)json_array_append_new(files, file_row(&a->files[i]));
    set(o, "files", files);
    set(info, "model_used", member(a->spec, "model_id", json_null()));
    set(info, "parameters", member(a->spec, "model_parameters", json_object()));
    set(o, "generation_info", info);
    return o;
}

char *p3d_attempt_detail(const struct p3d_attempt *a, size_t *ret_n)
{
    json_t *o = start_detail(a);
    if (a->end == P3D_END_COMPLETE) {
        set(o, "result", result(a));
    } else {
        json_t *error = json_object();
        set(error, "code", json_string(a->code));
        set(error, "message", json_string(a->message != NULL ? a->message : ""));
        set(o, "error", error);
    }
    return text_of(o, ret_n);
}
