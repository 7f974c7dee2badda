/* SPDX-License-Identifier: MIT
 *
 * Reading a Redis of another system, in a straight line, for programs of the command line. Only
 * commands that read are ever sent (SCAN and its kin, GETRANGE, HMGET, SCARD, HLEN, ZCARD, DBSIZE), all
 * bounded: nothing is asked for as a whole. While a call waits, everything else on its loop goes
 * on. Nothing that comes back is judged here.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "p3d/err.h"
#include "p3d/str.h"

struct p3d_foreign;
struct p3d_poll_loop;

/* What a call brought; zero-initialised before its first use, used again and again,
 * p3d_foreign_page_done at the end. Both wipe what it held. */
struct p3d_foreign_page {
    struct p3d_str *v; /* p NULL: nothing there, or no text; else terminated behind n */
    size_t n;
    struct p3d_buf bytes; /* what v points into */
};
void p3d_foreign_page_done(struct p3d_foreign_page *p);

enum p3d_foreign_kind {
    P3D_FOREIGN_KEYS, /* names of keys like a glob pattern */
    P3D_FOREIGN_SET,  /* members */
    P3D_FOREIGN_HASH, /* field, value, field, value … */
    P3D_FOREIGN_ZSET, /* member, score, … */
};
/* A walk through all of one kind; zero-initialised at its start. What is there all the time comes
 * at least once. */
struct p3d_foreign_walk {
    char cursor[24]; /* "": from the start */
    bool ended;
    unsigned count; /* asked for at a time; follows the size of the pages */
};

/* url as of redis.url, never empty. Waits for the connection for timeout_ms, which is also the
 * patience of every call. Errors: P3D_E_CONFIG the URL (without its password); P3D_E_STORE_DOWN,
 * err->detail says where and why. */
P3D_MUST int p3d_foreign_open(struct p3d_poll_loop *l, struct p3d_str url, uint64_t timeout_ms,
                              struct p3d_foreign **ret, struct p3d_error *err);
void p3d_foreign_close(struct p3d_foreign *f); /* NULL is fine */
/* Why the last call failed; printable, no secret; lives as long as f. */
const char *p3d_foreign_error(const struct p3d_foreign *f);

/* Errors of all: P3D_E_STORE_DOWN lost or too late; P3D_E_CORRUPT the key is of another type, or an
 * answer makes no sense. */

/* The next page, perhaps empty. of: pattern of keys, or the name of the key. Not after w->ended. */
P3D_MUST int p3d_foreign_next(struct p3d_foreign *f, enum p3d_foreign_kind kind, struct p3d_str of,
                              struct p3d_foreign_walk *w, struct p3d_foreign_page *ret);
/* The texts of n keys, each cut after max bytes. Empty: no such key; p NULL: the key holds
 * something else. */
P3D_MUST int p3d_foreign_texts(struct p3d_foreign *f, const struct p3d_str *keys, size_t n,
                               size_t max, struct p3d_foreign_page *ret);
/* n fields (1..100,000) of one hash; p NULL: no such field. */
P3D_MUST int p3d_foreign_fields(struct p3d_foreign *f, struct p3d_str key,
                                const struct p3d_str *fields, size_t n,
                                struct p3d_foreign_page *ret);
/* How many there are in a set, hash or zset. */
P3D_MUST int p3d_foreign_count(struct p3d_foreign *f, enum p3d_foreign_kind kind,
                               struct p3d_str key, int64_t *ret);
