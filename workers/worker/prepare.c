/* SPDX-License-Identifier: MIT
 *
 * Before the runner: its directories, and its log in the artifact store, made by the helper while the
 * loop goes on. Guarantee: whatever happens here ends in PREPARED or in HOPELESS with a reason;
 * heartbeats are not waited for and do not wait. A log that cannot be made fails nothing: its end
 * is kept in memory.
 */
#include <assert.h>

#include "work_internal.h"

static void work(struct p3d_task *t)
{
    struct p3d_attempt *a = (struct p3d_attempt *)((char *)t - offsetof(struct p3d_attempt, task));
    struct p3d_str input = {a->input_json, a->input_json_n};
    a->result = p3d_attempt_dir_make(a->owner->dirfd, a->name, input, &a->dirfd, &a->error);
    if (a->result == 0)
        a->result = p3d_artifact_begin(a->owner->artifacts, &a->lease.job, a->name, &a->error);
    if (a->result != 0)
        return;
    int fd = -1;
    P3D_IGNORE(p3d_artifact_log_create(a->owner->artifacts, &a->lease.job, a->name, &fd));
    p3d_joblog_open(&a->log, fd, a->owner->cfg->workers_max_log_bytes);
}

static void done(struct p3d_task *t)
{
    struct p3d_attempt *a = (struct p3d_attempt *)((char *)t - offsetof(struct p3d_attempt, task));
    struct p3d_work *w = a->owner;
    if (a->result != 0)
        (void)p3d_attempt_decide(a, P3D_END_FAIL, "IO_ERROR", true, p3d_str_z(a->error.detail));
    p3d_work_raise(w, a->end == P3D_END_NONE ? P3D_ON_PREPARED : P3D_ON_HOPELESS);
}

void p3d_work_prepare(struct p3d_work *w)
{
    struct p3d_attempt *a = w->a;
    if (a->end != P3D_END_NONE) { /* a job that cannot be read, or has no model here */
        p3d_work_raise(w, P3D_ON_HOPELESS);
        return;
    }
    a->input_json = p3d_attempt_input(a, &a->input_json_n);
    struct p3d_runner_env env = {
        .dir = a->dir,
        .job_id = a->lease.job.s,
        .feature = a->model->feature->name,
        .model = a->model->id,
        .attempt = a->number,
        .metadata = json_object_get(a->spec, "metadata"),
        .model_env = a->model->env,
    };
    a->env = p3d_runner_env_new(&env);
    a->task = (struct p3d_task){.work = work, .done = done};
    int r = p3d_pool_run(w->pool, &a->task);
    assert(r == 0); /* one task at a time: there is always room */
    (void)r;
}
