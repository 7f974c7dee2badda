/* SPDX-License-Identifier: MIT
 *
 * The compiled route table: a tree of path segments. Guarantee: a literal segment wins over a
 * parameter, and only a path that leads nowhere that way is tried with the parameter; the answer
 * does not depend on the order of the rows. The path is cut at '/' before it is decoded, so an
 * encoded slash never makes or removes a segment. A parameter is 1..128 of [A-Za-z0-9._@-] and
 * neither "." nor ".."; anything else is no route. Does not: look at the query, or know what a
 * handler does.
 */
#include "http_internal.h"

#include <string.h>

#define SEGMENTS_MAX 16
#define SEGMENT_MAX 128

struct node {
    char *literal; /* NULL: the parameter */
    size_t literal_n;
    struct node *children, *next;
    struct node *param;
    const struct p3d_route *rows[P3D_METHOD__COUNT];
};

struct p3d_router {
    struct node root;
};

static const char *const method_names[P3D_METHOD__COUNT] = {"GET", "POST", "PUT", "PATCH",
                                                            "DELETE"};

static bool is_param_byte(char ch)
{
    return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
           ch == '.' || ch == '_' || ch == '@' || ch == '-';
}

/* The next segment of s as it is written; false at the end. */
static bool next_segment(struct p3d_str *s, struct p3d_str *ret)
{
    if (s->n == 0 || s->p[0] != '/')
        return false;
    const char *p = s->p + 1, *end = s->p + s->n;
    const char *stop = memchr(p, '/', (size_t)(end - p));
    if (stop == NULL)
        stop = end;
    *ret = (struct p3d_str){p, (size_t)(stop - p)};
    *s = (struct p3d_str){stop, (size_t)(end - stop)};
    return true;
}

/* Length of the decoded text, or SIZE_MAX when it cannot be a segment of ours. */
static size_t decode(struct p3d_str s, char dst[SEGMENT_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        char ch = s.p[i];
        if (ch == '%' && !p3d_percent_read(s, &i, &ch))
            return SIZE_MAX;
        if (n == SEGMENT_MAX || !is_param_byte(ch))
            return SIZE_MAX;
        dst[n++] = ch;
    }
    return n;
}

static struct node *child_find(const struct node *at, struct p3d_str s)
{
    for (struct node *c = at->children; c != NULL; c = c->next)
        if (c->literal_n == s.n && memcmp(c->literal, s.p, s.n) == 0)
            return c;
    return NULL;
}

static struct node *child_get(struct node *at, struct p3d_str s)
{
    bool param = s.n >= 2 && s.p[0] == '{' && s.p[s.n - 1] == '}';
    struct node *c = param ? at->param : child_find(at, s);
    if (c != NULL)
        return c;
    c = p3d_alloc(sizeof(*c));
    if (param) {
        at->param = c;
    } else {
        c->literal = p3d_strndup(s.p, s.n);
        c->literal_n = s.n;
        c->next = at->children;
        at->children = c;
    }
    return c;
}

static void node_done(struct node *n)
{
    for (struct node *c = n->children, *next; c != NULL; c = next) {
        next = c->next;
        node_done(c);
        free(c);
    }
    if (n->param != NULL)
        node_done(n->param);
    free(n->param);
    free(n->literal);
}

void p3d_router_free(struct p3d_router *r)
{
    if (r == NULL)
        return;
    node_done(&r->root);
    free(r);
}

static int add(struct p3d_router *r, const struct p3d_route *row, struct p3d_error *err)
{
    struct p3d_str rest = p3d_str_z(row->pattern), s;
    struct node *at = &r->root;
    size_t depth = 0, params = 0;
    if (p3d_str_eq_z(rest, "/"))
        rest.n = 0;
    while (next_segment(&rest, &s)) {
        params += s.n > 0 && s.p[0] == '{';
        if (s.n == 0 || s.n > SEGMENT_MAX || ++depth > SEGMENTS_MAX)
            return p3d_fail(err, P3D_E_CONFIG, "route %s: a segment is empty or too long",
                            row->pattern);
        at = child_get(at, s);
    }
    if (row->pattern[0] != '/' || rest.n != 0 || params > P3D_PARAMS_MAX)
        return p3d_fail(err, P3D_E_CONFIG, "route %s: not a pattern", row->pattern);
    if (at->rows[row->method] != NULL)
        return p3d_fail(err, P3D_E_CONFIG, "two routes for %s %s", method_names[row->method],
                        row->pattern);
    at->rows[row->method] = row;
    return 0;
}

int p3d_router_new(const struct p3d_route *routes, size_t n, struct p3d_router **ret,
                   struct p3d_error *err)
{
    struct p3d_router *r = p3d_alloc(sizeof(*r));
    for (size_t i = 0; i < n; i++) {
        int e = add(r, &routes[i], err);
        if (e != 0) {
            p3d_router_free(r);
            return e;
        }
    }
    *ret = r;
    return 0;
}

static unsigned methods_of(const struct node *n)
{
    unsigned bits = 0;
    for (unsigned m = 0; m < P3D_METHOD__COUNT; m++)
        if (n->rows[m] != NULL)
            bits |= 1u << m;
    return bits;
}

struct walk {
    struct p3d_str segments[SEGMENTS_MAX]; /* decoded, inside text */
    size_t n;
    size_t params[P3D_PARAMS_MAX]; /* which segments */
    unsigned params_n;
    char text[SEGMENTS_MAX][SEGMENT_MAX];
};

static const struct node *find(const struct node *at, struct walk *w, size_t i)
{
    if (i == w->n)
        return methods_of(at) != 0 ? at : NULL;
    const struct node *c = child_find(at, w->segments[i]);
    const struct node *hit = c != NULL ? find(c, w, i + 1) : NULL;
    if (hit != NULL || at->param == NULL || w->params_n == P3D_PARAMS_MAX)
        return hit;
    w->params[w->params_n++] = i;
    hit = find(at->param, w, i + 1);
    if (hit == NULL)
        w->params_n--;
    return hit;
}

/* false: no path of ours. */
static bool cut(struct p3d_str target, struct walk *w)
{
    const char *q = target.n > 0 ? memchr(target.p, '?', target.n) : NULL;
    struct p3d_str rest = {target.p, q != NULL ? (size_t)(q - target.p) : target.n}, s;
    if (p3d_str_eq_z(rest, "/"))
        return true;
    while (next_segment(&rest, &s)) {
        if (w->n == SEGMENTS_MAX)
            return false;
        size_t n = decode(s, w->text[w->n]);
        struct p3d_str got = {w->text[w->n], n};
        if (n == SIZE_MAX || n == 0 || p3d_str_eq_z(got, ".") || p3d_str_eq_z(got, ".."))
            return false;
        w->segments[w->n++] = got;
    }
    return w->n > 0 && rest.n == 0;
}

void p3d_router_match(const struct p3d_router *r, struct p3d_str method, struct p3d_str target,
                      struct p3d_match *ret)
{
    struct walk w = {.n = 0, .params_n = 0};
    ret->route = NULL;
    ret->methods = 0;
    ret->params_n = 0;
    const struct node *hit = cut(target, &w) ? find(&r->root, &w, 0) : NULL;
    if (hit == NULL)
        return;
    ret->methods = methods_of(hit);
    if (p3d_str_eq_z(method, "HEAD"))
        method = P3D_STR("GET");
    for (unsigned m = 0; m < P3D_METHOD__COUNT; m++)
        if (p3d_str_eq_z(method, method_names[m]))
            ret->route = hit->rows[m];
    for (unsigned i = 0; i < w.params_n; i++) {
        struct p3d_str s = w.segments[w.params[i]];
        char *dst = ret->text + (size_t)i * (SEGMENT_MAX + 1);
        memcpy(dst, s.p, s.n);
        dst[s.n] = '\0';
        ret->params[i] = (struct p3d_str){dst, s.n};
    }
    ret->params_n = w.params_n;
}
