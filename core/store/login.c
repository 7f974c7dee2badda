/* SPDX-License-Identifier: MIT
 *
 * Passwords as the store sees them: attempts with their delays, the token of a login, a new hash. Every attempt that
 * began is ended by one of these calls, or by time. Does not: hash anything.
 */
#include <string.h>

#include "account_internal.h"
#include "p3d/net.h"

/* ---- begin ---- */

struct begin {
    struct p3d_attempt *attempt; /* the caller's */
};

static void note_name(struct p3d_op *op, const redisReply *r)
{
    const struct begin *b = op->state;
    if (!p3d_reply_copy(r, 1, b->attempt->name, sizeof b->attempt->name))
        b->attempt->name[0] = '\0';
}

static void begin_refused(struct p3d_op *op, int err, const redisReply *r, struct p3d_answer *a)
{
    if (err == P3D_E_RATE_LIMITED && !p3d_reply_int(r, 1, &a->retry_ms))
        a->retry_ms = 1000;
    if (err == P3D_E_USER_NOT_FOUND)
        note_name(op, r);
    a->caller = op->caller;
    a->caller_admin = op->caller_admin;
}

static int decode_begun(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    note_name(op, r);
    if (!p3d_row_read(r, 2, &op->user, NULL) ||
        !p3d_reply_copy(r, 2 + P3D_ROW, op->user.password_hash, sizeof op->user.password_hash) ||
        !p3d_reply_int(r, 3 + P3D_ROW, &op->user.passwords))
        return P3D_E_CORRUPT;
    a->caller = op->caller;
    a->caller_admin = op->caller_admin;
    return p3d_answer_user(op, a);
}

static struct p3d_op *begin_new(struct p3d_store *s, struct p3d_attempt *attempt, p3d_store_cb *cb, void *priv)
{
    struct p3d_op *op = p3d_op_new(s, cb, priv, decode_begun);
    struct begin *b = op->state = p3d_alloc(sizeof *b);
    b->attempt = attempt;
    attempt->name[0] = '\0';
    return op;
}

static void begin_args(struct p3d_args *args, const char *by, struct p3d_str name, const char *key,
                       const struct p3d_attempt *attempt)
{
    p3d_args_init(args, 5);
    p3d_args_z(args, by);
    p3d_args_str(args, name);
    p3d_args_z(args, key);
    p3d_args_int(args, attempt->free);
}

int p3d_store_login_begin(struct p3d_store *s, struct p3d_str login, struct p3d_attempt *attempt, p3d_store_cb *cb,
                          void *priv)
{
    struct p3d_op *op = begin_new(s, attempt, cb, priv);
    struct p3d_args args;
    char key[P3D_ADDRESS_SIZE];
    op->refused = begin_refused;
    p3d_net_key(attempt->address, key);
    begin_args(&args, "login", login, key, attempt);
    return p3d_op_send(op, P3D_SCRIPT_login_begin, &args);
}

int p3d_store_register_begin(struct p3d_store *s, struct p3d_str username, struct p3d_str email,
                             struct p3d_attempt *attempt, p3d_store_cb *cb, void *priv)
{
    struct p3d_op *op = begin_new(s, attempt, cb, priv);
    struct p3d_args args;
    char key[P3D_ADDRESS_SIZE];
    op->decode = p3d_decode_ok;
    op->refused = begin_refused;
    p3d_net_key(attempt->address, key);
    begin_args(&args, "register", username, key, attempt);
    p3d_args_str(&args, email);
    return p3d_op_send(op, P3D_SCRIPT_login_begin, &args);
}

static int self_allowed(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    const struct begin *b = op->state;
    struct p3d_args args;
    char key[P3D_ADDRESS_SIZE];
    (void)a;
    p3d_access_took(op, r);
    op->refused = begin_refused;
    p3d_net_key(b->attempt->address, key);
    begin_args(&args, "id", p3d_str_z(op->caller.s), key, b->attempt);
    return p3d_op_step(op, P3D_SCRIPT_login_begin, &args, decode_begun);
}

int p3d_store_self_begin(struct p3d_store *s, const struct p3d_access *who, struct p3d_attempt *attempt,
                         p3d_store_cb *cb, void *priv)
{
    struct p3d_op *op = begin_new(s, attempt, cb, priv);
    op->decode = self_allowed;
    return p3d_access_send(op, who, NULL);
}

/* ---- end ---- */

static void attempt_args(struct p3d_args *args, const struct p3d_attempt *attempt, const char *key)
{
    p3d_args_z(args, attempt->name);
    p3d_args_z(args, key);
    p3d_args_int(args, attempt->free);
}

int p3d_store_attempt_end(struct p3d_store *s, const struct p3d_attempt *attempt, const struct p3d_owner_id *user,
                          enum p3d_attempt_end end, p3d_store_cb *cb, void *priv)
{
    static const char *const words[] = {[P3D_ATTEMPT_DROPPED] = "dropped",
                                        [P3D_ATTEMPT_FAILED] = "failed",
                                        [P3D_ATTEMPT_DISABLED] = "disabled"};
    struct p3d_args args;
    char key[P3D_ADDRESS_SIZE];
    p3d_net_key(attempt->address, key);
    p3d_args_init(&args, 6);
    attempt_args(&args, attempt, key);
    p3d_args_z(&args, words[end]);
    p3d_args_z(&args, user->s);
    p3d_args_z(&args, attempt->address);
    return p3d_op_send(p3d_op_new(s, cb, priv, p3d_decode_ok), P3D_SCRIPT_attempt_end, &args);
}

struct login {
    struct p3d_owner_id user;
    int64_t generation;
    struct p3d_token_draft token;
};

static int decode_done(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    static const struct p3d_access server = {.kind = P3D_ACCESS_SYSTEM};
    struct login *l = op->state;
    struct p3d_args args;
    (void)a;
    if (!p3d_reply_int(r, 1, &l->token.number))
        return P3D_E_CORRUPT;
    p3d_args_init(&args, 6 + P3D_DRAFT_ARGS);
    p3d_args_access(&args, &server);
    p3d_args_z(&args, l->user.s);
    p3d_args_int(&args, l->generation);
    p3d_draft_args(&args, &l->token);
    return p3d_op_step(op, P3D_SCRIPT_token_add, &args, p3d_decode_ok);
}

int p3d_store_login_token(struct p3d_store *s, const struct p3d_attempt *attempt, const struct p3d_user *user,
                          const struct p3d_new_token *token, p3d_store_cb *cb, void *priv)
{
    struct p3d_op *op = p3d_op_new(s, cb, priv, decode_done);
    struct login *l = op->state = p3d_alloc(sizeof *l);
    struct p3d_args args;
    char key[P3D_ADDRESS_SIZE];
    l->user = user->id;
    l->generation = user->generation;
    p3d_draft_fill(&l->token, token);
    p3d_net_key(attempt->address, key);
    p3d_args_init(&args, 6);
    attempt_args(&args, attempt, key);
    p3d_args_z(&args, user->id.s);
    p3d_args_int(&args, user->passwords);
    p3d_args_z(&args, attempt->address);
    return p3d_op_send(op, P3D_SCRIPT_login_done, &args);
}

/* ---- hashes ---- */

int p3d_store_password_swap(struct p3d_store *s, const struct p3d_owner_id *owner, struct p3d_str old_hash,
                            struct p3d_str new_hash, p3d_store_cb *cb, void *priv)
{
    struct p3d_args args;
    p3d_args_init(&args, 3);
    p3d_args_z(&args, owner->s);
    p3d_args_str(&args, old_hash);
    p3d_args_str(&args, new_hash);
    return p3d_op_send(p3d_op_new(s, cb, priv, p3d_decode_ok), P3D_SCRIPT_password_swap, &args);
}

struct change {
    struct p3d_owner_id user;
    char old_hash[P3D_PASSWORD_HASH_SIZE], new_hash[P3D_PASSWORD_HASH_SIZE];
    char token_hash[P3D_SHA256_HEX]; /* that may stay */
    char address[64];
    bool revoke, attempted;
    struct p3d_attempt attempt;
};

static int decode_set(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    const struct change *c = op->state;
    (void)a;
    return p3d_account_apply(op, r, strcmp(op->caller.s, c->user.s) == 0 ? c->token_hash : "", NULL, 1);
}

static int set_allowed(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    const struct change *c = op->state;
    struct p3d_args args;
    char key[P3D_ADDRESS_SIZE] = "";
    (void)a;
    op->refused = NULL; /* from here on the script ends the attempt */
    p3d_access_took(op, r);
    if (c->attempted)
        p3d_net_key(c->attempt.address, key);
    p3d_args_init(&args, 9);
    p3d_args_z(&args, c->user.s);
    p3d_args_z(&args, c->old_hash);
    p3d_args_z(&args, c->new_hash);
    p3d_args_z(&args, c->revoke ? "1" : "0");
    p3d_args_z(&args, p3d_actor(op));
    p3d_args_z(&args, c->address);
    attempt_args(&args, &c->attempt, key);
    return p3d_op_step(op, P3D_SCRIPT_password_set, &args, decode_set);
}

/* The token was revoked while the hash was made. */
static void set_refused(struct p3d_op *op, int err, const redisReply *r, struct p3d_answer *a)
{
    const struct change *c = op->state;
    (void)err;
    (void)r;
    (void)a;
    if (c->attempted)
        P3D_IGNORE(p3d_store_attempt_end(op->s, &c->attempt, &c->user, P3D_ATTEMPT_DROPPED, NULL, NULL));
}

int p3d_store_password_set(struct p3d_store *s, const struct p3d_access *who, const struct p3d_owner_id *id,
                           struct p3d_str old_hash, struct p3d_str new_hash, bool revoke,
                           const struct p3d_attempt *attempt, p3d_store_cb *cb, void *priv)
{
    struct p3d_op *op = p3d_op_new(s, cb, priv, set_allowed);
    struct change *c = op->state = p3d_alloc(sizeof *c);
    op->wipe_state = sizeof *c;
    op->refused = set_refused;
    c->user = *id;
    c->revoke = revoke;
    c->attempted = attempt != NULL;
    c->attempt = attempt ? *attempt : (struct p3d_attempt){.free = -1};
    if (!p3d_format(c->old_hash, sizeof c->old_hash, "%.*s", (int)old_hash.n, old_hash.n ? old_hash.p : "") ||
        !p3d_format(c->new_hash, sizeof c->new_hash, "%.*s", (int)new_hash.n, new_hash.p))
        abort(); /* hashes are of crypto's making */
    (void)p3d_format(c->token_hash, sizeof c->token_hash, "%s", who->token_hash);
    (void)p3d_format(c->address, sizeof c->address, "%s", who->address);
    return p3d_access_send(op, who, NULL);
}
