/* SPDX-License-Identifier: MIT
 *
 * Start of serve-N and work-N, and what they tell over their control socket. A role is our own
 * image again with the flags of `p3d up` and `--inherit` naming its descriptors. A worker gets the
 * lock of its place along; while an older worker (one that lost its supervisor and finishes its
 * job) still has it, the place stays empty. What a role says is judged: an unknown or endless line
 * is ignored.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "p3d/clock.h"
#include "p3d/log.h"
#include "p3d/str.h"
#include "supervisor_internal.h"

enum { HELD_AGAIN_MS = 1000, ARGS_MAX = 24 };

static void take_line(struct p3d_slot *t, struct p3d_str line)
{
    if (p3d_str_eq_z(line, "ready")) {
        p3d_slot_ready(t);
    } else if (p3d_str_eq_z(line, "idle")) {
        t->doing[0] = '\0';
    } else if (p3d_str_starts(line, "busy ")) {
        struct p3d_str job =
            p3d_utf8_cut((struct p3d_str){line.p + 5, line.n - 5}, sizeof(t->doing) - 1);
        (void)p3d_format(t->doing, sizeof(t->doing), "%.*s", (int)job.n, job.p);
    }
}

static void take_bytes(struct p3d_slot *t, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] == '\n') {
            if (t->line_n < sizeof(t->line))
                take_line(t, (struct p3d_str){t->line, t->line_n});
            t->line_n = 0;
        } else if (t->line_n < sizeof(t->line)) {
            t->line[t->line_n++] =
                p[i]; /* one that gets full is longer than any we know: dropped */
        }
    }
}

static void on_control(void *priv, int events)
{
    struct p3d_slot *t = priv;
    char bytes[512];
    (void)events;
    ssize_t n = read(t->control_fd, bytes, sizeof(bytes));
    if (n > 0)
        take_bytes(t, bytes, (size_t)n);
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        p3d_role_slot_hang_up(t); /* its death is told by SIGCHLD */
}

void p3d_role_slot_hang_up(struct p3d_slot *t)
{
    p3d_unwatch(t->s->loop, t->control);
    t->control = NULL;
    p3d_closep(&t->control_fd);
    t->control_fd = -1;
    t->line_n = 0;
}

/* What it said before it died must count before its death does. */
void p3d_role_slot_read_rest(struct p3d_slot *t)
{
    char bytes[512];
    ssize_t n;
    while (t->control_fd >= 0 && (n = read(t->control_fd, bytes, sizeof(bytes))) > 0)
        take_bytes(t, bytes, (size_t)n);
}

static int launch(struct p3d_slot *t, int control_fd, int lock_fd, pid_t *ret_pid,
                  struct p3d_error *err)
{
    struct p3d_supervisor *s = t->s;
    bool serve = t->kind == P3D_SLOT_SERVE;
    const char *argv[ARGS_MAX] = {"p3d", serve ? "serve" : "work"};
    size_t n = 2;
    char inherit[96];

    for (size_t i = 0; s->role_argv[i] != NULL; i++) {
        if (n + 3 >= ARGS_MAX)
            return p3d_fail(err, P3D_E_INTERNAL, "too many flags");
        argv[n++] = s->role_argv[i];
    }
    (void)p3d_format(inherit, sizeof(inherit), "control=%d,%s=%d,slot=%d", control_fd,
                     serve ? "listen" : "lock", serve ? s->listen_fd : lock_fd, t->number);
    argv[n++] = "--inherit";
    argv[n++] = inherit;
    argv[n] = NULL;

    const int keep[] = {control_fd, serve ? s->listen_fd : lock_fd};
    const struct p3d_launch l = {.exe_fd = s->exe_fd,
                                 .argv = (char *const *)(uintptr_t)argv,
                                 .envp = environ,
                                 .keep = keep,
                                 .keep_n = 2,
                                 .output_fd = STDERR_FILENO, /* stdout is for the ready line only */
                                 .dir_fd = -1};
    return p3d_launch(&l, ret_pid, err);
}

/* The lock of a worker's place. Errors: P3D_E_BUSY (tried again later), P3D_E_IO (said and tried
 * again). */
static int take_lock(struct p3d_slot *t, int *ret_fd)
{
    char name[40];
    (void)p3d_format(name, sizeof(name), "%s.lock", t->name);
    int rc = p3d_lock_take(&t->s->dir, name, ret_fd);
    if (rc == P3D_E_BUSY) {
        p3d_slot_held(t, HELD_AGAIN_MS);
        if (!t->said)
            p3d_log(P3D_LOG_INFO, "slot_held", P3D_S("who", t->name),
                    P3D_I("by", p3d_pidfile_read(&t->s->dir, t->name)),
                    P3D_S("why", "an older worker finishes its job"));
        t->said = true;
    } else if (rc != 0) {
        p3d_slot_failed(t, strerror(errno));
    }
    return rc;
}

void p3d_role_slot_start(struct p3d_slot *t)
{
    struct p3d_error err = {0};
    int pair[2] = {-1, -1}, lock_fd = -1;
    pid_t pid = 0;

    if (t->kind == P3D_SLOT_WORK && take_lock(t, &lock_fd) != 0)
        return;
    int rc = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair);
    if (rc != 0)
        (void)p3d_fail(&err, P3D_E_IO, "socketpair: %s", strerror(errno));
    else
        rc = launch(t, pair[1], lock_fd, &pid, &err);
    p3d_closep(&pair[1]);
    p3d_closep(&lock_fd); /* the worker has it now */
    if (rc != 0) {
        p3d_closep(&pair[0]);
        p3d_slot_failed(t, err.detail);
        return;
    }
    t->control_fd = pair[0];
    t->control = p3d_watch(t->s->loop, pair[0], on_control, t);
    p3d_interest(t->s->loop, t->control, P3D_READABLE);
    p3d_slot_running(t, pid);
    p3d_log(P3D_LOG_DEBUG, "role_started", P3D_S("who", t->name), P3D_I("child", pid));
}
