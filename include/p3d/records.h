/* SPDX-License-Identifier: MIT
 *
 * Calls of the store (store.h says how they behave) beside accounts and jobs: the audit, the keys of signed URLs, and
 * records brought from another system. The imports are the operator's and are idempotent: what is there already is left
 * as it is and told by total = 0; total = 1: it was made.
 */
#pragma once
#include "p3d/accounts.h"

/* ---- audit (store/audit.c) ---- */
struct p3d_audit_entry {
    int64_t id;          /* grows */
    int64_t at_ms;
    const char *actor;   /* user_… id, "operator", or "" = nobody known */
    const char *action;  /* registered, login, login_failed, token_created, role_changed, … docs/security.md */
    const char *target;  /* user_… id, or "" */
    const char *address; /* "" = unknown */
    const char *detail;
};
/* Newest first: 1..P3D_AUDIT_LIST_MAX. cursor: empty, or an earlier answer's. user: empty = all, else those by or about
 * it; then a page may be short and still have a cursor. audit, n, cursor. Errors: P3D_E_VALIDATION bad cursor. */
P3D_MUST int p3d_store_audit(struct p3d_store *s, const struct p3d_access *who, int64_t limit, struct p3d_str cursor,
                             const struct p3d_owner_id *user, p3d_store_cb *cb, void *priv);

/* ---- keys of signed URLs (store/key.c) ---- */
/* keys[n], made when there is none; legacy_tokens. */
P3D_MUST int p3d_store_keys(struct p3d_store *s, p3d_store_cb *cb, void *priv);
/* A new key signs 15 s from now; the old ones are verified for overlap_ms more. at_once: the new one signs from now and
 * the old ones are gone: every URL given out so far is dead. Errors: P3D_E_BUSY too many keys in their overlap. */
P3D_MUST int p3d_store_keys_rotate(struct p3d_store *s, const struct p3d_access *who, int64_t overlap_ms, bool at_once,
                                   p3d_store_cb *cb, void *priv);

/* ---- import (store/import.c) ---- */
struct p3d_import_user {
    struct p3d_owner_id id;
    struct p3d_str username, email, password_hash;
    bool admin, active;
    int64_t created_ms; /* 0 = now */
};
/* Errors: P3D_E_USER_EXISTS an account that was not imported has the id, the name or the email; P3D_E_USER_NOT_FOUND it
 * was here and is deleted: it does not come back. */
P3D_MUST int p3d_store_import_user(struct p3d_store *s, const struct p3d_import_user *u, p3d_store_cb *cb, void *priv);
struct p3d_import_token {
    struct p3d_owner_id owner;
    const char *hash;
    struct p3d_str prefix, name;
    int64_t created_ms, expires_ms, last_used_ms; /* 0 = now, never, not yet */
};
/* From then on 43-character tokens are looked up (p3d_answer.legacy_tokens).
 * Errors: P3D_E_USER_NOT_FOUND; P3D_E_CONFLICT the password was set here since: older tokens are over. */
P3D_MUST int p3d_store_import_token(struct p3d_store *s, const struct p3d_import_token *t, p3d_store_cb *cb, void *priv);
struct p3d_import_job {
    struct p3d_job job;  /* id, owner (empty = none), state (not PROCESSING), priority, attempt, max_attempts, times,
                            spec, detail; a QUEUED one waits in its queue as if submitted at created_ms */
    struct p3d_str kind; /* "feature/model" */
};
/* Errors: P3D_E_USER_NOT_FOUND the owner is not here; P3D_E_BUSY too many kinds: half of the numbers stay
 * for those that are configured here. */
P3D_MUST int p3d_store_import_job(struct p3d_store *s, const struct p3d_import_job *j, p3d_store_cb *cb, void *priv);
