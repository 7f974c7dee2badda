/* SPDX-License-Identifier: MIT
 *
 * What the verbs of jobs share: ids, filters, and a job as JSON. Guarantee: a record whose texts
 * make no sense is shown with what its head says, it does not hide the jobs behind it. Does not:
 * share the API's job object, whose URLs are signed for somebody; the names of the fields are the
 * same.
 */
#include "jobs_internal.h"

#include <stdio.h>
#include <string.h>

#include "p3d/id.h"

enum { TEXT_MAX = 128 };

int p3d_jobs_id(const char *word, struct p3d_job_id *ret)
{
    int err = p3d_job_id_parse(p3d_str_z(word), ret);
    return err == 0 && p3d_job_id_shard(ret) != 0 ? P3D_E_JOB_NOT_FOUND : err;
}

/* "failed,cancelled" */
static int read_states(const char *text, unsigned *ret)
{
    for (const char *at = text;; at++) {
        size_t n = strcspn(at, ",");
        int state = p3d_job_state_find((struct p3d_str){at, n});
        if (state < 0) {
            (void)fputs(
                "--status: queued, processing, completed, failed or cancelled; several with "
                "commas between them\n",
                stderr);
            return P3D_EXIT_USAGE;
        }
        *ret |= 1U << state;
        at += n;
        if (*at == '\0')
            return 0;
    }
}

/* An empty one would be all of them: a variable of a script that was not set. */
static int read_text(const char *name, const char *text, struct p3d_str *ret)
{
    struct p3d_str s = p3d_str_z(text);
    if (text == NULL)
        return 0;
    if (s.n == 0 || s.n > TEXT_MAX || !p3d_utf8_valid(s)) {
        (void)fprintf(stderr, "--%s: a name of 1 to %d bytes\n", name, TEXT_MAX);
        return P3D_EXIT_USAGE;
    }
    *ret = s;
    return 0;
}

int p3d_jobs_filter(const struct p3d_options *o, struct p3d_history *ret)
{
    const char *status = o->value[P3D_OPT_STATUS];
    int rc = status != NULL ? read_states(status, &ret->states) : 0;
    if (rc == 0)
        rc = read_text("feature", o->value[P3D_OPT_FEATURE], &ret->feature);
    if (rc == 0)
        rc = read_text("model", o->value[P3D_OPT_MODEL], &ret->model);
    return rc;
}

static json_t *read_object(struct p3d_str text)
{
    json_t *o = NULL;
    struct p3d_error why;
    return text.n > 0 && p3d_json_parse_object(text, &o, &why) == 0 ? o : json_object();
}

void p3d_jobs_view_init(struct p3d_jobs_view *v, const struct p3d_job *job)
{
    *v = (struct p3d_jobs_view){job, read_object(job->spec), read_object(job->detail)};
}

void p3d_jobs_view_done(struct p3d_jobs_view *v)
{
    json_decref(v->spec);
    json_decref(v->detail);
    *v = (struct p3d_jobs_view){.job = NULL};
}

static void set(json_t *o, const char *key, json_t *value)
{
    (void)json_object_set_new(o, key, value);
}

static void set_text(json_t *o, const char *key, const json_t *from, const char *name)
{
    struct p3d_str s = p3d_json_get_str(from, name);
    set(o, key, s.p != NULL ? p3d_json_str(s) : json_null());
}

static json_t *error_json(const struct p3d_jobs_view *v)
{
    const json_t *e = json_object_get(v->detail, "error");
    json_t *o = json_object();
    if (v->job->state != P3D_JOB_FAILED || !json_is_object(e)) {
        json_decref(o);
        return json_null();
    }
    set_text(o, "code", e, "code");
    set_text(o, "message", e, "message");
    return o;
}

static void set_numbers(json_t *o, const struct p3d_job *j)
{
    set(o, "priority", json_integer(j->priority));
    set(o, "progress", json_real((double)j->progress / 10000.0));
    set(o, "attempt", json_integer(j->attempt));
    set(o, "max_attempts", json_integer(j->max_attempts));
    set(o, "losses", json_integer(j->losses));
    set(o, "cancelling", json_boolean(j->cancelling));
    set(o, "files_bytes", json_integer(j->files_bytes));
    set(o, "queue_position", j->queue_position > 0 ? json_integer(j->queue_position) : json_null());
    set(o, "eta_seconds", j->eta_ms >= 0 ? json_real((double)j->eta_ms / 1000.0) : json_null());
    set(o, "created_at", p3d_json_time(j->created_ms));
    set(o, "started_at", p3d_json_time(j->started_ms));
    set(o, "ended_at", p3d_json_time(j->ended_ms));
    set(o, "expires_at", p3d_json_time(j->expires_ms));
}

json_t *p3d_jobs_json(const struct p3d_jobs_view *v, bool whole)
{
    const struct p3d_job *j = v->job;
    json_t *o = json_object();
    set(o, "job_id", json_string(j->id.s));
    set(o, "status", json_string(p3d_job_state_name(j->state)));
    set_text(o, "feature", v->spec, "feature");
    set_text(o, "model_id", v->spec, "model_id");
    set(o, "user_id", j->owner.s[0] != '\0' ? json_string(j->owner.s) : json_null());
    set_numbers(o, j);
    set(o, "error", error_json(v));
    set_text(o, "retried_from", v->spec, "retried_from");
    set_text(o, "retried_as", v->detail, "retried_as");
    if (!whole)
        return o;
    set(o, "revision", json_integer((json_int_t)j->rev));
    set(o, "spec", json_incref(v->spec));
    set(o, "detail", json_incref(v->detail));
    return o;
}

char *p3d_jobs_error(const struct p3d_jobs_view *v)
{
    json_t *e = error_json(v);
    struct p3d_str code = p3d_json_get_str(e, "code"), message = p3d_json_get_str(e, "message");
    char *text = p3d_asprintf("%.*s%s%.*s", (int)code.n, code.n > 0 ? code.p : "",
                              code.n > 0 && message.n > 0 ? ": " : "", (int)message.n,
                              message.n > 0 ? message.p : "");
    json_decref(e);
    return text;
}
