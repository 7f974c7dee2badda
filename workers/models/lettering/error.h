/* SPDX-License-Identifier: MIT */
/* Errors of the lettering program: a code that clients see in the error event, and one sentence. */
#ifndef LET_ERROR_H
#define LET_ERROR_H

enum let_code {
    LET_OK = 0,
    LET_BAD_INPUT,     /* input.json missing, not JSON, or of the wrong shape */
    LET_BAD_PARAMETER, /* a parameter is unknown, of the wrong type or out of range */
    LET_BAD_FONT,      /* the font is absent, unreadable or has no outlines */
    LET_EMPTY_PROMPT,  /* nothing visible to make */
    LET_INVALID_UTF8,  /* the prompt is not UTF-8 */
    LET_TOO_LARGE,     /* text, line or mesh beyond the limits */
    LET_GEOMETRY,      /* an outline that could not be made solid; not expected */
    LET_IO,            /* a file could not be written */
    LET_CODE_COUNT
};

struct let_error {
    enum let_code code;
    char message[320]; /* NUL-terminated UTF-8, one sentence without a full stop */
};

/* Fill `err` and return -code, so that callers can write `return let_fail(err, ...)`. */
int let_fail(struct let_error *err, enum let_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The word for `code` in the error event, "BAD_PARAMETER" for example. Static text. */
const char *let_code_name(enum let_code code);

#endif
