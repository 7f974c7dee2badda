/* SPDX-License-Identifier: MIT
 *
 * Reading the audit. Its entries are written by the scripts that do what they tell of.
 */
#include "account_internal.h"
#include "p3d/records.h"

enum { ENTRY_ELEMENTS = 7, ENTRIES_AT = 2, CURSOR_SIZE = 24 };

struct query {
    int64_t limit;
    char cursor[CURSOR_SIZE];
    char user[24];
};

static bool read_entry(const redisReply *r, size_t i, struct p3d_audit_entry *e)
{
    const char **const to[] = {&e->actor, &e->action, &e->target, &e->address, &e->detail};
    struct p3d_str s;
    if (!p3d_reply_int(r, i, &e->id) || !p3d_reply_int(r, i + 1, &e->at_ms))
        return false;
    for (size_t k = 0; k < sizeof to / sizeof *to; k++) {
        if (!p3d_reply_str(r, i + 2 + k, &s))
            return false;
        *to[k] = s.p; /* terminated by hiredis, lives until the callback returns */
    }
    return true;
}

static int decode_entries(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    struct query *q = op->state;
    size_t n = r->elements < ENTRIES_AT ? 0 : (r->elements - ENTRIES_AT) / ENTRY_ELEMENTS;
    struct p3d_audit_entry *entries = op->rows = p3d_alloc((n + 1) * sizeof *entries);
    if (!p3d_reply_copy(r, 1, q->cursor, sizeof q->cursor))
        return P3D_E_CORRUPT;
    for (size_t i = 0; i < n; i++)
        if (!read_entry(r, ENTRIES_AT + ENTRY_ELEMENTS * i, &entries[i]))
            return P3D_E_CORRUPT;
    a->cursor = q->cursor[0] ? q->cursor : NULL;
    a->audit = entries;
    a->n = n;
    return 0;
}

static int allowed(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    const struct query *q = op->state;
    struct p3d_args args;
    (void)a;
    p3d_access_took(op, r);
    p3d_args_init(&args, 3);
    p3d_args_int(&args, q->limit);
    p3d_args_z(&args, q->cursor);
    p3d_args_z(&args, q->user);
    return p3d_op_step(op, P3D_SCRIPT_audit_list, &args, decode_entries);
}

int p3d_store_audit(struct p3d_store *s, const struct p3d_access *who, int64_t limit, struct p3d_str cursor,
                    const struct p3d_owner_id *user, p3d_store_cb *cb, void *priv)
{
    int64_t id;
    if (cursor.n && p3d_str_to_i64(cursor, 1, INT64_C(1) << 53, &id))
        return P3D_E_VALIDATION;
    struct p3d_op *op = p3d_op_new(s, cb, priv, allowed);
    struct query *q = op->state = p3d_alloc(sizeof *q);
    q->limit = limit;
    if (cursor.n)
        (void)p3d_format(q->cursor, sizeof q->cursor, "%lld", (long long)id);
    (void)p3d_format(q->user, sizeof q->user, "%s", user ? user->s : "");
    return p3d_access_send(op, who, NULL);
}
