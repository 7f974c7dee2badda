/* SPDX-License-Identifier: MIT
 *
 * Settings that are legal and dangerous: one warning each at every start, in words that name the
 * setting. Does not: refuse anything (the configuration's own checks do).
 */
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "p3d/log.h"
#include "p3d/str.h"
#include "supervisor_internal.h"

enum { ITERATIONS_MIN = 600000, ADMIN_KEY_MIN = 16 };

/* Only this machine can reach it. A name that cannot be judged counts as reachable. */
static bool is_loopback(const char *host)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *list = NULL;
    bool loopback = getaddrinfo(host, NULL, &hints, &list) == 0;
    for (const struct addrinfo *a = list; a != NULL; a = a->ai_next) {
        if (a->ai_family == AF_INET) {
            struct sockaddr_in v4;
            memcpy(&v4, a->ai_addr, sizeof(v4));
            loopback = loopback && ntohl(v4.sin_addr.s_addr) >> 24 == 127;
        } else {
            struct sockaddr_in6 v6;
            memcpy(&v6, a->ai_addr, sizeof(v6));
            loopback = loopback && IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
        }
    }
    if (list != NULL)
        freeaddrinfo(list);
    return loopback;
}

static void warn(const char *setting, const char *what)
{
    p3d_log(P3D_LOG_WARN, "unsafe_setting", P3D_S("setting", setting), P3D_S("what", what));
}

void p3d_advice_log(const struct p3d_config *cfg)
{
    if (!cfg->security_user_auth_enabled && !cfg->security_api_key_required &&
        !is_loopback(cfg->server_host))
        warn("security.user_auth_enabled", "simple mode on an address that other machines reach: "
                                           "everybody there may do everything");
    else if (!cfg->security_user_auth_enabled && !is_loopback(cfg->server_host))
        warn("security.user_auth_enabled", "simple mode on an address that other machines reach: "
                                           "everybody with an API key sees all jobs");
    if (cfg->security_password_iterations < ITERATIONS_MIN)
        warn("security.password_iterations",
             "below 600000 passwords are easy to guess from a stolen hash: for tests only");
    if (cfg->security_admin_api_key.n > 0 && cfg->security_admin_api_key.n < ADMIN_KEY_MIN)
        warn("security.admin_api_key", "shorter than 16 characters: it can be guessed");
}
