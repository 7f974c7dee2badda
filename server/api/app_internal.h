/* SPDX-License-Identifier: MIT
 *
 * What every handler works on, and the few ways in which handlers answer. The rule that this header serves: whoever may
 * not know, does not learn. A handler that finds a request bad never says so itself; it hands the reason to
 * p3d_api_refuse(), which has the credential, the job's existence and its owner judged first.
 * Lifetime: struct p3d_app is the process's; everything else belongs to one request.
 */
#pragma once
#include <jansson.h>

#include "p3d/artifact.h"
#include "p3d/config.h"
#include "p3d/http.h"
#include "p3d/json.h"
#include "p3d/loop.h"
#include "p3d/model.h"
#include "p3d/signing.h"
#include "p3d/store.h"

struct logs;
struct all_events;

struct p3d_app {
    const struct p3d_config *cfg;
    struct p3d_http *http;
    struct p3d_loop *loop;
    struct p3d_store *store;
    struct p3d_hub *hub; /* NULL while the process ends */
    struct p3d_artifacts *artifacts;
    struct p3d_signing signing; /* of URLs; main.c keeps it new */
    bool legacy_tokens;         /* tokens of another system were brought; main.c */
    struct p3d_pool *hashing; /* passwords; NULL while the process ends */
    struct p3d_pool *files;   /* disk; NULL while the process ends */
    struct p3d_pool *bodies;  /* large JSON, batch.c only; NULL while the process ends */
    size_t bodies_bytes;      /* that wait for it or are with it, batch.c only */
    struct p3d_route *routes;
    size_t routes_n;
    uint64_t started_ms;      /* monotonic */
    bool store_full;          /* Redis uses more than redis.memory_limit: submits are refused; main.c */
    unsigned base64_open;     /* base64 downloads in flight, download.c only */
    struct logs *logs;        /* being sent, logs.c only */
    struct all_events *events_turn; /* those who wait to read a page, events_all.c only */
    unsigned events_pages;    /* being read */

    /* system.c only: the newest answer to "can storage be written?" */
    uint64_t storage_checked_ms; /* monotonic, 0 = never */
    bool storage_ok;
};

/* One prototype per row; twice the same one does no harm. */
#define P3D_ROUTE(method, pattern, cred, scope, mode, body, handler, doc) void p3d_api_##handler(struct p3d_call *c);
#define P3D_ROUTE_JOB(method, tail, cred, scope, mode, body, handler, doc) void p3d_api_##handler(struct p3d_call *c);
#include "p3d/routes.def"
#undef P3D_ROUTE
#undef P3D_ROUTE_JOB
void p3d_api_submit_feature(struct p3d_call *c); /* route arg: struct p3d_feature */

/* ---- routes.c ---- */
/* The table for this configuration: the rows of routes.def and one per feature with a route. Fills app->routes. */
void p3d_routes_build(struct p3d_app *app);
void p3d_routes_done(struct p3d_app *app);

/* ---- reply.c ---- */
/* Why a request cannot be served: faults when there are any, else error. Zero-initialise. */
struct p3d_refusal {
    struct p3d_error error;
    struct p3d_faults faults;
};
/* Answer with the reason, but only to somebody who may be here: the credential and, when job is given, its existence
 * and owner are judged first (one round trip; none on public routes and in simple mode without a job). Empties r. */
void p3d_api_refuse(struct p3d_call *c, struct p3d_refusal *r, const struct p3d_job_id *job);
/* The same for a route that asks for more than its row says. */
void p3d_api_refuse_as(struct p3d_call *c, const struct p3d_access *who, struct p3d_refusal *r,
                       const struct p3d_job_id *job);
/* Have only the credential judged, then cb as from the store. Nothing to judge: cb is called before this returns, with
 * an answer without users. Errors as p3d_store_check_access. */
P3D_MUST int p3d_api_check(struct p3d_call *c, const struct p3d_access *who, p3d_store_cb *cb, void *priv);

/* The same after another judgement: begin that store call with p3d_api_refused and this (it holds a reference to c).
 *   p3d_api_began(c, p3d_store_user_find(…, p3d_api_refused, p3d_api_refusal(c, &why))); */
void *p3d_api_refusal(struct p3d_call *c, struct p3d_refusal *r);
p3d_store_cb p3d_api_refused;

/* The reply for an error of the store, whatever it is: the one place that maps them. a: what came with it, or NULL; it
 * knows when to come again, and which scope is missing. */
void p3d_api_failed(struct p3d_call *c, int err, const struct p3d_answer *a);
/* The end of a store call: 200 with what make() makes of the answer, or the error. Drops the call's reference. */
void p3d_api_done(struct p3d_call *c, int err, const struct p3d_answer *a, json_t *(*make)(const struct p3d_answer *a));
void p3d_api_store_failed(struct p3d_call *c, int err); /* nothing came with it */
/* For the begin of a store call that holds a reference to c: when it could not begin, answers and drops it.
 *   p3d_api_began(c, p3d_store_job_get(…, on_job, p3d_call_ref(c))); */
void p3d_api_began(struct p3d_call *c, int err);
/* The job id of the path's first parameter. false: answered already (404 once the credential is known to be good). */
bool p3d_api_job_id(struct p3d_call *c, struct p3d_job_id *ret);

/* ---- jobs.c ---- */
/* Answer with the job of a look at it: the object, or the error. */
void p3d_api_answer_job(struct p3d_call *c, int err, const struct p3d_answer *a);

/* ---- body.c ---- */
enum p3d_body_type {
    P3D_BODY_STRING,
    P3D_BODY_LINE,    /* text of minimum..maximum characters, none of them a control character */
    P3D_BODY_ARRAY,   /* of minimum..maximum values of any type */
    P3D_BODY_STRINGS, /* array of minimum..maximum strings */
    P3D_BODY_INTEGER, /* minimum..maximum */
    P3D_BODY_OBJECT,
    P3D_BODY_TIME, /* ISO 8601 text, or Unix seconds */
    P3D_BODY_LATER, /* of the contract, but not in this version: present = fault */
};
struct p3d_body_field {
    const char *name;
    enum p3d_body_type type;
    bool required;
    int64_t minimum, maximum;
};
/* The body as an object. ret: new reference. Errors: P3D_E_MEDIA_TYPE, P3D_E_VALIDATION, both described in r. */
P3D_MUST int p3d_body_read(struct p3d_call *c, json_t **ret, struct p3d_refusal *r);
/* The same from its parts; content_type may be empty. */
P3D_MUST int p3d_body_parse(struct p3d_str content_type, struct p3d_str body, json_t **ret, struct p3d_refusal *r);
/* Judge the fields. null counts as absent where a field is optional. open: names that are not in the table are somebody
 * else's. Errors: P3D_E_VALIDATION with the faults in f. */
P3D_MUST int p3d_body_check(const json_t *body, const struct p3d_body_field *fields, size_t n, bool open,
                            struct p3d_faults *f);
/* The time that a P3D_BODY_TIME says. Errors: P3D_E_VALIDATION it is none. */
P3D_MUST int p3d_body_time(const json_t *value, int64_t *ret_wall_ms);
/* A copy in the call's memory, terminated. */
struct p3d_str p3d_call_text(struct p3d_call *c, struct p3d_str text);
/* A query parameter as number. Absent: fallback. A bad one is a fault and gives fallback. */
int64_t p3d_query_int(struct p3d_call *c, const char *name, int64_t min, int64_t max, int64_t fallback,
                      struct p3d_faults *f);
/* A query parameter as text of at most max bytes, copied into the call. Absent: p == NULL. A bad one is a fault. */
struct p3d_str p3d_query_text(struct p3d_call *c, const char *name, size_t max, struct p3d_faults *f);
/* A file name for Content-Disposition out of any text: no separators, no control bytes, no leading dot, at most 200
 * bytes. false: nothing is left. */
bool p3d_filename_clean(struct p3d_str text, char dst[208]);
