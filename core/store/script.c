/* SPDX-License-Identifier: MIT
 *
 * Calling a script by its digest, and what its reply means. The texts and digests are made at build time (embed.cmake).
 * That the server may not know a script is conn_call.c's affair.
 */
#include "conn_parts_internal.h"

#include <string.h>

const struct p3d_script_info *p3d_script_info(enum p3d_script s)
{
    return &p3d_script_table[s];
}

int p3d_conn_script(struct p3d_conn *c, enum p3d_script s, const struct p3d_str *keys, size_t nkeys,
                    const struct p3d_str *args, size_t nargs, p3d_conn_cb *cb, void *priv)
{
    const struct p3d_str head[] = {P3D_STR("EVALSHA"), p3d_str_z(p3d_script_table[s].sha1)};
    char number[24];

    int rc = p3d_call_allowed(c);
    if (rc)
        return rc;
    (void)p3d_format(number, sizeof number, "%zu", nkeys);
    const struct p3d_str count = p3d_str_z(number);
    const struct p3d_argv parts[] = {{head, 2}, {&count, 1}, {keys, nkeys}, {args, nargs}};
    return p3d_call_send(c, parts, sizeof parts / sizeof *parts, (int)s, 0, cb, priv);
}

int p3d_script_err(const redisReply *r)
{
    if (r->type == REDIS_REPLY_ERROR)
        return p3d_reply_err(r);
    if (r->type != REDIS_REPLY_ARRAY || !r->elements)
        return P3D_E_CORRUPT;
    const redisReply *first = r->element[0];
    if (first->type != REDIS_REPLY_STRING && first->type != REDIS_REPLY_STATUS)
        return P3D_E_CORRUPT;
    if (first->len == 2 && !memcmp(first->str, "ok", 2))
        return 0;
    int err = p3d_err_find(first->str, first->len);
    return err == P3D_E_INTERNAL ? P3D_E_CORRUPT : err; /* unknown; no script says INTERNAL of itself */
}
