/* SPDX-License-Identifier: MIT
 *
 * `p3d jobs list`: jobs, newest first, page by page until there are as many as asked for.
 * Guarantee: what is held is small and bounded: of a job its line, never its inputs. Does not:
 * change anything.
 */
#include "verbs_internal.h"

#include <stdio.h>
#include <string.h>

#include "jobs_internal.h"
#include "print_internal.h"
#include "users_internal.h"

enum { LIMIT_DEFAULT = 50, LIMIT_MAX = 10000, PAGE = 500, CURSOR_MAX = 128, ERROR_SIZE = 61 };

struct reading {
    struct p3d_history h;
    bool json;
    int64_t limit, total;
    json_t *jobs; /* objects, or rows of the table */
    char *cursor; /* owned; NULL: at the end */
};

static json_t *text(const char *z)
{
    return p3d_json_str(p3d_str_z(z));
}

static json_t *table_row(const struct p3d_jobs_view *v)
{
    const struct p3d_job *j = v->job;
    struct p3d_str feature = p3d_json_get_str(v->spec, "feature"),
                   model = p3d_json_get_str(v->spec, "model_id");
    char tries[32], when[P3D_TIME_SIZE], error[ERROR_SIZE];
    char *kind = p3d_asprintf("%.*s/%.*s", (int)feature.n, feature.n > 0 ? feature.p : "",
                              (int)model.n, model.n > 0 ? model.p : "");
    char *why = p3d_jobs_error(v);
    (void)p3d_format(tries, sizeof(tries), "%u/%u", j->attempt, j->max_attempts);
    int64_t at = j->ended_ms != 0     ? j->ended_ms
                 : j->started_ms != 0 ? j->started_ms
                                      : j->created_ms;
    json_t *row = json_pack("[s,s,o,s,s,s,o]", j->id.s,
                            j->cancelling ? "cancelling" : p3d_job_state_name(j->state), text(kind),
                            j->owner.s, tries, p3d_print_time(at, when),
                            text(p3d_print_safe(why, error, sizeof(error))));
    free(kind);
    free(why);
    return row;
}

static int take_page(void *reading, const struct p3d_answer *a)
{
    struct reading *r = reading;
    for (size_t i = 0; i < a->n; i++) {
        struct p3d_jobs_view v;
        p3d_jobs_view_init(&v, &a->jobs[i]);
        (void)json_array_append_new(r->jobs, r->json ? p3d_jobs_json(&v, false) : table_row(&v));
        p3d_jobs_view_done(&v);
    }
    r->total = a->total;
    free(r->cursor);
    r->cursor = p3d_strdup(a->cursor);
    return 0;
}

static int read_page(struct p3d_session *s, struct reading *r)
{
    struct p3d_reply reply = {.take = take_page, .priv = r};
    int64_t missing = r->limit - (int64_t)json_array_size(r->jobs);
    r->h.limit = missing < PAGE ? missing : PAGE;
    r->h.cursor = p3d_str_z(r->cursor);
    int called =
        p3d_store_history(p3d_session_store(s), &s->who, &r->h, p3d_session_answer, &reply);
    int err = p3d_session_try(s, called, &reply);
    if (err != P3D_E_VALIDATION)
        return p3d_session_say(s, err);
    (void)fputs("--cursor: none that an earlier call has given\n", stderr);
    return P3D_EXIT_USAGE;
}

static void print(const struct reading *r)
{
    static const char *const heads[] = {"JOB",   "STATUS", "FEATURE/MODEL", "OWNER",
                                        "TRIES", "WHEN",   "ERROR"};
    char cursor[CURSOR_MAX + 1];
    if (r->json) {
        p3d_print_json(json_pack("{s:O,s:I,s:o}", "jobs", r->jobs, "total", (json_int_t)r->total,
                                 "next_cursor", r->cursor != NULL ? text(r->cursor) : json_null()));
        return;
    }
    p3d_print_table(heads, sizeof(heads) / sizeof(*heads), r->jobs);
    if (r->cursor != NULL)
        (void)fprintf(stderr, "%zu of %lld jobs; older ones: --cursor %s\n",
                      json_array_size(r->jobs), (long long)r->total,
                      p3d_print_safe(r->cursor, cursor, sizeof(cursor)));
}

int p3d_jobs_list(struct p3d_options *o)
{
    struct p3d_session s = {0};
    struct reading r = {.json = o->value[P3D_OPT_JSON] != NULL, .limit = LIMIT_DEFAULT};
    const char *cursor = o->value[P3D_OPT_CURSOR];
    int rc = p3d_options_number(o, P3D_OPT_LIMIT, 1, LIMIT_MAX, &r.limit);
    if (rc == 0)
        rc = p3d_jobs_filter(o, &r.h);
    if (rc == 0 && cursor != NULL && (*cursor == '\0' || strlen(cursor) > CURSOR_MAX)) {
        (void)fputs("--cursor: none that an earlier call has given\n", stderr);
        rc = P3D_EXIT_USAGE;
    }
    r.cursor = p3d_strdup(cursor);
    r.jobs = json_array();
    if (rc == 0)
        rc = p3d_session_open(o, &s);
    if (rc == 0)
        rc = p3d_users_filter(&s, o->value[P3D_OPT_USER], &r.h.user);
    if (rc == 0)
        rc = read_page(&s, &r);
    while (rc == 0 && r.cursor != NULL && (int64_t)json_array_size(r.jobs) < r.limit)
        rc = read_page(&s, &r);
    if (rc == 0)
        print(&r);
    json_decref(r.jobs);
    free(r.cursor);
    p3d_session_close(&s);
    return rc;
}
