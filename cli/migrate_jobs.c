/* SPDX-License-Identifier: MIT
 *
 * Jobs: the hash of records page by page, the results of each page with one call, then each job on
 * its own way: judged, looked up when it has files (copying is what costs), copied, brought.
 * Guarantee: a job is here only when its files are on disk. Ids that stand in a queue of the old
 * server without a record, and results without a job, are told.
 */
#include "migrate_job_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "p3d/json.h"

enum { RECORD_MAX = 64 << 20, ID_MAX = 256, OPEN_LEAST = 4096 };

struct jobs {
    struct p3d_migrate_set seen;
    int64_t results; /* that belong to one of them */
};

static struct p3d_str name_of(const struct p3d_migrate_job *j)
{
    return p3d_str_z(j->old_id);
}

static void job_end(struct p3d_migrate_job *j)
{
    p3d_migrate_end(j->m, j->bytes);
    p3d_migrate_job_free(j);
}

static void job_refuse(struct p3d_migrate_job *j, const char *reason)
{
    p3d_migrate_refuse(j->m, P3D_MIGRATE_JOBS_NOT_TAKEN, "job", name_of(j), reason);
    job_end(j);
}

static bool has_files(const struct p3d_migrate_job *j)
{
    return j->mesh.name[0] != '\0' || j->thumbnail.name[0] != '\0';
}

/* Known not to be here: its files would belong to nothing. */
static void drop_files(struct p3d_migrate_job *j)
{
    if (has_files(j))
        P3D_IGNORE(p3d_artifact_remove(j->m->artifacts, &j->in.job.id, j->attempt));
}

static void job_refuse_files(struct p3d_migrate_job *j, const char *reason)
{
    drop_files(j);
    job_refuse(j, reason);
}

static void count_files(struct p3d_migrate_job *j)
{
    int64_t *count = j->m->count;
    count[P3D_MIGRATE_FILES_COPIED] += (j->mesh.name[0] != '\0') + (j->thumbnail.name[0] != '\0');
    if (j->mesh.name[0] != '\0')
        return;
    count[P3D_MIGRATE_FILES_NOT_FOUND]++;
    if (j->m->files != NULL)
        p3d_migrate_note(j->m, "file", name_of(j),
                         j->why[0] != '\0' ? j->why
                         : j->mesh_path == NULL
                             ? "its result names no file in the folder of --files"
                             : "its result file is not there");
}

/* It is made, or would be. */
static void job_made(struct p3d_migrate_job *j)
{
    int64_t *count = j->m->count;
    count[P3D_MIGRATE_JOBS_QUEUED + (int)j->in.job.state]++;
    if (j->owner_unknown)
        count[P3D_MIGRATE_JOBS_OWNER_UNKNOWN]++;
    else if (j->in.job.owner.s[0] == '\0')
        count[P3D_MIGRATE_JOBS_NO_OWNER]++;
    if (j->dropped)
        count[P3D_MIGRATE_JOBS_INPUTS_DROPPED]++;
    if (j->in.job.state == P3D_JOB_COMPLETED)
        count_files(j);
    job_end(j);
}

static void job_there(struct p3d_migrate_job *j)
{
    j->m->count[P3D_MIGRATE_JOBS_THERE]++;
    job_end(j);
}

/* Copied, then it was not made: another run was sooner, or it was deleted here since an earlier
 * one. */
static void on_asked_again(void *priv, int err, const struct p3d_answer *a)
{
    struct p3d_migrate_job *j = priv;
    (void)a;
    if (err == P3D_E_JOB_NOT_FOUND)
        drop_files(j);
    if (p3d_migrate_fatal(j->m, err))
        job_end(j);
    else
        job_there(j);
}

static void job_find(struct p3d_migrate_job *j, p3d_store_cb *cb)
{
    int err = p3d_store_job_get(j->m->store, &j->m->session.who, &j->in.job.id, cb, j);
    if (err != 0)
        cb(j, err, NULL);
}

static void on_imported(void *priv, int err, const struct p3d_answer *a);

static void job_send(struct p3d_migrate_job *j)
{
    int err = p3d_store_import_job(j->m->store, &j->in, on_imported, j);
    if (err != 0)
        on_imported(j, err, NULL);
}

static void on_imported(void *priv, int err, const struct p3d_answer *a)
{
    struct p3d_migrate_job *j = priv;
    if (p3d_migrate_fatal(j->m, err)) {
        job_end(j);
    } else if (err == P3D_E_USER_NOT_FOUND && j->in.job.owner.s[0] != '\0') {
        j->in.job.owner = (struct p3d_owner_id){.s = ""}; /* deleted here meanwhile */
        j->owner_unknown = true;
        job_send(j);
    } else if (err == P3D_E_BUSY) {
        job_refuse_files(j, "too many kinds of jobs here");
    } else if (err != 0) {
        job_refuse(j, p3d_err_info(err)->message);
    } else if (a->total == 0 && has_files(j)) {
        job_find(j, on_asked_again);
    } else if (a->total == 0) {
        job_there(j);
    } else {
        job_made(j);
    }
}

static void copy_done(struct p3d_task *t)
{
    struct p3d_migrate_job *j = (struct p3d_migrate_job *)t;
    const char *bad = j->copied != 0 ? j->why : p3d_migrate_job_detail(j, NULL);
    if (j->copied == P3D_E_STALE || p3d_migrate_over(j->m))
        job_end(j);
    else if (bad != NULL)
        job_refuse_files(j, bad);
    else
        job_send(j);
}

static void on_looked_up(void *priv, int err, const struct p3d_answer *a)
{
    struct p3d_migrate_job *j = priv;
    (void)a;
    if (p3d_migrate_fatal(j->m, err) || p3d_migrate_over(j->m)) {
        job_end(j);
    } else if (err == 0) {
        job_there(j);
    } else if (err != P3D_E_JOB_NOT_FOUND) {
        job_refuse(j, p3d_err_info(err)->message);
    } else if (j->m->dry_run) {
        p3d_migrate_files_look(j);
        job_made(j);
    } else if (p3d_pool_run(j->m->pool, &j->task) != 0) {
        job_refuse(j, p3d_err_info(P3D_E_BUSY)->message);
    }
}

static void job_go(struct p3d_migrate_job *j)
{
    bool files = j->mesh_path != NULL || j->thumbnail_path != NULL;
    if (j->m->store == NULL) {
        p3d_migrate_files_look(j);
        job_made(j);
    } else if (files || j->m->dry_run) {
        job_find(j, on_looked_up);
    } else {
        job_send(j);
    }
}

static bool job_begin(struct p3d_migrate *m, struct p3d_str id, struct p3d_str text,
                      struct p3d_str result)
{
    char why[600];
    json_t *record = NULL;
    size_t bytes = text.n + result.n + OPEN_LEAST;
    if (!p3d_migrate_begin(m, bytes))
        return false;
    struct p3d_migrate_job *j = p3d_alloc(sizeof(*j));
    j->m = m;
    j->bytes = bytes;
    j->old_id = p3d_strndup(id.p, id.n);
    j->task.work = p3d_migrate_files_copy;
    j->task.done = copy_done;
    const char *bad = id.n == 0 || id.n > ID_MAX || strlen(j->old_id) != id.n || !p3d_utf8_valid(id)
                          ? "its id cannot be one"
                          : p3d_migrate_parse(text, RECORD_MAX, &record);
    if (bad == NULL)
        bad = p3d_migrate_job_read(j, record, result, why);
    if (bad == NULL)
        bad = p3d_migrate_job_detail(j, record);
    json_decref(record);
    if (bad != NULL)
        job_refuse(j, bad);
    else
        job_go(j);
    return true;
}

static bool page_begin(struct p3d_migrate *m, const struct p3d_foreign_page *p, struct jobs *all)
{
    struct p3d_foreign_page results = {.n = 0};
    char *key P3D_CLEANUP(p3d_freep) = p3d_asprintf("%sresults", m->prefix);
    struct p3d_str *ids = p3d_alloc(p->n * sizeof(*ids));
    const struct p3d_str none = {NULL, 0};
    bool on = true;
    for (size_t i = 0; i + 1 < p->n; i += 2)
        ids[i / 2] = p->v[i];
    int err = p3d_foreign_fields(m->source, p3d_str_z(key), ids, p->n / 2, &results);
    if (err == P3D_E_CORRUPT)
        p3d_migrate_unread(m, p3d_str_z(key));
    else
        on = !p3d_migrate_failed(m, err);
    for (size_t i = 0; i < p->n / 2 && on; i++) {
        if (!p3d_migrate_set_add(&all->seen, ids[i]))
            continue;
        struct p3d_str result = err == 0 ? results.v[i] : none;
        m->seen++;
        all->results += result.p != NULL;
        on = job_begin(m, ids[i], p->v[2 * i + 1], result);
    }
    free(ids);
    p3d_foreign_page_done(&results);
    return on;
}

static bool jobs_page(struct p3d_migrate *m, const struct p3d_foreign_page *p, void *all)
{
    return p->n < 2 || page_begin(m, p, all);
}

static void queued_without_record(struct p3d_migrate *m, struct p3d_migrate_set *seen,
                                  struct p3d_str id)
{
    if (id.p == NULL || !p3d_migrate_set_add(seen, id))
        return;
    m->seen++;
    p3d_migrate_refuse(m, P3D_MIGRATE_JOBS_NOT_TAKEN, "job", id,
                       "it stands in a queue, but there is no record of it");
}

static bool pending_page(struct p3d_migrate *m, const struct p3d_foreign_page *p, void *all)
{
    for (size_t i = 0; i + 1 < p->n; i += 2)
        queued_without_record(m, &((struct jobs *)all)->seen, p->v[i]);
    return true;
}

static bool processing_page(struct p3d_migrate *m, const struct p3d_foreign_page *p, void *all)
{
    for (size_t i = 0; i < p->n; i++)
        queued_without_record(m, &((struct jobs *)all)->seen, p->v[i]);
    return true;
}

void p3d_migrate_jobs(struct p3d_migrate *m)
{
    struct jobs all = {.results = 0};
    p3d_migrate_class(m, "jobs", p3d_migrate_total(m, P3D_FOREIGN_HASH, "jobs"));
    if (p3d_migrate_walk(m, P3D_FOREIGN_HASH, "jobs", jobs_page, &all) &&
        p3d_migrate_walk(m, P3D_FOREIGN_ZSET, "queue:pending", pending_page, &all) &&
        p3d_migrate_walk(m, P3D_FOREIGN_SET, "queue:processing", processing_page, &all)) {
        int64_t results = p3d_migrate_total(m, P3D_FOREIGN_HASH, "results");
        m->count[P3D_MIGRATE_RESULTS_ORPHANED] = results > all.results ? results - all.results : 0;
    }
    p3d_migrate_drain(m);
    p3d_migrate_set_done(&all.seen);
}
