/* SPDX-License-Identifier: MIT
 *
 * What the fuzz targets share. A target is one file with LLVMFuzzerTestOneInput(): with clang and
 * the preset `fuzz` it becomes a libFuzzer program, everywhere else replay.c runs it over its
 * committed corpus. A broken promise ends the process by FUZZ_CHECK; what breaks memory is the
 * sanitizers' to find. Targets keep no state between inputs, so that one file repeats a failure.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "p3d/str.h"

/* data: size bytes, not terminated, gone after the call. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A promise of the code under test, in every build type. */
#define FUZZ_CHECK(promise)                                                                        \
    do {                                                                                           \
        if (!(promise)) {                                                                          \
            (void)fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #promise);            \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* The input as text, and pieces off its front. Each piece begins a choice of the target; an input
 * that has ended gives zeros. */
static inline struct p3d_str fuzz_text(const uint8_t *data, size_t size)
{
    return (struct p3d_str){(const char *)data, size};
}

static inline unsigned fuzz_byte(struct p3d_str *rest)
{
    if (rest->n == 0)
        return 0;
    rest->n--;
    return (unsigned char)*rest->p++;
}

static inline struct p3d_str fuzz_take(struct p3d_str *rest, size_t n)
{
    struct p3d_str piece = {rest->p, n < rest->n ? n : rest->n};
    rest->p += piece.n;
    rest->n -= piece.n;
    return piece;
}

/* Up to the first '\n', which is taken away too; all of it when there is none. */
static inline struct p3d_str fuzz_line(struct p3d_str *rest)
{
    size_t n = 0;
    while (n < rest->n && rest->p[n] != '\n')
        n++;
    struct p3d_str line = fuzz_take(rest, n);
    (void)fuzz_byte(rest);
    return line;
}
