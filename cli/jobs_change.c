/* SPDX-License-Identifier: MIT
 *
 * `p3d jobs cancel` and `p3d jobs delete`, of jobs that are named one by one: nothing is asked, ids
 * of 31 characters are not typed by accident. Guarantee: each is done or refused by itself and said
 * with its own line; the files of a deleted job go when a process purges. Does not: wait until a
 * running job has stopped.
 */
#include "verbs_internal.h"

#include <stdio.h>

#include "jobs_internal.h"

/* What was answered of the job. */
struct changed {
    enum p3d_job_state state;
    bool there;
};

static int take(void *changed, const struct p3d_answer *a)
{
    struct changed *c = changed;
    if (a->n != 1)
        return P3D_E_CORRUPT;
    *c = (struct changed){a->jobs[0].state, true};
    return 0;
}

/* The same, and of a refusal too: it says which state the job is in. */
static void on_cancelled(void *reply, int err, const struct p3d_answer *a)
{
    struct p3d_reply *r = reply;
    if (err == P3D_E_JOB_FINAL && a->n == 1)
        P3D_IGNORE(take(r->priv, a));
    p3d_session_answer(reply, err, a);
}

static int cancel(struct p3d_session *s, const struct p3d_job_id *id, struct p3d_reply *r)
{
    return p3d_store_job_cancel(p3d_session_store(s), &s->who, id, on_cancelled, r);
}

static int delete (struct p3d_session *s, const struct p3d_job_id *id, struct p3d_reply *r)
{
    return p3d_store_job_delete(p3d_session_store(s), &s->who, id, p3d_session_answer, r);
}

static void change(struct p3d_session *s, struct p3d_outcome *u, const char *word, bool deletes)
{
    struct p3d_job_id id;
    struct changed c = {.there = false};
    struct p3d_reply r = {.take = take, .priv = &c};
    char words[64];
    int err = p3d_jobs_id(word, &id);
    if (err == 0)
        err = p3d_session_try(s, deletes ? delete (s, &id, &r) : cancel(s, &id, &r), &r);
    if (err == P3D_E_JOB_FINAL && c.there) {
        (void)p3d_format(words, sizeof(words), "Job is already %s", p3d_job_state_name(c.state));
        p3d_outcome_refused(u, s, word, err, words);
    } else if (err != 0) {
        p3d_outcome_refused(u, s, word, err, NULL);
    } else if (deletes) {
        p3d_outcome_done(u, id.s, "is deleted", "status", "deleted");
    } else {
        bool runs = c.state == P3D_JOB_PROCESSING;
        p3d_outcome_done(u, id.s, runs ? "is told to stop" : "is cancelled", "status",
                         p3d_job_state_name(c.state));
    }
}

static int run(struct p3d_options *o, bool deletes)
{
    struct p3d_session s = {0};
    struct p3d_outcome u;
    if (o->words_n == 0) {
        (void)fputs("which jobs? name them by their ids\n", stderr);
        return P3D_EXIT_USAGE;
    }
    int rc = p3d_session_open(o, &s);
    if (rc == 0) {
        p3d_outcome_begin(&u, o->value[P3D_OPT_JSON] != NULL);
        for (size_t i = 0; i < o->words_n && u.stop == 0; i++)
            change(&s, &u, o->words[i], deletes);
        rc = p3d_outcome_end(&u, deletes ? "deleted" : "cancelled");
    }
    p3d_session_close(&s);
    return rc;
}

int p3d_jobs_cancel(struct p3d_options *o)
{
    return run(o, false);
}

int p3d_jobs_delete(struct p3d_options *o)
{
    return run(o, true);
}
