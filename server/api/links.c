/* SPDX-License-Identifier: MIT
 *
 * For whom and until when the URLs of an answer are signed: the one place that says it. Guarantee: a URL is issued to
 * the account that the store found behind the credential of this very request, never to the owner of what it leads to;
 * it lives at least security.url_ttl_seconds, and less than a second more. Does not: sign (job_json.c).
 */
#include "app_internal.h"

#include "job_json_internal.h"
#include "p3d/clock.h"

struct p3d_links p3d_links_of(const struct p3d_call *c, const struct p3d_owner_id *caller)
{
    const struct p3d_app *app = p3d_call_app(c);
    int64_t now_ms = p3d_wall_ms();
    return (struct p3d_links){.base = p3d_call_base_url(c),
                              .signing = &app->signing,
                              .caller = *caller,
                              .now_ms = now_ms,
                              .expires_s = (now_ms + 999) / 1000 + app->cfg->security_url_ttl_seconds};
}
