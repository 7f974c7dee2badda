/* SPDX-License-Identifier: MIT
 *
 * Request targets against the real route table, and query values. Input: a line with the method,
 * then the target. Promises: a parameter is 1..128 of the allowed bytes, terminated, and no dots
 * alone; HEAD leads where GET leads; what the query says changes nothing; a decoded value is UTF-8
 * without NUL and never longer than it was written.
 */
#include <string.h>

#include "server/http/call_internal.h"

#include "fuzz.h"

#define P3D_ROUTE(m, p, ...) {.method = P3D_##m, .pattern = (p), .name = (p)},
#define P3D_ROUTE_JOB(m, tail, ...)                                                                \
    P3D_ROUTE(m, "/api/v1/jobs" tail, ) P3D_ROUTE(m, "/api/v1/system/jobs" tail, )
static const struct p3d_route rows[] = {
#include "p3d/routes.def"
    P3D_ROUTE(POST, "/api/v1/mesh-generation", ) P3D_ROUTE(GET, "/{a}/{b}/{c}/{d}", )};

/* In place of call.c: the memory of the one call there is. */
static void *blocks[8];
static size_t blocks_n;

void *p3d_call_alloc(struct p3d_call *c, size_t n)
{
    (void)c;
    FUZZ_CHECK(blocks_n < sizeof(blocks) / sizeof(blocks[0]));
    return blocks[blocks_n++] = p3d_alloc(n);
}

static void check_params(const struct p3d_match *m)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@-";
    FUZZ_CHECK(m->params_n <= P3D_PARAMS_MAX);
    for (unsigned i = 0; i < m->params_n; i++) {
        struct p3d_str s = m->params[i];
        FUZZ_CHECK(s.n >= 1 && s.n <= 128 && s.p[s.n] == '\0' && strspn(s.p, allowed) == s.n);
        FUZZ_CHECK(!p3d_str_eq_z(s, ".") && !p3d_str_eq_z(s, ".."));
        FUZZ_CHECK(s.p >= m->text && s.p + s.n < m->text + sizeof(m->text));
    }
}

static void check_match(const struct p3d_router *r, struct p3d_str method, struct p3d_str target)
{
    struct p3d_match m, get, head, bare;
    const char *q = target.n > 0 ? memchr(target.p, '?', target.n) : NULL;
    p3d_router_match(r, method, target, &m);
    FUZZ_CHECK(m.route == NULL || (m.methods >> m.route->method & 1) != 0);
    FUZZ_CHECK(m.methods != 0 || m.params_n == 0);
    check_params(&m);
    p3d_router_match(r, P3D_STR("GET"), target, &get);
    p3d_router_match(r, P3D_STR("HEAD"), target, &head);
    FUZZ_CHECK(get.route == head.route && get.methods == m.methods);
    if (q != NULL)
        target.n = (size_t)(q - target.p);
    p3d_router_match(r, method, target, &bare);
    FUZZ_CHECK(bare.route == m.route && bare.methods == m.methods && bare.params_n == m.params_n);
}

static void check_query(struct p3d_str target)
{
    static const char *const names[] = {"limit", "cursor", "", "format"};
    static h2o_req_t req;
    struct p3d_call c = {.req = &req, .readable = true};
    req.input.path = (h2o_iovec_t){(char *)(uintptr_t)target.p, target.n};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct p3d_str value = {NULL, 0};
        if (!p3d_call_query(&c, names[i], &value) || value.p == NULL)
            continue;
        FUZZ_CHECK(value.n <= target.n && strlen(value.p) == value.n && p3d_utf8_valid(value));
    }
    while (blocks_n > 0)
        free(blocks[--blocks_n]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct p3d_str rest = fuzz_text(data, size), method = fuzz_line(&rest);
    struct p3d_router *r = NULL;
    struct p3d_error err;
    FUZZ_CHECK(p3d_router_new(rows, sizeof(rows) / sizeof(rows[0]), &r, &err) == 0);
    check_match(r, method, rest);
    check_query(rest);
    p3d_router_free(r);
    return 0;
}
