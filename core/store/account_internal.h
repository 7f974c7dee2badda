/* SPDX-License-Identifier: MIT
 *
 * The way of an account's change: a directory script answers the account as it is now, then account_apply brings that to
 * the copy of the work family, then the note in the outbox goes. And what calls of several steps share.
 */
#pragma once
#include "store_internal.h"

#define P3D_ROW 12 /* elements of an account in a reply (USER in lua/common.lua) */

/* The account at element i. ret_version may be NULL. */
bool p3d_row_read(const redisReply *r, size_t i, struct p3d_user *u, int64_t *ret_version);
/* users[0] = op->user. */
int p3d_answer_user(struct p3d_op *op, struct p3d_answer *a);

/* A token that waits for its number: owned copies. */
struct p3d_token_draft {
    char hash[P3D_SHA256_HEX], prefix[16], name[P3D_TOKEN_NAME_MAX + 1];
    int64_t expires_ms, number, max_login;
    unsigned scopes;
};
/* Aborts when a text is longer than it may be: the caller has checked. t->hash NULL leaves the draft empty. */
void p3d_draft_fill(struct p3d_token_draft *d, const struct p3d_new_token *t);
enum { P3D_DRAFT_ARGS = 7 };
void p3d_draft_args(struct p3d_args *args, const struct p3d_token_draft *d); /* put_token of lua/token.lua */

/* From within decode: r is ["ok", account…]. keep: hash of the token that a new generation leaves, or "". token: NULL, or
 * one to add. When it has arrived: users[0], total. */
int p3d_account_apply(struct p3d_op *op, const redisReply *r, const char *keep, const struct p3d_token_draft *token,
                      int64_t total);
/* The same for a deletion; answers nothing. */
int p3d_account_drop(struct p3d_op *op, const char *id);

/* First step of a call: is `who` allowed? On to `decode`, which begins with p3d_access_took. */
P3D_MUST int p3d_access_send(struct p3d_op *op, const struct p3d_access *who, const struct p3d_job_id *job);
void p3d_access_took(struct p3d_op *op, const redisReply *r); /* notes op->caller, op->caller_admin */
/* Who did it, for the audit: the caller's id, or "operator". */
const char *p3d_actor(const struct p3d_op *op);
/* An entry about something of the work family. Nobody waits for it. */
void p3d_audit_note(struct p3d_store *s, const char *actor, const char *action, const char *target, const char *address,
                    const char *detail);
