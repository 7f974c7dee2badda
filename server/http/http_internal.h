/* SPDX-License-Identifier: MIT
 *
 * What the files of server/http share: the server, its connections, the cell of a call and the small interfaces between
 * the stages loop -> conn -> guard -> dispatch -> router -> credential -> call -> reply/file. h2o's names stay in here.
 * One server per thread; everything runs on its loop's thread.
 */
#pragma once
#include <h2o.h>

#include "p3d/config.h"
#include "p3d/http.h"
#include "p3d/loop.h"

#define P3D_CALL_MAGIC 0x70336443u
#define P3D_PARAMS_MAX 4      /* parameters of one pattern */
#define P3D_PATH_KEPT 160     /* bytes of the path kept for the log */
#define P3D_HEAD_MAX 16384    /* bytes of a request head; above it 431 */
#define P3D_PLAIN_BODY 65536  /* bytes of a body where none is needed */

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
    int linger_fd;               /* keeps the connection open for the client to read a last answer, or -1 */
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
    struct p3d_pool *files;    /* cold reads */
    struct conn conns;         /* ring head */
    size_t conns_n, conns_max;
    struct farewell *farewells;   /* conn.c only */
    size_t farewells_n;
    struct p3d_call *calls;    /* cells whose request lives */
    struct p3d_timer again;    /* accept again after the descriptors ran out */
    struct p3d_timer idle;     /* after a drain: close the connections that ask for nothing */
    const h2o_req_t *replying; /* whose answer is ours, while it is started; reply.c only */
    bool started, draining;
};

/* ---- conn.c ---- */
P3D_MUST int p3d_conn_listen(struct p3d_http *h, struct p3d_error *err); /* takes o.listen_fd */
void p3d_conn_stop(struct p3d_http *h);                                 /* no more accepting */
void p3d_conn_close_all(struct p3d_http *h);                            /* at the end: what is left goes */
struct conn *p3d_conn_of(const h2o_req_t *req);
/* The answer to come is the last one, and the client may still be sending: keep the connection readable for it. */
void p3d_conn_linger(struct conn *c);

/* ---- router.c ---- */
struct p3d_match {
    const struct p3d_route *route; /* NULL: no such path, or not with this method */
    unsigned methods;              /* bit per p3d_method that the path knows; 0 = no such path */
    struct p3d_str params[P3D_PARAMS_MAX]; /* inside `text` */
    unsigned params_n;
    char text[P3D_PARAMS_MAX * 129];
};
P3D_MUST int p3d_router_new(const struct p3d_route *routes, size_t n, struct p3d_router **ret, struct p3d_error *err);
void p3d_router_free(struct p3d_router *r);
/* method: as received ("HEAD" counts as GET); target: as received, with query. */
void p3d_router_match(const struct p3d_router *r, struct p3d_str method, struct p3d_str target, struct p3d_match *ret);

/* ---- guard.c ---- */
struct p3d_guard_options {
    const struct p3d_router *router;
    size_t limits[P3D_BODY_SUBMIT + 1]; /* bytes of a body, by p3d_body_kind */
};
/* Errors: P3D_E_CONFIG when the library does not call our parser. */
P3D_MUST int p3d_guard_new(const struct p3d_guard_options *o, struct p3d_guard **ret, struct p3d_error *err);
void p3d_guard_free(struct p3d_guard *g);
void p3d_guard_enter(struct p3d_guard *g); /* this thread parses for g from here on; NULL: for nobody */
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

/* ---- credential.c ---- */
struct p3d_credentials {
    struct p3d_str authorization, api_key, admin_key; /* p NULL: no such header */
    bool repeated;                                    /* one of them stands there twice */
};
/* Judge what can be judged without the store. Errors: P3D_E_TOKEN_*, P3D_E_API_KEY_INVALID, P3D_E_ADMIN_KEY_INVALID. */
P3D_MUST int p3d_credential_judge(const struct p3d_config *cfg, const struct p3d_route *route,
                                  const struct p3d_credentials *given, struct p3d_access *ret);

/* ---- cors.c ---- */
/* The value of Access-Control-Allow-Origin: "*", an entry of the list, or NULL. ret_vary: it depends on Origin. */
const char *p3d_cors_origin(char *const *origins, struct p3d_str origin, bool *ret_vary);
extern const char p3d_cors_expose[], p3d_cors_headers[];

/* ---- call.c ---- */
struct reply_header {
    struct reply_header *next;
    const char *name;
    size_t name_n;
    const char *value;
};
struct p3d_call {
    unsigned magic;
    unsigned refs; /* of users; the request's own hold is `hold` */
    struct p3d_http *http;
    h2o_req_t *req;    /* NULL: the client has left, or all is sent */
    struct hold *hold; /* in the request's pool */
    struct p3d_call *next, *prev; /* http->calls */
    const struct p3d_route *route;
    struct p3d_match match;
    struct p3d_access access;
    bool head, readable, replied, cors_vary;
    const char *cors_origin;
    int status;
    uint64_t start_us; /* monotonic */
    struct reply_header *headers, **headers_end;
    struct arena *arena;
    struct deferred *deferred;
    void (*on_gone)(void *arg); /* the request's memory goes; file.c only */
    void *on_gone_arg;
    char *base_url;
    char request_id[65], method[8], peer[INET6_ADDRSTRLEN], path[P3D_PATH_KEPT];
};
extern const struct p3d_route p3d_route_none;

/* A cell for req, with one reference for the caller. */
double p3d_call_seconds(const struct p3d_call *c); /* since it began */
struct p3d_call *p3d_call_new(struct p3d_http *h, h2o_req_t *req);
void p3d_call_keep(struct p3d_call *c, char *body); /* malloc'ed; freed when the request is over */
/* As p3d_call_header, also after the handler; empty once the client is gone. */
struct p3d_str p3d_call_peek(const struct p3d_call *c, const char *lower_name);

/* ---- reply.c ---- */
/* Fill req->res: status and all headers; body_n SIZE_MAX: no length. */
void p3d_reply_head(struct p3d_call *c, int status, size_t body_n);
/* Start the answer; false: nobody is there any more, or it was answered. */
bool p3d_reply_begin(struct p3d_call *c, int status, size_t body_n, h2o_generator_t *gen);
/* The body of an error, malloc'ed, and the headers that go with it. detail may be NULL. Takes list. */
char *p3d_reply_error_body(struct p3d_call *c, int err, const char *detail, json_t *list, size_t *ret_n);
void p3d_reply_empty(struct p3d_call *c, int status);
void p3d_reply_default(struct p3d_call *c, const char *name, const char *value); /* header unless it is there */

/* ---- range.c ---- */
enum p3d_range { P3D_RANGE_WHOLE, P3D_RANGE_PART, P3D_RANGE_BAD };
/* One `bytes=` range of a body of size bytes; anything else is the whole. ret_n is of the part. */
enum p3d_range p3d_range_parse(struct p3d_str value, int64_t size, int64_t *ret_from, int64_t *ret_n);
bool p3d_etag_listed(struct p3d_str if_none_match, const char *etag);       /* weak comparison, "*" too */
void p3d_disposition(const char *filename, struct p3d_buf *out); /* value of Content-Disposition */
