/* SPDX-License-Identifier: MIT
 *
 * The framing guard: judges every request head before the HTTP library acts on it. The library
 * accepts two lengths, bare line feeds, folded headers and heads of 400 KB, and answers what it
 * cannot parse in plain text: the stuff of request smuggling. It calls its own phr_parse_request()
 * through the dynamic symbol table, so the definition here is bound instead (p3d_guard_new() checks
 * that it is) and the original is reached with RTLD_NEXT. Guarantee: no head that was not judged
 * good reaches a handler or makes the library read a body. A bad one becomes a request without body
 * on a connection that closes, so that an ordinary handler words the answer. Does not see: the
 * framing of chunks (a phr_decode_chunked() of the same kind belongs here), or time and addresses.
 */
#include "http_internal.h"

#include <dlfcn.h>
#include <string.h>

/* As in picohttpparser.h, which is not installed with the library. */
struct phr_header {
    const char *name; /* NULL: goes on the line before */
    size_t name_len;
    const char *value;
    size_t value_len;
};
typedef int parse_fn(const char *buf, size_t len, const char **method, size_t *method_len,
                     const char **path, size_t *path_len, int *minor_version,
                     struct phr_header *headers, size_t *num_headers, size_t last_len);
parse_fn phr_parse_request;

struct p3d_guard {
    struct p3d_guard_options o;
    parse_fn *original;
    struct p3d_verdict verdict; /* on the head parsed last */
};

/* The parser's signature has no place for context. Written by p3d_guard_enter() only. */
static __thread struct p3d_guard *current;

/* The head as parsed, by reference: a refusal rewrites it. */
struct head {
    const char *buf;
    size_t n;
    const char **method, **path;
    size_t *method_n, *path_n;
    int *minor_version;
    struct phr_header *headers;
    size_t *headers_n;
};

struct framing {
    unsigned lengths, encodings, hosts, expects;
    struct p3d_str length, encoding, host, expect;
};

static const struct {
    const char *name;
    size_t count_at, value_at;
} watched[] = {
    {"content-length", offsetof(struct framing, lengths), offsetof(struct framing, length)},
    {"transfer-encoding", offsetof(struct framing, encodings), offsetof(struct framing, encoding)},
    {"host", offsetof(struct framing, hosts), offsetof(struct framing, host)},
    {"expect", offsetof(struct framing, expects), offsetof(struct framing, expect)},
};

static void collect(const struct head *h, struct framing *f)
{
    for (size_t i = 0; i < *h->headers_n; i++) {
        struct p3d_str name = {h->headers[i].name, h->headers[i].name_len};
        for (size_t k = 0; k < sizeof(watched) / sizeof(watched[0]); k++) {
            if (!p3d_str_ieq_z(name, watched[k].name))
                continue;
            ++*(unsigned *)((char *)f + watched[k].count_at);
            *(struct p3d_str *)((char *)f + watched[k].value_at) =
                p3d_str_trim((struct p3d_str){h->headers[i].value, h->headers[i].value_len});
        }
    }
}

/* RFC 9112 section 2.2 lets a server accept a bare LF; proxies differ about it, so that we must
 * not. */
static bool has_bare_lf(const char *p, size_t n)
{
    const char *end = p + n;
    for (const char *lf = p; (lf = memchr(lf, '\n', (size_t)(end - lf))) != NULL; lf++)
        if (lf == p || lf[-1] != '\r')
            return true;
    return false;
}

static bool is_folded(const struct head *h)
{
    for (size_t i = 0; i < *h->headers_n; i++)
        if (h->headers[i].name == NULL)
            return true;
    return false;
}

static bool is_host(struct p3d_str s)
{
    static const char extra[] = ".-_:[]";
    for (size_t i = 0; i < s.n; i++) {
        char ch = s.p[i];
        bool alnum =
            (ch >= '0' && ch <= '9') || (ch >= 'A' && ch <= 'Z') || (ch >= 'a' && ch <= 'z');
        if (!alnum && (ch == '\0' || strchr(extra, ch) == NULL))
            return false;
    }
    return s.n <= 255;
}

/* The length that the head announces; 0 without one, INT64_MAX for a number that is too big to
 * count. */
static bool read_length(const struct framing *f, int64_t *ret)
{
    *ret = 0;
    if (f->lengths == 0)
        return true;
    for (size_t i = 0; i < f->length.n; i++)
        if (f->length.p[i] < '0' || f->length.p[i] > '9')
            return false;
    if (f->length.n > 18)
        *ret = INT64_MAX;
    return f->length.n > 18 || p3d_str_to_i64(f->length, 0, INT64_MAX, ret) == 0;
}

/* RFC 9110 section 9.1: a method is a token; the library takes anything up to the space. */
static bool is_token(struct p3d_str s)
{
    static const char extra[] = "!#$%&'*+-.^_`|~";
    for (size_t i = 0; i < s.n; i++) {
        char ch = s.p[i];
        bool alnum = (ch >= '0' && ch <= '9') || (ch >= 'A' && ch <= 'Z') || (ch >= 'a' && ch <= 'z');
        if (!alnum && (ch == '\0' || strchr(extra, ch) == NULL))
            return false;
    }
    return s.n > 0;
}

/* NULL, or what is wrong with the framing. */
static const char *judge_framing(const struct head *h, const struct framing *f)
{
    if (!is_token((struct p3d_str){*h->method, *h->method_n}))
        return "The method is not a token";
    if (has_bare_lf(h->buf, h->n))
        return "A line of the request head does not end with CR LF";
    if (is_folded(h))
        return "Folded header lines are not accepted";
    if (f->lengths > 1 || f->encodings > 1 || (f->lengths > 0 && f->encodings > 0))
        return "The length of the request body is ambiguous";
    if (f->encodings > 0 && *h->minor_version == 0)
        return "Transfer-Encoding needs HTTP/1.1";
    if (f->encodings > 0 && !p3d_str_ieq_z(f->encoding, "chunked"))
        return "Transfer-Encoding must be chunked";
    if (f->hosts > 1 || (f->hosts == 0 && *h->minor_version > 0) || !is_host(f->host))
        return "Exactly one valid Host header is needed";
    if (f->expects > 1 || (f->expects > 0 && !p3d_str_ieq_z(f->expect, "100-continue")))
        return "Unknown expectation";
    return NULL;
}

static bool needs_decoding(struct p3d_str s)
{
    return memchr(s.p, '%', s.n) != NULL || memmem(s.p, s.n, "/.", 2) != NULL;
}

/* Make path what an origin server expects: absolute-form loses its authority, `OPTIONS *` asks
 * about the root. A path that is no route is replaced: the library would decode it and write what
 * it dislikes to stderr. */
static bool fix_target(const struct p3d_guard *g, const struct head *h, struct p3d_match *m)
{
    struct p3d_str method = {*h->method, *h->method_n}, s = {*h->path, *h->path_n};
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        size_t n = strlen(schemes[i]);
        if (s.n <= n || strncasecmp(s.p, schemes[i], n) != 0)
            continue;
        const char *slash = memchr(s.p + n, '/', s.n - n);
        s = slash != NULL ? (struct p3d_str){slash, s.n - (size_t)(slash - s.p)} : P3D_STR("/");
    }
    if (p3d_str_eq_z(s, "*") && p3d_str_eq_z(method, "OPTIONS"))
        s = P3D_STR("/");
    if (s.n == 0 || s.p[0] != '/')
        return false;
    p3d_router_match(g->o.router, method, s, m);
    if (m->methods == 0 && needs_decoding(s))
        s = P3D_STR("//");
    *h->path = s.p;
    *h->path_n = s.n;
    return true;
}

size_t p3d_guard_limit(const struct p3d_guard *g, const struct p3d_route *route)
{
    return g->o.limits[route != NULL ? route->body : P3D_BODY_NONE];
}

/* Turn the head into one without body on a connection that closes. Headers that an answer needs
 * stay. */
static void strip(const struct head *h)
{
    static const char *const dropped[] = {"content-length", "transfer-encoding", "expect",
                                          "connection", "upgrade"};
    size_t kept = 0;
    for (size_t i = 0; i < *h->headers_n; i++) {
        struct p3d_str name = {h->headers[i].name, h->headers[i].name_len};
        bool drop = name.p == NULL;
        for (size_t k = 0; k < sizeof(dropped) / sizeof(dropped[0]); k++)
            drop = drop || p3d_str_ieq_z(name, dropped[k]);
        if (!drop)
            h->headers[kept++] = h->headers[i];
    }
    *h->headers_n = kept;
    *h->minor_version = 0; /* without `Connection: keep-alive`, the library closes */
}

static void no_path(const struct head *h)
{
    *h->path = "//";
    *h->path_n = 2;
}

static void refuse(struct p3d_guard *g, const struct head *h, int err, const char *why)
{
    g->verdict = (struct p3d_verdict){.err = err, .detail = why, .unread = true};
    strip(h);
    if (*h->path_n == 0 || **h->path != '/' ||
        needs_decoding((struct p3d_str){*h->path, *h->path_n}))
        no_path(h);
}

/* What could not be parsed becomes a request of which nothing is known. */
static void invent(const struct head *h)
{
    *h->method = "GET";
    *h->method_n = 3;
    no_path(h);
    *h->headers_n = 0;
}

static void judge(struct p3d_guard *g, const struct head *h)
{
    struct framing f = {.lengths = 0};
    struct p3d_match m;
    int64_t length;
    collect(h, &f);
    const char *why = judge_framing(h, &f);
    if (why != NULL) {
        refuse(g, h, P3D_E_BAD_REQUEST, why);
    } else if (!read_length(&f, &length)) {
        refuse(g, h, P3D_E_BAD_REQUEST, "Content-Length is not a number");
    } else if (!fix_target(g, h, &m)) {
        refuse(g, h, P3D_E_BAD_REQUEST, "The request target must be a path");
    } else if (m.route == NULL) {
        g->verdict.unread = length > 0 || f.encodings > 0;
        if (g->verdict.unread)
            strip(h); /* 404 or 405, whatever the body is */
    } else if ((uint64_t)length > p3d_guard_limit(g, m.route)) {
        refuse(g, h, P3D_E_TOO_LARGE, NULL);
    }
}

/* An empty line or less: connections that were opened for nothing end without a word. */
static bool is_blank(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] != '\r' && p[i] != '\n')
            return false;
    return n <= 4;
}

__attribute__((visibility("default"), used)) int
phr_parse_request(const char *buf, size_t len, const char **method, size_t *method_len,
                  const char **path, size_t *path_len, int *minor_version,
                  struct phr_header *headers, size_t *num_headers, size_t last_len)
{
    struct p3d_guard *g = current;
    parse_fn *original =
        g != NULL ? g->original : (parse_fn *)dlsym(RTLD_NEXT, "phr_parse_request");
    int r = original(buf, len, method, method_len, path, path_len, minor_version, headers,
                     num_headers, last_len);
    if (g == NULL)
        return r;
    struct head h = {buf,      len,           method,  path,       method_len,
                     path_len, minor_version, headers, num_headers};
    g->verdict = (struct p3d_verdict){.err = 0};
    if ((r == -2 && len <= P3D_HEAD_MAX) || (r == -1 && is_blank(buf, len)))
        return r;
    if (r > 0 && r <= P3D_HEAD_MAX) {
        h.n = (size_t)r;
        judge(g, &h);
        return r;
    }
    invent(&h);
    if (r == -1)
        refuse(g, &h, P3D_E_BAD_REQUEST, "The request cannot be parsed");
    else
        refuse(g, &h, P3D_E_HEADERS_TOO_LARGE, NULL);
    return r > 0 ? r : (int)len;
}

void p3d_guard_enter(struct p3d_guard *g)
{
    current = g;
}

struct p3d_verdict p3d_guard_take(struct p3d_guard *g)
{
    struct p3d_verdict v = g->verdict;
    g->verdict = (struct p3d_verdict){.err = 0};
    return v;
}

int p3d_guard_new(const struct p3d_guard_options *o, struct p3d_guard **ret, struct p3d_error *err)
{
    parse_fn *bound = (parse_fn *)dlsym(RTLD_DEFAULT, "phr_parse_request");
    parse_fn *original = (parse_fn *)dlsym(RTLD_NEXT, "phr_parse_request");
    if (bound != phr_parse_request || original == NULL || original == bound)
        return p3d_fail(err, P3D_E_CONFIG,
                        "the HTTP library does not use our parser of request heads: link this "
                        "program with --export-dynamic-symbol=phr_parse_request");
    struct p3d_guard *g = p3d_alloc(sizeof(*g));
    g->o = *o;
    g->original = original;
    *ret = g;
    return 0;
}

void p3d_guard_free(struct p3d_guard *g)
{
    free(g);
}
