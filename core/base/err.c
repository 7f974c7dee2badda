/* SPDX-License-Identifier: MIT
 *
 * The table of errors, made from err.def, and the one function that fills a struct p3d_error.
 * Guarantee: every number, also one that never was an error of ours, has a row.
 * Does not: choose an error for anybody, print or log.
 */
#include "p3d/err.h"

#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include "str_internal.h"

/* A wire code that no row uses (yet) is part of the contract all the same: unused is fine. */
#define P3D_WIRE(code, text) static const char wire_##code[] __attribute__((unused)) = text;
#include "p3d/err.def"
#undef P3D_WIRE

static const struct p3d_err_info table[P3D_ERR_ROW__COUNT] = {
#define P3D_ERR(sym, http, code, retry, words)                                                     \
    [P3D_ERR_ROW_##sym] = {.symbol = #sym,                                                         \
                           .status = (http),                                                       \
                           .wire = #code,                                                          \
                           .message = wire_##code,                                                 \
                           .detail = (words),                                                      \
                           .retryable = (retry) != 0},
#include "p3d/err.def"
#undef P3D_ERR
};

const struct p3d_err_info *p3d_err_info(int code)
{
    if (code >= 0 || code < -(int)P3D_ERR_ROW__COUNT)
        return &table[P3D_ERR_ROW_INTERNAL];
    return &table[-1 - code];
}

const char *p3d_err_text(int code)
{
    const struct p3d_err_info *info = p3d_err_info(code);
    return info->detail != NULL ? info->detail : info->message;
}

int p3d_err_find(const char *symbol, unsigned long n)
{
    for (int i = 0; i < (int)P3D_ERR_ROW__COUNT; i++)
        if (strlen(table[i].symbol) == n && memcmp(table[i].symbol, symbol, n) == 0)
            return -1 - i;
    return P3D_E_INTERNAL;
}

int p3d_fail(struct p3d_error *err, int code, const char *fmt, ...)
{
    if (err == NULL)
        return code;
    /* By way of a copy, because err->detail itself may be among the arguments. */
    char detail[sizeof(err->detail)];
    va_list ap;
    va_start(ap, fmt);
    (void)p3d_vformat(detail, sizeof(detail), fmt, ap);
    va_end(ap);
    err->code = code;
    err->where[0] = '\0';
    memcpy(err->detail, detail, sizeof(detail));
    return code;
}
