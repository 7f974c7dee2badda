/* SPDX-License-Identifier: MIT
 *
 * From credential headers to struct p3d_access: what can be judged without the store. Guarantee:
 * two credentials that differ are refused, never chosen between; a token that cannot be one costs
 * no round trip; keys are compared in constant time, against all that are configured; nothing in a
 * URL is looked at; a public route gets an access that the store refuses, unless everybody may do
 * everything anyway. Does not: know whether a token exists or whose it is.
 */
#include "call_internal.h"

#include <string.h>

/* The token of "Bearer <token>". */
static bool bearer(struct p3d_str s, struct p3d_str *ret)
{
    static const char scheme[] = "bearer ";
    s = p3d_str_trim(s);
    if (s.n < sizeof(scheme) || !p3d_str_ieq_z((struct p3d_str){s.p, sizeof(scheme) - 1}, scheme))
        return false;
    s = p3d_str_trim((struct p3d_str){s.p + sizeof(scheme) - 1, s.n - (sizeof(scheme) - 1)});
    if (s.n == 0 || memchr(s.p, ' ', s.n) != NULL || memchr(s.p, '\t', s.n) != NULL)
        return false;
    *ret = s;
    return true;
}

/* The one text that the caller shows, in either header. */
static int shown(const struct p3d_credentials *given, struct p3d_str *ret)
{
    struct p3d_str key = p3d_str_trim(given->api_key), token = {NULL, 0};
    if (given->repeated)
        return P3D_E_TOKEN_FORMAT;
    if (given->authorization.p != NULL && !bearer(given->authorization, &token))
        return P3D_E_TOKEN_FORMAT;
    if (token.n == 0 && key.n == 0)
        return P3D_E_TOKEN_MISSING;
    if (token.n > 0 && key.n > 0 && !p3d_equal(token, key))
        return P3D_E_TOKEN_FORMAT;
    *ret = token.n > 0 ? token : key;
    return 0;
}

static bool is_admin_key(const struct p3d_config *cfg, struct p3d_str key)
{
    const struct p3d_secret *want = &cfg->security_admin_api_key;
    return want->n > 0 && p3d_equal((struct p3d_str){(const char *)want->p, want->n}, key);
}

static int judge_simple(const struct p3d_config *cfg, const struct p3d_route *route,
                        const struct p3d_credentials *given)
{
    struct p3d_str key;
    bool known = false;
    if (route->credential == P3D_CRED_ADMIN)
        return !given->repeated && is_admin_key(cfg, p3d_str_trim(given->admin_key))
                   ? 0
                   : P3D_E_ADMIN_KEY_INVALID;
    if (!cfg->security_api_key_required)
        return 0;
    if (shown(given, &key) != 0)
        return P3D_E_API_KEY_INVALID;
    for (char **k = cfg->security_api_keys; k != NULL && *k != NULL; k++)
        known |= p3d_equal(p3d_str_z(*k), key); /* all of them, so that time does not tell which */
    return known ? 0 : P3D_E_API_KEY_INVALID;
}

static int judge_token(const struct p3d_config *cfg, const struct p3d_route *route,
                       const struct p3d_credentials *given, struct p3d_access *ret)
{
    struct p3d_str token;
    unsigned shard;
    bool by_key = route->credential == P3D_CRED_ADMIN && route->mode == P3D_MODE_ANY;
    if (by_key && given->admin_key.p != NULL) {
        if (given->repeated || !is_admin_key(cfg, p3d_str_trim(given->admin_key)))
            return P3D_E_ADMIN_KEY_INVALID;
        ret->kind = P3D_ACCESS_SYSTEM;
        return 0;
    }
    int err = shown(given, &token);
    if (err == P3D_E_TOKEN_MISSING && by_key &&
        p3d_str_starts(p3d_str_z(route->pattern), "/admin/"))
        return P3D_E_ADMIN_KEY_INVALID;
    if (err != 0)
        return err;
    if (p3d_token_check(token, &shard) != 0)
        return P3D_E_TOKEN_INVALID;
    p3d_sha256_hex(token, ret->token_hash);
    return 0;
}

int p3d_credential_judge(const struct p3d_config *cfg, const struct p3d_route *route,
                         const struct p3d_credentials *given, struct p3d_access *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->scope = route->scope;
    ret->admin = route->credential == P3D_CRED_ADMIN;
    ret->kind = cfg->security_user_auth_enabled ? P3D_ACCESS_TOKEN : P3D_ACCESS_OPEN;
    if (route->credential == P3D_CRED_PUBLIC)
        return 0;
    return cfg->security_user_auth_enabled ? judge_token(cfg, route, given, ret)
                                           : judge_simple(cfg, route, given);
}
