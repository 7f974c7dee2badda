/* SPDX-License-Identifier: MIT
 *
 * `p3d migrate`: what its parts share. Users first, then tokens, then jobs; many records of one
 * kind are under way at a time, each ends in p3d_migrate_end. All on the loop's thread but hashing
 * and copying. Nothing read is trusted: migrate_read.c and migrate_clean.c judge and clean it.
 */
#pragma once
#include <jansson.h>
#include <stdatomic.h>

#include "session_internal.h"
#include "p3d/artifact.h"
#include "p3d/foreign.h"
#include "p3d/loop.h"

/* P3D_COUNT(SYMBOL, group, name): what is counted, as --json and people see it. */
#define P3D_MIGRATE_COUNTS                                                                         \
    P3D_COUNT(USERS_MADE, "users", "made")                                                         \
    P3D_COUNT(USERS_THERE, "users", "there_already")                                               \
    P3D_COUNT(USERS_NOT_TAKEN, "users", "not_taken")                                               \
    P3D_COUNT(TOKENS_MADE, "tokens", "made")                                                       \
    P3D_COUNT(TOKENS_THERE, "tokens", "there_already")                                             \
    P3D_COUNT(TOKENS_EXPIRED, "tokens", "expired")                                                 \
    P3D_COUNT(TOKENS_INACTIVE, "tokens", "inactive")                                               \
    P3D_COUNT(TOKENS_NOT_TAKEN, "tokens", "not_taken")                                             \
    P3D_COUNT(JOBS_QUEUED, "jobs", "queued") /* these five in the order of job_state.def */        \
    P3D_COUNT(JOBS_PROCESSING, "jobs", "processing") /* none */                                    \
    P3D_COUNT(JOBS_COMPLETED, "jobs", "completed")                                                 \
    P3D_COUNT(JOBS_FAILED, "jobs", "failed")                                                       \
    P3D_COUNT(JOBS_CANCELLED, "jobs", "cancelled")                                                 \
    P3D_COUNT(JOBS_THERE, "jobs", "there_already")                                                 \
    P3D_COUNT(JOBS_NOT_TAKEN, "jobs", "not_taken")                                                 \
    P3D_COUNT(JOBS_NO_OWNER, "jobs", "without_owner")                                              \
    P3D_COUNT(JOBS_OWNER_UNKNOWN, "jobs", "owner_unknown")                                         \
    P3D_COUNT(JOBS_INPUTS_DROPPED, "jobs", "inputs_dropped")                                       \
    P3D_COUNT(FILES_COPIED, "files", "copied")                                                     \
    P3D_COUNT(FILES_NOT_FOUND, "files", "result_file_not_found")                                   \
    P3D_COUNT(RESULTS_ORPHANED, "files", "results_without_job")
enum p3d_migrate_count {
#define P3D_COUNT(symbol, group, name) P3D_MIGRATE_##symbol,
    P3D_MIGRATE_COUNTS
#undef P3D_COUNT
        P3D_MIGRATE__COUNT
};

/* A set of texts; keeps 16 bytes of each one's digest. Zero-initialised it is empty. migrate_set.c
 */
struct p3d_migrate_set {
    unsigned char (*v)[16];
    size_t n, cap;
};
bool p3d_migrate_set_add(struct p3d_migrate_set *s, struct p3d_str text); /* false: it was there */
bool p3d_migrate_set_has(const struct p3d_migrate_set *s, struct p3d_str text);
void p3d_migrate_set_done(struct p3d_migrate_set *s);

struct p3d_migrate {
    struct p3d_session session;
    struct p3d_poll_loop *loop;
    struct p3d_store *store; /* NULL: dry run where there is nothing yet */
    struct p3d_foreign *source;
    struct p3d_artifacts *artifacts; /* NULL: dry run */
    struct p3d_pool *pool;
    char *prefix; /* ends with ':' */
    bool dry_run, json;
    char *files,
        *files_real; /* DIR as given and as it is, without '/' at the end; NULL: no files */
    int files_fd;

    struct p3d_migrate_set users; /* ids of those that are here, or would be */
    struct p3d_migrate_set names; /* dry run: usernames and emails that would be taken */
    struct p3d_migrate_set
        kinds; /* features and models of old jobs that this configuration does not have */
    struct p3d_migrate_set unread; /* keys that are there and cannot be read */

    size_t open_n, open_bytes, open_max; /* records under way */
    int err;                             /* P3D_E_*: it cannot go on */
    bool stopped;                        /* by a signal */
    atomic_bool quit; /* one of both, for the pool's threads; set by p3d_migrate_over */
    char why[600];

    int64_t count[P3D_MIGRATE__COUNT];
    int64_t seen; /* records found, good or bad */
    json_t *not_taken, *notes;
    const char *class;
    int64_t class_done, class_total;
    uint64_t class_begun_ms, said_ms;
    bool terminal, line_open;
};

/* ---- migrate.c ---- */
/* Room for one more record; waits for it. False: stop. */
bool p3d_migrate_begin(struct p3d_migrate *m, size_t bytes);
void p3d_migrate_end(struct p3d_migrate *m, size_t bytes);
void p3d_migrate_drain(struct p3d_migrate *m); /* until none is under way */
bool p3d_migrate_over(struct p3d_migrate *m);  /* stop: an error or a signal */
/* An error of the store: true when it ends everything (noted then). */
bool p3d_migrate_fatal(struct p3d_migrate *m, int err);

/* ---- migrate_source.c ---- */
/* All of one kind, page by page; false: stop. A key of another type is reported and skipped. */
bool p3d_migrate_walk(struct p3d_migrate *m, enum p3d_foreign_kind kind, const char *name,
                      bool (*page)(struct p3d_migrate *m, const struct p3d_foreign_page *p,
                                   void *priv),
                      void *priv);
/* A key that cannot be read, for the reason of the last call: noted once, and the report is not
 * complete. */
void p3d_migrate_unread(struct p3d_migrate *m, struct p3d_str key);
int64_t p3d_migrate_total(struct p3d_migrate *m, enum p3d_foreign_kind kind, const char *name);
bool p3d_migrate_failed(struct p3d_migrate *m,
                        int err); /* a call to the source: true and noted when it failed */

/* ---- migrate_read.c: fields of records ---- */
struct p3d_owner_id p3d_migrate_owner(struct p3d_str old_id);
/* An ISO time or a number of seconds; absent or null: *ret stays. False: something else. */
bool p3d_migrate_time(const json_t *record, const char *key, int64_t *ret);
/* A bool; absent or null: `otherwise`; anything else: false. */
bool p3d_migrate_bool(const json_t *record, const char *key, bool otherwise);
/* A record as a JSON object, or the reason why it is none. */
const char *p3d_migrate_parse(struct p3d_str text, size_t max, json_t **ret);

/* ---- migrate_clean.c ---- */
/* Printable, at most 80 bytes of it; dst holds P3D_SHOWN_SIZE. */
#define P3D_SHOWN_SIZE 96
void p3d_migrate_shown(struct p3d_str s, char dst[P3D_SHOWN_SIZE]);
char *p3d_migrate_clean_text(struct p3d_str s); /* without folders of absolute paths */
/* A copy without file contents and folders; names of what was dropped go into `dropped` (array, may
 * be NULL). */
json_t *p3d_migrate_clean(const json_t *v, const char *key, json_t *dropped);

/* ---- migrate_users.c, migrate_tokens.c, migrate_jobs.c: one class each ---- */
void p3d_migrate_users(struct p3d_migrate *m);
void p3d_migrate_tokens(struct p3d_migrate *m);
void p3d_migrate_jobs(struct p3d_migrate *m);

/* ---- migrate_report.c ---- */
void p3d_migrate_class(struct p3d_migrate *m, const char *name, int64_t total);
void p3d_migrate_progress(struct p3d_migrate *m);
void p3d_migrate_quiet(struct p3d_migrate *m); /* take the progress line away */
void p3d_migrate_refuse(struct p3d_migrate *m, enum p3d_migrate_count count, const char *kind,
                        struct p3d_str id, const char *reason);
void p3d_migrate_note(struct p3d_migrate *m, const char *kind, struct p3d_str id, const char *text);
void p3d_migrate_report(struct p3d_migrate *m);
