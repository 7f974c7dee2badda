/* SPDX-License-Identifier: MIT
 *
 * The small grammars of file answers: Range, If-None-Match, Content-Disposition. Pure functions on
 * text. Guarantee: what is not exactly one well-formed byte range asks for the whole (RFC 9110
 * section 14.2 lets a server ignore any Range); numbers that do not fit never wrap; a file name
 * leaves no way out of its quotes.
 */
#include "call_internal.h"

#include <string.h>

/* Digits only; saturates. false: none. */
static bool read_number(struct p3d_str s, int64_t *ret)
{
    if (s.n == 0)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    if (s.n > 18)
        *ret = INT64_MAX;
    return s.n > 18 || p3d_str_to_i64(s, 0, INT64_MAX, ret) == 0;
}

enum p3d_range p3d_range_parse(struct p3d_str value, int64_t size, int64_t *ret_from,
                               int64_t *ret_n)
{
    static const char unit[] = "bytes=";
    int64_t from = 0, to = INT64_MAX;
    value = p3d_str_trim(value);
    if (value.n < sizeof(unit) || !p3d_str_ieq_z((struct p3d_str){value.p, sizeof(unit) - 1}, unit))
        return P3D_RANGE_WHOLE;
    struct p3d_str s =
        p3d_str_trim((struct p3d_str){value.p + sizeof(unit) - 1, value.n - (sizeof(unit) - 1)});
    const char *dash = s.n > 0 ? memchr(s.p, '-', s.n) : NULL;
    if (dash == NULL)
        return P3D_RANGE_WHOLE;
    struct p3d_str first = {s.p, (size_t)(dash - s.p)};
    struct p3d_str last = {dash + 1, s.n - first.n - 1};
    if (first.n == 0) { /* the last n bytes */
        if (!read_number(last, &to))
            return P3D_RANGE_WHOLE;
        if (to == 0 || size == 0)
            return P3D_RANGE_BAD;
        from = to < size ? size - to : 0;
        to = size - 1;
    } else if (!read_number(first, &from) || (last.n > 0 && !read_number(last, &to)) || to < from) {
        return P3D_RANGE_WHOLE;
    }
    if (from >= size)
        return P3D_RANGE_BAD;
    *ret_from = from;
    *ret_n = (to < size - 1 ? to : size - 1) - from + 1;
    return P3D_RANGE_PART;
}

bool p3d_etag_listed(struct p3d_str list, const char *etag)
{
    size_t n = strlen(etag);
    list = p3d_str_trim(list);
    if (p3d_str_eq_z(list, "*"))
        return true;
    if (list.n == 0)
        return false;
    for (const char *p = list.p, *end = list.p + list.n; p < end;) {
        const char *open = memchr(p, '"', (size_t)(end - p));
        const char *close = open != NULL ? memchr(open + 1, '"', (size_t)(end - open - 1)) : NULL;
        if (close == NULL)
            return false;
        if ((size_t)(close - open - 1) == n && memcmp(open + 1, etag, n) == 0)
            return true;
        p = close + 1;
    }
    return false;
}

void p3d_disposition(const char *filename, struct p3d_buf *out)
{
    static const char plain[] = "!#$&+-.^_`|~";
    p3d_buf_addz(out, "attachment; filename=\"");
    for (const unsigned char *p = (const unsigned char *)filename; *p != '\0'; p++) {
        bool safe = *p >= 0x20 && *p < 0x7f && *p != '"' && *p != '\\' && *p != '%';
        if ((*p & 0xC0) != 0x80) /* one '_' for a character of several bytes */
            p3d_buf_add(out, safe ? (const char *)p : "_", 1);
    }
    p3d_buf_addz(out, "\"; filename*=UTF-8''");
    for (const unsigned char *p = (const unsigned char *)filename; *p != '\0'; p++) {
        bool alnum =
            (*p >= '0' && *p <= '9') || (*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z');
        if (alnum || strchr(plain, *p) != NULL)
            p3d_buf_add(out, p, 1);
        else
            p3d_buf_addf(out, "%%%02X", *p);
    }
}
