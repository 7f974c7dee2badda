/* SPDX-License-Identifier: MIT
 *
 * Errors: one table (err.def) gives every error its number, HTTP status, wire code, retry policy and text.
 * Functions that can fail return 0 or a negative P3D_E_*; with more to say they also fill a struct p3d_error.
 */
#pragma once
#include <stdbool.h>

enum p3d_err_row {
#define P3D_ERR(sym, status, wire, retry, detail) P3D_ERR_ROW_##sym,
#include "p3d/err.def"
#undef P3D_ERR
    P3D_ERR_ROW__COUNT
};

enum p3d_err_code {
#define P3D_ERR(sym, status, wire, retry, detail) P3D_E_##sym = -1 - (int)P3D_ERR_ROW_##sym,
#include "p3d/err.def"
#undef P3D_ERR
};

#define P3D_MUST __attribute__((warn_unused_result))
/* Ignore a result on purpose: gcc does not take a cast to void for it. */
#define P3D_IGNORE(call)        \
    do {                        \
        int ignored_ = (call);  \
        (void)ignored_;         \
    } while (0)
#define P3D_PRINTF(f, a) __attribute__((format(printf, f, a)))

/* An error with its own words. code is 0 or P3D_E_*; detail is always terminated, never holds a secret.
 * where ("config.yaml:12: server.port") is set by the configuration only, else empty. */
struct p3d_error {
    int code;
    char where[160];
    char detail[512];
};

struct p3d_err_info {
    const char *symbol;  /* "JOB_NOT_FOUND", also what scripts answer */
    int status;          /* HTTP */
    const char *wire;    /* "NOT_FOUND" */
    const char *message; /* the generic sentence of the wire code */
    const char *detail;  /* exact text, or NULL: the caller says it */
    bool retryable;
};

/* The row of an error. Never NULL: a number that is not in the table gives the row of P3D_E_INTERNAL. */
const struct p3d_err_info *p3d_err_info(int code);

/* What can be said of an error without knowing more: its exact text, else the generic sentence. Static. */
const char *p3d_err_text(int code);

/* The code of a symbol as scripts answer it ("JOB_NOT_FOUND"), or P3D_E_INTERNAL when unknown. */
int p3d_err_find(const char *symbol, unsigned long n);

/* Fill *err (when not NULL) with code and a formatted detail; returns code, so `return p3d_fail(err, …)`. */
int p3d_fail(struct p3d_error *err, int code, const char *fmt, ...) P3D_PRINTF(3, 4);
