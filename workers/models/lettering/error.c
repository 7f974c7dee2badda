/* SPDX-License-Identifier: MIT */
/* Errors: one table from code to the word clients see.
 *
 * Owns the spelling of the codes. Every function of this program that can fail returns 0 or a
 * negative enum let_code and fills a struct let_error of its caller; nothing below main.c prints
 * an error or leaves the process.
 * A new code gets a line in error.h and one here. */
#include "error.h"

#include <stdarg.h>
#include <stdio.h>

static const char *const names[LET_CODE_COUNT] = {
    [LET_OK] = "OK",
    [LET_BAD_INPUT] = "BAD_INPUT",
    [LET_BAD_PARAMETER] = "BAD_PARAMETER",
    [LET_BAD_FONT] = "BAD_FONT",
    [LET_EMPTY_PROMPT] = "EMPTY_PROMPT",
    [LET_INVALID_UTF8] = "INVALID_UTF8",
    [LET_TOO_LARGE] = "TOO_LARGE",
    [LET_GEOMETRY] = "GEOMETRY",
    [LET_IO] = "IO_ERROR",
};

int let_fail(struct let_error *err, enum let_code code, const char *format, ...)
{
    va_list args;

    err->code = code;
    va_start(args, format);
    (void)vsnprintf(err->message, sizeof(err->message), format, args);
    va_end(args);
    return -(int)code;
}

const char *let_code_name(enum let_code code)
{
    return code < LET_CODE_COUNT ? names[code] : "INTERNAL";
}
