/* SPDX-License-Identifier: MIT
 *
 * Is this Redis one that jobs can be trusted to? Version and eviction policy from INFO, then schema and artifact
 * store by check.lua. Asked once by each process before it serves or works.
 */
#include <stdio.h>
#include <string.h>

#include "p3d/doctor.h"
#include "store_internal.h"

#define SCHEMA "3"
enum { LEAST_MAJOR = 6, LEAST_MINOR = 2 };

struct check {
    struct p3d_store *s;
    p3d_store_cb *cb;
    void *priv;
    struct p3d_error *err;
    char *artifact_id;
};

/* The value of "name:" at the start of a line of INFO; empty when absent. */
static struct p3d_str info(struct p3d_str text, const char *name)
{
    char line[64];
    size_t n = (size_t)snprintf(line, sizeof line, "\n%s:", name);
    const char *at = text.n ? memmem(text.p, text.n, line, n) : NULL;
    if (!at)
        return (struct p3d_str){0};
    at += n;
    size_t rest = text.n - (size_t)(at - text.p);
    const char *end = memchr(at, '\r', rest);
    return (struct p3d_str){at, end ? (size_t)(end - at) : rest};
}

static int judge(const struct p3d_store *s, struct p3d_str text, struct p3d_error *err)
{
    struct p3d_str version = info(text, "redis_version"), policy = info(text, "maxmemory_policy");
    char v[32];
    int major = 0, minor = 0;
    (void)p3d_format(v, sizeof v, "%.*s", (int)version.n, version.n ? version.p : "");
    if (sscanf(v, "%d.%d", &major, &minor) != 2 ||
        major < LEAST_MAJOR || (major == LEAST_MAJOR && minor < LEAST_MINOR))
        return p3d_fail(err, P3D_E_CONFIG, "Redis %s is too old: 6.2 or newer is needed", v);
    if (!p3d_str_eq_z(policy, "noeviction"))
        return p3d_fail(err, P3D_E_CONFIG,
                        "Redis has maxmemory-policy %.*s and may throw jobs away: set it to noeviction",
                        (int)policy.n, policy.n ? policy.p : "");
    bool lost = !p3d_str_eq_z(info(text, "aof_enabled"), "1"), 
         unlimited = !s->memory_limited && p3d_str_eq_z(info(text, "maxmemory"), "0");
    (void)p3d_format(err->detail, sizeof err->detail, "%s%s%s",
                     lost ? "Redis keeps no append-only file: if it stops, everything since its last snapshot is lost. "
                            "Set appendonly yes" : "",
                     lost && unlimited ? ". " : "",
                     unlimited ? "Redis has no maxmemory: set it, or redis.memory_limit, so that submits are refused "
                                 "before the machine runs out of memory" : "");
    return 0;
}

const char *p3d_store_schema(void)
{
    return SCHEMA;
}

static void check_free(struct check *c)
{
    free(c->artifact_id);
    free(c);
}

/* The reason of a refusal is the script's second element. */
static void on_check(void *priv, int err, const redisReply *r)
{
    struct check *c = priv;
    struct p3d_str why = {0};
    struct p3d_answer a = {0};
    if (err == P3D_E_CONFIG && r && p3d_reply_str(r, 1, &why))
        (void)p3d_fail(c->err, P3D_E_CONFIG, "%.*s", (int)why.n, why.p);
    c->cb(c->priv, err, err == P3D_E_STORE_DOWN || err == P3D_E_CORRUPT ? NULL : &a);
    check_free(c);
}

static void on_info(void *priv, int err, const redisReply *r)
{
    struct check *c = priv;
    if (err == 0)
        err = r->type == REDIS_REPLY_STRING ? judge(c->s, (struct p3d_str){r->str, (size_t)r->len}, c->err) : P3D_E_CORRUPT;
    if (err == 0) {
        struct p3d_str key = P3D_STR(P3D_KEY_DIRECTORY);
        struct p3d_str args[] = {P3D_STR(SCHEMA), p3d_str_z(c->artifact_id)};
        err = !c->s->conn ? P3D_E_STORE_DOWN : p3d_conn_script(c->s->conn, P3D_SCRIPT_check, &key, 1, args, 2, on_check, c);
        if (err == 0)
            return;
    }
    on_check(c, err, NULL);
}

int p3d_store_check(struct p3d_store *s, const char *artifact_id, struct p3d_error *ret_err, p3d_store_cb *cb, void *priv)
{
    struct check *c = p3d_alloc(sizeof *c);
    *c = (struct check){.s = s, .cb = cb, .priv = priv, .err = ret_err, .artifact_id = p3d_strdup(artifact_id)};
    struct p3d_str info_args[] = {P3D_STR("INFO")};
    int err = !s->conn ? P3D_E_STORE_DOWN : p3d_conn_call(s->conn, info_args, 1, 0, on_info, c);
    if (err)
        check_free(c);
    return err;
}

/* ---- memory ---- */

struct memory {
    void (*cb)(void *priv, int err, int64_t used_bytes, int64_t limit_bytes);
    void *priv;
};

static void on_memory(void *priv, int err, const redisReply *r)
{
    struct memory *m = priv;
    int64_t used = 0, limit = 0;
    if (err == 0 && r->type != REDIS_REPLY_STRING)
        err = P3D_E_CORRUPT;
    struct p3d_str text = err == 0 ? (struct p3d_str){r->str, (size_t)r->len} : (struct p3d_str){NULL, 0};
    if (err == 0 && (p3d_str_to_i64(info(text, "used_memory"), 0, INT64_MAX, &used) ||
                     p3d_str_to_i64(info(text, "maxmemory"), 0, INT64_MAX, &limit)))
        err = P3D_E_CORRUPT;
    m->cb(m->priv, err, used, limit);
    free(m);
}

int p3d_store_memory(struct p3d_store *s, void (*cb)(void *priv, int err, int64_t used_bytes, int64_t limit_bytes),
                     void *priv)
{
    struct memory *m = p3d_alloc(sizeof *m);
    *m = (struct memory){cb, priv};
    struct p3d_str args[] = {P3D_STR("INFO"), P3D_STR("memory")};
    int err = !s->conn ? P3D_E_STORE_DOWN : p3d_conn_call(s->conn, args, 2, 0, on_memory, m);
    if (err)
        free(m);
    return err;
}
