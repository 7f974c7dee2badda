/* SPDX-License-Identifier: MIT
 *
 * Asking a person, or standing in for one.
 */
#pragma once
#include "options_internal.h"

bool p3d_ask_possible(void); /* somebody sits at a terminal */

/* A line of text. False: none came, or it is too long (said). */
bool p3d_ask_line(const char *question, char *dst, size_t size);

/* --password, --password-file, with `environment` $ADMIN_PASSWORD (taken out of there in any case),
 * or asked unseen and twice; judged (account.h) and hashed. Blocks for the hash. Returns 0,
 * P3D_EXIT_REFUSED or P3D_EXIT_USAGE (said on stderr). */
int p3d_ask_password_hash(struct p3d_options *o, const struct p3d_config *cfg, bool environment,
                          char dst[P3D_PASSWORD_HASH_SIZE]);
