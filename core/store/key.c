/* SPDX-License-Identifier: MIT
 *
 * The halves of the keys of signed URLs that Redis keeps: read, made when there is none, rotated.
 */
#include <string.h>

#include "account_internal.h"
#include "p3d/records.h"

enum { KEY_ELEMENTS = 4, KEYS_AT = 2 };

static bool read_secret(const redisReply *r, size_t i, unsigned char dst[P3D_SIGNING_KEY_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    struct p3d_str s;
    if (!p3d_reply_str(r, i, &s) || s.n != 2 * P3D_SIGNING_KEY_SIZE)
        return false;
    for (size_t k = 0; k < P3D_SIGNING_KEY_SIZE; k++) {
        const char *high = memchr(digits, s.p[2 * k], 16), *low = memchr(digits, s.p[2 * k + 1], 16);
        if (!high || !low)
            return false;
        dst[k] = (unsigned char)((high - digits) << 4 | (low - digits));
    }
    return true;
}

static int decode_keys(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    int64_t legacy;
    size_t n = r->elements < KEYS_AT ? 0 : (r->elements - KEYS_AT) / KEY_ELEMENTS;
    struct p3d_key_half *keys = op->rows = p3d_alloc((n + 1) * sizeof *keys);
    op->wipe = (n + 1) * sizeof *keys;
    if (!p3d_reply_int(r, 1, &legacy))
        return P3D_E_CORRUPT;
    for (size_t i = 0; i < n; i++) {
        size_t at = KEYS_AT + KEY_ELEMENTS * i;
        if (!p3d_reply_int(r, at, &keys[i].number) || !read_secret(r, at + 1, keys[i].secret) ||
            !p3d_reply_int(r, at + 2, &keys[i].from_ms) || !p3d_reply_int(r, at + 3, &keys[i].until_ms))
            return P3D_E_CORRUPT;
    }
    a->legacy_tokens = legacy != 0;
    a->keys = keys;
    a->n = n;
    return 0;
}

struct rotation {
    int64_t overlap_ms;
    bool at_once;
    char address[64];
};

/* A secret goes along in any case: whether one is needed is known there. */
static void keys_args(struct p3d_args *args, const char *what, char secret[2 * P3D_SIGNING_KEY_SIZE + 1])
{
    unsigned char raw[P3D_SIGNING_KEY_SIZE];
    p3d_random(raw, sizeof raw);
    p3d_hex(raw, sizeof raw, secret);
    p3d_wipe(raw, sizeof raw);
    p3d_args_init(args, 5);
    p3d_args_z(args, what);
    p3d_args_z(args, secret);
}

int p3d_store_keys(struct p3d_store *s, p3d_store_cb *cb, void *priv)
{
    char secret[2 * P3D_SIGNING_KEY_SIZE + 1];
    struct p3d_args args;
    keys_args(&args, "get", secret);
    int err = p3d_op_send(p3d_op_new(s, cb, priv, decode_keys), P3D_SCRIPT_keys, &args);
    p3d_wipe(secret, sizeof secret);
    return err;
}

static int rotation_allowed(struct p3d_op *op, const redisReply *r, struct p3d_answer *a)
{
    const struct rotation *x = op->state;
    char secret[2 * P3D_SIGNING_KEY_SIZE + 1];
    struct p3d_args args;
    (void)a;
    p3d_access_took(op, r);
    keys_args(&args, x->at_once ? "now" : "rotate", secret);
    p3d_args_int(&args, x->overlap_ms);
    p3d_args_z(&args, p3d_actor(op));
    p3d_args_z(&args, x->address);
    int err = p3d_op_step(op, P3D_SCRIPT_keys, &args, decode_keys);
    p3d_wipe(secret, sizeof secret);
    return err;
}

int p3d_store_keys_rotate(struct p3d_store *s, const struct p3d_access *who, int64_t overlap_ms, bool at_once,
                          p3d_store_cb *cb, void *priv)
{
    struct p3d_op *op = p3d_op_new(s, cb, priv, rotation_allowed);
    struct rotation *x = op->state = p3d_alloc(sizeof *x);
    x->overlap_ms = overlap_ms;
    x->at_once = at_once;
    (void)p3d_format(x->address, sizeof x->address, "%s", who->address);
    return p3d_access_send(op, who, NULL);
}
