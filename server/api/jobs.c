/* SPDX-License-Identifier: MIT
 *
 * One job, and the numbers of the queue. Who may see a job is decided in the store's script.
 */
#include "app_internal.h"

#include "job_json_internal.h"
#include "p3d/clock.h"
#include "watch_internal.h"

#define WAIT_MAX 60

/* Answer with what make() makes of the job. */
static void answer(struct p3d_call *c, int err, const struct p3d_answer *a,
                   json_t *(*make)(const struct p3d_job_view *v, const struct p3d_links *l))
{
    struct p3d_job_view v = {.job = NULL};
    if (err == 0)
        err = a->n == 1 ? p3d_job_view_init(&v, &a->jobs[0]) : P3D_E_CORRUPT;
    if (err != 0) {
        p3d_api_store_failed(c, err);
    } else {
        struct p3d_links l = p3d_links_of(c, &a->caller);
        p3d_reply_json(c, 200, make(&v, &l));
    }
    p3d_job_view_done(&v);
}

void p3d_api_answer_job(struct p3d_call *c, int err, const struct p3d_answer *a)
{
    answer(c, err, a, p3d_job_json);
}

static void on_job(void *priv, int err, const struct p3d_answer *a)
{
    answer(priv, err, a, p3d_job_json);
    p3d_call_unref(priv);
}

void p3d_api_job_get(struct p3d_call *c)
{
    struct p3d_refusal r = {.faults = {NULL}};
    struct p3d_job_id id;
    if (!p3d_api_job_id(c, &id))
        return;
    int64_t seconds = p3d_query_int(c, "wait", 1, WAIT_MAX, 0, &r.faults);
    if (r.faults.list != NULL)
        p3d_api_refuse(c, &r, &id);
    else if (seconds > 0)
        p3d_api_job_wait(c, &id, seconds);
    else
        p3d_api_began(c,
                      p3d_store_job_get(p3d_call_app(c)->store, p3d_call_access(c), &id, on_job, p3d_call_ref(c)));
}

static json_t *files_json(const struct p3d_job_view *v, const struct p3d_links *l)
{
    return json_pack("{s:s, s:o}", "job_id", v->job->id.s, "files", p3d_job_files_json(v, l));
}

static void on_files(void *priv, int err, const struct p3d_answer *a)
{
    answer(priv, err, a, files_json);
    p3d_call_unref(priv);
}

void p3d_api_job_files(struct p3d_call *c)
{
    struct p3d_job_id id;
    if (p3d_api_job_id(c, &id))
        p3d_api_began(
            c, p3d_store_job_get(p3d_call_app(c)->store, p3d_call_access(c), &id, on_files, p3d_call_ref(c)));
}

static json_t *kinds_json(const struct p3d_stats *s)
{
    json_t *o = json_object();
    for (size_t i = 0; i < s->kinds_n; i++) {
        const struct p3d_kind_stats *k = &s->kinds[i];
        (void)json_object_set_new(
            o, k->kind,
            json_pack("{s:I, s:I, s:I, s:I, s:I}", "pending_jobs", (json_int_t)k->queued, "processing_jobs",
                      (json_int_t)k->processing, "completed_jobs", (json_int_t)k->completed, "failed_jobs",
                      (json_int_t)k->failed, "cancelled_jobs", (json_int_t)k->cancelled));
    }
    return o;
}

static json_t *stats_json(const struct p3d_stats *s, int64_t max)
{
    double used = max > 0 ? (double)s->queued / (double)max : 0.0;
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:o, s:{s:I, s:I}, s:f}", "pending_jobs",
                     (json_int_t)s->queued, "processing_jobs", (json_int_t)s->processing, "completed_jobs",
                     (json_int_t)s->completed, "failed_jobs", (json_int_t)s->failed, "cancelled_jobs",
                     (json_int_t)s->cancelled, "max_queue_size", (json_int_t)max, "queue_utilization", used, "by_model",
                     kinds_json(s), "workers", "alive", (json_int_t)s->workers_alive, "busy",
                     (json_int_t)s->workers_busy, "timestamp", p3d_wall_s());
}

static void on_stats(void *priv, int err, const struct p3d_answer *a)
{
    struct p3d_call *c = priv;
    if (err == 0 && a->stats == NULL)
        err = P3D_E_CORRUPT;
    if (err != 0)
        p3d_api_store_failed(c, err);
    else
        p3d_reply_json(c, 200, json_pack("{s:b, s:o}", "success", 1, "data",
                                         stats_json(a->stats, p3d_call_app(c)->cfg->limits_max_queued_jobs)));
    p3d_call_unref(c);
}

void p3d_api_queue_stats(struct p3d_call *c)
{
    p3d_api_began(c, p3d_store_queue_stats(p3d_call_app(c)->store, p3d_call_access(c), on_stats, p3d_call_ref(c)));
}
