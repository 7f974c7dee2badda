/* SPDX-License-Identifier: MIT
 *
 * Views of bytes, UTF-8, numbers out of text, growing buffers, bounded formatting.
 * Guarantee: nothing here reads behind the length it was given; a buffer never grows over its cap,
 * and once it has refused something it takes nothing more, so what it holds is always a prefix of
 * what was meant, without holes. Does not: know locales. "Letter", "digit" and "case" are ASCII,
 * also when somebody calls setlocale().
 */
#include "p3d/str.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "str_internal.h"

struct p3d_str p3d_str_z(const char *z)
{
    return (struct p3d_str){z, z == NULL ? 0 : strlen(z)};
}

bool p3d_str_eq(struct p3d_str a, struct p3d_str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool p3d_str_eq_z(struct p3d_str a, const char *z)
{
    return p3d_str_eq(a, p3d_str_z(z));
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool p3d_str_ieq_z(struct p3d_str a, const char *z)
{
    struct p3d_str b = p3d_str_z(z);
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (lower(a.p[i]) != lower(b.p[i]))
            return false;
    return true;
}

bool p3d_str_starts(struct p3d_str s, const char *prefix)
{
    struct p3d_str want = p3d_str_z(prefix);
    return s.n >= want.n && (want.n == 0 || memcmp(s.p, want.p, want.n) == 0);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

struct p3d_str p3d_str_trim(struct p3d_str s)
{
    while (s.n > 0 && is_blank(s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n > 0 && is_blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

int p3d_str_to_i64(struct p3d_str s, int64_t min, int64_t max, int64_t *ret)
{
    bool negative = s.n > 0 && s.p[0] == '-';
    size_t i = negative ? 1 : 0;
    int64_t v = 0;
    if (i == s.n)
        return P3D_E_VALIDATION;
    for (; i < s.n; i++) {
        int digit = s.p[i] - '0';
        if (digit < 0 || digit > 9)
            return P3D_E_VALIDATION;
        /* Counts downwards, because INT64_MIN has no positive counterpart. */
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_sub_overflow(v, digit, &v))
            return P3D_E_VALIDATION;
    }
    if (!negative && __builtin_sub_overflow(0, v, &v))
        return P3D_E_VALIDATION;
    if (v < min || v > max)
        return P3D_E_VALIDATION;
    *ret = v;
    return 0;
}

int p3d_str_to_bool(struct p3d_str s, bool *ret)
{
    static const struct {
        const char *word;
        bool value;
    } words[] = {
        {"true", true},   {"yes", true}, {"on", true},   {"1", true},
        {"false", false}, {"no", false}, {"off", false}, {"0", false},
    };
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (p3d_str_ieq_z(s, words[i].word)) {
            *ret = words[i].value;
            return 0;
        }
    }
    return P3D_E_VALIDATION;
}

/* How many bytes a character with this first byte has; 0 when no character starts so. */
static size_t lead_length(unsigned char c)
{
    if (c < 0x80)
        return 1;
    if (c >= 0xC2 && c <= 0xDF)
        return 2;
    if (c >= 0xE0 && c <= 0xEF)
        return 3;
    return c >= 0xF0 && c <= 0xF4 ? 4 : 0;
}

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

size_t p3d_utf8_step(const char *p, size_t n, uint32_t *ret_cp)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    if (n == 0)
        return 0;
    unsigned char c = (unsigned char)p[0];
    size_t len = lead_length(c);
    if (len == 0 || len > n)
        return 0;
    uint32_t cp = len == 1 ? c : c & (0x7FU >> len);
    for (size_t i = 1; i < len; i++) {
        if (!is_continuation(p[i]))
            return 0;
        cp = cp << 6 | ((unsigned char)p[i] & 0x3FU);
    }
    /* RFC 3629 section 3: shortest form only, no surrogates, nothing above U+10FFFF. */
    if (cp < least[len] || cp > 0x10FFFF || (cp >= 0xD800 && cp <= 0xDFFF))
        return 0;
    if (ret_cp != NULL)
        *ret_cp = cp;
    return len;
}

bool p3d_utf8_valid(struct p3d_str s)
{
    for (size_t i = 0; i < s.n;) {
        size_t len = p3d_utf8_step(s.p + i, s.n - i, NULL);
        if (len == 0)
            return false;
        i += len;
    }
    return true;
}

size_t p3d_utf8_count(struct p3d_str s)
{
    size_t count = 0;
    for (size_t i = 0; i < s.n; i++)
        count += is_continuation(s.p[i]) ? 0 : 1;
    return count;
}

/* n without a character at the end whose last bytes are missing. */
static size_t whole_characters(const char *p, size_t n)
{
    size_t back = 1;
    while (back < 4 && back < n && is_continuation(p[n - back]))
        back++;
    if (n == 0 || lead_length((unsigned char)p[n - back]) <= back)
        return n;
    return n - back;
}

size_t p3d_utf8_control(struct p3d_str s, size_t at)
{
    unsigned char a = (unsigned char)s.p[at], b = at + 1 < s.n ? (unsigned char)s.p[at + 1] : 0;
    if (a < 0x20 || a == 0x7f)
        return 1;
    if (a == 0xc2 && b >= 0x80 && b <= 0x9f)
        return 2;
    if (a != 0xe2 || at + 2 >= s.n)
        return 0;
    unsigned char c = (unsigned char)s.p[at + 2];
    return (b == 0x80 && c >= 0xa8 && c <= 0xae) || (b == 0x81 && c >= 0xa6 && c <= 0xa9) ? 3 : 0;
}

struct p3d_str p3d_utf8_cut(struct p3d_str s, size_t max)
{
    if (s.n <= max)
        return s;
    return (struct p3d_str){s.p, whole_characters(s.p, max)};
}

bool p3d_vformat(char *dst, size_t size, const char *fmt, va_list ap)
{
    if (size == 0)
        return false;
    int n = vsnprintf(dst, size, fmt, ap);
    if (n < 0) {
        dst[0] = '\0';
        return false;
    }
    if ((size_t)n < size)
        return true;
    dst[whole_characters(dst, size - 1)] = '\0';
    return false;
}

bool p3d_format(char *dst, size_t size, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    bool fits = p3d_vformat(dst, size, fmt, ap);
    va_end(ap);
    return fits;
}

void p3d_buf_init(struct p3d_buf *b, size_t max)
{
    *b = (struct p3d_buf){.max = max};
}

void p3d_buf_done(struct p3d_buf *b)
{
    if (b == NULL)
        return;
    free(b->p);
    p3d_buf_init(b, b->max);
}

/* Room for n more bytes and the terminator, or `full`. */
static bool reserve(struct p3d_buf *b, size_t n)
{
    size_t limit = b->max != 0 ? b->max : SIZE_MAX / 4;
    if (b->full || n > limit || b->n > limit - n) {
        b->full = true;
        return false;
    }
    size_t need = b->n + n + 1;
    if (need <= b->cap)
        return true;
    size_t cap = b->cap < 32 ? 64 : b->cap * 2;
    if (cap > limit + 1)
        cap = limit + 1;
    if (cap < need)
        cap = need;
    b->p = p3d_realloc(b->p, cap);
    b->cap = cap;
    return true;
}

void p3d_buf_add(struct p3d_buf *b, const void *p, size_t n)
{
    if (!reserve(b, n))
        return;
    if (n > 0)
        memcpy(b->p + b->n, p, n);
    b->n += n;
    b->p[b->n] = '\0';
}

void p3d_buf_addz(struct p3d_buf *b, const char *z)
{
    struct p3d_str s = p3d_str_z(z);
    p3d_buf_add(b, s.p, s.n);
}

void p3d_buf_addf(struct p3d_buf *b, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0) {
        b->full = true; /* longer than INT_MAX: over every cap that makes sense */
    } else if (reserve(b, (size_t)n)) {
        (void)vsnprintf(b->p + b->n, (size_t)n + 1, fmt, again);
        b->n += (size_t)n;
    }
    va_end(again);
}

void p3d_buf_cut(struct p3d_buf *b, size_t n)
{
    assert(n <= b->n);
    if (n == 0)
        return;
    memmove(b->p, b->p + n, b->n - n);
    b->n -= n;
    b->p[b->n] = '\0';
}

struct p3d_str p3d_buf_str(const struct p3d_buf *b)
{
    return (struct p3d_str){b->p, b->n};
}

char *p3d_buf_take(struct p3d_buf *b)
{
    char *p = b->p != NULL ? b->p : p3d_strdup("");
    p3d_buf_init(b, b->max);
    return p;
}
