/* SPDX-License-Identifier: MIT
 *
 * The caller's own tokens: made, listed, revoked. Only digests and the first characters are ever here. A token's number
 * comes from the directory, the row is the work family's, judged there by the credential of whoever asks.
 */
#include <string.h>

#include "account_internal.h"

struct mint {
    struct p3d_access who;
    struct p3d_token_draft token;
    struct p3d_token_info info;
};

/* ---- add ---- */

static void mint_refused(struct p3d_op *op, int err, const redisReply *r, struct p3d_answer *a)
{
    (void)op;
    if (err == P3D_E_SCOPE_MISSING && !p3d_reply_int(r, 3, &a->total))
        a->total = 0;
}

static int decode_minted(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    struct mint *m = op->state;
    struct p3d_token_info *t = &m->info;
    int64_t scopes;
    p3d_reply_caller(r, a);
    if (!p3d_reply_int(r, 3, &scopes) || !p3d_reply_int(r, 4, &t->created_ms))
        return P3D_E_CORRUPT;
    t->number = m->token.number;
    t->prefix = m->token.prefix;
    t->name = m->token.name;
    t->scopes = (unsigned)scopes & P3D_SCOPE_ALL;
    t->expires_ms = m->token.expires_ms;
    t->active = true;
    p3d_audit_note(op->s, a->caller.s, "token_created", a->caller.s, m->who.address, t->prefix);
    a->tokens = t;
    a->n = 1;
    return 0;
}

static int decode_number(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    struct mint *m = op->state;
    struct p3d_args args;
    (void)a;
    if (!p3d_reply_int(r, 1, &m->token.number))
        return P3D_E_CORRUPT;
    op->refused = mint_refused;
    p3d_args_init(&args, 6 + P3D_DRAFT_ARGS);
    p3d_args_access(&args, &m->who);
    p3d_args_z(&args, "");
    p3d_args_z(&args, "");
    p3d_draft_args(&args, &m->token);
    return p3d_op_step(op, P3D_SCRIPT_token_add, &args, decode_minted);
}

static int mint_allowed(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    struct p3d_args args;
    (void)a;
    p3d_access_took(op, r);
    p3d_args_init(&args, 2);
    p3d_args_z(&args, op->caller.s);
    p3d_args_z(&args, "0");
    return p3d_op_step(op, P3D_SCRIPT_token_number, &args, decode_number);
}

int p3d_store_token_add(struct p3d_store *s, const struct p3d_access *who, const struct p3d_new_token *token,
                        p3d_store_cb *cb, void *priv)
{
    struct p3d_op *op = p3d_op_new(s, cb, priv, mint_allowed);
    struct mint *m = op->state = p3d_alloc(sizeof *m);
    m->who = *who;
    p3d_draft_fill(&m->token, token);
    return p3d_access_send(op, who, NULL);
}

/* ---- list ---- */

enum { TOKEN_ELEMENTS = 7, TOKENS_AT = 5 };

static bool read_token(const redisReply *r, size_t i, int64_t now_ms, struct p3d_token_info *t)
{
    struct p3d_str prefix, name;
    int64_t scopes;
    if (!p3d_reply_int(r, i, &t->number) || !p3d_reply_str(r, i + 1, &prefix) || !p3d_reply_str(r, i + 2, &name) ||
        !p3d_reply_int(r, i + 3, &scopes) || !p3d_reply_int(r, i + 4, &t->created_ms) ||
        !p3d_reply_int(r, i + 5, &t->expires_ms) || !p3d_reply_int(r, i + 6, &t->last_used_ms))
        return false;
    t->prefix = prefix.p; /* terminated by hiredis, lives until the callback returns */
    t->name = name.p;
    t->scopes = (unsigned)scopes & P3D_SCOPE_ALL;
    t->active = t->expires_ms == 0 || t->expires_ms > now_ms;
    return true;
}

static int decode_list(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    int64_t now_ms;
    p3d_reply_caller(r, a);
    if (!p3d_reply_int(r, 3, &a->total) || !p3d_reply_int(r, 4, &now_ms))
        return P3D_E_CORRUPT;
    size_t n = r->elements < TOKENS_AT ? 0 : (r->elements - TOKENS_AT) / TOKEN_ELEMENTS;
    struct p3d_token_info *tokens = op->rows = p3d_alloc((n + 1) * sizeof *tokens);
    for (size_t i = 0; i < n; i++)
        if (!read_token(r, TOKENS_AT + TOKEN_ELEMENTS * i, now_ms, &tokens[i]))
            return P3D_E_CORRUPT;
    a->tokens = tokens;
    a->n = n;
    return 0;
}

int p3d_store_token_list(struct p3d_store *s, const struct p3d_access *who, int64_t limit, int64_t offset,
                         p3d_store_cb *cb, void *priv)
{
    struct p3d_args args;
    p3d_args_init(&args, 6);
    p3d_args_access(&args, who);
    p3d_args_int(&args, limit);
    p3d_args_int(&args, offset);
    return p3d_op_send(p3d_op_new(s, cb, priv, decode_list), P3D_SCRIPT_token_list, &args);
}

/* ---- revoke ---- */

static int decode_revoked(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    const struct p3d_access *who = op->state;
    char prefix[16];
    p3d_reply_caller(r, a);
    if (!p3d_reply_copy(r, 3, prefix, sizeof prefix))
        return P3D_E_CORRUPT;
    p3d_audit_note(op->s, a->caller.s, "token_revoked", a->caller.s, who->address, prefix);
    return 0;
}

int p3d_store_token_revoke(struct p3d_store *s, const struct p3d_access *who, const char *hash, struct p3d_str prefix,
                           p3d_store_cb *cb, void *priv)
{
    struct p3d_op *op = p3d_op_new(s, cb, priv, decode_revoked);
    struct p3d_args args;
    struct p3d_access *copy = op->state = p3d_alloc(sizeof *copy);
    *copy = *who;
    p3d_args_init(&args, 6);
    p3d_args_access(&args, who);
    p3d_args_z(&args, hash ? hash : "");
    p3d_args_str(&args, hash ? (struct p3d_str){"", 0} : prefix);
    return p3d_op_send(op, P3D_SCRIPT_token_revoke, &args);
}
