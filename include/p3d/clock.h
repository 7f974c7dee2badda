/* SPDX-License-Identifier: MIT
 *
 * Time. Monotonic milliseconds for waiting, wall-clock milliseconds for what people read; they never mix.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "p3d/str.h"

uint64_t p3d_mono_ms(void); /* CLOCK_MONOTONIC */
int64_t p3d_wall_ms(void);  /* CLOCK_REALTIME, Unix epoch */
double p3d_wall_s(void);    /* the `timestamp` fields of the API */

enum p3d_time_form {
    P3D_TIME_NAIVE, /* 2024-01-01T00:00:00, six digits of fraction when it is not zero: 3DAIGC routes */
    P3D_TIME_ZULU,  /* 2024-01-01T00:00:00Z, whole seconds: /admin, /api/users */
};
#define P3D_TIME_SIZE 40

/* UTC text of a wall time. dst holds P3D_TIME_SIZE. */
void p3d_time_format(int64_t wall_ms, enum p3d_time_form form, char *dst);
/* Reads both forms, a fraction of 1-9 digits, `Z`, offsets and a bare date. Errors: P3D_E_VALIDATION. */
P3D_MUST int p3d_time_parse(struct p3d_str s, int64_t *ret_wall_ms);
