/* SPDX-License-Identifier: MIT
 *
 * The state of everything, in Redis, as typed calls. Every call is one script (one round trip) and asynchronous: it
 * returns 0 and answers exactly once through `cb` on the loop, or returns an error and never calls back
 * (P3D_E_STORE_DOWN not connected, P3D_E_BUSY too many in flight). Arguments are copied before the call returns.
 * Calls for a client take its p3d_access: whether the credential may do this is decided inside the same script.
 * No key name and no hiredis type leaves core/store.
 *
 * Errors of every client call: P3D_E_TOKEN_INVALID, _TOKEN_EXPIRED, _SIGNATURE_INVALID, _USER_DISABLED,
 * _ADMIN_REQUIRED, _SCOPE_MISSING;
 * P3D_E_STORE_DOWN (connection lost or no answer in time: the change may or may not have been made), P3D_E_CORRUPT.
 */
#pragma once
#include "p3d/access.h"
#include "p3d/clock.h"
#include "p3d/crypto.h"
#include "p3d/err.h"
#include "p3d/id.h"
#include "p3d/job.h"
#include "p3d/str.h"

struct p3d_audit_entry;
struct p3d_config;
struct p3d_doctor_about;
struct p3d_doctor_page;
struct p3d_key_half;
struct p3d_loop;
struct p3d_store;
struct p3d_token_info;
struct p3d_user;


/* What a call answers; the pointers live until cb returns. */
struct p3d_answer {
    struct p3d_owner_id caller; /* who the credential belongs to; empty in simple mode */
    bool caller_admin;
    const struct p3d_user *users; /* this and the next four: accounts.h */
    const struct p3d_token_info *tokens;
    const struct p3d_audit_entry *audit;
    const struct p3d_key_half *keys;
    bool legacy_tokens;
    const struct p3d_doctor_page *doctor; /* this and the next: doctor.h */
    const struct p3d_doctor_about *about;
    const struct p3d_job *jobs;
    size_t n;                   /* of users, tokens, entries, keys or jobs */
    int64_t total;              /* of lists */
    int64_t retry_ms;           /* with P3D_E_RATE_LIMITED: when to come again */
    const char *cursor;         /* next page of a history or an audit, or NULL */
    const struct p3d_stats *stats;
    bool replayed;              /* submit: an earlier answer to the same Idempotency-Key */
    bool cancel;                /* heartbeat: the attempt is to be stopped */
};

/* What Redis uses, and may. For the memory mark: once a second, never inside a script. */
P3D_MUST int p3d_store_memory(struct p3d_store *s, void (*cb)(void *priv, int err, int64_t used_bytes, int64_t limit_bytes),
                              void *priv);

struct p3d_stats {
    int64_t queued, processing, completed, failed, cancelled, workers_alive, workers_busy;
    struct p3d_kind_stats {
        const char *kind; /* "feature/model" */
        int64_t queued, processing, completed, failed, cancelled;
    } *kinds;
    size_t kinds_n;
};

/* err is 0 or a P3D_E_*; a is NULL when err is P3D_E_STORE_DOWN or P3D_E_CORRUPT, else never. */
typedef void p3d_store_cb(void *priv, int err, const struct p3d_answer *a); /* the one typedef: a function type */

/* Connect in the background and keep connected (backoff 50 ms..2 s). Opening does not wait.
 * cfg->redis_url empty: the embedded Redis, data_dir/run/redis.sock. on_state (may be NULL) tells each change.
 * Errors: P3D_E_CONFIG the URL is none (err->detail, without its password). */
P3D_MUST int p3d_store_open(struct p3d_loop *l, const struct p3d_config *cfg, void (*on_state)(void *priv, bool up),
                            void *priv, struct p3d_store **ret, struct p3d_error *err);
/* Waiting calls are answered P3D_E_STORE_DOWN before it returns, and every later one at once; the handle stays. */
void p3d_store_stop(struct p3d_store *s);
void p3d_store_close(struct p3d_store *s); /* stops first; NULL is fine */
bool p3d_store_up(const struct p3d_store *s);

/* First call of a process: Redis version and policy, schema, and whether the artifact store with this id is the
 * one that this Redis knows (noted when there is none yet).
 * Without error and with words in ret_err->detail: a warning for the operator.
 * Errors: P3D_E_CONFIG with the reason in ret_err (lives as long as the store), P3D_E_STORE_DOWN. */
P3D_MUST int p3d_store_check(struct p3d_store *s, const char *artifact_id, struct p3d_error *ret_err, p3d_store_cb *cb,
                             void *priv);
P3D_MUST int p3d_store_ping(struct p3d_store *s, p3d_store_cb *cb, void *priv); /* stats->workers_alive is set */

/* Only the credential check; users[0] is the caller when it has an account. job (may be NULL) is judged too:
 * P3D_E_JOB_NOT_FOUND, P3D_E_JOB_FORBIDDEN. */
P3D_MUST int p3d_store_check_access(struct p3d_store *s, const struct p3d_access *who, const struct p3d_job_id *job,
                                    p3d_store_cb *cb, void *priv);

/* ---- jobs for clients (store/job.c, store/job_change.c) ----
 * What the operator, or an administrator, does to a job of somebody else (cancel, delete, retry) is in the audit before it is
 * answered. */
struct p3d_new_job {
    struct p3d_str kind;      /* "feature/model" */
    struct p3d_str spec;      /* JSON object, kept as it is: feature, model_id, model_preference, inputs, metadata, … */
    unsigned priority;        /* 0..9, 9 first */
    int64_t max_attempts;     /* 1..100 */
    int64_t max_queued;       /* of an owner without a limit of their own, -1 = none */
    int64_t run_at_ms;        /* not before; 0 = at once */
    int64_t expires_ms;       /* failed with EXPIRED if it has not begun by then; 0 = never */
    struct p3d_str idempotency_key; /* empty = none */
    char body_hash[P3D_SHA256_HEX]; /* with a key: of the request body */
};
/* jobs[0] has id, state, queue_position. Errors: P3D_E_QUEUE_FULL, P3D_E_STORE_FULL, P3D_E_IDEMPOTENCY_REUSED. */
P3D_MUST int p3d_store_submit(struct p3d_store *s, const struct p3d_access *who, const struct p3d_new_job *j,
                              p3d_store_cb *cb, void *priv);
/* All or none, in this order; jobs[n] as submit answers them. 1..P3D_BATCH_MAX jobs; the idempotency key and body_hash of
 * the first are the batch's. max_queued counts all of them. Errors as submit. */
#define P3D_BATCH_MAX 500
P3D_MUST int p3d_store_submit_batch(struct p3d_store *s, const struct p3d_access *who, const struct p3d_new_job *jobs,
                                    size_t n, p3d_store_cb *cb, void *priv);
/* jobs[0]. Errors: P3D_E_JOB_NOT_FOUND, P3D_E_JOB_FORBIDDEN: of every call about one job. */
P3D_MUST int p3d_store_job_get(struct p3d_store *s, const struct p3d_access *who, const struct p3d_job_id *id,
                               p3d_store_cb *cb, void *priv);
/* jobs[0] as it is now: cancelled when it was queued; when it runs, its worker is told and it will be. Repeating is fine.
 * Errors: P3D_E_JOB_FINAL (jobs[0] is there). */
P3D_MUST int p3d_store_job_cancel(struct p3d_store *s, const struct p3d_access *who, const struct p3d_job_id *id,
                                  p3d_store_cb *cb, void *priv);
/* Gone for everybody at once; files and record are removed by whoever purges (lease.h). jobs[0] as it was.
 * Errors: P3D_E_JOB_RUNNING. */
P3D_MUST int p3d_store_job_delete(struct p3d_store *s, const struct p3d_access *who, const struct p3d_job_id *id,
                                  p3d_store_cb *cb, void *priv);
/* Replace the detail of a completed job that is still at revision rev: its files are about to be removed.
 * Errors: P3D_E_CONFLICT another revision, or not completed. */
P3D_MUST int p3d_store_result_drop(struct p3d_store *s, const struct p3d_access *who, const struct p3d_job_id *id,
                                   uint64_t rev, struct p3d_str detail, p3d_store_cb *cb, void *priv);
struct p3d_history {
    int64_t limit, offset;      /* 1..500, 0.. */
    unsigned states;            /* bit per state, 0 = all */
    struct p3d_str feature, model; /* empty = all */
    int64_t from_ms, to_ms;     /* of created_at, inclusive; 0 = open */
    struct p3d_str cursor;      /* empty, or what an earlier page gave */
    struct p3d_owner_id user;   /* admins: only this user's; empty = all they may see */
};
/* Newest first. jobs, n, total, cursor. Errors: P3D_E_VALIDATION bad cursor. */
P3D_MUST int p3d_store_history(struct p3d_store *s, const struct p3d_access *who, const struct p3d_history *h,
                               p3d_store_cb *cb, void *priv);
P3D_MUST int p3d_store_queue_stats(struct p3d_store *s, const struct p3d_access *who, p3d_store_cb *cb, void *priv);

/* Accounts, tokens, audit, keys: accounts.h. Jobs for workers: lease.h. Jobs once more:
 * retry.h. */
