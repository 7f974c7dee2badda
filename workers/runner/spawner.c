/* SPDX-License-Identifier: MIT
 *
 * `p3d spawner`: the small process between a worker and the commands it runs. Guarantee: it runs
 * one attempt at a time; it says GONE only when no descendant of that attempt lives; when the
 * worker is gone, however it ended, everything below is killed and then the spawner exits. Signals
 * from the terminal or an eager supervisor do not end it: the end of the socket does. Does not:
 * log, decide, or know what a job is.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "p3d/role.h"
#include "spawn_internal.h"

#define ROUND_MS 20 /* between two rounds of killing, when no child's death wakes us */

struct spawner {
    int sock, sigfd;
    char *message; /* P3D_SPAWN_MAX_BYTES */
    bool closing;  /* the worker is gone: end when nothing is left */

    uint32_t id;
    bool active; /* from RUN to GONE */
    bool ending; /* kill everything that is left */
    bool exited; /* the runner was reaped */
    pid_t pid;
    int say; /* exec's verdict, -1 once it is known */
    struct p3d_spawn_report report;
};

static void send_report(struct spawner *s, enum p3d_spawn_type type)
{
    s->report.head = (struct p3d_spawn_head){
        .magic = P3D_SPAWN_MAGIC,
        .type = type,
        .id = s->id,
        .body_bytes = sizeof(s->report) - sizeof(s->report.head),
    };
    ssize_t r;
    do
        r = send(s->sock, &s->report, sizeof(s->report), MSG_NOSIGNAL);
    while (r < 0 && errno == EINTR);
    if (r < 0)
        s->closing = s->ending = true;
}

/* The exec happened (end of file) or failed (a step and an errno). */
static void check_exec(struct spawner *s)
{
    int32_t why[2];
    if (s->say < 0)
        return;
    ssize_t n = read(s->say, why, sizeof(why));
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    p3d_closep(&s->say);
    s->say = -1;
    if (n == (ssize_t)sizeof(why)) {
        s->report.failed_step = why[0];
        s->report.failed_errno = why[1];
    } else {
        send_report(s, P3D_SPAWN_STARTED);
    }
}

static int64_t cpu_ms(const struct rusage *u)
{
    return (int64_t)(u->ru_utime.tv_sec + u->ru_stime.tv_sec) * 1000 +
           (int64_t)(u->ru_utime.tv_usec + u->ru_stime.tv_usec) / 1000;
}

/* Reap what has died. True when no child is left. */
static bool reap(struct spawner *s)
{
    for (;;) {
        struct rusage usage;
        int status;
        pid_t pid = wait4(-1, &status, WNOHANG, &usage);
        if (pid < 0 && errno == EINTR)
            continue;
        if (pid <= 0)
            return pid < 0;
        if (!s->active || pid != s->pid)
            continue;
        check_exec(s); /* before EXITED: the order of the reports is promised */
        s->exited = s->ending = true;
        s->report.status = status;
        s->report.cpu_ms = cpu_ms(&usage);
        s->report.max_rss_kib = usage.ru_maxrss;
        if (s->report.failed_step == P3D_STEP_NONE)
            send_report(s, P3D_SPAWN_EXITED);
    }
}

static void start(struct spawner *s, const struct p3d_spawn *req, const int fds[P3D_SPAWN_FDS])
{
    s->id = req->id;
    s->active = true;
    s->exited = s->ending = false;
    s->report = (struct p3d_spawn_report){0};
    if (p3d_spawn_exec(req, fds, &s->pid, &s->say) == 0) {
        s->report.pid = s->pid;
        return;
    }
    s->report.failed_step = P3D_STEP_FORK;
    s->report.failed_errno = errno;
    s->exited = s->ending = true;
}

static void on_run(struct spawner *s, struct p3d_str message, int *fds, size_t fds_n)
{
    struct p3d_spawn req;
    /* Two attempts at a time would mean that the worker lost count: then no answer can be right. */
    if (s->active || fds_n != P3D_SPAWN_FDS || p3d_spawn_decode(message, &req) != 0) {
        s->closing = s->ending = true;
        return;
    }
    start(s, &req, fds);
    p3d_spawn_done(&req);
}

static void on_signal_request(struct spawner *s, struct p3d_str message)
{
    struct p3d_spawn_signal m;
    if (message.n != sizeof(m)) {
        s->closing = s->ending = true;
        return;
    }
    memcpy(&m, message.p, sizeof(m));
    if (!s->active || m.head.id != s->id || s->exited) /* it crossed our EXITED */
        return;
    if (m.signo == SIGKILL)
        s->ending = true;
    else if (kill(-s->pid, SIGTERM) != 0)
        (void)kill(s->pid, SIGTERM); /* it has no session of its own yet */
}

/* Collect the descriptors of one message. They are always ours to close. */
static size_t take_fds(struct msghdr *m, int fds[P3D_SPAWN_FDS])
{
    size_t n = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t got = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < got; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
            if (n < P3D_SPAWN_FDS)
                fds[n++] = fd;
            else
                (void)close(fd);
        }
    }
    return n;
}

static void on_message(struct spawner *s)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * P3D_SPAWN_FDS)];
    struct iovec part = {s->message, P3D_SPAWN_MAX_BYTES};
    struct msghdr m = {.msg_iov = &part,
                       .msg_iovlen = 1,
                       .msg_control = control,
                       .msg_controllen = sizeof(control)};
    int fds[P3D_SPAWN_FDS];
    ssize_t n = recvmsg(s->sock, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    size_t fds_n = n > 0 ? take_fds(&m, fds) : 0;
    struct p3d_spawn_head head = {0};
    if (n >= (ssize_t)sizeof(head))
        memcpy(&head, s->message, sizeof(head));
    struct p3d_str message = {s->message, n > 0 ? (size_t)n : 0};
    if (head.magic != P3D_SPAWN_MAGIC || (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
        s->closing = s->ending = true; /* end of file, or nonsense */
    else if (head.type == P3D_SPAWN_RUN)
        on_run(s, message, fds, fds_n);
    else
        on_signal_request(s, message);
    for (size_t i = 0; i < fds_n; i++)
        (void)close(fds[i]);
}

/* One turn behind every wake-up. False when there is nothing left to live for. */
static bool turn(struct spawner *s)
{
    check_exec(s);
    bool none_left = reap(s);
    if (s->ending && !none_left) {
        if (s->active && !s->exited)
            (void)kill(-s->pid, SIGKILL); /* the pid is not reaped yet, so the group is its own */
        p3d_tree_kill();
        none_left = reap(s);
    }
    if (s->active && s->exited && none_left) {
        send_report(s, P3D_SPAWN_GONE);
        s->active = s->ending = false;
    }
    return !(s->closing && none_left);
}

static void wait_and_handle(struct spawner *s)
{
    struct pollfd fds[] = {
        {.fd = s->closing ? -1 : s->sock, .events = POLLIN},
        {.fd = s->sigfd, .events = POLLIN},
        {.fd = s->say, .events = POLLIN},
    };
    struct signalfd_siginfo info;
    if (poll(fds, 3, s->ending || s->closing ? ROUND_MS : -1) <= 0)
        return;
    while (read(s->sigfd, &info, sizeof(info)) > 0)
        continue; /* many deaths are one SIGCHLD: turn() asks waitpid */
    if (fds[0].revents != 0)
        on_message(s);
}

int p3d_role_spawner(int socket_fd)
{
    struct spawner s = {.sock = socket_fd, .say = -1};
    sigset_t mine;
    (void)sigfillset(&mine); /* all of them: only SIGKILL and the socket end this process */
    (void)sigprocmask(SIG_SETMASK, &mine, NULL);
    (void)sigemptyset(&mine);
    (void)sigaddset(&mine, SIGCHLD);
    s.sigfd = signalfd(-1, &mine, SFD_CLOEXEC | SFD_NONBLOCK);
    if (s.sigfd < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) != 0 ||
        fcntl(socket_fd, F_SETFD, FD_CLOEXEC) != 0) {
        p3d_closep(&s.sigfd);
        return 3;
    }
    s.message = p3d_alloc(P3D_SPAWN_MAX_BYTES);
    while (turn(&s))
        wait_and_handle(&s);
    free(s.message);
    p3d_closep(&s.say);
    p3d_closep(&s.sigfd);
    return 0;
}
