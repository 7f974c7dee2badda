/* SPDX-License-Identifier: MIT
 *
 * Which browser origins may read answers: security.cors_origins. "*" is answered with "*" and never
 * with credentials, so a page of a stranger can use a token only if somebody gives it one. An
 * origin of a list is echoed as it stands in the configuration, never as it came. Does not: refuse
 * requests; browsers do that.
 */
#include "call_internal.h"

const char p3d_cors_expose[] = "location, x-request-id, x-process-time, x-job-id, x-total-count, "
                               "content-disposition, content-range, etag, "
                               "accept-ranges, retry-after, idempotent-replayed, ratelimit-limit, "
                               "ratelimit-remaining, ratelimit-reset, "
                               "x-ratelimit-limit, x-ratelimit-remaining, x-ratelimit-reset";
const char p3d_cors_headers[] = "authorization, content-type, idempotency-key, x-api-key, "
                                "x-admin-api-key, x-filename, x-request-id, "
                                "last-event-id, range, if-none-match, if-range";

const char *p3d_cors_origin(char *const *origins, struct p3d_str origin, bool *ret_vary)
{
    *ret_vary = false;
    for (char *const *o = origins; o != NULL && *o != NULL; o++)
        if (p3d_str_eq_z(P3D_STR("*"), *o))
            return "*";
    *ret_vary = origins != NULL && origins[0] != NULL;
    for (char *const *o = origins; origin.n > 0 && o != NULL && *o != NULL; o++)
        if (p3d_str_ieq_z(origin, *o))
            return *o;
    return NULL;
}
