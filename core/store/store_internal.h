/* SPDX-License-Identifier: MIT
 *
 * What the typed calls share: argument lists, the pending call, and readers of replies and records.
 */
#pragma once
#include "conn_internal.h"
#include "keys_internal.h"

#include "p3d/accounts.h"
#include "p3d/store.h"

struct p3d_store {
    struct p3d_loop *loop;
    struct p3d_conn *conn;
    bool memory_limited; /* by our configuration, whatever Redis has */
};

/* An argument list of fixed capacity; numbers are kept inside. */
struct p3d_args {
    struct p3d_str *v;
    char (*num)[48];
    size_t n, cap;
};
void p3d_args_init(struct p3d_args *a, size_t cap);
void p3d_args_done(struct p3d_args *a); /* of a list that is not sent */
void p3d_args_str(struct p3d_args *a, struct p3d_str s); /* borrowed until the call */
void p3d_args_z(struct p3d_args *a, const char *z);
void p3d_args_int(struct p3d_args *a, int64_t n);
void p3d_args_access(struct p3d_args *a, const struct p3d_access *who); /* the four of work.lua */

/* A pending typed call: freed after its callback. `decode` fills the answer from an array that begins with "ok";
 * it returns 0, or P3D_E_CORRUPT. Calls of several steps continue with p3d_op_step from `decode`, see account.c. */
struct p3d_op {
    struct p3d_store *s;
    p3d_store_cb *cb;
    void *priv;
    int (*decode)(struct p3d_op *op, const redisReply *reply, struct p3d_answer *a);
    bool more;                  /* set by decode: the answer comes with a later step */
    struct p3d_owner_id caller; /* of the first step, for calls of several */
    bool caller_admin;
    struct p3d_user user;
    int64_t version, total;     /* of a change on its way: account.c */
    char text[64];              /* what decode needs: an owned copy */
    /* NULL, or looks at a refusal's further elements, and may tell more in the answer. */
    void (*refused)(struct p3d_op *op, int err, const redisReply *reply, struct p3d_answer *a);
    void *state;                /* what later steps need, of the call's own type: freed with the op */
    void *rows;                 /* memory of the answer, freed with the op */
    size_t wipe, wipe_state;    /* bytes of rows and state that are secret */
};
struct p3d_op *p3d_op_new(struct p3d_store *s, p3d_store_cb *cb, void *priv,
                          int (*decode)(struct p3d_op *, const redisReply *, struct p3d_answer *));
void p3d_op_free(struct p3d_op *op); /* of one that is not sent */
/* Send: takes the args' memory, and the op when it fails. */
P3D_MUST int p3d_op_send(struct p3d_op *op, enum p3d_script script, struct p3d_args *args);
/* From within decode: the next step. The answer will come from `decode`. */
P3D_MUST int p3d_op_step(struct p3d_op *op, enum p3d_script script, struct p3d_args *args,
                         int (*decode)(struct p3d_op *, const redisReply *, struct p3d_answer *));

/* For `decode` where "ok" is the whole answer. */
P3D_MUST int p3d_decode_ok(struct p3d_op *op, const redisReply *reply, struct p3d_answer *a);

/* Readers; false when the element is absent or of another kind. */
bool p3d_reply_str(const redisReply *r, size_t i, struct p3d_str *ret);
bool p3d_reply_int(const redisReply *r, size_t i, int64_t *ret); /* integers and decimal strings */
bool p3d_reply_copy(const redisReply *r, size_t i, char *dst, size_t size);
/* [1] caller, [2] admin of client calls; absent ones leave the caller empty. */
void p3d_reply_caller(const redisReply *r, struct p3d_answer *a);

/* Decode a record (docs/redis-schema.md). head_only: spec and detail stay empty. Strings point into `record`, which
 * must stay. Errors: P3D_E_CORRUPT. */
P3D_MUST int p3d_record_parse(struct p3d_str ulid, struct p3d_str record, bool head_only, struct p3d_job *ret);

/* Account changes that did not reach the work family (account.c). Nobody waits for it. */
P3D_MUST int p3d_store_outbox_replay(struct p3d_store *s);
