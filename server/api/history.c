/* SPDX-License-Identifier: MIT
 *
 * A page of jobs, newest first. Guarantee: only jobs that the caller may see, decided by the store; a row is the job
 * object of GET /{id}. An unknown status is an empty page with a text, as existing clients expect, for those who may
 * be here at all. Does not: read queries of a wrong type as something else; they are 422.
 */
#include "app_internal.h"

#include "job_json_internal.h"
#include "p3d/clock.h"
#include "p3d/log.h"

#define TEXT_MAX 128
#define CURSOR_MAX 256
#define OFFSET_MAX (INT64_C(1) << 40)
#define DAY_MS INT64_C(86400000)
#define BARE_DATE 10 /* 2024-01-31 */

struct history {
    struct p3d_call *call;
    struct p3d_history h;
    struct p3d_access who;
    struct p3d_str status, feature, model, start_date, end_date, user_id; /* as given; p == NULL: not */
    bool status_unknown;
};

static json_t *given(struct p3d_str s)
{
    return s.p != NULL ? p3d_json_str(s) : json_null();
}

static json_t *page_json(const struct history *q, json_t *jobs, int64_t n, int64_t total, const char *cursor)
{
    bool more = q->h.cursor.n > 0 ? cursor != NULL : q->h.offset + n < total;
    return json_pack("{s:o, s:{s:I, s:I, s:I, s:b, s:o}, s:{s:o, s:o, s:o, s:o, s:o, s:o}, s:f}", "jobs", jobs,
                     "pagination", "limit", (json_int_t)q->h.limit, "offset", (json_int_t)q->h.offset, "total",
                     (json_int_t)total, "has_more", (int)more, "next_cursor",
                     more && cursor != NULL ? p3d_json_str(p3d_str_z(cursor)) : json_null(), "filters", "status",
                     given(q->status), "feature", given(q->feature), "model", given(q->model), "start_date",
                     given(q->start_date), "end_date", given(q->end_date), "user_id", given(q->user_id), "timestamp",
                     p3d_wall_s());
}

static json_t *rows_json(struct p3d_call *c, const struct p3d_answer *a)
{
    json_t *jobs = json_array();
    struct p3d_links l = p3d_links_of(c, &a->caller);
    for (size_t i = 0; i < a->n; i++) {
        struct p3d_job_view v;
        if (p3d_job_view_init(&v, &a->jobs[i]) == 0)
            (void)json_array_append_new(jobs, p3d_job_json(&v, &l));
        else
            p3d_log(P3D_LOG_ERROR, "job_unreadable", P3D_S("job", a->jobs[i].id.s),
                    P3D_S("req", p3d_call_request_id(c)));
        p3d_job_view_done(&v);
    }
    return jobs;
}

static void add_cursor_fault(struct p3d_faults *f)
{
    p3d_faults_add(f, "value_error", "Invalid cursor", "query", "cursor", NULL);
}

static void on_page(void *priv, int err, const struct p3d_answer *a)
{
    struct history *q = priv;
    struct p3d_call *c = q->call;
    struct p3d_faults f = {NULL};
    if (err == P3D_E_VALIDATION) {
        add_cursor_fault(&f);
        p3d_reply_faults(c, &f);
    } else if (err != 0) {
        p3d_api_store_failed(c, err);
    } else {
        p3d_reply_json(c, 200, page_json(q, rows_json(c, a), (int64_t)a->n, a->total, a->cursor));
    }
    p3d_call_unref(c);
}

static void on_unknown_status(void *priv, int err, const struct p3d_answer *a)
{
    struct history *q = priv;
    struct p3d_call *c = q->call;
    (void)a;
    if (err != 0) {
        p3d_api_store_failed(c, err);
    } else {
        char *text = p3d_asprintf(
            "Invalid status: %.*s. Valid statuses: queued, processing, completed, failed, cancelled",
            (int)q->status.n, q->status.p);
        json_t *o = page_json(q, json_array(), 0, 0, NULL);
        (void)json_object_set_new(o, "error", p3d_json_str(p3d_str_z(text)));
        p3d_reply_json(c, 200, o);
        free(text);
    }
    p3d_call_unref(c);
}

/* A bare date as the end means that whole day: nobody who asks "until the 31st" wants to lose the 31st. */
static int64_t read_date(struct p3d_str s, const char *name, bool end, struct p3d_faults *f)
{
    int64_t ms;
    if (s.p == NULL)
        return 0;
    if (p3d_time_parse(s, &ms) != 0) {
        p3d_faults_add(f, "datetime_parsing", "Input should be a valid date or datetime", "query", name, NULL);
        return 0;
    }
    if (end && s.n == BARE_DATE)
        ms += DAY_MS - 1;
    if (ms > 0)
        return ms;
    return end ? 1 : 0; /* 0 means open: nothing is older than the epoch, everything is newer */
}

static void read_query(struct history *q, struct p3d_faults *f)
{
    struct p3d_call *c = q->call;
    q->h.limit = p3d_query_int(c, "limit", 1, 500, 100, f);
    q->h.offset = p3d_query_int(c, "offset", 0, OFFSET_MAX, 0, f);
    q->h.cursor = p3d_query_text(c, "cursor", CURSOR_MAX, f);
    q->status = p3d_query_text(c, "status", TEXT_MAX, f);
    q->feature = q->h.feature = p3d_query_text(c, "feature", TEXT_MAX, f);
    q->model = q->h.model = p3d_query_text(c, "model", TEXT_MAX, f);
    q->start_date = p3d_query_text(c, "start_date", TEXT_MAX, f);
    q->end_date = p3d_query_text(c, "end_date", TEXT_MAX, f);
    q->user_id = p3d_query_text(c, "user_id", TEXT_MAX, f);
    q->h.from_ms = read_date(q->start_date, "start_date", false, f);
    q->h.to_ms = read_date(q->end_date, "end_date", true, f);
    if (q->status.n > 0) {
        int state = p3d_job_state_find(q->status);
        q->status_unknown = state < 0;
        q->h.states = state < 0 ? 0 : 1U << state;
    }
    if (q->user_id.p == NULL)
        return;
    q->who.admin = q->who.kind != P3D_ACCESS_OPEN; /* looking at one user's jobs is the admins' */
    if (p3d_owner_id_parse(q->user_id, &q->h.user) != 0)
        p3d_faults_add(f, "value_error", "Input should be a user id", "query", "user_id", NULL);
}

static void ask(struct history *q)
{
    struct p3d_call *c = p3d_call_ref(q->call);
    struct p3d_refusal r = {.faults = {NULL}};
    int err = q->status_unknown ? p3d_api_check(c, &q->who, on_unknown_status, q)
                                : p3d_store_history(p3d_call_app(c)->store, &q->who, &q->h, on_page, q);
    if (err == P3D_E_VALIDATION) { /* judged before the store asked who this is */
        add_cursor_fault(&r.faults);
        p3d_api_refuse_as(c, &q->who, &r, NULL);
        p3d_call_unref(c);
    } else {
        p3d_api_began(c, err);
    }
}

void p3d_api_history(struct p3d_call *c)
{
    struct p3d_refusal r = {.faults = {NULL}};
    struct history *q = p3d_call_alloc(c, sizeof(*q));
    q->call = c;
    q->who = *p3d_call_access(c);
    read_query(q, &r.faults);
    if (r.faults.list != NULL)
        p3d_api_refuse_as(c, &q->who, &r, NULL);
    else
        ask(q);
}
