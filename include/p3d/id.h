/* SPDX-License-Identifier: MIT
 *
 * Identifiers. Distinct structs, so that swapping two of them does not compile. All are plain terminated text.
 */
#pragma once
#include <stdint.h>

#include "p3d/str.h"

/* job_ + base62 shard + ULID (26 of Crockford base32): 31 characters. */
struct p3d_job_id {
    char s[32];
};
/* user_ + 16 hex: 21 characters; s[0] == 0 means "no owner" (simple mode). */
struct p3d_owner_id {
    char s[24];
};
#define P3D_ULID_LEN 26

/* A new job id; monotonic within the process, also within one millisecond and when the clock steps back. */
void p3d_job_id_new(unsigned shard, int64_t wall_ms, struct p3d_job_id *ret);
/* The id that a time and 80 bits give: the same ones, the same id. */
void p3d_job_id_of(unsigned shard, int64_t wall_ms, const unsigned char bits[10], struct p3d_job_id *ret);
/* Errors: P3D_E_JOB_NOT_FOUND when it cannot be one. */
P3D_MUST int p3d_job_id_parse(struct p3d_str s, struct p3d_job_id *ret);
const char *p3d_job_id_ulid(const struct p3d_job_id *id); /* the 26 characters, inside id */
unsigned p3d_job_id_shard(const struct p3d_job_id *id);

void p3d_owner_id_new(struct p3d_owner_id *ret); /* 64 random bits */
/* Errors: P3D_E_USER_NOT_FOUND when it cannot be one. */
P3D_MUST int p3d_owner_id_parse(struct p3d_str s, struct p3d_owner_id *ret);

char p3d_base62(unsigned digit);   /* 0..61 -> 0-9A-Za-z */
int p3d_base62_value(char c);      /* -1 when none */

/* 16 lower-case hex of 64 random bits, terminated: nonces, request ids. */
void p3d_nonce(char dst[17]);
