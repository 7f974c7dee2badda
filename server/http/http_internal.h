/* SPDX-License-Identifier: MIT
 *
 * What the files of server/http share: the server, its connections and the small interfaces between
 * the stages loop -> conn -> guard -> dispatch -> router -> credential -> call -> reply/file; the
 * last three are call_internal.h's. h2o's names stay in this folder. One server per thread;
 * everything runs on its loop's thread.
 */
#pragma once
#include <h2o.h>

#include "p3d/config.h"
#include "p3d/http.h"
#include "p3d/loop.h"
#include "p3d/net.h"

#define P3D_PARAMS_MAX 4     /* parameters of one pattern */
#define P3D_HEAD_MAX 16384   /* bytes of a request head; above it 431 */
#define P3D_PLAIN_BODY 65536 /* bytes of a body where none is needed */

struct p3d_router;
struct p3d_guard;

/* ---- loop.c ---- */
struct p3d_h2o_loop {
    struct p3d_loop base; /* first: ops get this pointer */
    h2o_evloop_t *ev;
};
P3D_MUST int p3d_h2o_loop_init(struct p3d_h2o_loop *l);
void p3d_h2o_loop_run_once(struct p3d_h2o_loop *l, int max_ms);

/* ---- server ---- */
struct conn {
    struct p3d_http *http;
    h2o_socket_t *sock;
    struct conn *next, *prev;
    char peer[INET6_ADDRSTRLEN]; /* text */
    unsigned calls;              /* answers not yet sent completely; call.c only */
    struct p3d_call *watcher;    /* who wants to know when the client leaves; leave.c only */
    int linger_fd; /* keeps the connection open for the client to read a last answer, or -1 */
};

struct p3d_http {
    struct p3d_h2o_loop loop; /* first */
    struct p3d_http_options o;
    h2o_globalconf_t conf;
    h2o_context_t ctx;
    h2o_accept_ctx_t accept;
    h2o_socket_t *listener;
    struct p3d_router *router;
    struct p3d_guard *guard;
    struct p3d_pool *files; /* cold reads */
    struct conn conns;      /* ring head */
    size_t conns_n, conns_max;
    struct p3d_net *proxies; /* whose X-Forwarded-For is believed */
    size_t proxies_n;
    struct farewell *farewells; /* conn.c only */
    size_t farewells_n;
    struct p3d_call *calls;    /* cells whose request lives */
    struct p3d_timer again;    /* accept again after the descriptors ran out */
    struct p3d_timer idle;     /* after a drain: close the connections that ask for nothing */
    struct p3d_timer tick, cut; /* of a drain; leave.c only, with the next three */
    struct p3d_call *drainers; /* who wants to be told */
    size_t drainers_n;
    unsigned drain_ticks;      /* left */
    const h2o_req_t *replying; /* whose answer is ours, while it is started; reply.c only */
    bool started, draining;
};

/* ---- conn.c ---- */
P3D_MUST int p3d_conn_listen(struct p3d_http *h, struct p3d_error *err); /* takes o.listen_fd */
void p3d_conn_stop(struct p3d_http *h);                                  /* no more accepting */
void p3d_conn_close_all(struct p3d_http *h); /* at the end: what is left goes */
struct conn *p3d_conn_of(const h2o_req_t *req);
/* The answer to come is the last one, and the client may still be sending: keep the connection
 * readable for it. */
void p3d_conn_linger(struct conn *c);

/* ---- router.c ---- */
struct p3d_match {
    const struct p3d_route *route; /* NULL: no such path, or not with this method */
    unsigned methods;              /* bit per p3d_method that the path knows; 0 = no such path */
    struct p3d_str params[P3D_PARAMS_MAX]; /* inside `text` */
    unsigned params_n;
    char text[P3D_PARAMS_MAX * 129];
};
P3D_MUST int p3d_router_new(const struct p3d_route *routes, size_t n, struct p3d_router **ret,
                            struct p3d_error *err);
void p3d_router_free(struct p3d_router *r);
/* The byte of the escape "%XX" at s[*at]; *at moves to its last character. false: it is none. */
bool p3d_percent_read(struct p3d_str s, size_t *at, char *ret);
/* method: as received ("HEAD" counts as GET); target: as received, with query. */
void p3d_router_match(const struct p3d_router *r, struct p3d_str method, struct p3d_str target,
                      struct p3d_match *ret);

/* ---- guard.c ---- */
struct p3d_guard_options {
    const struct p3d_router *router;
    size_t limits[P3D_BODY_BATCH + 1]; /* bytes of a body, by p3d_body_kind */
};
/* Errors: P3D_E_CONFIG when the library does not call our parser. */
P3D_MUST int p3d_guard_new(const struct p3d_guard_options *o, struct p3d_guard **ret,
                           struct p3d_error *err);
void p3d_guard_free(struct p3d_guard *g);
void p3d_guard_enter(
    struct p3d_guard *g); /* this thread parses for g from here on; NULL: for nobody */
struct p3d_verdict {
    int err;            /* 0, or P3D_E_* */
    const char *detail; /* static, NULL: the table's */
    bool unread;        /* the body is not going to be read */
};
/* On the head that was parsed last, once. */
struct p3d_verdict p3d_guard_take(struct p3d_guard *g);
size_t p3d_guard_limit(const struct p3d_guard *g, const struct p3d_route *route);

/* ---- dispatch.c ---- */
void p3d_dispatch_register(struct p3d_http *h, h2o_pathconf_t *path);
