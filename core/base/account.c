/* SPDX-License-Identifier: MIT
 *
 * The form of usernames, email addresses and passwords. Guarantee: a username or address that
 * passes holds no control character, space, colon or quote trouble for keys, headers, logs or
 * terminals. Does not: ask whether an address exists, or judge how good a password is beyond its
 * length.
 */
#include "p3d/account.h"

#include <string.h>

#include "p3d/crypto.h"

enum { USERNAME_MIN = 3, USERNAME_MAX = 64, EMAIL_MAX = 254, LOCAL_MAX = 64, LABEL_MAX = 63 };

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

int p3d_username_check(struct p3d_str username)
{
    if (username.n < USERNAME_MIN)
        return P3D_E_USERNAME_SHORT;
    if (username.n > USERNAME_MAX)
        return P3D_E_USERNAME_CHARS;
    for (size_t i = 0; i < username.n; i++)
        if (!is_alnum(username.p[i]) && memchr("._-", username.p[i], 3) == NULL)
            return P3D_E_USERNAME_CHARS;
    return 0;
}

/* Bytes of an unquoted address: ASCII without RFC 5322 specials (but the dot), space, control. Only ASCII, because an
 * address is unique without regard to case, and beyond ASCII two texts can look the same without being it. */
static bool is_local(char c)
{
    return c > ' ' && c < 0x7F && memchr("()<>[]:;@\\,\"", c, 12) == NULL;
}

static bool is_domain(struct p3d_str d)
{
    size_t label = 0;
    for (size_t i = 0; i <= d.n; i++) {
        if (i == d.n || d.p[i] == '.') {
            if (label == 0 || label > LABEL_MAX || d.p[i - 1] == '-')
                return false;
            label = 0;
            continue;
        }
        if (!is_alnum(d.p[i]) && (d.p[i] != '-' || label == 0))
            return false;
        label++;
    }
    return true;
}

int p3d_email_check(struct p3d_str email)
{
    const char *at = email.n > 0 && email.n <= EMAIL_MAX ? memchr(email.p, '@', email.n) : NULL;
    if (at == NULL)
        return P3D_E_EMAIL_INVALID;
    size_t local = (size_t)(at - email.p);
    if (local == 0 || local > LOCAL_MAX)
        return P3D_E_EMAIL_INVALID;
    for (size_t i = 0; i < local; i++)
        if (!is_local(email.p[i]))
            return P3D_E_EMAIL_INVALID;
    return is_domain((struct p3d_str){at + 1, email.n - local - 1}) ? 0 : P3D_E_EMAIL_INVALID;
}

int p3d_password_check(struct p3d_str password, int64_t min_length, struct p3d_error *err)
{
    if (password.n > P3D_PASSWORD_MAX)
        return p3d_fail(err, P3D_E_PASSWORD_LONG, "%s", p3d_err_info(P3D_E_PASSWORD_LONG)->detail);
    if (!p3d_utf8_valid(password))
        return p3d_fail(err, P3D_E_VALIDATION, "Password is not valid UTF-8");
    if ((int64_t)p3d_utf8_count(password) < min_length)
        return p3d_fail(err, P3D_E_PASSWORD_SHORT, "Password must be at least %lld characters",
                        (long long)min_length);
    return 0;
}
