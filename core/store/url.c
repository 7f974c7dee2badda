/* SPDX-License-Identifier: MIT
 *
 * The URL of the Redis server, taken apart. It guarantees that no text of an error repeats the URL: a password could be
 * in any part of a mistyped one. It does not resolve or connect anything (conn_socket.c).
 */
#include "conn_internal.h"

#include <string.h>

enum { PORT = 6379, HOST_MAX = 255, PATH_MAX_BYTES = 4000, DB_MAX = 1000000 };

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static struct p3d_str from(struct p3d_str s, size_t i)
{
    return (struct p3d_str){s.p + i, s.n - i};
}

static struct p3d_str upto(struct p3d_str s, size_t n)
{
    return (struct p3d_str){s.p, n};
}

/* The place of the first c, or s.n. */
static size_t place(struct p3d_str s, char c)
{
    const char *at = s.n ? memchr(s.p, c, s.n) : NULL;
    return at ? (size_t)(at - s.p) : s.n;
}

static int decode(struct p3d_str s, struct p3d_secret *ret, struct p3d_error *err)
{
    char plain[P3D_SECRET_MAX];
    size_t n = 0;
    int rc = 0;

    for (size_t i = 0; i < s.n && !rc; i++) {
        int c = (unsigned char)s.p[i];
        if (c == '%') {
            int hi = i + 2 < s.n ? hex_digit(s.p[i + 1]) : -1;
            int lo = i + 2 < s.n ? hex_digit(s.p[i + 2]) : -1;
            c = hi < 0 || lo < 0 ? -1 : hi * 16 + lo;
            i += 2;
        }
        if (c < 0)
            rc = p3d_fail(err, P3D_E_CONFIG, "'%%' in user or password needs two hex digits ('%%25' is a percent sign)");
        else if (n == sizeof plain)
            rc = p3d_fail(err, P3D_E_CONFIG, "user and password have at most %d bytes", P3D_SECRET_MAX);
        else
            plain[n++] = (char)c;
    }
    if (!rc && n)
        p3d_secret_set(ret, (struct p3d_str){plain, n});
    p3d_wipe(plain, sizeof plain);
    return rc;
}

/* "user:password@rest": both decoded; *s becomes rest. The last '@' counts, a password may hold an unescaped one. */
static int take_userinfo(struct p3d_str *s, struct p3d_redis_url *u, struct p3d_error *err)
{
    const char *at = s->n ? memrchr(s->p, '@', s->n) : NULL;
    if (!at)
        return 0;
    struct p3d_str info = upto(*s, (size_t)(at - s->p));
    *s = from(*s, info.n + 1);

    size_t colon = place(info, ':');
    int rc = decode(upto(info, colon), &u->user, err);
    if (!rc && colon < info.n)
        rc = decode(from(info, colon + 1), &u->password, err);
    return rc;
}

static bool host_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '-' || c == '_';
}

/* "host", "host:port", "[::1]:port". */
static int take_host(struct p3d_str s, struct p3d_redis_url *u, struct p3d_error *err)
{
    bool six = s.n && *s.p == '[';
    struct p3d_str host = upto(s, place(s, six ? ']' : ':'));
    struct p3d_str rest = from(s, host.n);
    int64_t port = PORT;

    if (six) {
        if (!rest.n)
            return p3d_fail(err, P3D_E_CONFIG, "an IPv6 address ends with ']'");
        host = from(host, 1);
        rest = from(rest, 1);
    }
    for (size_t i = 0; i < host.n; i++)
        if (!host_char(host.p[i]) && !(six && (host.p[i] == ':' || host.p[i] == '%')))
            return p3d_fail(err, P3D_E_CONFIG, "the host has a character that no host name has (an unescaped '/', '?' or "
                                               "'#' in the password? write %%2F, %%3F, %%23)");
    if (!host.n || host.n > HOST_MAX)
        return p3d_fail(err, P3D_E_CONFIG, "the host has 1 to %d characters", HOST_MAX);
    if (rest.n && (*rest.p != ':' || p3d_str_to_i64(from(rest, 1), 1, 65535, &port)))
        return p3d_fail(err, P3D_E_CONFIG, "behind the host: ':' and a port from 1 to 65535");
    u->host = p3d_strndup(host.p, host.n);
    u->port = (int)port;
    return 0;
}

static int parse_tcp(struct p3d_str s, struct p3d_redis_url *u, struct p3d_error *err)
{
    size_t slash = place(s, '/');
    struct p3d_str where = upto(s, slash), db = from(s, slash);
    int64_t number = 0;

    int rc = take_userinfo(&where, u, err);
    if (!rc)
        rc = take_host(where, u, err);
    if (rc)
        return rc;
    if (db.n > 1 && p3d_str_to_i64(from(db, 1), 0, DB_MAX, &number))
        return p3d_fail(err, P3D_E_CONFIG, "behind the port: '/' and the number of a database, nothing else (an "
                                           "unescaped '/' in the password? write %%2F)");
    u->db = (int)number;
    return 0;
}

static int parse_unix(struct p3d_str s, struct p3d_redis_url *u, struct p3d_error *err)
{
    if (s.n && *s.p != '/') {
        int rc = take_userinfo(&s, u, err);
        if (rc)
            return rc;
    }
    if (s.n < 2 || *s.p != '/' || s.n > PATH_MAX_BYTES)
        return p3d_fail(err, P3D_E_CONFIG, "behind unix:// stands an absolute path: unix:///run/redis/redis.sock");
    u->path = p3d_strndup(s.p, s.n);
    return 0;
}

static int parse_tls(struct p3d_str s, struct p3d_redis_url *u, struct p3d_error *err)
{
    (void)s, (void)u;
    return p3d_fail(err, P3D_E_CONFIG, "TLS to Redis (rediss://) is not built in: run stunnel beside P3D and point "
                                       "redis:// or unix:// at its local end");
}

static const struct scheme {
    const char *prefix;
    int (*parse)(struct p3d_str rest, struct p3d_redis_url *u, struct p3d_error *err);
} schemes[] = {
    {"redis://", parse_tcp},
    {"unix://", parse_unix},
    {"rediss://", parse_tls},
};

static int parse(struct p3d_str url, struct p3d_redis_url *u, struct p3d_error *err)
{
    for (size_t i = 0; i < url.n; i++)
        if ((unsigned char)url.p[i] <= ' ' || url.p[i] == 0x7f)
            return p3d_fail(err, P3D_E_CONFIG, "a space or control character is in the URL");
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (p3d_str_starts(url, schemes[i].prefix))
            return schemes[i].parse(from(url, strlen(schemes[i].prefix)), u, err);
    return p3d_fail(err, P3D_E_CONFIG, "write redis://[user:password@]host:port/db or unix:///path");
}

int p3d_redis_url_parse(struct p3d_str url, const char *data_dir, struct p3d_redis_url *ret, struct p3d_error *err)
{
    struct p3d_redis_url u = {.port = PORT};
    int rc = 0;

    if (url.n)
        rc = parse(url, &u, err);
    else
        u.path = p3d_asprintf("%s/run/redis.sock", data_dir);
    if (rc)
        p3d_redis_url_done(&u);
    else
        *ret = u;
    return rc;
}

void p3d_redis_url_done(struct p3d_redis_url *u)
{
    free(u->host);
    free(u->path);
    p3d_secret_done(&u->user);
    p3d_secret_done(&u->password);
    *u = (struct p3d_redis_url){0};
}
