/* SPDX-License-Identifier: MIT
 *
 * How handlers answer when something is wrong. Guarantee: a request is told what is wrong with it only after its
 * credential, its scope and, where a job is named, the job's existence and owner have been judged; a back end that
 * cannot answer is 503, never 401; an internal failure shows the request's id and nothing else.
 * Does not: log requests (main.c), or know the text of an error (err.def).
 */
#include "app_internal.h"

#include <string.h>

#include "p3d/log.h"

#define SHARD_AT 4 /* in "job_0…" */

struct refuse {
    struct p3d_call *call;
    struct p3d_refusal why;
};

static void free_faults(void *arg)
{
    p3d_faults_done(arg);
}

/* Routes of accounts have their own words for a store that is away. */
static bool is_account_route(const struct p3d_call *c)
{
    return p3d_call_route(c)->mode == P3D_MODE_AUTH;
}

/* Whole seconds, rounded up: who comes then is not told to wait again. */
static void say_when(struct p3d_call *c, const struct p3d_answer *a)
{
    char wait[32], limit[32];
    if (a == NULL || a->retry_ms <= 0)
        return;
    (void)p3d_format(wait, sizeof(wait), "%lld", (long long)((a->retry_ms - 1) / 1000 + 1));
    (void)p3d_format(limit, sizeof(limit), "%lld", (long long)p3d_call_app(c)->cfg->security_login_free_failures);
    const struct {
        const char *name, *value;
    } all[] = {{"retry-after", wait},         {"ratelimit-limit", limit},   {"ratelimit-remaining", "0"},
               {"ratelimit-reset", wait},     {"x-ratelimit-limit", limit}, {"x-ratelimit-remaining", "0"},
               {"x-ratelimit-reset", wait}};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        p3d_reply_header(c, all[i].name, all[i].value);
}

/* The scope that the store says is missing (of a token to be made), else the one that the route needs. */
static void say_scope(struct p3d_call *c, const struct p3d_answer *a)
{
    char detail[64];
    unsigned scope = a != NULL && a->total > 0 ? (unsigned)a->total : (unsigned)p3d_call_access(c)->scope;
    (void)p3d_format(detail, sizeof(detail), "Missing scope: %s", p3d_scope_name(scope));
    p3d_reply_error(c, P3D_E_SCOPE_MISSING, detail);
}

void p3d_api_store_failed(struct p3d_call *c, int err)
{
    p3d_api_failed(c, err, NULL);
}

void p3d_api_failed(struct p3d_call *c, int err, const struct p3d_answer *a)
{
    const struct p3d_err_info *info = p3d_err_info(err);
    say_when(c, a);
    if (err == P3D_E_STORE_DOWN && is_account_route(c)) {
        p3d_reply_error(c, P3D_E_AUTH_DOWN, NULL);
    } else if (err == P3D_E_SCOPE_MISSING) {
        say_scope(c, a);
    } else {
        if (info->status == 500) /* the answer shows the request's id and no more */
            p3d_log(P3D_LOG_ERROR, "request_failed", P3D_S("route", p3d_call_route(c)->name),
                    P3D_S("error", info->symbol), P3D_S("req", p3d_call_request_id(c)));
        p3d_reply_error(c, err, NULL);
    }
}

void p3d_api_done(struct p3d_call *c, int err, const struct p3d_answer *a, json_t *(*make)(const struct p3d_answer *a))
{
    if (err != 0)
        p3d_api_failed(c, err, a);
    else
        p3d_reply_json(c, 200, make(a));
    p3d_call_unref(c);
}

void p3d_api_began(struct p3d_call *c, int err)
{
    if (err == 0)
        return;
    p3d_api_store_failed(c, err);
    p3d_call_unref(c);
}

int p3d_api_check(struct p3d_call *c, const struct p3d_access *who, p3d_store_cb *cb, void *priv)
{
    static const struct p3d_answer nobody = {.n = 0};
    if (p3d_call_route(c)->credential == P3D_CRED_PUBLIC || who->kind == P3D_ACCESS_OPEN) {
        cb(priv, 0, &nobody);
        return 0;
    }
    return p3d_store_check_access(p3d_call_app(c)->store, who, NULL, cb, priv);
}

static void say(struct refuse *f)
{
    const struct p3d_error *e = &f->why.error;
    if (f->why.faults.list != NULL)
        p3d_reply_faults(f->call, &f->why.faults);
    else
        p3d_reply_error(f->call, e->code, e->detail[0] != '\0' ? e->detail : NULL);
}

void p3d_api_refused(void *priv, int err, const struct p3d_answer *a)
{
    struct refuse *f = priv;
    struct p3d_call *c = f->call;
    if (err != 0)
        p3d_api_failed(c, err, a);
    else
        say(f);
    p3d_call_unref(c);
}

void *p3d_api_refusal(struct p3d_call *c, struct p3d_refusal *r)
{
    struct refuse *f = p3d_call_alloc(c, sizeof(*f));
    f->call = p3d_call_ref(c);
    f->why = *r;
    memset(r, 0, sizeof(*r));
    p3d_call_defer(c, free_faults, &f->why.faults);
    return f;
}

void p3d_api_refuse_as(struct p3d_call *c, const struct p3d_access *who, struct p3d_refusal *r,
                       const struct p3d_job_id *job)
{
    void *f = p3d_api_refusal(c, r);
    if (job == NULL)
        p3d_api_began(c, p3d_api_check(c, who, p3d_api_refused, f));
    else
        p3d_api_began(c, p3d_store_check_access(p3d_call_app(c)->store, who, job, p3d_api_refused, f));
}

void p3d_api_refuse(struct p3d_call *c, struct p3d_refusal *r, const struct p3d_job_id *job)
{
    p3d_api_refuse_as(c, p3d_call_access(c), r, job);
}

bool p3d_api_job_id(struct p3d_call *c, struct p3d_job_id *ret)
{
    struct p3d_refusal r = {.faults = {NULL}};
    r.error.code = p3d_job_id_parse(p3d_call_param(c, 0), ret);
    if (r.error.code == 0 && ret->s[SHARD_AT] != '0')
        r.error.code = P3D_E_JOB_NOT_FOUND; /* no such shard; without this a job would have 62 names */
    if (r.error.code == 0)
        return true;
    p3d_api_refuse(c, &r, NULL);
    return false;
}
