/* SPDX-License-Identifier: MIT
 *
 * What the account handlers share: an account as the API shows it.
 */
#pragma once
#include <jansson.h>

#include "p3d/accounts.h"

/* {"user_id","username","email","role","is_active","created_at"}: never a hash. New reference. */
json_t *p3d_user_json(const struct p3d_user *u);
/* {"user_id","username","email","created_at":"…Z"}. New reference. */
json_t *p3d_user_flat_json(const struct p3d_user *u);
/* For p3d_api_done, of an answer with one account: that with an envelope, and flat. */
json_t *p3d_user_answer_json(const struct p3d_answer *a);
json_t *p3d_user_flat_answer_json(const struct p3d_answer *a);
