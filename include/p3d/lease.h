/* SPDX-License-Identifier: MIT
 *
 * The workers' side of the queue: claim, renew, report, finish, give back, housekeeping, and waiting for work. Calls
 * behave as those of store.h: one script each, asynchronous, answered once through `cb`, arguments copied.
 * Errors of every call: P3D_E_STORE_DOWN, P3D_E_BUSY, P3D_E_CORRUPT.
 */
#pragma once
#include "p3d/store.h"

struct p3d_waker;

/* One attempt: every call about it carries these; a stale pair is refused and changes nothing. */
struct p3d_lease {
    struct p3d_job_id job;
    uint64_t fence;
    char nonce[17];
};
struct p3d_claim {
    const char *worker_id;      /* host-pid-slot, at most 64 bytes */
    char nonce[17];             /* new for each try; the same again repeats the same answer */
    const struct p3d_str *kinds; /* what may run now, best first */
    const int64_t *max_workers; /* of each kind, -1 = no limit */
    size_t n;
    int64_t lease_ms;
    int64_t max_concurrent;     /* running jobs of an owner without a limit of their own, -1 = none */
};
/* jobs[0] is leased now: state processing, fence, nonce, attempt. Errors: P3D_E_NOT_FOUND nothing to do (wait). */
P3D_MUST int p3d_store_claim(struct p3d_store *s, const struct p3d_claim *c, p3d_store_cb *cb, void *priv);
/* Renew. Confirms the attempt the first time. a->cancel: stop it. Errors: P3D_E_STALE (kill the runner). */
P3D_MUST int p3d_store_heartbeat(struct p3d_store *s, const struct p3d_lease *l, int64_t lease_ms, p3d_store_cb *cb,
                                 void *priv);
/* progress 0..10000, detail: JSON object as in job.h. Renews nothing. Errors: P3D_E_STALE. */
P3D_MUST int p3d_store_progress(struct p3d_store *s, const struct p3d_lease *l, unsigned progress,
                                struct p3d_str detail, p3d_store_cb *cb, void *priv);
/* The result counts now; files_bytes: of all its files. next (may be NULL) claims in the same trip: jobs[0] when n == 1.
 * Calling it again with the same lease gives the same answer. Errors: P3D_E_STALE. */
P3D_MUST int p3d_store_complete(struct p3d_store *s, const struct p3d_lease *l, struct p3d_str detail,
                                int64_t files_bytes, const struct p3d_claim *next, p3d_store_cb *cb, void *priv);
/* The attempt failed: again after a backoff when retry and attempts are left, else final. next as above. */
P3D_MUST int p3d_store_fail(struct p3d_store *s, const struct p3d_lease *l, bool retry, struct p3d_str detail,
                            const struct p3d_claim *next, p3d_store_cb *cb, void *priv);
/* Back to the queue as if never claimed (drain): no attempt counted. */
P3D_MUST int p3d_store_release(struct p3d_store *s, const struct p3d_lease *l, p3d_store_cb *cb, void *priv);
/* How long finished jobs are kept; -1 = no limit. Whatever is over goes, oldest end first. */
struct p3d_retention {
    int64_t age_ms, jobs, bytes;
};
struct p3d_retention p3d_retention_of(const struct p3d_config *cfg);
/* One bounded round of housekeeping; call about once a second. total = items done, 64 = call again. jobs[n] (ids only):
 * deleted ones whose files have to go, at most room: a process that has the artifact store removes them and says
 * p3d_store_purged. */
P3D_MUST int p3d_store_reap(struct p3d_store *s, int64_t lease_ms, const struct p3d_retention *keep, size_t room,
                            p3d_store_cb *cb, void *priv);
P3D_MUST int p3d_store_purged(struct p3d_store *s, const struct p3d_job_id *id, p3d_store_cb *cb, void *priv);

/* A connection of its own that waits for work. */
P3D_MUST int p3d_waker_open(struct p3d_loop *l, const struct p3d_config *cfg, const struct p3d_str *kinds, size_t n,
                            void (*cb)(void *priv, bool up), void *priv, struct p3d_waker **ret, struct p3d_error *err);
/* Ask once: cb(priv, true) when there may be work or after at most 5 s (jittered), cb(priv, false) when the connection
 * failed (already being made anew). One question at a time; asking while one is open does nothing. */
void p3d_waker_wait(struct p3d_waker *w);
/* While an attempt runs: cb(priv, true), once, when somebody cancels it; nothing else, however long it takes and whatever
 * becomes of the connection. It counts as the open question. nonce: of the attempt. */
void p3d_waker_watch(struct p3d_waker *w, const char *nonce);
/* The attempt is over: no answer any more, and the next question is not delayed by it (said to Redis by way of s, which
 * waits for nothing). Not watching is fine. */
void p3d_waker_unwatch(struct p3d_waker *w, struct p3d_store *s);
void p3d_waker_close(struct p3d_waker *w);
