/* SPDX-License-Identifier: MIT
 *
 * What the text functions of core/base share with each other: one step through UTF-8, and
 * formatting with a va_list.
 */
#pragma once
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Length (1..4) of the well-formed character at p, of which n bytes are there; 0 when there is
 * none. ret_cp (may be NULL): its code point. */
size_t p3d_utf8_step(const char *p, size_t n, uint32_t *ret_cp);

/* p3d_format with a va_list. */
bool p3d_vformat(char *dst, size_t size, const char *fmt, va_list ap)
    __attribute__((format(printf, 3, 0)));
