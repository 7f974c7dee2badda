/* SPDX-License-Identifier: MIT
 *
 * Who asks, and what they need. Made from the request by dispatch, judged inside the store's scripts and nowhere else.
 */
#pragma once
#include <stdbool.h>

#include "p3d/crypto.h"

enum p3d_scope {
    P3D_SCOPE_JOBS_READ = 1,
    P3D_SCOPE_JOBS_WRITE = 2,
    P3D_SCOPE_FILES_READ = 4,
    P3D_SCOPE_FILES_WRITE = 8,
    P3D_SCOPE_ACCOUNT = 16,
    P3D_SCOPE_ADMIN = 32,
    P3D_SCOPE_ALL = 63,
};

enum p3d_access_kind {
    P3D_ACCESS_OPEN,   /* simple mode: everybody may do everything, jobs get no owner */
    P3D_ACCESS_TOKEN,  /* token_hash decides */
    P3D_ACCESS_SYSTEM, /* the operator on the command line: an admin without an account */
};

/* Who asks, and what the route needs. */
struct p3d_access {
    enum p3d_access_kind kind;
    char token_hash[P3D_SHA256_HEX]; /* hex SHA-256 of the whole token text */
    enum p3d_scope scope;            /* needed; 0 = any valid token */
    bool admin;                      /* role admin is needed */
};
