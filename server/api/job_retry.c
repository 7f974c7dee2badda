/* SPDX-License-Identifier: MIT
 *
 * A failed or cancelled job once more, for administrators. Guarantee: of two that retry the same
 * job at once one wins, the other is told; a model that the configuration no longer has is refused
 * as on a submit. A repeated request makes a further job, there is no Idempotency-Key: "retried_as"
 * of the old job says whether an answer that was lost had come to something. Does not: decide who
 * may (the script does).
 */
#include "app_internal.h"

#include "p3d/retry.h"
#include "submit_internal.h"

#define RETRIED_MEANWHILE "The job has been changed meanwhile"

struct again {
    struct p3d_call *call;
    struct p3d_retry retry; /* freed with the request */
};

static void free_retry(void *retry)
{
    p3d_retry_done(retry);
}

static void on_retried(void *priv, int err, const struct p3d_answer *a)
{
    struct again *g = priv;
    struct p3d_call *c = g->call;
    if (err == 0 && a->n != 1)
        err = P3D_E_CORRUPT;
    if (err == P3D_E_CONFLICT) {
        p3d_reply_error(c, err, RETRIED_MEANWHILE);
    } else if (err != 0) {
        p3d_api_failed(c, err, a);
    } else {
        char *place = p3d_asprintf("/api/v1/jobs/%s", a->jobs[0].id.s);
        p3d_reply_header(c, "location", place);
        free(place);
        p3d_reply_json(c, 202, p3d_submitted_json(g->retry.model->feature, &a->jobs[0], false));
    }
    p3d_call_unref(c);
}

static void on_found(void *priv, int err, const struct p3d_answer *a)
{
    struct again *g = priv;
    struct p3d_call *c = g->call;
    struct p3d_app *app = p3d_call_app(c);
    struct p3d_error why = {.code = 0};
    if (err == 0 && a->n != 1)
        err = P3D_E_CORRUPT;
    if (err != 0) {
        p3d_api_failed(c, err, a);
    } else if ((err = p3d_retry_init(&g->retry, &a->jobs[0], app->cfg->models, &why)) != 0) {
        p3d_reply_error(c, err, err != P3D_E_CORRUPT ? why.detail : NULL);
    } else if (app->store_full) {
        p3d_api_store_failed(c, P3D_E_STORE_FULL);
    } else { /* on with the reference */
        p3d_api_began(
            c, p3d_store_job_retry(app->store, p3d_call_access(c), &g->retry, on_retried, g));
        return;
    }
    p3d_call_unref(c);
}

void p3d_api_job_retry(struct p3d_call *c)
{
    struct p3d_job_id id;
    if (!p3d_api_job_id(c, &id))
        return;
    struct again *g = p3d_call_alloc(c, sizeof(*g));
    *g = (struct again){.call = p3d_call_ref(c)};
    p3d_call_defer(c, free_retry, &g->retry);
    p3d_api_began(c,
                  p3d_store_job_get(p3d_call_app(c)->store, p3d_call_access(c), &id, on_found, g));
}
