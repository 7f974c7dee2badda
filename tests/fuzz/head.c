/* SPDX-License-Identifier: MIT
 *
 * Request heads through the framing guard, as the HTTP library calls it. Promises: no more is
 * consumed than there is; a head that was let through has one clear length, a Host where one is
 * needed, and a target that begins with '/'; a refused one has lost every header that could make
 * the library read a body or keep the connection.
 */
#include <string.h>

#include "server/http/http_internal.h"

#include "fuzz.h"

#define HEADERS 100

/* As in picohttpparser.h, which is not installed with the library. */
struct phr_header {
    const char *name;
    size_t name_len;
    const char *value;
    size_t value_len;
};
int phr_parse_request(const char *buf, size_t len, const char **method, size_t *method_len,
                      const char **path, size_t *path_len, int *minor_version,
                      struct phr_header *headers, size_t *num_headers, size_t last_len);

static const struct p3d_route rows[] = {
    {.method = P3D_GET, .pattern = "/"},
    {.method = P3D_GET, .pattern = "/a/{x}"},
    {.method = P3D_POST, .pattern = "/a", .body = P3D_BODY_JSON},
};

struct parsed {
    const char *method, *path;
    size_t method_n, path_n, headers_n;
    int minor_version;
    struct phr_header headers[HEADERS];
};

static unsigned count(const struct parsed *p, const char *name)
{
    unsigned n = 0;
    for (size_t i = 0; i < p->headers_n; i++)
        n += p3d_str_ieq_z((struct p3d_str){p->headers[i].name, p->headers[i].name_len}, name);
    return n;
}

static void check(const struct parsed *p, struct p3d_verdict v)
{
    unsigned lengths = count(p, "content-length"), encodings = count(p, "transfer-encoding");
    FUZZ_CHECK(p->path_n > 0 && p->path[0] == '/');
    FUZZ_CHECK(lengths + encodings <= 1);
    for (size_t i = 0; i < p->headers_n; i++)
        FUZZ_CHECK(p->headers[i].name != NULL);
    if (v.err != 0 || v.unread) {
        FUZZ_CHECK(lengths + encodings + count(p, "connection") + count(p, "expect") == 0);
        FUZZ_CHECK(p->minor_version == 0);
    } else {
        FUZZ_CHECK(p->minor_version == 0 || count(p, "host") == 1);
    }
}

static void parse(struct p3d_guard *g, struct p3d_str text, size_t seen)
{
    struct parsed p = {.headers_n = HEADERS};
    int r = phr_parse_request(text.p, text.n, &p.method, &p.method_n, &p.path, &p.path_n,
                              &p.minor_version, p.headers, &p.headers_n, seen);
    FUZZ_CHECK(r >= -2 && (r < 0 || (size_t)r <= text.n));
    struct p3d_verdict v = p3d_guard_take(g);
    if (r > 0)
        check(&p, v);
    else
        FUZZ_CHECK(v.err == 0 || text.n == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct p3d_guard_options o = {.limits = {P3D_PLAIN_BODY, 1 << 20, 1 << 20}};
    struct p3d_str text = fuzz_text(data, size);
    struct p3d_router *router = NULL;
    struct p3d_guard *g = NULL;
    struct p3d_error err;
    FUZZ_CHECK(p3d_router_new(rows, sizeof(rows) / sizeof(rows[0]), &router, &err) == 0);
    o.router = router;
    FUZZ_CHECK(p3d_guard_new(&o, &g, &err) == 0);
    p3d_guard_enter(g);
    parse(g, text, 0);
    parse(g, text, size / 2); /* the first half came alone, and was not enough */
    p3d_guard_enter(NULL);
    p3d_guard_free(g);
    p3d_router_free(router);
    return 0;
}
