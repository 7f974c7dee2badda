/* SPDX-License-Identifier: MIT
 *
 * The grammars of file answers. Input: a line for the body's size in decimal, then the header's
 * value. Promises: a part lies inside the body and is not empty; an ETag in quotes is found in a
 * list that holds it; whatever a file is called, Content-Disposition is one line with exactly one
 * quoted name, of visible ASCII.
 */
#include <string.h>

#include "server/http/call_internal.h"

#include "fuzz.h"

static void check_range(struct p3d_str value, int64_t size)
{
    int64_t from = -7, n = -7;
    enum p3d_range r = p3d_range_parse(value, size, &from, &n);
    if (r == P3D_RANGE_PART)
        FUZZ_CHECK(from >= 0 && n > 0 && from < size && n <= size - from);
    else
        FUZZ_CHECK((r == P3D_RANGE_WHOLE || r == P3D_RANGE_BAD) && from == -7 && n == -7);
}

static void check_etag(struct p3d_str value)
{
    bool listed = p3d_etag_listed(value, "0123abcd");
    char *longer = p3d_asprintf("W/\"x\", \"0123abcd\", %.*s", (int)value.n, value.p);
    FUZZ_CHECK(p3d_etag_listed(p3d_str_z(longer), "0123abcd"));
    if (value.n > 0 && memmem(value.p, value.n, "0123abcd", 8) == NULL)
        FUZZ_CHECK(!listed || p3d_str_eq_z(p3d_str_trim(value), "*"));
    free(longer);
}

static void check_disposition(struct p3d_str value)
{
    struct p3d_buf out;
    unsigned quotes = 0;
    char *name = p3d_strndup(value.p, value.n);
    p3d_buf_init(&out, 0);
    p3d_disposition(name, &out);
    for (size_t i = 0; i < out.n; i++) {
        FUZZ_CHECK(out.p[i] >= 0x20 && out.p[i] < 0x7f && out.p[i] != '\\');
        quotes += out.p[i] == '"';
    }
    FUZZ_CHECK(quotes == 2);
    p3d_buf_done(&out);
    free(name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct p3d_str rest = fuzz_text(data, size), line = fuzz_line(&rest);
    int64_t body = 0;
    if (p3d_str_to_i64(line, 0, INT64_MAX, &body) != 0)
        body = (int64_t)size;
    check_range(rest, body);
    check_etag(rest);
    check_disposition(rest);
    return 0;
}
