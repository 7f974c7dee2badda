/* SPDX-License-Identifier: MIT
 *
 * DELETE /{id}/result: the files of a result go, the job stays. Guarantee: the record stops naming them before the first
 * one is removed, so that nobody is promised a file that is not there; disk is touched on the files pool only; files
 * that cannot be removed go with the job at the latest. Does not: touch a job that has not ended.
 */
#include "app_internal.h"

#include <string.h>

#include "job_json_internal.h"

#define TRIES 2       /* the record may change between the read and the write */
#define FULL_MS 50    /* until the files pool is asked again: the record names them no more, so nobody else will */

struct result_delete {
    struct p3d_task task; /* first */
    struct p3d_call *call;
    struct p3d_job_id id;
    unsigned tries;
    struct p3d_timer timer;
    char attempt[P3D_ATTEMPT_SIZE];
    char file[208];
    int64_t size_bytes;
    int err;
};

static void look(struct result_delete *d);

static json_t *answer_json(const struct result_delete *d, bool deleted)
{
    return json_pack("{s:s, s:s, s:b, s:o, s:o}", "job_id", d->id.s, "message",
                     deleted ? "Result file deleted successfully" : "No result file to delete", "deleted",
                     (int)deleted, "freed_space_mb", p3d_megabytes_json(deleted ? d->size_bytes : 0), "deleted_file",
                     deleted && d->file[0] != '\0' ? json_string(d->file) : json_null());
}

static void fail(struct result_delete *d, int err)
{
    p3d_api_store_failed(d->call, err);
    p3d_call_unref(d->call);
}

/* ---- the files ---- */

static void remove_files(struct p3d_task *t)
{
    struct result_delete *d = (struct result_delete *)t;
    d->err = p3d_artifact_clear(p3d_call_app(d->call)->artifacts, &d->id, d->attempt);
}

static void on_removed(struct p3d_task *t)
{
    struct result_delete *d = (struct result_delete *)t;
    if (d->err != 0) {
        fail(d, d->err);
        return;
    }
    p3d_reply_json(d->call, 200, answer_json(d, true));
    p3d_call_unref(d->call);
}

static void on_timer(struct p3d_timer *t)
{
    struct result_delete *d = (struct result_delete *)(void *)((char *)t - offsetof(struct result_delete, timer));
    struct p3d_app *app = p3d_call_app(d->call);
    d->task.work = remove_files;
    d->task.done = on_removed;
    if (app->files == NULL) /* the process ends */
        fail(d, P3D_E_BUSY);
    else if (p3d_pool_run(app->files, &d->task) != 0)
        p3d_timer_set(app->loop, t, FULL_MS);
}

static void on_dropped(void *priv, int err, const struct p3d_answer *a)
{
    struct result_delete *d = priv;
    (void)a;
    if (err == P3D_E_CONFLICT && d->tries < TRIES) {
        look(d);
    } else if (err != 0) {
        fail(d, err);
    } else {
        d->timer.cb = on_timer;
        on_timer(&d->timer);
    }
}

/* ---- the record ---- */

static void note(struct result_delete *d, const struct p3d_job_view *v)
{
    struct p3d_result_file f;
    const json_t *entry, *list = json_object_get(v->result, "files");
    (void)p3d_format(d->attempt, sizeof(d->attempt), "%s", p3d_job_attempt(v));
    (void)p3d_format(d->file, sizeof(d->file), "%s", p3d_job_mesh(v, &f) == 0 ? f.name : "");
    d->size_bytes = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        entry = json_array_get(list, i);
        int64_t n = json_integer_value(json_object_get(entry, "size_bytes"));
        d->size_bytes += n > 0 && n < INT64_MAX - d->size_bytes ? n : 0;
    }
}

static int drop(struct result_delete *d, const struct p3d_job_view *v)
{
    struct p3d_call *c = d->call;
    json_t *detail = json_copy(v->detail);
    size_t n;
    (void)json_object_del(detail, "result");
    char *text = p3d_json_dump(detail, &n);
    int err = p3d_store_result_drop(p3d_call_app(c)->store, p3d_call_access(c), &d->id, v->job->rev,
                                    (struct p3d_str){text, n}, on_dropped, d);
    free(text);
    json_decref(detail);
    return err;
}

static void say_unfinished(struct p3d_call *c, const struct p3d_job *job)
{
    char text[96];
    (void)p3d_format(text, sizeof(text), "Job is not completed yet. Current status: %s",
                     p3d_job_state_name(job->state));
    p3d_reply_error(c, P3D_E_JOB_NOT_COMPLETED, text);
}

static void on_job(void *priv, int err, const struct p3d_answer *a)
{
    struct result_delete *d = priv;
    struct p3d_job_view v = {.job = NULL};
    bool goes_on = false;
    if (err == 0)
        err = a->n == 1 ? p3d_job_view_init(&v, &a->jobs[0]) : P3D_E_CORRUPT;
    if (err == 0 && !p3d_job_state_final(v.job->state)) {
        say_unfinished(d->call, v.job);
    } else if (err == 0 && (v.result == NULL || p3d_job_attempt(&v) == NULL)) {
        p3d_reply_json(d->call, 200, answer_json(d, false));
    } else if (err == 0) {
        note(d, &v);
        err = drop(d, &v);
        goes_on = err == 0;
    }
    if (err != 0)
        p3d_api_store_failed(d->call, err);
    p3d_job_view_done(&v);
    if (!goes_on)
        p3d_call_unref(d->call);
}

static void look(struct result_delete *d)
{
    struct p3d_call *c = d->call;
    d->tries++;
    int err = p3d_store_job_get(p3d_call_app(c)->store, p3d_call_access(c), &d->id, on_job, d);
    if (err != 0)
        fail(d, err);
}

void p3d_api_result_delete(struct p3d_call *c)
{
    struct p3d_job_id id;
    if (!p3d_api_job_id(c, &id))
        return;
    struct result_delete *d = p3d_call_alloc(c, sizeof(*d));
    d->call = p3d_call_ref(c);
    d->id = id;
    look(d);
}
