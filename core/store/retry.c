/* SPDX-License-Identifier: MIT
 *
 * What a job once more is made of. No call of the store. Guarantee: a job that no worker of this configuration would run
 * is refused with a submit's own words; the texts of the old job are kept as they are, with one word more in each.
 * Does not: judge who may (the script does).
 */
#include "p3d/retry.h"

#include "p3d/json.h"

static char *with(json_t *object, const char *key, const struct p3d_job_id *id)
{
    (void)json_object_set_new(object, key, json_string(id->s));
    return p3d_json_dump(object, NULL);
}

static int unreadable(struct p3d_error *err)
{
    return p3d_fail(err, P3D_E_CORRUPT, "Its record cannot be read");
}

int p3d_retry_init(struct p3d_retry *r, const struct p3d_job *job, const struct p3d_models *m, struct p3d_error *err)
{
    json_t *spec = NULL, *detail = NULL;
    struct p3d_model *model;
    struct p3d_error why;
    int code;
    *r = (struct p3d_retry){.from = job->id, .rev = job->rev};
    if (job->state != P3D_JOB_FAILED && job->state != P3D_JOB_CANCELLED) {
        code = p3d_fail(err, P3D_E_NOT_RETRIABLE, "%s", p3d_err_text(P3D_E_NOT_RETRIABLE));
        goto out;
    }
    if (p3d_json_parse_object(job->spec, &spec, &why) ||
        p3d_json_parse_object(job->detail.n ? job->detail : P3D_STR("{}"), &detail, &why)) {
        code = unreadable(err);
        goto out;
    }
    code = p3d_model_choose_again(m, p3d_json_get_str(spec, "feature"), p3d_json_get_str(spec, "model_id"), &model, err);
    if (code)
        goto out;
    p3d_job_id_new(0, p3d_wall_ms(), &r->id);
    r->model = model;
    r->spec = with(spec, "retried_from", &r->from);
    r->detail = with(detail, "retried_as", &r->id);
out:
    json_decref(spec);
    json_decref(detail);
    return code;
}

void p3d_retry_done(struct p3d_retry *r)
{
    free(r->spec);
    free(r->detail);
    *r = (struct p3d_retry){.rev = 0};
}
