/* SPDX-License-Identifier: MIT
 *
 * Who asks, from where, and what they need. Made from the request by dispatch, judged inside the store's scripts and
 * nowhere else.
 */
#pragma once
#include <stdbool.h>

#include "p3d/crypto.h"
#include "p3d/id.h"

enum p3d_scope {
    P3D_SCOPE_JOBS_READ = 1,
    P3D_SCOPE_JOBS_WRITE = 2,
    P3D_SCOPE_FILES_READ = 4,
    P3D_SCOPE_FILES_WRITE = 8,
    P3D_SCOPE_ACCOUNT = 16,
    P3D_SCOPE_ADMIN = 32,
    P3D_SCOPE_ALL = 63,
};
#define P3D_SCOPES 6

/* "jobs:write"; of several, the lowest. Static. */
const char *p3d_scope_name(unsigned scope);
/* 0 when there is no such scope. */
unsigned p3d_scope_find(struct p3d_str name);

enum p3d_access_kind {
    P3D_ACCESS_OPEN,   /* simple mode: everybody may do everything, jobs get no owner */
    P3D_ACCESS_TOKEN,  /* token_hash decides */
    P3D_ACCESS_SYSTEM, /* the operator on the command line: an admin without an account */
    P3D_ACCESS_URL,    /* a signed URL, its signature is good: the account it was issued to and its end decide */
};

/* Who asks, and what the route needs. */
struct p3d_access {
    enum p3d_access_kind kind;
    char token_hash[P3D_SHA256_HEX]; /* TOKEN: hex SHA-256 of the whole token text */
    struct p3d_owner_id url_user;    /* URL: empty = issued in simple mode */
    int64_t url_expires_s;           /* URL: Unix time */
    enum p3d_scope scope;            /* needed; 0 = any valid token */
    bool admin;                      /* role admin is needed */
    char address[64];                /* where from, text, for the audit and for delays; "" = nowhere in particular */
};
