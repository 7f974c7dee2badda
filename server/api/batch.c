/* SPDX-License-Identifier: MIT
 *
 * POST /jobs/batch: up to 500 jobs, all or none. Guarantee: each is judged by the code that judges a single one, and its
 * faults are named by their place in the list; one script places all of them, or none; the body is read, judged and
 * hashed on a thread that does nothing else, after the credential has been found good, one at a time: large bodies wait
 * for each other, nobody else for them, and who finds more than WAITING_MAX_BYTES before him is told to come again. What
 * reading took is given back to the system. Does not: split a batch over several calls of the store.
 */
#include "app_internal.h"

#include <string.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "submit_internal.h"

#define FAULTS_MAX 64 /* as of one job */
#define LARGE_BYTES (1 << 20)
#define WAITING_MAX_BYTES (32 << 20)

struct batch {
    struct p3d_task task; /* first */
    struct p3d_call *call;
    struct p3d_new_job first; /* its key only */
    const char *pattern;      /* of the route */
    char *body, *content_type;
    size_t body_n;

    struct p3d_submission *subs; /* n of them */
    char **specs;
    size_t n;
    char hash[P3D_SHA256_HEX];
    struct p3d_refusal why;
    bool refused;
};

static void release(void *priv)
{
    struct batch *b = priv;
    for (size_t i = 0; i < b->n; i++)
        free(b->specs[i]);
    free(b->subs);
    free(b->specs);
    free(b->body);
    p3d_faults_done(&b->why.faults);
}

/* ---- on a thread of the pool ---- */

/* The faults of job i, as faults of the whole body: ["body", x] is ["body", "jobs", i, x]. */
static void move_faults(struct batch *b, size_t i, struct p3d_faults *from)
{
    size_t at;
    json_t *fault;
    json_array_foreach(from->list, at, fault)
    {
        json_t *loc = json_object_get(fault, "loc");
        (void)json_array_insert_new(loc, 1, json_string("jobs"));
        (void)json_array_insert_new(loc, 2, json_integer((json_int_t)i));
        if (b->why.faults.list == NULL)
            b->why.faults.list = json_array();
        if (json_array_size(b->why.faults.list) < FAULTS_MAX)
            (void)json_array_append(b->why.faults.list, fault);
    }
    p3d_faults_done(from);
}

static void not_an_object(struct p3d_refusal *r)
{
    p3d_faults_add(&r->faults, "dict_type", "Input should be a valid dictionary", "body", NULL);
    r->error.code = P3D_E_VALIDATION;
}

static void judge(struct batch *b, size_t i, const json_t *job)
{
    struct p3d_refusal r = {.faults = {NULL}};
    if (!json_is_object(job))
        not_an_object(&r);
    else if (p3d_submission_read(p3d_call_app(b->call)->cfg->models, job, &b->subs[i], &r) == 0)
        b->specs[i] = p3d_json_dump(b->subs[i].spec, NULL);
    p3d_submission_done(&b->subs[i]); /* here, not on the loop: the text is what is sent */
    if (r.faults.list == NULL && r.error.code != 0 && b->why.error.code == 0)
        (void)p3d_fail(&b->why.error, r.error.code, "jobs[%zu]: %s", i, r.error.detail);
    b->refused = b->refused || r.error.code != 0 || r.faults.list != NULL;
    move_faults(b, i, &r.faults);
}

static int check(const json_t *body, struct p3d_faults *f)
{
    static const struct p3d_body_field field = {.name = "jobs", .type = P3D_BODY_ARRAY, .required = true,
                                                .minimum = 1, .maximum = P3D_BATCH_MAX};
    return p3d_body_check(body, &field, 1, false, f);
}

/* The pieces of a tree lie all over the heap of this thread, and the C library keeps them. */
static void give_back(size_t body_n)
{
#ifdef __GLIBC__
    if (body_n > LARGE_BYTES)
        (void)malloc_trim(0);
#else
    (void)body_n;
#endif
}

static void work(struct p3d_task *t)
{
    struct batch *b = (struct batch *)t;
    json_t *body = NULL;
    struct p3d_str text = {b->body, b->body_n};
    b->refused = p3d_body_parse(p3d_str_z(b->content_type), text, &body, &b->why) != 0 ||
                 check(body, &b->why.faults) != 0;
    if (!b->refused) {
        const json_t *jobs = json_object_get(body, "jobs");
        b->n = json_array_size(jobs);
        b->subs = p3d_alloc(b->n * sizeof(b->subs[0]));
        b->specs = p3d_alloc(b->n * sizeof(b->specs[0]));
        for (size_t i = 0; i < b->n; i++)
            judge(b, i, json_array_get(jobs, i));
        p3d_submit_hash(b->pattern, text, b->hash);
    }
    json_decref(body);
    free(b->body);
    b->body = NULL;
    give_back(b->body_n);
}

/* ---- on the loop ---- */

static void on_submitted(void *priv, int err, const struct p3d_answer *a)
{
    struct batch *b = priv;
    struct p3d_call *c = b->call;
    if (err == 0 && a->n != b->n && !a->replayed)
        err = P3D_E_CORRUPT;
    if (err == P3D_E_EXPIRES_PAST) {
        struct p3d_faults late = {NULL};
        p3d_submit_late(&late);
        move_faults(b, (size_t)a->total, &late);
        p3d_reply_faults(c, &b->why.faults);
    } else if (err != 0) {
        p3d_api_failed(c, err, a);
    } else {
        json_t *jobs = json_array();
        if (a->replayed)
            p3d_reply_header(c, "idempotent-replayed", "true");
        for (size_t i = 0; i < a->n && i < b->n; i++)
            (void)json_array_append_new(jobs, p3d_submitted_json(b->subs[i].feature, &a->jobs[i], false));
        p3d_reply_json(c, 202, json_pack("{s:o}", "jobs", jobs));
    }
    p3d_call_unref(c);
}

static int send(struct batch *b)
{
    struct p3d_app *app = p3d_call_app(b->call);
    P3D_CLEANUP(p3d_freep) struct p3d_new_job *jobs = p3d_alloc(b->n * sizeof(jobs[0]));
    for (size_t i = 0; i < b->n; i++)
        p3d_submit_fill(&b->subs[i], p3d_str_z(b->specs[i]), app->cfg->limits_max_queued_jobs, &jobs[i]);
    jobs[0].idempotency_key = b->first.idempotency_key;
    memcpy(jobs[0].body_hash, b->hash, sizeof(b->hash));
    return p3d_store_submit_batch(app->store, p3d_call_access(b->call), jobs, b->n, on_submitted, b);
}

static void on_worked(struct p3d_task *t)
{
    struct batch *b = (struct batch *)t;
    struct p3d_call *c = b->call;
    p3d_call_app(c)->bodies_bytes -= b->body_n;
    if (!b->refused) {
        p3d_api_began(c, p3d_call_app(c)->store_full ? P3D_E_STORE_FULL : send(b));
        return;
    }
    if (b->why.faults.list != NULL)
        p3d_reply_faults(c, &b->why.faults);
    else
        p3d_reply_error(c, b->why.error.code, b->why.error.detail[0] != '\0' ? b->why.error.detail : NULL);
    p3d_call_unref(c);
}

static void on_may(void *priv, int err, const struct p3d_answer *a)
{
    struct batch *b = priv;
    struct p3d_call *c = b->call;
    struct p3d_app *app = p3d_call_app(c);
    if (err != 0) {
        p3d_api_failed(c, err, a);
        p3d_call_unref(c);
        return;
    }
    b->task.work = work;
    b->task.done = on_worked;
    bool room = app->bodies_bytes == 0 || app->bodies_bytes + b->body_n <= WAITING_MAX_BYTES;
    err = app->bodies != NULL && room ? p3d_pool_run(app->bodies, &b->task) : P3D_E_BUSY;
    if (err == 0)
        app->bodies_bytes += b->body_n;
    p3d_api_began(c, err);
}

void p3d_api_submit_batch(struct p3d_call *c)
{
    struct p3d_refusal r = {.faults = {NULL}};
    struct batch *b = p3d_call_alloc(c, sizeof(*b));
    struct p3d_str body = p3d_call_body(c);
    b->call = c;
    b->pattern = p3d_call_route(c)->pattern;
    p3d_call_defer(c, release, b);
    if (p3d_submit_key(c, &b->first, &r) != 0) {
        p3d_api_refuse(c, &r, NULL);
        return;
    }
    b->first.idempotency_key = p3d_call_text(c, b->first.idempotency_key);
    b->content_type = (char *)(uintptr_t)p3d_call_text(c, p3d_call_header(c, "content-type")).p;
    b->body = p3d_strndup(body.n > 0 ? body.p : "", body.n); /* what the request says ends with this function */
    b->body_n = body.n;
    (void)p3d_call_ref(c);
    p3d_api_began(c, p3d_api_check(c, p3d_call_access(c), on_may, b));
}
