/* SPDX-License-Identifier: MIT
 *
 * The worker's end of its spawner: start it, ask it, read what it says. Guarantee: asking never
 * blocks; a spawner that died or talks nonsense is one error, P3D_E_UNAVAILABLE. The spawner's own
 * environment is empty but for PATH, so nothing of the worker's can be read through it. Does not:
 * decide what the death of a spawner means (worker/run.c).
 */
#include "spawn_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "p3d/clock.h"

enum { SOCKET_FD = 3, KEEP_FD = 4, HIGH_FD = 16 };

/* In the child. Returns only when something failed. */
static void become_spawner(int sock, int keep_fd)
{
    static char name[] = "p3d", verb[] = "spawner", flag[] = "--inherit", what[] = "control=3";
    static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    char *argv[] = {name, verb, flag, what, NULL}, *env[] = {path, NULL};
    /* Up first, so that neither target is the other's source. */
    int high_sock = fcntl(sock, F_DUPFD_CLOEXEC, HIGH_FD);
    int high_keep = keep_fd >= 0 ? fcntl(keep_fd, F_DUPFD_CLOEXEC, HIGH_FD) : -1;
    if (high_sock < 0 || dup2(high_sock, SOCKET_FD) < 0)
        return;
    if (high_keep >= 0 && dup2(high_keep, KEEP_FD) < 0)
        return;
    (void)close_range(high_keep >= 0 ? KEEP_FD + 1 : SOCKET_FD + 1, ~0U, CLOSE_RANGE_CLOEXEC);
    (void)execve("/proc/self/exe", argv, env);
}

int p3d_spawner_start(struct p3d_spawner *s, int keep_fd, struct p3d_error *err)
{
    int pair[2], room = 4 * P3D_SPAWN_MAX_BYTES;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return p3d_fail(err, P3D_E_UNAVAILABLE, "socketpair: %s", strerror(errno));
    (void)setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
    pid_t pid = fork();
    if (pid == 0) {
        become_spawner(pair[1], keep_fd);
        _exit(127); /* the worker sees the end of the socket */
    }
    int why = errno;
    p3d_closep(&pair[1]);
    if (pid < 0) {
        p3d_closep(&pair[0]);
        return p3d_fail(err, P3D_E_UNAVAILABLE, "fork for the spawner: %s", strerror(why));
    }
    (void)fcntl(pair[0], F_SETFL, O_NONBLOCK);
    *s = (struct p3d_spawner){.pid = pid, .fd = pair[0]};
    return 0;
}

static int send_message(struct p3d_spawner *s, struct msghdr *m)
{
    ssize_t r;
    do
        r = sendmsg(s->fd, m, MSG_NOSIGNAL);
    while (r < 0 && errno == EINTR);
    return r < 0 ? P3D_E_UNAVAILABLE : 0;
}

int p3d_spawner_run(struct p3d_spawner *s, const struct p3d_spawn *req,
                    const int fds[P3D_SPAWN_FDS])
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * P3D_SPAWN_FDS)] = {0};
    struct p3d_buf bytes;
    p3d_buf_init(&bytes, P3D_SPAWN_MAX_BYTES);
    int r = p3d_spawn_encode(req, &bytes);
    if (r == 0) {
        struct iovec part = {bytes.p, bytes.n};
        struct msghdr m = {.msg_iov = &part,
                           .msg_iovlen = 1,
                           .msg_control = control,
                           .msg_controllen = sizeof(control)};
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * P3D_SPAWN_FDS);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * P3D_SPAWN_FDS);
        r = send_message(s, &m);
    }
    p3d_buf_done(&bytes);
    return r;
}

int p3d_spawner_signal(struct p3d_spawner *s, uint32_t id, int signo)
{
    struct p3d_spawn_signal text = {
        .head = {.magic = P3D_SPAWN_MAGIC,
                 .type = P3D_SPAWN_SIGNAL,
                 .id = id,
                 .body_bytes = sizeof(text) - sizeof(text.head)},
        .signo = (uint32_t)signo,
    };
    struct iovec part = {&text, sizeof(text)};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
    return send_message(s, &m);
}

int p3d_spawner_read(struct p3d_spawner *s, struct p3d_spawn_report *ret)
{
    struct p3d_spawn_report got;
    ssize_t n;
    do
        n = recv(s->fd, &got, sizeof(got), MSG_TRUNC);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN)
        return P3D_E_NOT_FOUND;
    if (n != (ssize_t)sizeof(got) || got.head.magic != P3D_SPAWN_MAGIC ||
        got.head.type < P3D_SPAWN_STARTED || got.head.type > P3D_SPAWN_GONE)
        return P3D_E_UNAVAILABLE;
    *ret = got;
    return 0;
}

void p3d_spawner_stop(struct p3d_spawner *s, unsigned for_ms)
{
    uint64_t until_ms = p3d_mono_ms() + for_ms;
    p3d_closep(&s->fd);
    s->fd = -1;
    while (s->pid > 0) {
        pid_t r = waitpid(s->pid, NULL, WNOHANG);
        if (r == s->pid || (r < 0 && errno != EINTR) || p3d_mono_ms() >= until_ms)
            break;
        (void)poll(NULL, 0, 5);
    }
    s->pid = 0;
}
