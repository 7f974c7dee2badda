/* SPDX-License-Identifier: MIT
 *
 * Accounts, their tokens, what was done to them, and the keys of signed URLs: calls of the store (store.h says how they
 * behave). A change of an account is made in the directory first and has reached the copy that every hot script reads
 * before cb is called; a process that dies in between leaves a note that any other finishes (store/account.c).
 * `who` is judged by the store; who->address goes into the audit. Username, email and password are judged by the caller
 * (account.h), uniqueness by the script.
 */
#pragma once
#include "p3d/signing.h"
#include "p3d/store.h"

#define P3D_LIMIT_DEFAULT INT64_MIN /* no limit of its own: the configuration's */
#define P3D_TOKEN_LIST_MAX 1000
#define P3D_AUDIT_LIST_MAX 1000
#define P3D_TOKEN_NAME_MAX 400 /* bytes */

enum p3d_user_status { P3D_USER_ACTIVE, P3D_USER_PENDING, P3D_USER_SUSPENDED, P3D_USER_STATUS__COUNT };
const char *p3d_user_status_name(enum p3d_user_status s);

struct p3d_user {
    struct p3d_owner_id id;
    int64_t number; /* the integer id */
    char username[65], email[256];
    bool admin, active; /* active: status P3D_USER_ACTIVE */
    enum p3d_user_status status;
    int64_t created_ms, last_login_ms;     /* 0 = never */
    int64_t max_concurrent_jobs, max_queued_jobs; /* -1 = no limit, P3D_LIMIT_DEFAULT */
    int64_t failed_logins;                 /* lately, on its name and its email; p3d_store_user_find only */
    int64_t generation;                    /* tokens of an older one are refused */
    char password_hash[P3D_PASSWORD_HASH_SIZE]; /* p3d_store_login_begin and _self_begin only, as the next */
    int64_t passwords;                     /* how often a password was set: a login with an old one gives no token */
};

/* ---- accounts (store/user.c) ---- */
struct p3d_new_token {
    const char *hash; /* hex SHA-256 of the token; NULL: no token */
    struct p3d_str prefix, name; /* name: at most P3D_TOKEN_NAME_MAX bytes */
    int64_t expires_ms;          /* 0 = never */
    unsigned scopes;             /* bits; 0 = all of the user's role */
    int64_t max_login;           /* > 0: a login token, the oldest beyond this many go */
};
struct p3d_new_user {
    struct p3d_str username, email, password_hash;
    bool admin;
    struct p3d_new_token token;
    const char *address; /* of the client; NULL: the operator on the command line */
};
/* users[0] is the new account. Errors: P3D_E_USER_EXISTS. */
P3D_MUST int p3d_store_user_add(struct p3d_store *s, const struct p3d_new_user *u, p3d_store_cb *cb, void *priv);
/* Newest first; total. */
P3D_MUST int p3d_store_user_list(struct p3d_store *s, const struct p3d_access *who, int64_t limit, int64_t offset,
                                 p3d_store_cb *cb, void *priv);
/* users[0]. name: a user_… id, an integer id, an email or a username. self: without role admin only oneself, others are
 * P3D_E_ADMIN_REQUIRED whether they exist or not (who->admin must be false). Errors: P3D_E_USER_NOT_FOUND. */
P3D_MUST int p3d_store_user_find(struct p3d_store *s, const struct p3d_access *who, bool self, struct p3d_str name,
                                 p3d_store_cb *cb, void *priv);
/* What is to be different; zero-initialised it changes nothing. */
struct p3d_user_change {
    struct p3d_str username;                       /* p NULL = as it is */
    const char *role;                              /* "user", "admin" */
    const char *status;                            /* "active", "suspended" */
    const int64_t *max_concurrent_jobs, *max_queued_jobs; /* P3D_LIMIT_DEFAULT takes it away */
};
/* users[0] is the account as it is now. self as above. Errors: P3D_E_USER_NOT_FOUND, P3D_E_USER_EXISTS the username is
 * taken, P3D_E_DELETE_SELF suspending oneself. */
P3D_MUST int p3d_store_user_change(struct p3d_store *s, const struct p3d_access *who, bool self,
                                   const struct p3d_owner_id *id, const struct p3d_user_change *change,
                                   p3d_store_cb *cb, void *priv);
/* Tokens die at once, queued jobs are cancelled, running ones lose their lease.
 * Errors: P3D_E_USER_NOT_FOUND, P3D_E_DELETE_SELF. */
P3D_MUST int p3d_store_user_delete(struct p3d_store *s, const struct p3d_access *who, const struct p3d_owner_id *id,
                                   p3d_store_cb *cb, void *priv);

/* ---- passwords (store/login.c) ----
 * Every hash for a client is one attempt: begin it, hash, end it exactly once. An address has at most 8 under way.
 * Failures are counted by address, and by address and name, for all processes together; from `free` on it waits
 * exponentially longer (from 1 s to 15 min). A name that others are guessing has one free failure instead of `free`; what
 * somebody waits for is what that address has done, so a stranger locks nobody out. free -1: no delays, no bound. */
struct p3d_attempt {
    char name[96];    /* what the failures are counted under; filled by begin */
    char address[64]; /* of the client */
    int64_t free;
};
/* Login by username, or email when there is an '@'. users[0] with its password hash; its id and hash are empty for
 * P3D_E_USER_NOT_FOUND, where the attempt has begun all the same. a (caller's, stays until cb): address and free are
 * read, name is filled. Errors: P3D_E_USER_NOT_FOUND (begun); P3D_E_RATE_LIMITED (not begun; answer's retry_ms). */
P3D_MUST int p3d_store_login_begin(struct p3d_store *s, struct p3d_str login, struct p3d_attempt *a, p3d_store_cb *cb,
                                   void *priv);
/* For the hash of a new account: bounded by address, no password is judged. Ended with P3D_ATTEMPT_DROPPED.
 * Errors: P3D_E_USER_EXISTS name or email is taken (not begun; the script of user_add decides); P3D_E_RATE_LIMITED. */
P3D_MUST int p3d_store_register_begin(struct p3d_store *s, struct p3d_str username, struct p3d_str email,
                                      struct p3d_attempt *a, p3d_store_cb *cb, void *priv);
/* The same for the account that `who` is (change of a password). */
P3D_MUST int p3d_store_self_begin(struct p3d_store *s, const struct p3d_access *who, struct p3d_attempt *a,
                                  p3d_store_cb *cb, void *priv);
/* End without a judgement (hash queue full, account disabled), or as failed. user: empty = unknown. disabled: said in
 * the audit. Nobody need wait: cb may be NULL. */
enum p3d_attempt_end { P3D_ATTEMPT_DROPPED, P3D_ATTEMPT_FAILED, P3D_ATTEMPT_DISABLED };
P3D_MUST int p3d_store_attempt_end(struct p3d_store *s, const struct p3d_attempt *a, const struct p3d_owner_id *user,
                                   enum p3d_attempt_end end, p3d_store_cb *cb, void *priv);
/* The password was right: ends the attempt, clears the account's failures and adds the token. user: as begin answered it;
 * a password set meanwhile is P3D_E_LOGIN_FAILED, as is an account deleted meanwhile. */
P3D_MUST int p3d_store_login_token(struct p3d_store *s, const struct p3d_attempt *a, const struct p3d_user *user,
                                   const struct p3d_new_token *token, p3d_store_cb *cb, void *priv);
/* Replace a password hash if it is still `old` (rehash at login; the password is the same). Errors: P3D_E_CONFLICT. */
P3D_MUST int p3d_store_password_swap(struct p3d_store *s, const struct p3d_owner_id *owner, struct p3d_str old_hash,
                                     struct p3d_str new_hash, p3d_store_cb *cb, void *priv);
/* A new password. old_hash: what was verified (empty: whatever it is; operator only). revoke: all tokens but the one
 * that `who` used end at once. a: the attempt, ended as right; NULL for the operator. users[0].
 * Errors: P3D_E_CONFLICT another one was set meanwhile, P3D_E_USER_NOT_FOUND. */
P3D_MUST int p3d_store_password_set(struct p3d_store *s, const struct p3d_access *who, const struct p3d_owner_id *id,
                                    struct p3d_str old_hash, struct p3d_str new_hash, bool revoke,
                                    const struct p3d_attempt *a, p3d_store_cb *cb, void *priv);

/* ---- tokens (store/token.c) ---- */
struct p3d_token_info {
    int64_t number;
    const char *prefix, *name; /* first 12 characters */
    unsigned scopes;           /* bits; what it may in effect, without ADMIN when the user is no admin */
    int64_t created_ms, expires_ms, last_used_ms; /* expires 0 = never; last_used 0 = not yet */
    bool active;
};
/* A token for the caller. tokens[0]. scopes that the caller's token lacks: P3D_E_SCOPE_MISSING, total = the lowest
 * missing bit. scopes 0 = all: missing when the caller's token is itself limited. */
P3D_MUST int p3d_store_token_add(struct p3d_store *s, const struct p3d_access *who, const struct p3d_new_token *token,
                                 p3d_store_cb *cb, void *priv);
/* The caller's, newest first; limit 1..P3D_TOKEN_LIST_MAX; total = all. */
P3D_MUST int p3d_store_token_list(struct p3d_store *s, const struct p3d_access *who, int64_t limit, int64_t offset,
                                  p3d_store_cb *cb, void *priv);
/* hash: of a whole token, or NULL: prefix, its first 8 to 12 characters.
 * Errors: P3D_E_TOKEN_NOT_FOUND none of the caller's; P3D_E_TOKEN_AMBIGUOUS several. */
P3D_MUST int p3d_store_token_revoke(struct p3d_store *s, const struct p3d_access *who, const char *hash,
                                    struct p3d_str prefix, p3d_store_cb *cb, void *priv);

/* Audit, keys of signed URLs, import: records.h. */
