/* SPDX-License-Identifier: MIT
 *
 * What a username, an email address and a password must look like: one judgement for the API and
 * the command line. Uniqueness is not judged here (store/lua/user_add.lua does).
 */
#pragma once
#include <stdint.h>

#include "p3d/err.h"
#include "p3d/str.h"

/* 3 to 64 of [A-Za-z0-9._-]. Errors: P3D_E_USERNAME_SHORT, P3D_E_USERNAME_CHARS. */
P3D_MUST int p3d_username_check(struct p3d_str username);

/* local@domain, at most 254 bytes: a local part of 1 to 64 bytes without spaces, control characters
 * or a second '@', and a domain of labels of letters, digits, '-' (other alphabets as UTF-8) joined
 * by single dots; a domain without a dot is fine (admin@localhost). Whether it exists is not asked.
 * Errors: P3D_E_EMAIL_INVALID. */
P3D_MUST int p3d_email_check(struct p3d_str email);

/* At least min_length characters, at most P3D_PASSWORD_MAX bytes of UTF-8; no other rule. err says
 * the exact text. Errors: P3D_E_PASSWORD_SHORT; P3D_E_PASSWORD_LONG; P3D_E_VALIDATION not UTF-8. */
P3D_MUST int p3d_password_check(struct p3d_str password, int64_t min_length, struct p3d_error *err);
