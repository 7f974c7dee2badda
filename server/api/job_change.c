/* SPDX-License-Identifier: MIT
 *
 * Cancelling and deleting a job (retrying one: job_retry.c). Guarantee: one script decides and does it, so that of two clients one wins; a deleted
 * job is gone for everybody when its client reads the answer. Does not: stop a process (the worker hears of it) or
 * remove files (whoever purges does).
 */
#include "app_internal.h"

#include "job_json_internal.h"

static void say_final(struct p3d_call *c, const struct p3d_job *job)
{
    char text[64];
    (void)p3d_format(text, sizeof(text), "Job is already %s", p3d_job_state_name(job->state));
    p3d_reply_error(c, P3D_E_JOB_FINAL, text);
}

static void on_cancelled(void *priv, int err, const struct p3d_answer *a)
{
    struct p3d_call *c = priv;
    if (err == P3D_E_JOB_FINAL && a->n == 1)
        say_final(c, &a->jobs[0]);
    else
        p3d_api_answer_job(c, err, a);
    p3d_call_unref(c);
}

void p3d_api_job_cancel(struct p3d_call *c)
{
    struct p3d_job_id id;
    if (p3d_api_job_id(c, &id))
        p3d_api_began(c, p3d_store_job_cancel(p3d_call_app(c)->store, p3d_call_access(c), &id, on_cancelled,
                                              p3d_call_ref(c)));
}

static json_t *deleted_json(const struct p3d_job_view *v)
{
    struct p3d_str feature = p3d_json_get_str(v->spec, "feature");
    return json_pack("{s:s, s:s, s:b, s:{s:s, s:o, s:o}}", "job_id", v->job->id.s, "message",
                     "Job deleted successfully from database", "deleted", 1, "job_info", "status",
                     p3d_job_state_name(v->job->state), "feature",
                     feature.p != NULL ? p3d_json_str(feature) : json_null(), "created_at",
                     p3d_json_time(v->job->created_ms));
}

static void on_deleted(void *priv, int err, const struct p3d_answer *a)
{
    struct p3d_call *c = priv;
    struct p3d_job_view v = {.job = NULL};
    if (err == 0)
        err = a->n == 1 ? p3d_job_view_init(&v, &a->jobs[0]) : P3D_E_CORRUPT;
    if (err != 0)
        p3d_api_store_failed(c, err);
    else
        p3d_reply_json(c, 200, deleted_json(&v));
    p3d_job_view_done(&v);
    p3d_call_unref(c);
}

void p3d_api_job_delete(struct p3d_call *c)
{
    struct p3d_job_id id;
    if (p3d_api_job_id(c, &id))
        p3d_api_began(
            c, p3d_store_job_delete(p3d_call_app(c)->store, p3d_call_access(c), &id, on_deleted, p3d_call_ref(c)));
}
