/* SPDX-License-Identifier: MIT
 *
 * The listening socket. It is made once, before anything else is started, so that a port in use
 * stops the start and is said in words a person can act on. Does not: accept.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "p3d/role.h"
#include "p3d/str.h"

enum { BACKLOG = 4096 }; /* the kernel lowers it to net.core.somaxconn */

/* Returns a listening socket or -1 with errno. */
static int try_one(const struct addrinfo *a)
{
    const int on = 1, off = 0;
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (a->ai_family == AF_INET6) /* "::" means IPv4 too, whatever the system's default is */
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    p3d_closep(&fd);
    return -1;
}

static int port_of(int fd)
{
    union {
        struct sockaddr_storage any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } a;
    socklen_t n = sizeof(a);
    if (getsockname(fd, (struct sockaddr *)&a.any, &n) != 0)
        return -1;
    return ntohs(a.any.ss_family == AF_INET6 ? a.v6.sin6_port : a.v4.sin_port);
}

static int refuse(const char *host, int port, int why, struct p3d_error *err)
{
    switch (why) {
    case EADDRINUSE:
        return p3d_fail(err, P3D_E_CONFIG,
                        "port %d is in use on %s: stop the program that has it (`ss -ltnp` names "
                        "it) or choose another port with --port or server.port",
                        port, host);
    case EACCES:
        return p3d_fail(err, P3D_E_CONFIG,
                        "port %d on %s is not allowed for this user: choose one above 1023 with "
                        "--port or server.port",
                        port, host);
    case EADDRNOTAVAIL:
        return p3d_fail(err, P3D_E_CONFIG,
                        "%s is no address of this machine: see --host and server.host", host);
    default:
        return p3d_fail(err, P3D_E_CONFIG, "cannot listen on %s port %d: %s", host, port,
                        strerror(why));
    }
}

int p3d_listen(const char *host, int port, int *ret_fd, int *ret_port, struct p3d_error *err)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    char service[16];
    int fd = -1, why = EADDRNOTAVAIL;

    (void)p3d_format(service, sizeof(service), "%d", port);
    int gai = getaddrinfo(host, service, &hints, &list);
    if (gai != 0)
        return p3d_fail(err, P3D_E_CONFIG, "cannot listen on %s: %s (see --host and server.host)",
                        host, gai == EAI_SYSTEM ? strerror(errno) : gai_strerror(gai));
    for (const struct addrinfo *a = list; a != NULL && fd < 0; a = a->ai_next) {
        fd = try_one(a);
        if (fd < 0) {
            why = errno;
            if (why == EADDRINUSE) /* the next address of a name would not be what was meant */
                break;
        }
    }
    freeaddrinfo(list);
    if (fd < 0)
        return refuse(host, port, why, err);
    *ret_port = port_of(fd);
    *ret_fd = fd;
    return 0;
}
