/* SPDX-License-Identifier: MIT
 *
 * Behind the runner: what counts is copied into the artifact store, then the attempt's directory is
 * removed; by the helper, while heartbeats go on. Guarantee: this runs for every attempt that got a
 * directory; when the attempt is abandoned meanwhile or an output is refused, none of its outputs
 * stays in the store, also when that is decided only behind the copying. Its log stays there, unless
 * the attempt is given back or was lost.
 */
#include <assert.h>
#include <string.h>

#include "work_internal.h"

static int publish_one(struct p3d_attempt *a, size_t i)
{
    const struct p3d_output *o = &a->outputs.v[i];
    struct p3d_artifact *file = &a->files[i];
    int r = p3d_artifact_publish(a->owner->artifacts, &a->lease.job, a->name, a->dirfd, o->path,
                                 o->role, a->owner->cfg->workers_max_output_bytes, &a->abandon,
                                 file, &a->error);
    if (r != 0)
        return r;
    for (size_t j = 0; j < i; j++)
        if (strcmp(a->files[j].name, file->name) ==
            0) /* different before their names were made safe */
            return p3d_fail(&a->error, P3D_E_BAD_REQUEST, "two files are named '%s'", file->name);
    a->files_n = i + 1;
    return 0;
}

static int publish_outputs(struct p3d_attempt *a)
{
    int r = p3d_outputs_collect(&a->outputs, a->dirfd, a->model->outputs_required,
                                a->owner->cfg->workers_max_output_bytes, &a->error);
    for (size_t i = 0; r == 0 && i < a->outputs.n; i++)
        r = publish_one(a, i);
    if (r == 0) {
        a->mesh = a->outputs.mesh;
        a->thumbnail = a->outputs.thumbnail;
        return 0;
    }
    P3D_IGNORE(p3d_artifact_clear(a->owner->artifacts, &a->lease.job, a->name));
    a->files_n = 0;
    return r;
}

static void take_back(struct p3d_attempt *a)
{
    P3D_IGNORE(a->keep_log
                   ? p3d_artifact_clear(a->owner->artifacts, &a->lease.job, a->name)
                   : p3d_artifact_remove(a->owner->artifacts, &a->lease.job, a->name));
    a->emptied = !a->keep_log;
    a->files_n = 0;
}

static void work(struct p3d_task *t)
{
    struct p3d_attempt *a = (struct p3d_attempt *)((char *)t - offsetof(struct p3d_attempt, task));
    a->result = 0;
    if (a->publish_outputs && a->dirfd >= 0)
        a->result = publish_outputs(a);
    if (a->take_back || !a->keep_log || (a->publish_outputs && atomic_load(&a->abandon)))
        take_back(a);
    if (a->dirfd < 0)
        return;
    p3d_closep(&a->dirfd);
    a->dirfd = -1;
    P3D_IGNORE(p3d_tree_remove(a->owner->dirfd, a->name)); /* what stays goes at the next start */
}

/* The end was decided anew behind the last look at `abandon`: outputs that will not count are there, or the log of an
 * attempt that never was. Not once the store was told: it may have counted. What the store has refused has not. */
static bool must_take_back(const struct p3d_attempt *a)
{
    if (a->stale)
        return !a->emptied;
    bool never_was = a->end == P3D_END_DROP || a->end == P3D_END_RELEASE;
    return !a->told && a->end != P3D_END_COMPLETE && (a->files_n > 0 || (never_was && a->keep_log));
}

static void done(struct p3d_task *t)
{
    struct p3d_attempt *a = (struct p3d_attempt *)((char *)t - offsetof(struct p3d_attempt, task));
    p3d_attempt_judge_wrap(a);
    if (must_take_back(a))
        p3d_work_wrap(a->owner);
    else
        p3d_work_raise(a->owner, P3D_ON_WRAPPED);
}

void p3d_work_wrap(struct p3d_work *w)
{
    struct p3d_attempt *a = w->a;
    a->take_back = must_take_back(a);
    if (a->take_back)
        a->keep_log = !a->stale && (a->end == P3D_END_FAIL || a->end == P3D_END_CANCEL);
    else if (a->dirfd < 0) { /* there never was a directory, or it is gone */
        p3d_work_raise(w, P3D_ON_WRAPPED);
        return;
    }
    p3d_joblog_close(&a->log);
    a->task = (struct p3d_task){.work = work, .done = done};
    int r = p3d_pool_run(w->pool, &a->task);
    assert(r == 0); /* one task at a time: there is always room */
    (void)r;
}
