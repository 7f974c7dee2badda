/* SPDX-License-Identifier: MIT
 *
 * One old job on its way: judged (migrate_job_read.c), its files copied (migrate_files.c), brought
 * (migrate_jobs.c).
 */
#pragma once
#include "migrate_internal.h"
#include "p3d/records.h"

struct p3d_migrate_job {
    struct p3d_task task; /* first */
    struct p3d_migrate *m;
    char *old_id;
    size_t bytes;
    struct p3d_import_job in; /* kind and spec point into the next */
    char kind[160];
    char *spec, *detail;
    json_t *result; /* what will be detail.result, or NULL; its files come last */
    bool owner_unknown, dropped;

    /* Files; written by the pool thread while it works. */
    char *mesh_path, *thumbnail_path; /* beneath the folder of --files, or NULL */
    char attempt[P3D_ATTEMPT_SIZE];
    struct p3d_artifact mesh, thumbnail; /* name empty: none */
    int copied;                          /* 0 or P3D_E_IO */
    char why[600];
};

/* ---- migrate_job_read.c ---- */
/* Judge. result: the text of the results hash, p NULL = none. Returns NULL, or why it cannot be
 * taken (in buffer). */
const char *p3d_migrate_job_read(struct p3d_migrate_job *j, const json_t *record,
                                 struct p3d_str result, char why[600]);
/* Write in.job.detail, with the files that there are. */
const char *p3d_migrate_job_detail(struct p3d_migrate_job *j, const json_t *record);
void p3d_migrate_job_free(struct p3d_migrate_job *j);

/* ---- migrate_files.c ---- */
/* Open --files. 0 or an exit status (said). */
int p3d_migrate_files_open(struct p3d_migrate *m, const char *dir);
/* Fill mesh_path and thumbnail_path from an old result. */
void p3d_migrate_files_named(struct p3d_migrate_job *j, const json_t *result);
void p3d_migrate_files_copy(struct p3d_task *job);      /* on a pool thread */
void p3d_migrate_files_look(struct p3d_migrate_job *j); /* dry run: are they there? */
