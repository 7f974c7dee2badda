/* SPDX-License-Identifier: MIT
 *
 * The user object of the API, and its flat form with whole seconds and a Z.
 */
#include "user_json_internal.h"

#include "p3d/clock.h"
#include "p3d/json.h"

json_t *p3d_user_json(const struct p3d_user *u)
{
    return json_pack("{s:s, s:o, s:o, s:s, s:b, s:o}", "user_id", u->id.s, "username",
                     p3d_json_str(p3d_str_z(u->username)), "email", p3d_json_str(p3d_str_z(u->email)), "role",
                     u->admin ? "admin" : "user", "is_active", (int)u->active, "created_at",
                     p3d_json_time(u->created_ms));
}

json_t *p3d_user_flat_json(const struct p3d_user *u)
{
    char created[P3D_TIME_SIZE];
    p3d_time_format(u->created_ms, P3D_TIME_ZULU, created);
    return json_pack("{s:s, s:o, s:o, s:s}", "user_id", u->id.s, "username", p3d_json_str(p3d_str_z(u->username)),
                     "email", p3d_json_str(p3d_str_z(u->email)), "created_at", created);
}

json_t *p3d_user_answer_json(const struct p3d_answer *a)
{
    return json_pack("{s:b, s:o}", "success", 1, "user", p3d_user_json(&a->users[0]));
}

json_t *p3d_user_flat_answer_json(const struct p3d_answer *a)
{
    return p3d_user_flat_json(&a->users[0]);
}
