/* SPDX-License-Identifier: MIT
 *
 * Bytes with their length, growing buffers with a cap, numbers out of text, and the allocator.
 * Running out of memory aborts the process (supervisor restarts it): no caller of these checks for NULL.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "p3d/err.h"

#define P3D_CLEANUP(fn) __attribute__((cleanup(fn)))

/* A view of bytes; owns nothing; p may be NULL when n is 0; not terminated unless said. */
struct p3d_str {
    const char *p;
    size_t n;
};

#define P3D_STR(literal) ((struct p3d_str){(literal), sizeof(literal) - 1})

struct p3d_str p3d_str_z(const char *z); /* NULL gives the empty string */
bool p3d_str_eq(struct p3d_str a, struct p3d_str b);
bool p3d_str_eq_z(struct p3d_str a, const char *z);
bool p3d_str_ieq_z(struct p3d_str a, const char *z); /* ASCII case ignored */
bool p3d_str_starts(struct p3d_str s, const char *prefix);
struct p3d_str p3d_str_trim(struct p3d_str s); /* SP and HT at both ends */

/* Whole text is one decimal number in min..max, no sign but '-', no spaces.
 * Errors: P3D_E_VALIDATION; *ret is untouched then. */
P3D_MUST int p3d_str_to_i64(struct p3d_str s, int64_t min, int64_t max, int64_t *ret);
/* true/false/yes/no/on/off/1/0 in any case. Errors: P3D_E_VALIDATION. */
P3D_MUST int p3d_str_to_bool(struct p3d_str s, bool *ret);

/* Well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms, <= U+10FFFF). NUL is well-formed here. */
bool p3d_utf8_valid(struct p3d_str s);
size_t p3d_utf8_count(struct p3d_str s); /* code points of well-formed text */
/* Bytes of the character at s.p[at], at < s.n, if it would act on a line instead of standing in it: C0 and DEL 1, C1 2, line
 * ends and changes of direction (U+2028..202E, 2066..2069) 3; 0: it would not. Of well-formed text. */
size_t p3d_utf8_control(struct p3d_str s, size_t at);
/* The longest prefix of at most max bytes that does not cut a character. */
struct p3d_str p3d_utf8_cut(struct p3d_str s, size_t max);

/* Growing bytes. p is always terminated behind n once anything was added. max 0 = no cap.
 * An addition over the cap changes nothing and sets `full`, which stays; nothing is added after that (no holes). */
struct p3d_buf {
    char *p;
    size_t n, cap, max;
    bool full;
};

void p3d_buf_init(struct p3d_buf *b, size_t max);
void p3d_buf_done(struct p3d_buf *b);
void p3d_buf_add(struct p3d_buf *b, const void *p, size_t n);
void p3d_buf_addz(struct p3d_buf *b, const char *z);
void p3d_buf_addf(struct p3d_buf *b, const char *fmt, ...) P3D_PRINTF(2, 3);
void p3d_buf_cut(struct p3d_buf *b, size_t n); /* drop the first n bytes */
struct p3d_str p3d_buf_str(const struct p3d_buf *b);
char *p3d_buf_take(struct p3d_buf *b); /* ownership to the caller (free), b is empty after */

/* The allocator: abort on failure, never return NULL (n 0 gives 1 byte). Free with free(). */
void *p3d_alloc(size_t n); /* zeroed */
void *p3d_realloc(void *p, size_t n);
char *p3d_strdup(const char *z);               /* NULL gives NULL */
char *p3d_strndup(const char *p, size_t n);    /* always terminated */
char *p3d_asprintf(const char *fmt, ...) P3D_PRINTF(1, 2);
void p3d_freep(void *pp);   /* for P3D_CLEANUP(p3d_freep) on char* and friends */
void p3d_closep(int *fd);   /* for P3D_CLEANUP(p3d_closep): closes when >= 0, keeps errno */

/* snprintf into a fixed array; text that does not fit is cut at a character and reported as false. */
bool p3d_format(char *dst, size_t size, const char *fmt, ...) P3D_PRINTF(3, 4);
