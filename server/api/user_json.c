/* SPDX-License-Identifier: MIT
 *
 * The user object of the API.
 */
#include "user_json_internal.h"

#include "p3d/json.h"

json_t *p3d_user_json(const struct p3d_user *u)
{
    return json_pack("{s:s, s:o, s:o, s:s, s:b, s:o}", "user_id", u->id.s, "username",
                     p3d_json_str(p3d_str_z(u->username)), "email", p3d_json_str(p3d_str_z(u->email)), "role",
                     u->admin ? "admin" : "user", "is_active", (int)u->active, "created_at",
                     p3d_json_time(u->created_ms));
}
