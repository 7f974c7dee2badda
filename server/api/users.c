/* SPDX-License-Identifier: MIT
 *
 * What register, login, password change and tokens share, and the caller's own account. Guarantee: a password is in one
 * place after it was taken, and that place is wiped with the request. Does not: judge what a good username, email or
 * password is (account.h).
 */
#include "users_internal.h"

#include "p3d/clock.h"
#include "user_json_internal.h"

#define DAY_MS INT64_C(86400000)

bool p3d_password_take(json_t *body, const char *key, struct p3d_secret *ret)
{
    struct p3d_str s = p3d_json_get_str(body, key);
    if (s.n <= P3D_PASSWORD_MAX)
        p3d_secret_set(ret, s);
    if (s.n > 0)
        p3d_wipe((void *)(uintptr_t)s.p, s.n);
    return s.n <= P3D_PASSWORD_MAX;
}

struct p3d_str p3d_password_text(const struct p3d_secret *s)
{
    return (struct p3d_str){(const char *)s->p, s->n};
}

unsigned p3d_password_rounds(const struct p3d_call *c)
{
    return (unsigned)p3d_call_app(c)->cfg->security_password_iterations;
}

void p3d_minted_new(struct p3d_minted *m, struct p3d_str name)
{
    p3d_token_new(0, &m->token);
    p3d_sha256_hex(p3d_str_z(m->token.s), m->hash);
    m->row = (struct p3d_new_token){.hash = m->hash, .prefix = {m->token.s, P3D_TOKEN_PREFIX_LEN}, .name = name};
}

void p3d_minted_login(struct p3d_minted *m, const struct p3d_call *c, const char *username)
{
    const struct p3d_config *cfg = p3d_call_app(c)->cfg;
    (void)p3d_format(m->login_name, sizeof(m->login_name), "Login token - %s", username);
    p3d_minted_new(m, p3d_str_z(m->login_name));
    m->row.expires_ms = p3d_wall_ms() + cfg->security_login_token_days * DAY_MS;
    m->row.max_login = cfg->security_max_login_tokens;
}

/* ---- me ---- */

static void on_me(void *priv, int err, const struct p3d_answer *a)
{
    p3d_api_done(priv, err == 0 && a->n == 0 ? P3D_E_CORRUPT : err, a, p3d_user_answer_json);
}

void p3d_api_me(struct p3d_call *c)
{
    p3d_api_began(c, p3d_store_check_access(p3d_call_app(c)->store, p3d_call_access(c), NULL, on_me, p3d_call_ref(c)));
}
