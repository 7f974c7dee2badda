/* SPDX-License-Identifier: MIT
 *
 * What the verbs of accounts share. What returns an exit status has said on stderr what is wrong.
 */
#pragma once
#include "p3d/json.h"
#include "session_internal.h"

int p3d_users_take(void *user, const struct p3d_answer *a); /* users[0]. Errors: P3D_E_CORRUPT there is none */

/* Any spelling of an id. Returns 0 or an exit status. */
int p3d_users_find(struct p3d_session *s, const char *name, struct p3d_user *ret);

/* The account of a --user, by any spelling; also the id of one that is deleted. name NULL: none was given, *ret stays. */
int p3d_users_filter(struct p3d_session *s, const char *name, struct p3d_owner_id *ret);

/* New reference; times are UTC, a limit of null is the configuration's, -1 none. */
json_t *p3d_users_json(const struct p3d_user *u);

const char *p3d_users_role(const struct p3d_user *u);

/* "default", "no limit" or the number. dst holds P3D_USERS_LIMIT_SIZE. Returns dst. */
#define P3D_USERS_LIMIT_SIZE 24
const char *p3d_users_limit(int64_t limit, char *dst);

/* An active admin is none any more: warns when that was the last one, as far as one page of accounts tells. */
void p3d_users_warn_last_admin(struct p3d_session *s, const struct p3d_user *before);
