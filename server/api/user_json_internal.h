/* SPDX-License-Identifier: MIT
 *
 * What the account handlers share: an account as the API shows it.
 */
#pragma once
#include <jansson.h>

#include "p3d/store.h"

/* {"user_id","username","email","role","is_active","created_at"}: never a hash. New reference. */
json_t *p3d_user_json(const struct p3d_user *u);
