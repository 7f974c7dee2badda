/* SPDX-License-Identifier: MIT
 *
 * The HTTP side as the API's handlers see it. h2o lives behind this header, in server/http only.
 *
 * A handler gets a `struct p3d_call`: the cell of one request that outlives its client. A handler answers at once, or
 * takes a reference, starts a store call and answers from its callback. The client may be gone by then: every reply
 * function is then a no-op, so no caller ever asks. Exactly one reply per call; one that is dropped without a reply
 * is answered 500 and logged.
 *
 * What the request said (method, headers, query, body) may be read only until the handler returns (asserted); params,
 * request id, base URL and memory of p3d_call_alloc live as long as the call. All on the loop's thread.
 */
#pragma once
#include <jansson.h>

#include "p3d/err.h"
#include "p3d/json.h"
#include "p3d/store.h"
#include "p3d/str.h"

struct p3d_app; /* what handlers work on: server/api/app_internal.h */
struct p3d_call;
struct p3d_http;
struct p3d_signing;

enum p3d_method { P3D_GET, P3D_POST, P3D_PUT, P3D_PATCH, P3D_DELETE, P3D_METHOD__COUNT };

enum p3d_credential {
    P3D_CRED_PUBLIC, /* nothing asked, nothing read */
    P3D_CRED_TOKEN,  /* a valid token; in simple mode nothing, or an api key */
    P3D_CRED_URL,    /* as TOKEN, or a signed URL (signing.h) */
    P3D_CRED_ADMIN,  /* a valid token of an admin; in simple mode as TOKEN. Below /admin/ also the operator's X-Admin-API-Key */
};
enum p3d_mode {
    P3D_MODE_ANY,
    P3D_MODE_AUTH, /* simple mode answers 503 P3D_E_AUTH_OFF */
};
enum p3d_body_kind { P3D_BODY_NONE, P3D_BODY_JSON, P3D_BODY_SUBMIT, P3D_BODY_BATCH }; /* decides the size limit */

/* One row of the route table. pattern: "/api/v1/jobs/{id}"; a literal segment wins over a parameter. */
struct p3d_route {
    enum p3d_method method; /* GET answers HEAD as well */
    const char *pattern;
    enum p3d_credential credential;
    enum p3d_scope scope; /* 0 = any valid token */
    enum p3d_mode mode;
    enum p3d_body_kind body;
    void (*handler)(struct p3d_call *c);
    const char *name; /* of the handler: "job_get"; for logs, metrics, tests */
    const char *doc;  /* one line */
    void *arg;        /* of the row: p3d_call_arg(); the feature of a submit route */
};

/* ---- the request ---- */
struct p3d_app *p3d_call_app(const struct p3d_call *c);
const struct p3d_route *p3d_call_route(const struct p3d_call *c); /* never NULL; "none" for what was no route */
void *p3d_call_arg(const struct p3d_call *c);                      /* of the route's row */
const char *p3d_call_method(const struct p3d_call *c);             /* for logs; cut to 7 characters */
const char *p3d_call_path(const struct p3d_call *c);               /* for logs: as received, no query, cut */
/* Filled by dispatch from the credential headers and the route, ready for the store. */
const struct p3d_access *p3d_call_access(const struct p3d_call *c);
struct p3d_str p3d_call_param(const struct p3d_call *c, unsigned i); /* i-th {…} of the pattern; 1..128 of [A-Za-z0-9._@-] */
/* Decoded value of a query parameter (first one). false when absent. Bad %-escapes or UTF-8: present with p == NULL. */
bool p3d_call_query(struct p3d_call *c, const char *name, struct p3d_str *ret);
struct p3d_str p3d_call_header(const struct p3d_call *c, const char *lower_name); /* empty when absent */
struct p3d_str p3d_call_body(const struct p3d_call *c);
bool p3d_call_is_head(const struct p3d_call *c);
const char *p3d_call_request_id(const struct p3d_call *c);
const char *p3d_call_base_url(const struct p3d_call *c); /* "http://host:port", no slash at the end */
const char *p3d_call_client(const struct p3d_call *c);   /* address of the client, text */
bool p3d_call_gone(const struct p3d_call *c);            /* the client has left */

/* ---- the cell ---- */
struct p3d_call *p3d_call_ref(struct p3d_call *c);
void p3d_call_unref(struct p3d_call *c);
void *p3d_call_alloc(struct p3d_call *c, size_t n);            /* zeroed, lives as long as the cell */
void p3d_call_defer(struct p3d_call *c, void (*fn)(void *), void *arg); /* fn(arg) when the cell dies */

/* ---- answers ---- */
void p3d_reply_header(struct p3d_call *c, const char *lower_name, const char *value); /* before the reply; copied;
                                                                             control bytes in value become '_' */
void p3d_reply_json(struct p3d_call *c, int status, json_t *body); /* steals body */
/* The error envelope. detail NULL: the table's text. Adds WWW-Authenticate and Retry-After where they belong. */
void p3d_reply_error(struct p3d_call *c, int err, const char *detail);
void p3d_reply_faults(struct p3d_call *c, struct p3d_faults *f); /* 422 with the list; empties f */

/* A file: body by pieces, never blocking the loop, constant memory. fd: taken, closed at the end. HEAD: no body. */
struct p3d_file_reply {
    int fd;
    int64_t size_bytes, mtime_s;
    const char *content_type;
    const char *etag;     /* without quotes, or NULL; answers If-None-Match with 304 */
    const char *filename; /* for Content-Disposition: attachment, any UTF-8; NULL = none */
};
void p3d_reply_file(struct p3d_call *c, const struct p3d_file_reply *f);

/* A body of unknown length: text that comes bit by bit (event streams, logs). Begun once, then any number of pieces until
 * the end; pieces wait in memory while the client is slow, at most max_bytes, then the connection is cut.
 * gone(arg): the client has left, or was cut; also while nothing is being sent. Never after p3d_stream_end. */
void p3d_stream_begin(struct p3d_call *c, const char *content_type, size_t max_bytes, void (*gone)(void *arg), void *arg);
void p3d_stream_send(struct p3d_call *c, struct p3d_str bytes); /* copied */
void p3d_stream_end(struct p3d_call *c);
size_t p3d_stream_waiting(const struct p3d_call *c); /* bytes that the client has not taken yet */
/* Be told, once, when the client leaves before there is an answer (a long poll); one that shuts its sending side has left.
 * What is answered after that goes nowhere. NULL: not any more; an answer ends it, too. */
void p3d_call_on_gone(struct p3d_call *c, void (*gone)(void *arg), void *arg);
/* Be told when the server drains: streams and waits are to end now. Once, one call after the other over 4 s (less when
 * server.drain_seconds is); soon if it drains already. Streams that are left a little later are cut. NULL: not any more. */
void p3d_call_on_drain(struct p3d_call *c, void (*drain)(void *arg), void *arg);

/* ---- the server ---- */
struct p3d_http_options {
    const struct p3d_config *cfg;
    struct p3d_app *app;
    const struct p3d_route *routes; /* process lifetime */
    size_t routes_n;
    const struct p3d_signing *signing; /* process lifetime; may change between requests */
    const bool *legacy_tokens;      /* the same: 43-character tokens are worth asking the store */
    int listen_fd;                  /* taken; non-blocking, shared with other processes */
    void (*on_request)(struct p3d_app *app, const struct p3d_call *c, int status, double seconds, int64_t bytes); /* log */
};
/* A loop that runs h2o. Make it first: the store opens on p3d_http_loop(). */
P3D_MUST int p3d_http_new(struct p3d_http **ret, struct p3d_error *err);
struct p3d_loop *p3d_http_loop(struct p3d_http *h);
/* Compile the table (P3D_E_CONFIG: two rows for the same method and pattern) and begin to accept. */
P3D_MUST int p3d_http_start(struct p3d_http *h, const struct p3d_http_options *o, struct p3d_error *err);
void p3d_http_run_once(struct p3d_http *h, int max_ms);
/* Stop accepting; open requests finish, each answer says `connection: close`. idle: no connection is left. */
void p3d_http_drain(struct p3d_http *h);
bool p3d_http_idle(const struct p3d_http *h);
void p3d_http_free(struct p3d_http *h);
