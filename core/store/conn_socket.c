/* SPDX-License-Identifier: MIT
 *
 * From the address of a Redis server to a connected, non-blocking socket, without ever blocking the loop: names that
 * need DNS are looked up on a thread, each time anew (a failover may have moved them), and every address found is tried.
 * A unix socket is reached at any length of path. It does not retry (conn.c does) and speaks no protocol.
 */
#include "conn_parts_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

static void try_next(struct p3d_dial *d);

static void succeed(struct p3d_dial *d)
{
    int fd = d->fd;
    d->fd = -1;
    d->cb(d, fd, NULL);
}

static void say(struct p3d_dial *d, const char *what, int error)
{
    (void)p3d_format(d->error, sizeof d->error, "%s: %s", what, strerror(error));
}

/* Stop what is under way with the present address. */
static void put_down(struct p3d_dial *d)
{
    p3d_timer_clear(d->loop, &d->timer);
    p3d_unwatch(d->loop, d->watch);
    d->watch = NULL;
    if (d->fd >= 0)
        close(d->fd);
    d->fd = -1;
}

static void on_timeout(struct p3d_timer *t)
{
    struct p3d_dial *d = P3D_OWNER(t, struct p3d_dial, timer);
    put_down(d);
    say(d, "connect", ETIMEDOUT);
    try_next(d);
}

static void on_event(void *priv, int events)
{
    struct p3d_dial *d = priv;
    int error = 0;
    socklen_t n = sizeof error;

    (void)events;
    if (getsockopt(d->fd, SOL_SOCKET, SO_ERROR, &error, &n))
        error = errno;
    if (error) {
        put_down(d);
        say(d, "connect", error);
        try_next(d);
        return;
    }
    p3d_timer_clear(d->loop, &d->timer);
    p3d_unwatch(d->loop, d->watch);
    d->watch = NULL;
    succeed(d);
}

/* Small packets leave at once, and a peer that vanished without a word is noticed on an idle connection too. */
static void tune(int fd)
{
    static const struct option {
        int level, name, value;
    } options[] = {
        {IPPROTO_TCP, TCP_NODELAY, 1},    {SOL_SOCKET, SO_KEEPALIVE, 1},  {IPPROTO_TCP, TCP_KEEPIDLE, 15},
        {IPPROTO_TCP, TCP_KEEPINTVL, 5}, {IPPROTO_TCP, TCP_KEEPCNT, 3},
    };
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        (void)setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof options[i].value);
}

static void try_next(struct p3d_dial *d)
{
    while (d->next < d->n) {
        size_t i = d->next++;
        d->fd = socket(d->addr[i].ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (d->fd < 0) {
            say(d, "socket", errno);
            continue;
        }
        tune(d->fd);
        if (!connect(d->fd, (struct sockaddr *)&d->addr[i], d->addr_len[i])) {
            succeed(d);
            return;
        }
        if (errno == EINPROGRESS) {
            d->watch = p3d_watch(d->loop, d->fd, on_event, d);
            p3d_interest(d->loop, d->watch, P3D_WRITABLE);
            p3d_timer_set(d->loop, &d->timer, d->timeout_ms);
            return;
        }
        say(d, "connect", errno);
        put_down(d);
    }
    d->cb(d, -1, d->error);
}

/* By way of /proc the path in sockaddr_un stays short, whatever the real one is. A full backlog is EAGAIN here. */
static void dial_unix(struct p3d_dial *d)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    P3D_CLEANUP(p3d_closep) int inode = open(d->url->path, O_PATH | O_CLOEXEC);

    if (inode < 0) {
        say(d, "unix socket", errno);
        d->cb(d, -1, d->error);
        return;
    }
    (void)p3d_format(sa.sun_path, sizeof sa.sun_path, "/proc/self/fd/%d", inode);
    d->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (d->fd >= 0 && !connect(d->fd, (struct sockaddr *)&sa, sizeof sa)) {
        succeed(d);
        return;
    }
    say(d, "unix socket", errno);
    put_down(d);
    d->cb(d, -1, d->error);
}

/* flags: AI_NUMERICHOST asks nobody; without it the call blocks. */
static int look_up(struct p3d_dial *d, const char *host, int flags)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV}, *list = NULL;
    char port[12];

    (void)p3d_format(port, sizeof port, "%d", d->url->port);
    int rc = getaddrinfo(host, port, &hints, &list);
    if (rc)
        return rc;
    for (struct addrinfo *a = list; a && d->n < P3D_DIAL_ADDRESSES; a = a->ai_next) {
        if (a->ai_addrlen > sizeof d->addr[0])
            continue;
        memcpy(&d->addr[d->n], a->ai_addr, a->ai_addrlen);
        d->addr_len[d->n++] = a->ai_addrlen;
    }
    freeaddrinfo(list);
    return 0;
}

/* On a thread: the loop touches none of these fields until look_up_done. */
static void look_up_work(struct p3d_task *t)
{
    struct p3d_dial *d = P3D_OWNER(t, struct p3d_dial, lookup);
    d->lookup_rc = look_up(d, d->url->host, AI_ADDRCONFIG);
}

static void look_up_done(struct p3d_task *t)
{
    struct p3d_dial *d = P3D_OWNER(t, struct p3d_dial, lookup);
    if (d->closing)
        return;
    if (d->lookup_rc)
        (void)p3d_format(d->error, sizeof d->error, "host name: %s", gai_strerror(d->lookup_rc));
    try_next(d);
}

static void dial_name(struct p3d_dial *d)
{
    d->lookup = (struct p3d_task){.work = look_up_work, .done = look_up_done};
    if ((d->pool || !p3d_pool_new(d->loop, 1, 1, &d->pool)) && !p3d_pool_run(d->pool, &d->lookup))
        return;
    d->cb(d, -1, "host name: no thread to look it up");
}

void p3d_dial_start(struct p3d_dial *d)
{
    d->fd = -1;
    d->n = d->next = 0;
    d->timer.cb = on_timeout;
    (void)p3d_format(d->error, sizeof d->error, "no address");
    if (d->url->path) {
        dial_unix(d);
        return;
    }
    if (p3d_str_ieq_z(p3d_str_z(d->url->host), "localhost")) {
        (void)look_up(d, "127.0.0.1", AI_NUMERICHOST);
        (void)look_up(d, "::1", AI_NUMERICHOST);
    } else if (look_up(d, d->url->host, AI_NUMERICHOST)) {
        dial_name(d);
        return;
    }
    try_next(d);
}

void p3d_dial_done(struct p3d_dial *d)
{
    d->closing = true;
    put_down(d);
    p3d_pool_free(d->pool);
    d->pool = NULL;
}
