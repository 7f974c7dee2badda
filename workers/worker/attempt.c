/* SPDX-License-Identifier: MIT
 *
 * An attempt from what the store answered. Guarantee: it always comes to be, also from a record
 * that makes no sense: then its end is decided already (FAIL, BAD_JOB) and goes the ordinary way.
 * Does not: touch the disk.
 */
#include "attempt_internal.h"

#include <inttypes.h>
#include <string.h>

#include "p3d/clock.h"
#include "work_internal.h"

static void read_spec(struct p3d_attempt *a, const struct p3d_models *models, struct p3d_str text)
{
    struct p3d_error err;
    if (p3d_json_parse_object(text, &a->spec, &err) != 0) {
        a->spec = NULL;
        (void)p3d_attempt_decide(a, P3D_END_FAIL, "BAD_JOB", false,
                                 P3D_STR("the stored job cannot be read"));
        return;
    }
    struct p3d_str feature = p3d_json_get_str(a->spec, "feature");
    struct p3d_str model = p3d_json_get_str(a->spec, "model_id");
    char *kind P3D_CLEANUP(p3d_freep) =
        p3d_asprintf("%.*s/%.*s", (int)feature.n, feature.n > 0 ? feature.p : "", (int)model.n,
                     model.n > 0 ? model.p : "");
    a->model = p3d_model_by_kind(models, p3d_str_z(kind));
    if (a->model == NULL || !a->model->enabled || a->model->mode != P3D_MODE_ONESHOT) {
        (void)p3d_attempt_decide(a, P3D_END_FAIL, "MODEL_UNKNOWN", true,
                                 P3D_STR("this worker's configuration does not have the model"));
        return;
    }
    int64_t seconds = a->model->timeout_seconds;
    const json_t *own = json_object_get(a->spec, "timeout_seconds");
    if (json_is_number(own) && json_number_value(own) > 0 && json_number_value(own) < 1e9)
        a->timeout_ms = (int64_t)(json_number_value(own) * 1000);
    else
        a->timeout_ms = seconds > 0 ? seconds * 1000 : 0;
}

struct p3d_attempt *p3d_attempt_new(struct p3d_work *w, const struct p3d_job *job)
{
    struct p3d_attempt *a = p3d_alloc(sizeof(*a));
    a->lease.job = job->id;
    a->lease.fence = job->fence;
    memcpy(a->lease.nonce, job->nonce, sizeof(a->lease.nonce));
    a->lease.nonce[sizeof(a->lease.nonce) - 1] = '\0';
    (void)p3d_format(a->name, sizeof(a->name), "%" PRIu64 "-%s", a->lease.fence, a->lease.nonce);
    a->number = job->attempt;
    a->owner = w;
    a->claimed_ms = p3d_mono_ms();
    a->log.fd = a->dirfd = a->mesh = a->thumbnail = -1;
    a->info = json_object();
    a->dir = p3d_asprintf("%s/%s", w->dir, a->name);
    p3d_outputs_init(&a->outputs);
    p3d_events_init(&a->events, p3d_work_on_event, w);
    read_spec(a, w->cfg->models, job->spec);
    return a;
}

void p3d_attempt_free(struct p3d_attempt *a)
{
    if (a == NULL)
        return;
    p3d_closep(&a->dirfd);
    p3d_joblog_close(&a->log);
    p3d_events_done(&a->events);
    p3d_outputs_done(&a->outputs);
    p3d_runner_env_free(a->env);
    json_decref(a->spec);
    json_decref(a->info);
    free(a->dir);
    free(a->input_json);
    free(a->progress_text);
    free(a->message);
    free(a->said_message);
    free(a);
}
