/* SPDX-License-Identifier: MIT
 *
 * The words for scopes and account states, as they stand in requests, answers and Redis.
 */
#include "p3d/access.h"
#include "p3d/accounts.h"

static const char *const scopes[P3D_SCOPES] = {"jobs:read", "jobs:write", "files:read", "files:write", "account", "admin"};
static const char *const statuses[P3D_USER_STATUS__COUNT] = {"active", "pending", "suspended"};

const char *p3d_scope_name(unsigned scope)
{
    for (unsigned i = 0; i < P3D_SCOPES; i++)
        if (scope & 1U << i)
            return scopes[i];
    return "";
}

unsigned p3d_scope_find(struct p3d_str name)
{
    for (unsigned i = 0; i < P3D_SCOPES; i++)
        if (p3d_str_eq_z(name, scopes[i]))
            return 1U << i;
    return 0;
}

const char *p3d_user_status_name(enum p3d_user_status s)
{
    return statuses[s];
}
