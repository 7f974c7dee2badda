/* SPDX-License-Identifier: MIT */
/* The parameters of a job: names, ranges, defaults. */
#ifndef LET_PARAMS_H
#define LET_PARAMS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "error.h"

enum let_align { LET_LEFT, LET_CENTER, LET_RIGHT };

struct let_params {
    double depth;        /* metres, front to back */
    double height;       /* metres, of a capital letter */
    double bevel;        /* metres; < 0 = not given, let_params_read() replaces it */
    double metallic;     /* 0..1 */
    double roughness;    /* 0..1 */
    double line_spacing; /* 1 = the font's own */
    double color[3];     /* linear 0..1, from sRGB */
    bool smooth;         /* smooth normals along curves */
    enum let_align align;
    char font[256]; /* bare file name */
};

/* Defaults, overridden by the members of `object` (NULL = none).
 * Errors: LET_BAD_PARAMETER, with the name of the parameter in the message. */
int let_params_read(json_t *object, struct let_params *ret_params, struct let_error *err);

/* The table of parameters for --help. */
void let_params_help(FILE *out);

#endif
