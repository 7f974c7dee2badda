/* SPDX-License-Identifier: MIT
 *
 * The one place that writes responses. Guarantee: each has a status from the table, a
 * Content-Length, X-Request-ID, X-Process-Time, the CORS fields and nosniff; no body goes out on
 * HEAD (the next answer of the connection would be read as its rest); an error is the envelope of
 * err.def; nothing that a client sent gets into a header unfiltered. Does not: decide anything
 * about a request, or log.
 */
#include "call_internal.h"

#include <assert.h>
#include <string.h>

static const struct {
    int status;
    const char *reason;
} reasons[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {503, "Service Unavailable"},
};

static const char *reason_of(int status)
{
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return status < 400 ? "OK" : "Error";
}

static const char *header_find(const struct p3d_call *c, const char *name)
{
    for (const struct reply_header *h = c->headers; h != NULL; h = h->next)
        if (strcmp(h->name, name) == 0)
            return h->value;
    return NULL;
}

void p3d_reply_header(struct p3d_call *c, const char *lower_name, const char *value)
{
    size_t name_n = strlen(lower_name), value_n = strlen(value);
    struct reply_header *h = p3d_call_alloc(c, sizeof(*h) + name_n + value_n + 2);
    char *name = (char *)(h + 1), *copy = name + name_n + 1;
    memcpy(name, lower_name, name_n + 1);
    for (size_t i = 0; i < value_n; i++) {
        unsigned char ch = (unsigned char)value[i];
        copy[i] = (ch < 0x20 && ch != '\t') || ch == 0x7f ? '_' : value[i];
    }
    *h = (struct reply_header){.name = name, .name_n = name_n, .value = copy};
    *c->headers_end = h;
    c->headers_end = &h->next;
}

void p3d_reply_default(struct p3d_call *c, const char *name, const char *value)
{
    if (header_find(c, name) == NULL)
        p3d_reply_header(c, name, value);
}

static void add_common(struct p3d_call *c)
{
    char text[32];
    (void)p3d_format(text, sizeof(text), "%.6f", p3d_call_seconds(c));
    p3d_reply_header(c, "x-request-id", c->request_id);
    p3d_reply_header(c, "x-process-time", text);
    p3d_reply_default(c, "x-content-type-options", "nosniff");
    if (c->cors_vary)
        p3d_reply_header(c, "vary", "Origin");
    if (c->cors_origin != NULL) {
        p3d_reply_header(c, "access-control-allow-origin", c->cors_origin);
        p3d_reply_header(c, "access-control-expose-headers", p3d_cors_expose);
    }
}

void p3d_reply_head(struct p3d_call *c, int status, size_t body_n)
{
    h2o_req_t *req = c->req;
    add_common(c);
    c->status = status;
    req->res.status = status;
    req->res.reason = reason_of(status);
    req->res.content_length = body_n;
    req->res.headers.size = 0;
    if (c->http->draining)
        req->http1_is_persistent = 0;
    for (const struct reply_header *h = c->headers; h != NULL; h = h->next)
        h2o_add_header_by_str(&req->pool, &req->res.headers, h->name, h->name_n, 1, NULL, h->value,
                              strlen(h->value));
}

bool p3d_reply_begin(struct p3d_call *c, int status, size_t body_n, h2o_generator_t *gen)
{
    if (c->left)
        return false;
    assert(!c->replied); /* two answers to one request: a mistake of the handler */
    c->replied = true;
    c->on_leave = NULL;
    if (c->req == NULL)
        return false;
    p3d_leave_unwatch(c);
    p3d_reply_head(c, status, body_n);
    c->http->replying = c->req;
    h2o_start_response(c->req, gen);
    c->http->replying = NULL;
    return true;
}

/* Takes body. */
static void send_text(struct p3d_call *c, int status, char *body, size_t n)
{
    static h2o_generator_t none; /* all is sent at once: never asked for more */
    p3d_reply_default(c, "content-type", "application/json");
    p3d_reply_default(c, "cache-control", "no-store");
    if (!p3d_reply_begin(c, status, n, &none)) {
        free(body);
        return;
    }
    p3d_call_keep(c, body);
    h2o_iovec_t buf = h2o_iovec_init(body, n);
    h2o_send(c->req, &buf, c->head || n == 0 ? 0 : 1, H2O_SEND_STATE_FINAL);
}

/* 204, 304: no body, and no length either (RFC 9110 section 8.6). */
void p3d_reply_empty(struct p3d_call *c, int status)
{
    static h2o_generator_t none;
    if (p3d_reply_begin(c, status, SIZE_MAX, &none))
        h2o_send(c->req, NULL, 0, H2O_SEND_STATE_FINAL);
}

void p3d_reply_json(struct p3d_call *c, int status, json_t *body)
{
    size_t n = 0;
    if (status == 204 || body == NULL) {
        json_decref(body);
        p3d_reply_empty(c, status);
        return;
    }
    char *text = p3d_json_dump(body, &n);
    json_decref(body);
    send_text(c, status, text, n);
}

char *p3d_reply_error_body(struct p3d_call *c, int err, const char *detail, json_t *list,
                           size_t *ret_n)
{
    const struct p3d_err_info *info = p3d_err_info(err);
    if (info->status == 401)
        p3d_reply_default(c, "www-authenticate", "Bearer");
    if (info->status == 503 || info->status == 429)
        p3d_reply_default(c, "retry-after", "1");
    if (detail == NULL)
        detail = p3d_err_text(err);
    if (info->status == 500) /* what went wrong inside is the log's business */
        detail = c->request_id;
    json_t *body = json_object();
    (void)json_object_set_new(body, "error", json_string(info->wire));
    (void)json_object_set_new(body, "message", json_string(info->message));
    (void)json_object_set_new(body, "detail",
                              list != NULL ? list : p3d_json_str(p3d_str_z(detail)));
    char *text = p3d_json_dump(body, ret_n);
    json_decref(body);
    return text;
}

void p3d_reply_error(struct p3d_call *c, int err, const char *detail)
{
    size_t n;
    char *text = p3d_reply_error_body(c, err, detail, NULL, &n);
    send_text(c, p3d_err_info(err)->status, text, n);
}

void p3d_reply_faults(struct p3d_call *c, struct p3d_faults *f)
{
    size_t n;
    json_t *list = f->list != NULL ? f->list : json_array();
    f->list = NULL;
    char *text = p3d_reply_error_body(c, P3D_E_VALIDATION, NULL, list, &n);
    send_text(c, p3d_err_info(P3D_E_VALIDATION)->status, text, n);
}
