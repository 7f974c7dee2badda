/* SPDX-License-Identifier: MIT
 *
 * One connection to Redis on a p3d_loop, and the scripts. Private to core/store: the only place that sees hiredis.
 */
#pragma once
#include <hiredis/hiredis.h>

#include "p3d/crypto.h"
#include "p3d/err.h"
#include "p3d/loop.h"
#include "p3d/str.h"

struct p3d_config;
struct p3d_conn;

struct p3d_redis_url {
    char *host, *path; /* one of the two; path: unix socket (reached through a directory descriptor: any length) */
    int port, db;
    struct p3d_secret user, password;
};
/* redis://[user:password@]host:port/db, redis://:password@host, unix:///path; percent-escapes in user and password.
 * An empty url: unix socket data_dir/run/redis.sock. rediss:// is refused and stunnel named.
 * Errors: P3D_E_CONFIG, the detail never holds the password. */
P3D_MUST int p3d_redis_url_parse(struct p3d_str url, const char *data_dir, struct p3d_redis_url *ret,
                                 struct p3d_error *err);
void p3d_redis_url_done(struct p3d_redis_url *u);

struct p3d_conn_options {
    const struct p3d_config *cfg;
    uint64_t timeout_ms;  /* of a command; a late connection is dropped and made anew */
    size_t max_inflight;
    bool no_scripts;      /* no SCRIPT LOAD; p3d_conn_script works still, slowly the first time */
    void (*on_state)(void *priv, bool up);
    /* NULL, or sees each reply first while the connection is up: true, it was a message that nobody asked for. */
    bool (*on_push)(void *priv, const redisReply *reply);
    void *priv;
};
/* Connects in the background: resolve, connect, AUTH, SELECT, CLIENT SETNAME, SCRIPT LOAD of every script; up only then.
 * After a loss: again after 50 ms, doubling to 2 s, jittered. */
P3D_MUST int p3d_conn_open(struct p3d_loop *l, const struct p3d_conn_options *o, struct p3d_conn **ret,
                           struct p3d_error *err);
/* Every waiting command is answered before it returns, and on_state is not called any more: nothing of the owner is
 * touched after it. May be called from any callback of the connection. NULL is fine. Can wait for a running DNS lookup. */
void p3d_conn_close(struct p3d_conn *c);
bool p3d_conn_up(const struct p3d_conn *c);
/* The server is not one to go on with (what it says makes no sense): as if the connection had been lost. */
void p3d_conn_drop(struct p3d_conn *c, const char *why);
/* Why the connection was lost or not made the last time, or ""; printable, no secret; lives as long as c. */
const char *p3d_conn_last_error(const struct p3d_conn *c);

/* err: 0 and a reply of any type but error; P3D_E_STORE_DOWN and NULL; or for an error reply: P3D_E_STORE_FULL (OOM),
 * P3D_E_STORE_DOWN (LOADING, READONLY, MASTERDOWN, BUSY, MISCONF and their like), P3D_E_CORRUPT (all other), with
 * that reply. */
typedef void p3d_conn_cb(void *priv, int err, const redisReply *reply);

/* Queue a command; all commands of a turn leave in one write. argv is copied. cb exactly once unless an error is
 * returned: P3D_E_STORE_DOWN, P3D_E_BUSY. timeout_ms 0 = the connection's. */
P3D_MUST int p3d_conn_call(struct p3d_conn *c, const struct p3d_str *argv, size_t n, uint64_t timeout_ms, p3d_conn_cb *cb,
                           void *priv);

/* Scripts: scripts.def, made from lua/<name>.lua behind its preludes at build time. */
enum p3d_script {
#define P3D_SCRIPT(name, preludes) P3D_SCRIPT_##name,
#include "scripts.def"
#undef P3D_SCRIPT
    P3D_SCRIPT__COUNT
};
struct p3d_script_info {
    const char *name;
    const char *sha1;    /* lower-case hex, of text */
    const char *key;     /* prefix of its family of keys: its KEYS[1] */
    int line;            /* lines of the preludes: line N of a Lua error is line N - line of the script */
    struct p3d_str text; /* preludes + the script, comment lines emptied */
};
const struct p3d_script_info *p3d_script_info(enum p3d_script s);

/* EVALSHA with keys (nkeys) then args, NOSCRIPT answered by EVAL. Every script returns an array whose first element is
 * "ok" or a symbol of err.def; err is that error then and reply the array still (for its further elements). */
P3D_MUST int p3d_conn_script(struct p3d_conn *c, enum p3d_script s, const struct p3d_str *keys, size_t nkeys,
                             const struct p3d_str *args, size_t nargs, p3d_conn_cb *cb, void *priv);
