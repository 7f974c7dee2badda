/* SPDX-License-Identifier: MIT
 *
 * From a submit's body to the job's spec. Guarantee: what goes into the queue has been judged by the configuration's
 * own rules, defaults filled in, and holds no field that nobody knows. Does not: talk to the store, or read files.
 * Both kinds of body become one struct request, so that there is one set of rules.
 */
#include "submit_internal.h"

#include <string.h>

#include "p3d/clock.h"

#define METADATA_MAX 16384 /* also of the parameters: both go along with every page of history */
#define TIMEOUT_MAX 604800
#define ATTEMPTS_MAX 100
#define PRIORITY_DEFAULT 5

/* Fields that travel among the inputs but are none. */
#define F_OUTPUT_FORMAT {.name = "output_format", .type = P3D_BODY_STRING}
#define F_PARAMETERS {.name = "model_parameters", .type = P3D_BODY_OBJECT}

/* Everything borrowed from the body, but inputs. */
struct request {
    json_t *inputs; /* without the fields above; owned */
    const char *inputs_at; /* where faults of inputs are: NULL = the body itself */
    struct p3d_str wanted_model;
    const json_t *model_preference, *output_format, *parameters, *metadata, *timeout_seconds;
};

static const json_t *present(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    return json_is_null(v) ? NULL : v;
}

/* Take what is no input out of a flat object; the rest are the inputs. */
static void split(const json_t *flat, struct request *q)
{
    q->output_format = present(flat, "output_format");
    q->parameters = present(flat, "model_parameters");
    q->inputs = json_copy((json_t *)(uintptr_t)flat);
    (void)json_object_del(q->inputs, "output_format");
    (void)json_object_del(q->inputs, "model_parameters");
}

static void check_size(const json_t *value, const char *name, struct p3d_faults *f)
{
    if (value != NULL && json_dumpb(value, NULL, 0, JSON_COMPACT) > METADATA_MAX)
        p3d_faults_add(f, "too_long", "Input should be at most 16384 bytes of JSON", "body", name, NULL);
}

static void check_format(const struct p3d_model *m, const json_t *format, struct p3d_faults *f)
{
    struct p3d_buf b;
    const char *text = json_string_value(format);
    p3d_buf_init(&b, 0);
    p3d_buf_addz(&b, "Output format must be one of: [");
    for (char **o = m->supported_outputs; o != NULL && *o != NULL; o++) {
        if (text != NULL && strcmp(*o, text) == 0)
            text = NULL;
        p3d_buf_addf(&b, "%s'%s'", o != m->supported_outputs ? ", " : "", *o);
    }
    p3d_buf_addz(&b, "]");
    if (text != NULL)
        p3d_faults_add(f, "value_error", b.p, "body", "output_format", NULL);
    p3d_buf_done(&b);
}

static void set(json_t *o, const char *key, json_t *value)
{
    (void)json_object_set_new(o, key, value);
}

static json_t *copy_or_null(const json_t *v)
{
    return v != NULL ? json_deep_copy(v) : json_null();
}

static json_t *make_spec(const struct request *q, const struct p3d_model *m, json_t *inputs, json_t *parameters)
{
    json_t *spec = json_object();
    set(spec, "feature", json_string(m->feature->name));
    set(spec, "model_id", json_string(m->id));
    set(spec, "model_preference", copy_or_null(q->model_preference));
    set(spec, "inputs", inputs);
    set(spec, "metadata", q->metadata != NULL ? json_deep_copy(q->metadata) : json_object());
    set(spec, "timeout_seconds",
        q->timeout_seconds != NULL ? json_deep_copy(q->timeout_seconds) : json_integer(m->timeout_seconds));
    if (q->output_format != NULL)
        set(spec, "output_format", json_deep_copy(q->output_format));
    if (q->parameters != NULL || json_object_size(parameters) > 0)
        set(spec, "model_parameters", parameters);
    else
        json_decref(parameters);
    return spec;
}

/* Model, inputs, parameters, format: the rules that both kinds of body share. */
static int judge(const struct p3d_feature *f, const struct request *q, struct p3d_submission *s,
                 struct p3d_refusal *r)
{
    struct p3d_model *m;
    json_t *inputs = NULL, *parameters = NULL;
    int err = p3d_model_choose(f, q->wanted_model, &m, &r->error);
    if (err != 0)
        return err;
    int bad_inputs = p3d_inputs_check(&f->inputs, q->inputs, q->inputs_at, false, &inputs, &r->faults);
    int bad_parameters = p3d_inputs_check(&m->parameters, q->parameters, "model_parameters", !m->parameters_closed,
                                          &parameters, &r->faults);
    if (q->output_format != NULL)
        check_format(m, q->output_format, &r->faults);
    check_size(q->metadata, "metadata", &r->faults);
    check_size(q->parameters, "model_parameters", &r->faults);
    if (bad_inputs != 0 || bad_parameters != 0 || r->faults.list != NULL) {
        json_decref(inputs);
        json_decref(parameters);
        return P3D_E_VALIDATION;
    }
    s->feature = f;
    s->model = m;
    s->spec = make_spec(q, m, inputs, parameters);
    return 0;
}

static int64_t number_or(const json_t *body, const char *key, int64_t fallback)
{
    const json_t *v = present(body, key);
    return v != NULL ? json_integer_value(v) : fallback;
}

void p3d_submit_late(struct p3d_faults *f)
{
    p3d_faults_add(f, "value_error", p3d_err_text(P3D_E_EXPIRES_PAST), "body", "expires_at", NULL);
}

/* When it may run. A job that could never run is a mistake; what the time is now is the store's to say, behind the
 * Idempotency-Key: a repeat may come after the deadline. */
static void read_times(const json_t *body, struct p3d_submission *s, struct p3d_faults *f)
{
    const json_t *run_at = present(body, "run_at"), *expires_at = present(body, "expires_at");
    int64_t ms;
    if (run_at != NULL && p3d_body_time(run_at, &ms) == 0 && ms > 0)
        s->run_at_ms = ms;
    if (expires_at == NULL || p3d_body_time(expires_at, &ms) != 0)
        return;
    if (ms <= 0)
        p3d_submit_late(f);
    else if (ms <= s->run_at_ms)
        p3d_faults_add(f, "value_error", "Input should be after run_at", "body", "expires_at", NULL);
    s->expires_ms = ms;
}

/* The types of what travels among the inputs of POST /jobs. */
static int check_nested(const json_t *inputs, struct p3d_faults *f)
{
    static const struct p3d_body_field fields[] = {F_OUTPUT_FORMAT, F_PARAMETERS};
    return p3d_body_check(inputs, fields, 2, true, f);
}

int p3d_submission_read(const struct p3d_models *m, const json_t *body, struct p3d_submission *s,
                        struct p3d_refusal *r)
{
    static const struct p3d_body_field fields[] = {
        {.name = "feature", .type = P3D_BODY_STRING, .required = true},
        {.name = "model", .type = P3D_BODY_STRING},
        {.name = "inputs", .type = P3D_BODY_OBJECT, .required = true},
        {.name = "priority", .type = P3D_BODY_INTEGER, .minimum = 0, .maximum = 9},
        {.name = "metadata", .type = P3D_BODY_OBJECT},
        {.name = "timeout_seconds", .type = P3D_BODY_INTEGER, .minimum = 1, .maximum = TIMEOUT_MAX},
        {.name = "max_attempts", .type = P3D_BODY_INTEGER, .minimum = 1, .maximum = ATTEMPTS_MAX},
        {.name = "run_at", .type = P3D_BODY_TIME},
        {.name = "expires_at", .type = P3D_BODY_TIME},
        {.name = "webhook_url", .type = P3D_BODY_LATER},
    };
    *s = (struct p3d_submission){.priority = PRIORITY_DEFAULT};
    int err = p3d_body_check(body, fields, sizeof(fields) / sizeof(fields[0]), false, &r->faults);
    if (err != 0 || (err = check_nested(json_object_get(body, "inputs"), &r->faults)) != 0)
        return r->error.code = err;
    struct p3d_str name = p3d_json_get_str(body, "feature");
    struct p3d_feature *f;
    if (p3d_feature_choose(m, name, &f, &r->error) != 0)
        return r->error.code;
    struct request q = {.inputs_at = "inputs",
                        .wanted_model = p3d_json_get_str(body, "model"),
                        .model_preference = present(body, "model"),
                        .metadata = present(body, "metadata"),
                        .timeout_seconds = present(body, "timeout_seconds")};
    split(json_object_get(body, "inputs"), &q);
    read_times(body, s, &r->faults);
    err = judge(f, &q, s, r);
    json_decref(q.inputs);
    if (err == 0) {
        s->priority = (unsigned)number_or(body, "priority", PRIORITY_DEFAULT);
        s->max_attempts = number_or(body, "max_attempts", s->model->max_attempts);
    }
    return r->error.code = err;
}

int p3d_submission_read_flat(const struct p3d_feature *f, const json_t *body, struct p3d_submission *s,
                             struct p3d_refusal *r)
{
    static const struct p3d_body_field fields[] = {
        {.name = "model_preference", .type = P3D_BODY_STRING}, F_OUTPUT_FORMAT, F_PARAMETERS};
    *s = (struct p3d_submission){.priority = PRIORITY_DEFAULT};
    int err = p3d_body_check(body, fields, sizeof(fields) / sizeof(fields[0]), true, &r->faults);
    if (err != 0)
        return r->error.code = err;
    struct request q = {.wanted_model = p3d_json_get_str(body, "model_preference"),
                        .model_preference = present(body, "model_preference")};
    split(body, &q);
    (void)json_object_del(q.inputs, "model_preference");
    err = judge(f, &q, s, r);
    json_decref(q.inputs);
    if (err == 0)
        s->max_attempts = s->model->max_attempts;
    return r->error.code = err;
}

void p3d_submission_done(struct p3d_submission *s)
{
    json_decref(s->spec);
    s->spec = NULL;
}
