/* SPDX-License-Identifier: MIT
 *
 * Queue a job: POST /jobs and each feature's own route. Guarantee: one round trip decides credential, scope,
 * idempotency, limits and places the job, or nothing happens; the owner is the token's user, whatever the body says.
 * Does not: judge inputs (submit_read.c).
 */
#include "app_internal.h"

#include <string.h>

#include "submit_internal.h"

#define IDEMPOTENCY_KEY_MAX 255

struct submit {
    struct p3d_call *call;
    const struct p3d_feature *feature;
    bool own_route; /* of the feature: 200, the short answer */
};

json_t *p3d_submitted_json(const struct p3d_feature *f, const struct p3d_job *j, bool brief)
{
    char *message = p3d_asprintf("%s job queued successfully", f->title);
    json_t *o = json_pack("{s:s, s:s, s:o}", "job_id", j->id.s, "status", "queued", "message",
                          p3d_json_str(p3d_str_z(message)));
    free(message);
    if (brief)
        return o;
    (void)json_object_set_new(o, "queue_position",
                              j->queue_position > 0 ? json_integer(j->queue_position) : json_null());
    (void)json_object_set_new(o, "eta_seconds", j->eta_ms >= 0 ? json_real((double)j->eta_ms / 1000.0) : json_null());
    return o;
}

static void on_submitted(void *priv, int err, const struct p3d_answer *a)
{
    struct submit *s = priv;
    struct p3d_call *c = s->call;
    if (err == 0 && a->n != 1)
        err = P3D_E_CORRUPT;
    if (err != 0) {
        struct p3d_faults f = {NULL};
        if (err == P3D_E_EXPIRES_PAST) {
            p3d_submit_late(&f);
            p3d_reply_faults(c, &f);
        } else {
            p3d_api_failed(c, err, a);
        }
        p3d_call_unref(c);
        return;
    }
    if (a->replayed)
        p3d_reply_header(c, "idempotent-replayed", "true");
    if (!s->own_route) {
        char *place = p3d_asprintf("/api/v1/jobs/%s", a->jobs[0].id.s);
        p3d_reply_header(c, "location", place);
        free(place);
    }
    p3d_reply_json(c, s->own_route ? 200 : 202, p3d_submitted_json(s->feature, &a->jobs[0], s->own_route));
    p3d_call_unref(c);
}

void p3d_submit_hash(const char *pattern, struct p3d_str body, char dst[P3D_SHA256_HEX])
{
    struct p3d_digest *d = p3d_digest_new();
    p3d_digest_add(d, pattern, strlen(pattern) + 1);
    p3d_digest_add(d, body.p, body.n);
    p3d_digest_hex(d, dst);
    p3d_digest_free(d);
}

int p3d_submit_key(const struct p3d_call *c, struct p3d_new_job *j, struct p3d_refusal *r)
{
    struct p3d_str key = p3d_call_header(c, "idempotency-key");
    bool good = key.n <= IDEMPOTENCY_KEY_MAX && (key.n > 0 || key.p == NULL);
    for (size_t i = 0; good && i < key.n; i++)
        good = key.p[i] > 0x20 && key.p[i] < 0x7f;
    if (!good) {
        p3d_faults_add(&r->faults, "value_error", "Idempotency-Key should be 1 to 255 visible ASCII characters",
                       "header", "Idempotency-Key", NULL);
        return P3D_E_VALIDATION;
    }
    j->idempotency_key = key;
    return 0;
}

void p3d_submit_fill(const struct p3d_submission *sub, struct p3d_str spec, int64_t max_queued, struct p3d_new_job *j)
{
    j->kind = p3d_str_z(sub->model->kind);
    j->spec = spec;
    j->priority = sub->priority;
    j->max_attempts = sub->max_attempts;
    j->max_queued = max_queued;
    j->run_at_ms = sub->run_at_ms;
    j->expires_ms = sub->expires_ms;
}

static int send(struct p3d_call *c, const struct p3d_submission *sub, struct p3d_new_job *j, bool own_route)
{
    struct p3d_app *app = p3d_call_app(c);
    struct submit *s = p3d_call_alloc(c, sizeof(*s));
    size_t n;
    char *spec = p3d_json_dump(sub->spec, &n);
    *s = (struct submit){.call = p3d_call_ref(c), .feature = sub->feature, .own_route = own_route};
    p3d_submit_fill(sub, (struct p3d_str){spec, n}, app->cfg->limits_max_queued_jobs, j);
    if (j->idempotency_key.n > 0) /* the same key with another body, or on another route, is another request */
        p3d_submit_hash(p3d_call_route(c)->pattern, p3d_call_body(c), j->body_hash);
    int err = p3d_store_submit(app->store, p3d_call_access(c), j, on_submitted, s);
    free(spec);
    return err;
}

/* feature NULL: the body names it. */
static void submit(struct p3d_call *c, const struct p3d_feature *feature)
{
    struct p3d_refusal r = {.faults = {NULL}};
    struct p3d_submission sub = {.spec = NULL};
    struct p3d_new_job j = {.priority = 0};
    json_t *body = NULL;
    int err = p3d_body_read(c, &body, &r);
    if (err == 0)
        err = p3d_submit_key(c, &j, &r);
    if (err == 0)
        err = feature != NULL ? p3d_submission_read_flat(feature, body, &sub, &r)
                              : p3d_submission_read(p3d_call_app(c)->cfg->models, body, &sub, &r);
    if (err == 0 && p3d_call_app(c)->store_full)
        r.error.code = err = P3D_E_STORE_FULL;
    if (err != 0)
        p3d_api_refuse(c, &r, NULL);
    else
        p3d_api_began(c, send(c, &sub, &j, feature != NULL));
    p3d_submission_done(&sub);
    json_decref(body);
}

void p3d_api_submit(struct p3d_call *c)
{
    submit(c, NULL);
}

void p3d_api_submit_feature(struct p3d_call *c)
{
    submit(c, p3d_call_arg(c));
}
