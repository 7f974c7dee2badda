/* SPDX-License-Identifier: MIT
 *
 * From credential headers and, where a route takes them, signed URLs to struct p3d_access: what can
 * be judged without the store. Guarantee: two credentials that differ are refused, never chosen
 * between; a header decides where there is one; a token that cannot be one costs no round trip;
 * keys are compared in constant time, against all that are configured; nothing but `exp` and `sig`
 * in a URL is looked at; a public route gets an access that the store refuses, unless everybody may
 * do everything anyway. Does not: know whether a token exists or whose it is, or whether the
 * account of a signature still may.
 */
#include "call_internal.h"

#include <string.h>

#include "p3d/clock.h"
#include "p3d/signing.h"

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

/* `exp` and `sig` of the query as they are written, each once; p NULL: not there. */
struct signature {
    struct p3d_str expires, sum;
    bool repeated;
};

static bool find_signature(struct p3d_str query, struct signature *ret)
{
    struct p3d_str name, value;
    *ret = (struct signature){.repeated = false};
    while (p3d_query_next(&query, &name, &value)) {
        bool expires = p3d_str_eq_z(name, "exp");
        if (!expires && !p3d_str_eq_z(name, "sig"))
            continue;
        struct p3d_str *to = expires ? &ret->expires : &ret->sum;
        ret->repeated |= to->p != NULL;
        *to = value;
    }
    return ret->expires.p != NULL || ret->sum.p != NULL;
}

/* Is there a good signature in the URL? absent: the answer when there is none at all. */
static int judge_url(const struct p3d_http_options *o, const struct p3d_route *route,
                     const struct p3d_credentials *given, int absent, struct p3d_access *ret)
{
    static const struct p3d_signing none;
    const struct p3d_signing *keys = o->signing != NULL ? o->signing : &none;
    struct p3d_owner_id user;
    struct signature s;
    int64_t expires_s;
    if (route->credential != P3D_CRED_URL || route->method != P3D_GET ||
        !find_signature(given->query, &s))
        return absent;
    /* One spelling of the number: the signed bytes are made from it, not from what was written. */
    if (s.repeated || s.expires.n == 0 || s.expires.p[0] == '0' ||
        p3d_str_to_i64(s.expires, 1, INT64_MAX / 1000, &expires_s) != 0)
        return P3D_E_SIGNATURE_INVALID;
    int err = p3d_signing_check(keys, p3d_wall_ms(), given->path, s.sum, expires_s, &user);
    if (err != 0) /* a server that was cut off from the store may not know the newest key yet */
        return keys->stale && s.sum.n == P3D_SIGNATURE_LEN ? P3D_E_STORE_DOWN : err;
    if ((user.s[0] != '\0') != o->cfg->security_user_auth_enabled)
        return P3D_E_SIGNATURE_INVALID; /* of the other mode */
    ret->kind = P3D_ACCESS_URL;
    ret->url_user = user;
    ret->url_expires_s = expires_s;
    return 0;
}

static bool is_admin_key(const struct p3d_config *cfg, struct p3d_str key)
{
    const struct p3d_secret *want = &cfg->security_admin_api_key;
    return want->n > 0 && p3d_equal((struct p3d_str){(const char *)want->p, want->n}, key);
}

/* The operator's own routes: there the key is the credential, with accounts or without. */
static bool takes_admin_key(const struct p3d_route *route)
{
    return route->credential == P3D_CRED_ADMIN && route->mode == P3D_MODE_ANY &&
           p3d_str_starts(p3d_str_z(route->pattern), "/admin/");
}

static int judge_simple(const struct p3d_http_options *o, const struct p3d_route *route,
                        const struct p3d_credentials *given, struct p3d_access *ret)
{
    const struct p3d_config *cfg = o->cfg;
    struct p3d_str key;
    bool known = false;
    if (takes_admin_key(route))
        return !given->repeated && is_admin_key(cfg, p3d_str_trim(given->admin_key))
                   ? 0
                   : P3D_E_ADMIN_KEY_INVALID;
    if (!cfg->security_api_key_required)
        return 0;
    int err = shown(given, &key);
    if (err == P3D_E_TOKEN_MISSING)
        return judge_url(o, route, given, P3D_E_API_KEY_INVALID, ret);
    if (err != 0)
        return P3D_E_API_KEY_INVALID;
    for (char **k = cfg->security_api_keys; k != NULL && *k != NULL; k++)
        known |= p3d_equal(p3d_str_z(*k), key); /* all of them, so that time does not tell which */
    return known ? 0 : P3D_E_API_KEY_INVALID;
}

/* Old tokens have no checksum: as long as none was brought here, none is asked for. */
static bool is_worth_asking(const struct p3d_http_options *o, struct p3d_str token)
{
    unsigned shard;
    if (p3d_token_check(token, &shard) == 0)
        return true;
    return o->legacy_tokens != NULL && *o->legacy_tokens && p3d_token_is_legacy(token);
}

static int judge_token(const struct p3d_http_options *o, const struct p3d_route *route,
                       const struct p3d_credentials *given, struct p3d_access *ret)
{
    const struct p3d_config *cfg = o->cfg;
    struct p3d_str token;
    bool by_key = takes_admin_key(route);
    if (by_key && given->admin_key.p != NULL) {
        if (given->repeated || !is_admin_key(cfg, p3d_str_trim(given->admin_key)))
            return P3D_E_ADMIN_KEY_INVALID;
        ret->kind = P3D_ACCESS_SYSTEM;
        return 0;
    }
    int err = shown(given, &token);
    if (err == P3D_E_TOKEN_MISSING && by_key)
        return P3D_E_ADMIN_KEY_INVALID;
    if (err == P3D_E_TOKEN_MISSING)
        return judge_url(o, route, given, P3D_E_TOKEN_MISSING, ret);
    if (err != 0)
        return err;
    if (!is_worth_asking(o, token))
        return P3D_E_TOKEN_INVALID;
    p3d_sha256_hex(token, ret->token_hash);
    return 0;
}

int p3d_credential_judge(const struct p3d_http_options *o, const struct p3d_route *route,
                         const struct p3d_credentials *given, struct p3d_access *ret)
{
    bool auth = o->cfg->security_user_auth_enabled;
    memset(ret, 0, sizeof(*ret));
    ret->scope = route->scope;
    ret->admin = route->credential == P3D_CRED_ADMIN;
    ret->kind = auth ? P3D_ACCESS_TOKEN : P3D_ACCESS_OPEN;
    if (route->credential == P3D_CRED_PUBLIC)
        return 0;
    return auth ? judge_token(o, route, given, ret) : judge_simple(o, route, given, ret);
}
