/* SPDX-License-Identifier: MIT
 *
 * `p3d jobs show`: everything that the record of one job says. Guarantee: what a user or a model
 * wrote into it cannot move the operator's terminal. Does not: show the log or the files.
 */
#include "verbs_internal.h"

#include <stdio.h>
#include <string.h>

#include "jobs_internal.h"
#include "print_internal.h"

/* Of any length, made harmless. text is freed. */
static void print_line(const char *label, char *text)
{
    size_t size = strlen(text) + 1;
    char *safe P3D_CLEANUP(p3d_freep) = p3d_alloc(size);
    (void)printf("%-16s%s\n", label, text[0] != '\0' ? p3d_print_safe(text, safe, size) : "-");
    free(text);
}

static void print_member(const char *label, const json_t *object, const char *key)
{
    const json_t *v = json_object_get(object, key);
    if (json_is_string(v))
        print_line(label, p3d_strdup(json_string_value(v)));
    else if (v != NULL && !json_is_null(v))
        print_line(label, p3d_json_dump(v, NULL));
}

static void print_time(const char *label, int64_t ms)
{
    char when[P3D_TIME_SIZE];
    if (ms != 0)
        (void)printf("%-16s%s\n", label, p3d_print_time(ms, when));
}

static void print_head(const struct p3d_job *j)
{
    (void)printf("%-16s%s\n", "Job:", j->id.s);
    (void)printf("%-16s%s%s\n", "Status:", p3d_job_state_name(j->state),
                 j->cancelling ? ", is told to stop" : "");
    (void)printf("%-16s%s\n", "Owner:", j->owner.s[0] != '\0' ? j->owner.s : "-");
    (void)printf("%-16s%u (9 is first)\n", "Priority:", j->priority);
    (void)printf("%-16s%u of %u\n", "Attempt:", j->attempt, j->max_attempts);
    (void)printf("%-16s%u\n", "Workers lost:", j->losses);
    (void)printf("%-16s%.2f %%\n", "Progress:", j->progress / 100.0);
    if (j->state == P3D_JOB_QUEUED && j->queue_position > 0)
        (void)printf("%-16s%lld\n", "Queue position:", (long long)j->queue_position);
    else if (j->state == P3D_JOB_QUEUED)
        (void)printf("%-16s%s\n", "Queue position:", "none, it is not yet due");
    if (j->state == P3D_JOB_QUEUED && j->eta_ms >= 0)
        (void)printf("%-16sabout %lld s\n", "Begins in:", (long long)(j->eta_ms + 999) / 1000);
    print_time("Created:", j->created_ms);
    print_time("Started:", j->started_ms);
    print_time("Ended:", j->ended_ms);
    print_time("Expires:", j->expires_ms);
    if (j->files_bytes > 0)
        (void)printf("%-16s%lld bytes\n", "Files:", (long long)j->files_bytes);
}

static void print_job(const struct p3d_jobs_view *v)
{
    char *error = p3d_jobs_error(v);
    print_head(v->job);
    print_member("Feature:", v->spec, "feature");
    print_member("Model:", v->spec, "model_id");
    if (error[0] != '\0')
        print_line("Error:", error);
    else
        free(error);
    print_member("Said last:", v->detail, "progress_message");
    print_member("Retried from:", v->spec, "retried_from");
    print_member("Retried as:", v->detail, "retried_as");
    print_member("Inputs:", v->spec, "inputs");
    print_member("Parameters:", v->spec, "model_parameters");
    print_member("Output format:", v->spec, "output_format");
    print_member("Time limit, s:", v->spec, "timeout_seconds");
    print_member("Metadata:", v->spec, "metadata");
    print_member("Result:", v->detail, "result");
}

static int show(void *json, const struct p3d_answer *a)
{
    struct p3d_jobs_view v;
    if (a->n != 1)
        return P3D_E_CORRUPT;
    p3d_jobs_view_init(&v, &a->jobs[0]);
    if (*(const bool *)json)
        p3d_print_json(p3d_jobs_json(&v, true));
    else
        print_job(&v);
    p3d_jobs_view_done(&v);
    return 0;
}

int p3d_jobs_show(struct p3d_options *o)
{
    struct p3d_session s = {0};
    struct p3d_job_id id;
    bool json = o->value[P3D_OPT_JSON] != NULL;
    struct p3d_reply r = {.take = show, .priv = &json};
    int rc = p3d_session_open(o, &s);
    if (rc == 0)
        rc = p3d_session_say(&s, p3d_jobs_id(o->value[P3D_OPT_JOB], &id));
    if (rc == 0)
        rc = p3d_session_wait(
            &s, p3d_store_job_get(p3d_session_store(&s), &s.who, &id, p3d_session_answer, &r), &r);
    p3d_session_close(&s);
    return rc;
}
