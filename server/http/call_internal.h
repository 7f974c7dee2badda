/* SPDX-License-Identifier: MIT
 *
 * The cell of a call and what works on it: credentials, CORS, replies and the grammars of file
 * answers. The server and its connections are http_internal.h's.
 */
#pragma once
#include "http_internal.h"

#define P3D_CALL_MAGIC 0x70336443u
#define P3D_PATH_KEPT 160 /* bytes of the path kept for the log */

/* ---- credential.c ---- */
struct p3d_credentials {
    struct p3d_str authorization, api_key, admin_key; /* p NULL: no such header */
    bool repeated;                                    /* one of them stands there twice */
    struct p3d_str path, query;                       /* as received; query without its '?' */
};
/* Judge what can be judged without the store. Errors: P3D_E_TOKEN_*, P3D_E_API_KEY_INVALID,
 * P3D_E_ADMIN_KEY_INVALID, P3D_E_SIGNATURE_INVALID; P3D_E_STORE_DOWN no key fits, but not all may
 * be known. */
P3D_MUST int p3d_credential_judge(const struct p3d_http_options *o, const struct p3d_route *route,
                                  const struct p3d_credentials *given, struct p3d_access *ret);

/* ---- cors.c ---- */
/* The value of Access-Control-Allow-Origin: "*", an entry of the list, or NULL. ret_vary: it
 * depends on Origin. */
const char *p3d_cors_origin(char *const *origins, struct p3d_str origin, bool *ret_vary);
extern const char p3d_cors_expose[], p3d_cors_headers[];

/* ---- call_read.c ---- */
/* A target's path and its query without the '?' (p NULL: none), as they are written. */
void p3d_target_cut(struct p3d_str target, struct p3d_str *ret_path, struct p3d_str *ret_query);
/* The pair at the front of *rest, as it is written; false at the end. */
bool p3d_query_next(struct p3d_str *rest, struct p3d_str *ret_name, struct p3d_str *ret_value);

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
    h2o_req_t *req;               /* NULL: the client has left, or all is sent */
    struct hold *hold;            /* in the request's pool */
    struct p3d_call *next, *prev; /* http->calls */
    const struct p3d_route *route;
    struct p3d_match match;
    struct p3d_access access;
    bool head, readable, replied, cors_vary;
    bool left;    /* the client has; the request ends as soon as the library lets it */
    bool watched; /* leave.c only, with the next */
    struct p3d_timer look; /* set: bytes behind the request hide the client's end */
    const char *cors_origin;
    int status;
    uint64_t start_us; /* monotonic */
    struct reply_header *headers, **headers_end;
    struct arena *arena;
    struct deferred *deferred;
    void (*on_gone)(void *arg); /* the request's memory goes; file.c and stream.c only */
    void *on_gone_arg;
    void (*on_leave)(void *arg); /* p3d_call_on_gone; leave.c and the first answer only */
    void *on_leave_arg;
    void (*on_drain)(void *arg); /* leave.c only, with the next two */
    void *on_drain_arg;
    struct p3d_call *drain_next, *drain_prev; /* http->drainers */
    struct stream *stream; /* stream.c only; NULL: the answer is none */
    char *base_url;
    char request_id[65], method[8], client[P3D_ADDRESS_SIZE], path[P3D_PATH_KEPT];
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
/* The body of an error, malloc'ed, and the headers that go with it. detail may be NULL. Takes list.
 */
char *p3d_reply_error_body(struct p3d_call *c, int err, const char *detail, json_t *list,
                           size_t *ret_n);
void p3d_reply_empty(struct p3d_call *c, int status);
void p3d_reply_default(struct p3d_call *c, const char *name,
                       const char *value); /* header unless it is there */

/* ---- leave.c ---- */
#define P3D_STATUS_LEFT 499  /* never sent; what other servers log for a client that left */
#define P3D_IDLE_AGAIN_MS 1000
/* Notice the client's end while nothing is being written; the library reads nothing meanwhile. */
void p3d_leave_watch(struct p3d_call *c);
void p3d_leave_unwatch(struct p3d_call *c);
void p3d_leave_tell(struct p3d_call *c); /* on_leave, once */
/* End a request without an answer: 503, which nobody may read, then on_leave. */
void p3d_leave_refuse(struct p3d_call *c);
void p3d_drain_begin(struct p3d_http *h);
void p3d_drain_stop(struct p3d_http *h);
void p3d_drain_forget(struct p3d_call *c);

/* ---- stream.c ---- */
void p3d_stream_cut(struct p3d_call *c); /* reset the connection; the request is over a turn later */

/* ---- range.c ---- */
enum p3d_range { P3D_RANGE_WHOLE, P3D_RANGE_PART, P3D_RANGE_BAD };
/* One `bytes=` range of a body of size bytes; anything else is the whole. ret_n is of the part. */
enum p3d_range p3d_range_parse(struct p3d_str value, int64_t size, int64_t *ret_from,
                               int64_t *ret_n);
bool p3d_etag_listed(struct p3d_str if_none_match, const char *etag); /* weak comparison, "*" too */
void p3d_disposition(const char *filename, struct p3d_buf *out); /* value of Content-Disposition */
