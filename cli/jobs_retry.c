/* SPDX-License-Identifier: MIT
 *
 * `p3d jobs retry`: failed and cancelled jobs once more, named, or all that match. Guarantee: a run
 * over many that is cut off anywhere can be begun again: the store marks each job in the same
 * moment, and what was retried before is left out (a job that is named is taken at its word). Pages
 * are bounded, and go from the newest to the oldest: what fails meanwhile is not met again. Models
 * are judged by the configuration of this call. Does not: judge inputs once more.
 */
#include "verbs_internal.h"

#include <stdio.h>
#include <string.h>

#include "ask_internal.h"
#include "jobs_internal.h"
#include "users_internal.h"
#include "p3d/retry.h"

enum { PAGE = 100, LIMIT_MAX = 1000000000 };
#define MEANWHILE "It has been changed meanwhile"
#define OWNER_GONE "Its account is deleted"

struct item {
    struct p3d_retry retry;
    struct p3d_error why;
    int err;
};

struct page {
    const struct p3d_models *models;
    struct item items[PAGE];
    size_t n, before; /* before: of those that were retried already */
    int64_t total;
    char *cursor; /* owned; NULL: at the end */
};

static void look(struct item *i, const struct p3d_job *job, const struct p3d_models *models)
{
    i->why.detail[0] = '\0';
    i->err = p3d_retry_init(&i->retry, job, models, &i->why);
}

static int take_named(void *page, const struct p3d_answer *a)
{
    struct page *p = page;
    if (a->n != 1)
        return P3D_E_CORRUPT;
    look(&p->items[0], &a->jobs[0], p->models);
    p->n = 1;
    return 0;
}

static bool was_retried(const struct p3d_job *job)
{
    struct p3d_jobs_view v;
    p3d_jobs_view_init(&v, job);
    bool was = json_object_get(v.detail, "retried_as") != NULL;
    p3d_jobs_view_done(&v);
    return was;
}

static int take_page(void *page, const struct p3d_answer *a)
{
    struct page *p = page;
    if (a->n > PAGE)
        return P3D_E_CORRUPT;
    for (size_t i = 0; i < a->n; i++) {
        if (was_retried(&a->jobs[i]))
            p->before++;
        else
            look(&p->items[p->n++], &a->jobs[i], p->models);
    }
    p->total = a->total;
    free(p->cursor);
    p->cursor = p3d_strdup(a->cursor);
    return 0;
}

static void page_empty(struct page *p)
{
    for (size_t i = 0; i < p->n; i++)
        p3d_retry_done(&p->items[i].retry);
    p->n = p->before = 0;
}

static void retry(struct p3d_session *s, struct p3d_outcome *u, const struct item *i)
{
    struct p3d_reply r = {.take = NULL};
    const char *old = i->retry.from.s, *words = i->why.detail;
    char line[sizeof(i->retry.id.s) + 8];
    int err = i->err;
    if (err == 0) {
        err = p3d_session_try(
            s,
            p3d_store_job_retry(p3d_session_store(s), &s->who, &i->retry, p3d_session_answer, &r),
            &r);
        words = err == P3D_E_CONFLICT ? MEANWHILE : err == P3D_E_USER_NOT_FOUND ? OWNER_GONE : "";
    }
    if (err != 0) {
        p3d_outcome_refused(u, s, old, err, words[0] != '\0' ? words : NULL);
        return;
    }
    (void)p3d_format(line, sizeof(line), "-> %s", i->retry.id.s);
    p3d_outcome_done(u, old, line, "retried_as", i->retry.id.s);
}

static bool named_before(const struct p3d_options *o, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (strcmp(o->words[i], o->words[at]) == 0)
            return true;
    return false;
}

static void retry_named(struct p3d_session *s, struct p3d_outcome *u, struct page *p,
                        const char *word)
{
    struct p3d_reply r = {.take = take_named, .priv = p};
    struct p3d_job_id id;
    int err = p3d_jobs_id(word, &id);
    if (err == 0)
        err = p3d_session_try(
            s, p3d_store_job_get(p3d_session_store(s), &s->who, &id, p3d_session_answer, &r), &r);
    if (err != 0)
        p3d_outcome_refused(u, s, word, err, NULL);
    else
        retry(s, u, &p->items[0]);
    page_empty(p);
}

static int read_page(struct p3d_session *s, struct page *p, struct p3d_history *h)
{
    struct p3d_reply r = {.take = take_page, .priv = p};
    page_empty(p);
    h->cursor = p3d_str_z(p->cursor);
    return p3d_session_wait(
        s, p3d_store_history(p3d_session_store(s), &s->who, h, p3d_session_answer, &r), &r);
}

static int confirm(struct p3d_session *s, struct page *p, struct p3d_history *h)
{
    char typed[8];
    h->limit = 1;
    int rc = read_page(s, p, h);
    free(p->cursor);
    p->cursor = NULL;
    if (rc != 0)
        return rc;
    (void)fprintf(stderr, "%lld jobs match; those that were retried before are left out.\n",
                  (long long)p->total);
    if (p3d_ask_line("Type yes to retry them", typed, sizeof(typed)) && strcmp(typed, "yes") == 0)
        return 0;
    (void)fputs("nothing was retried\n", stderr);
    return P3D_EXIT_REFUSED;
}

static void retry_matching(struct p3d_session *s, struct p3d_outcome *u, struct page *p,
                           struct p3d_history *h, int64_t most)
{
    h->limit = PAGE;
    do {
        u->stop = read_page(s, p, h);
        u->left_out += (int64_t)p->before;
        for (size_t i = 0; i < p->n && u->stop == 0 && u->done < most; i++)
            retry(s, u, &p->items[i]);
    } while (u->stop == 0 && p->cursor != NULL && u->done < most);
    (void)fprintf(stderr, "%lld retried, %lld refused, %lld left out: they were retried before\n",
                  (long long)u->done, (long long)u->refused, (long long)u->left_out);
}

/* Names or a filter, one of the two; and a filter says the status, so that nobody retries what they
 * did not mean. */
static int judge(const struct p3d_options *o, const struct p3d_history *h)
{
    static const enum p3d_option filters[] = {P3D_OPT_STATUS, P3D_OPT_FEATURE, P3D_OPT_MODEL,
                                              P3D_OPT_USER,   P3D_OPT_LIMIT,   P3D_OPT_YES};
    const unsigned ended = 1U << P3D_JOB_FAILED | 1U << P3D_JOB_CANCELLED;
    const char *wrong = NULL;
    for (size_t i = 0; i < sizeof(filters) / sizeof(*filters) && o->words_n > 0; i++)
        if (o->value[filters[i]] != NULL)
            wrong = "jobs by name, or all that match: not both";
    if (o->words_n == 0 && h->states == 0)
        wrong = "which jobs? name them by their ids, or say --status failed";
    else if ((h->states & ~ended) != 0)
        wrong = "--status: only failed and cancelled jobs can be retried";
    else if (o->words_n == 0 && o->value[P3D_OPT_YES] == NULL && !p3d_ask_possible())
        wrong = "nobody to ask: --yes retries without a question";
    if (wrong != NULL)
        (void)fprintf(stderr, "%s\n", wrong);
    return wrong != NULL ? P3D_EXIT_USAGE : 0;
}

static int run(struct p3d_options *o, struct p3d_session *s, struct p3d_history *h, int64_t most)
{
    struct p3d_outcome u = {.json = false};
    struct page *p = p3d_alloc(sizeof(*p));
    p->models = s->cfg->models;
    if (o->words_n == 0 && o->value[P3D_OPT_YES] == NULL)
        u.stop = confirm(s, p, h);
    if (u.stop == 0) {
        p3d_outcome_begin(&u, o->value[P3D_OPT_JSON] != NULL);
        for (size_t i = 0; i < o->words_n && u.stop == 0; i++)
            if (!named_before(o, i))
                retry_named(s, &u, p, o->words[i]);
        if (o->words_n == 0)
            retry_matching(s, &u, p, h, most);
    }
    page_empty(p);
    free(p->cursor);
    free(p);
    return p3d_outcome_end(&u, "retried");
}

int p3d_jobs_retry(struct p3d_options *o)
{
    struct p3d_session s = {0};
    struct p3d_history h = {.limit = PAGE};
    int64_t most = LIMIT_MAX;
    int rc = p3d_options_number(o, P3D_OPT_LIMIT, 1, LIMIT_MAX, &most);
    if (rc == 0)
        rc = p3d_jobs_filter(o, &h);
    if (rc == 0)
        rc = judge(o, &h);
    if (rc == 0)
        rc = p3d_session_open(o, &s);
    if (rc == 0)
        rc = p3d_users_filter(&s, o->value[P3D_OPT_USER], &h.user);
    if (rc == 0)
        rc = run(o, &s, &h, most);
    p3d_session_close(&s);
    return rc;
}
