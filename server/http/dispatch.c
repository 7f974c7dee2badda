/* SPDX-License-Identifier: MIT
 *
 * From a request to its handler: the order of checks of API.md section 1 up to the handler's door,
 * in one function. route (404, 405) -> framing and size (400, 413, 431) -> mode (503) -> credential
 * (401, 403) -> handler. Also here: the answers that the HTTP library makes itself (a broken chunk,
 * too many of them) are replaced on their way out by the same JSON envelope. To add a check, add it
 * where the contract's order wants it.
 */
#include "call_internal.h"

#include <string.h>

struct handler {
    h2o_handler_t super;
    struct p3d_http *http;
};
struct filter {
    h2o_filter_t super;
    struct p3d_http *http;
};
struct replace {
    h2o_ostream_t super;
    h2o_iovec_t body; /* base NULL: none (HEAD) */
};

static void add_allow(struct p3d_call *c, const char *name)
{
    static const char *const words[P3D_METHOD__COUNT] = {"GET, HEAD", "POST", "PUT", "PATCH",
                                                         "DELETE"};
    struct p3d_buf b;
    p3d_buf_init(&b, 128);
    for (unsigned m = 0; m < P3D_METHOD__COUNT; m++)
        if ((c->match.methods & 1u << m) != 0)
            p3d_buf_addf(&b, "%s, ", words[m]);
    p3d_buf_addz(&b, "OPTIONS");
    p3d_reply_header(c, name, b.p);
    p3d_buf_done(&b);
}

/* OPTIONS, a preflight or not: what the path knows. Nothing is asked; nothing is told that the
 * API's page does not. */
static void answer_options(struct p3d_call *c)
{
    add_allow(c, "allow");
    if (c->cors_origin != NULL) {
        add_allow(c, "access-control-allow-methods");
        p3d_reply_header(c, "access-control-allow-headers", p3d_cors_headers);
        p3d_reply_header(c, "access-control-max-age", "600");
    }
    p3d_reply_empty(c, 204);
}

static void collect(const struct p3d_call *c, struct p3d_credentials *ret)
{
    const struct {
        const char *name;
        struct p3d_str *to;
    } wanted[] = {
        {"authorization", &ret->authorization},
        {"x-api-key", &ret->api_key},
        {"x-admin-api-key", &ret->admin_key},
    };
    *ret = (struct p3d_credentials){.repeated = false};
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        size_t n = strlen(wanted[i].name);
        ssize_t at = h2o_find_header_by_str(&c->req->headers, wanted[i].name, n, -1);
        if (at < 0)
            continue;
        *wanted[i].to = (struct p3d_str){c->req->headers.entries[at].value.base,
                                         c->req->headers.entries[at].value.len};
        ret->repeated |= h2o_find_header_by_str(&c->req->headers, wanted[i].name, n, at) >= 0;
    }
    p3d_target_cut((struct p3d_str){c->req->input.path.base, c->req->input.path.len}, &ret->path,
                   &ret->query);
}

/* 0, or why the handler is not called. */
static int judge(struct p3d_call *c, const char **ret_detail)
{
    struct p3d_http *h = c->http;
    struct p3d_verdict v = p3d_guard_take(h->guard);
    struct p3d_credentials given;
    if (v.unread)
        p3d_conn_linger(p3d_conn_of(c->req));
    *ret_detail = v.detail;
    if (v.err != 0)
        return v.err;
    if (c->match.methods == 0) {
        *ret_detail = "Not Found";
        return P3D_E_NOT_FOUND;
    }
    if (c->match.route == NULL)
        return P3D_E_METHOD_NOT_ALLOWED;
    if (c->req->entity.len > p3d_guard_limit(h->guard, c->route))
        return P3D_E_TOO_LARGE;
    if (c->route->mode == P3D_MODE_AUTH && !h->o.cfg->security_user_auth_enabled)
        return P3D_E_AUTH_OFF;
    collect(c, &given);
    int err = p3d_credential_judge(&h->o, c->route, &given, &c->access);
    (void)p3d_format(c->access.address, sizeof(c->access.address), "%s", c->client);
    return err;
}

static void find_route(struct p3d_call *c)
{
    const h2o_req_t *req = c->req;
    p3d_router_match(c->http->router,
                     (struct p3d_str){req->input.method.base, req->input.method.len},
                     (struct p3d_str){req->input.path.base, req->input.path.len}, &c->match);
    if (c->match.route != NULL)
        c->route = c->match.route;
}

static int on_req(h2o_handler_t *self, h2o_req_t *req)
{
    struct p3d_call *c = p3d_call_new(((struct handler *)self)->http, req);
    const char *detail = NULL;
    find_route(c);
    int err = judge(c, &detail);
    if (err == P3D_E_METHOD_NOT_ALLOWED && strcmp(c->method, "OPTIONS") == 0) {
        answer_options(c);
    } else if (err != 0) {
        if (err == P3D_E_METHOD_NOT_ALLOWED)
            add_allow(c, "allow");
        p3d_reply_error(c, err, detail);
    } else {
        c->readable = true;
        c->route->handler(c);
        c->readable = false;
    }
    p3d_call_unref(c);
    return 0;
}

static void replace_send(h2o_ostream_t *self, h2o_req_t *req, h2o_iovec_t *bufs, size_t n,
                         h2o_send_state_t state)
{
    struct replace *r = (struct replace *)self;
    h2o_iovec_t body = r->body;
    (void)bufs;
    (void)n;
    r->body = h2o_iovec_init(NULL, 0);
    h2o_ostream_send_next(self, req, &body, body.base != NULL ? 1 : 0, state);
}

static int err_of_status(int status)
{
    if (status == 413)
        return P3D_E_TOO_LARGE;
    if (status == 404)
        return P3D_E_NOT_FOUND;
    return status >= 400 && status < 500 ? P3D_E_BAD_REQUEST : P3D_E_INTERNAL;
}

/* An answer that is not ours. */
static void replace_answer(struct p3d_http *h, h2o_req_t *req, h2o_ostream_t **slot)
{
    struct p3d_call *c = p3d_call_new(h, req);
    int err = err_of_status(req->res.status);
    const char *detail = err == P3D_E_BAD_REQUEST ? "The request body cannot be read" : NULL;
    size_t n;
    find_route(c);
    char *body = p3d_reply_error_body(c, err, detail, NULL, &n);
    p3d_call_keep(c, body);
    p3d_reply_header(c, "content-type", "application/json");
    p3d_reply_header(c, "cache-control", "no-store");
    c->replied = true;
    p3d_reply_head(c, p3d_err_info(err)->status, n);
    if (req->http1_is_persistent == 0)
        p3d_conn_linger(p3d_conn_of(req));
    struct replace *r = (struct replace *)h2o_add_ostream(req, sizeof(*r), slot);
    r->super.do_send = replace_send;
    r->body = c->head ? h2o_iovec_init(NULL, 0) : h2o_iovec_init(body, n);
    p3d_call_unref(c);
}

static void on_setup_ostream(h2o_filter_t *self, h2o_req_t *req, h2o_ostream_t **slot)
{
    struct p3d_http *h = ((struct filter *)self)->http;
    if (h->replying != req) {
        replace_answer(h, req, slot);
        slot = &(*slot)->next;
    }
    h2o_setup_next_ostream(req, slot);
}

void p3d_dispatch_register(struct p3d_http *h, h2o_pathconf_t *path)
{
    struct handler *handler = (struct handler *)h2o_create_handler(path, sizeof(*handler));
    handler->super.on_req = on_req;
    handler->http = h;
    struct filter *filter = (struct filter *)h2o_create_filter(path, sizeof(*filter));
    filter->super.on_setup_ostream = on_setup_ostream;
    filter->http = h;
}
