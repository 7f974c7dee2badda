/* SPDX-License-Identifier: MIT
 *
 * What a handler reads of its request. Guarantee: bytes are views or decoded copies that live as
 * long as http.h says; reading what is only there during the handler is asserted; a query value
 * with a bad escape, a NUL or bytes that are no UTF-8 is told apart from an absent one. Does not:
 * interpret bodies (server/api/body.c).
 */
#include "call_internal.h"

#include <assert.h>
#include <string.h>

struct p3d_app *p3d_call_app(const struct p3d_call *c)
{
    return c->http->o.app;
}

const struct p3d_route *p3d_call_route(const struct p3d_call *c)
{
    return c->route;
}

const struct p3d_access *p3d_call_access(const struct p3d_call *c)
{
    return &c->access;
}

struct p3d_str p3d_call_param(const struct p3d_call *c, unsigned i)
{
    assert(i < c->match.params_n);
    return c->match.params[i];
}

bool p3d_call_is_head(const struct p3d_call *c)
{
    return c->head;
}

const char *p3d_call_request_id(const struct p3d_call *c)
{
    return c->request_id;
}

const char *p3d_call_client(const struct p3d_call *c)
{
    return c->client;
}

const char *p3d_call_method(const struct p3d_call *c)
{
    return c->method;
}

const char *p3d_call_path(const struct p3d_call *c)
{
    return c->path;
}

void *p3d_call_arg(const struct p3d_call *c)
{
    return c->route->arg;
}

bool p3d_call_gone(const struct p3d_call *c)
{
    return c->req == NULL || c->left;
}

struct p3d_str p3d_call_peek(const struct p3d_call *c, const char *lower_name)
{
    ssize_t i = -1;
    if (c->req != NULL)
        i = h2o_find_header_by_str(&c->req->headers, lower_name, strlen(lower_name), -1);
    if (i < 0)
        return (struct p3d_str){NULL, 0};
    const h2o_iovec_t *v = &c->req->headers.entries[i].value;
    return (struct p3d_str){v->base, v->len};
}

struct p3d_str p3d_call_header(const struct p3d_call *c, const char *lower_name)
{
    assert(c->readable);
    return p3d_call_peek(c, lower_name);
}

struct p3d_str p3d_call_body(const struct p3d_call *c)
{
    assert(c->readable);
    return (struct p3d_str){c->req->entity.base, c->req->entity.len};
}

static int hex_value(char ch)
{
    static const char digits[] = "0123456789abcdef";
    const char *at =
        ch != '\0' ? strchr(digits, ch >= 'A' && ch <= 'F' ? ch + ('a' - 'A') : ch) : NULL;
    return at != NULL ? (int)(at - digits) : -1;
}

bool p3d_percent_read(struct p3d_str s, size_t *at, char *ret)
{
    int hi = *at + 2 < s.n ? hex_value(s.p[*at + 1]) : -1, lo = *at + 2 < s.n ? hex_value(s.p[*at + 2]) : -1;
    if (hi < 0 || lo < 0)
        return false;
    *ret = (char)(hi * 16 + lo);
    *at += 2;
    return true;
}

/* Decode s (form encoding) to dst, which holds s.n + 1. SIZE_MAX: a bad escape or a NUL. */
static size_t decode(struct p3d_str s, char *dst)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        char ch = s.p[i] == '+' ? ' ' : s.p[i];
        if (ch == '%' && !p3d_percent_read(s, &i, &ch))
            return SIZE_MAX;
        if (ch == '\0')
            return SIZE_MAX;
        dst[n++] = ch;
    }
    dst[n] = '\0';
    return n;
}

void p3d_target_cut(struct p3d_str target, struct p3d_str *ret_path, struct p3d_str *ret_query)
{
    const char *q = target.n > 0 ? memchr(target.p, '?', target.n) : NULL;
    size_t n = q != NULL ? (size_t)(q - target.p) : target.n;
    *ret_path = (struct p3d_str){target.p, n};
    *ret_query = q != NULL ? (struct p3d_str){q + 1, target.n - n - 1} : (struct p3d_str){NULL, 0};
}

bool p3d_query_next(struct p3d_str *rest, struct p3d_str *ret_name, struct p3d_str *ret_value)
{
    if (rest->n == 0)
        return false;
    const char *end = rest->p + rest->n, *amp = memchr(rest->p, '&', rest->n);
    const char *stop = amp != NULL ? amp : end;
    const char *eq = memchr(rest->p, '=', (size_t)(stop - rest->p));
    const char *name_end = eq != NULL ? eq : stop;
    *ret_name = (struct p3d_str){rest->p, (size_t)(name_end - rest->p)};
    *ret_value =
        eq != NULL ? (struct p3d_str){eq + 1, (size_t)(stop - eq - 1)} : (struct p3d_str){stop, 0};
    *rest =
        amp != NULL ? (struct p3d_str){amp + 1, (size_t)(end - amp - 1)} : (struct p3d_str){end, 0};
    return true;
}

bool p3d_call_query(struct p3d_call *c, const char *name, struct p3d_str *ret)
{
    assert(c->readable);
    struct p3d_str target = {c->req->input.path.base, c->req->input.path.len}, path, rest, key, value;
    p3d_target_cut(target, &path, &rest);
    while (p3d_query_next(&rest, &key, &value)) {
        if (!p3d_str_eq_z(key, name))
            continue;
        char *dst = p3d_call_alloc(c, value.n + 1);
        size_t n = decode(value, dst);
        struct p3d_str got = {dst, n};
        *ret = n != SIZE_MAX && p3d_utf8_valid(got) ? got : (struct p3d_str){NULL, 0};
        return true;
    }
    return false;
}

/* Without a Host (HTTP/1.0), the library puts the name of its configuration there. */
static bool names_host(const h2o_req_t *req)
{
    return req != NULL && req->hostconf != NULL && req->input.authority.len > 0 &&
           req->input.authority.base != req->hostconf->authority.hostport.base;
}

/* A Host that came through the guard holds nothing that could end a URL early. */
const char *p3d_call_base_url(const struct p3d_call *c)
{
    struct p3d_call *w = (struct p3d_call *)(uintptr_t)c; /* kept from the first question on */
    if (c->base_url != NULL)
        return c->base_url;
    const char *fixed = c->http->o.cfg->server_public_url;
    if (fixed != NULL && fixed[0] != '\0') {
        size_t n = strlen(fixed);
        while (n > 0 && fixed[n - 1] == '/')
            n--;
        w->base_url = p3d_strndup(fixed, n);
    } else if (names_host(c->req)) {
        const h2o_iovec_t *host = &c->req->input.authority;
        w->base_url = p3d_asprintf("http://%.*s", (int)host->len, host->base);
    } else {
        return "http://localhost";
    }
    return c->base_url;
}
