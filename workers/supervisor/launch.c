/* SPDX-License-Identifier: MIT
 *
 * Fork and execute one child of the supervisor. The child's signals are as a shell would give them,
 * its session is its own (Ctrl-C on the terminal reaches the supervisor only), and no descriptor
 * passes but those named. Between fork and exec only async-signal-safe calls are made. An exec that
 * fails is an error here and not a child that dies. Does not: watch the child (slot.c).
 */
#include "launch_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "p3d/str.h"

static void reset_signals(void)
{
    sigset_t none;
    for (int sig = 1; sig < NSIG; sig++)
        (void)signal(sig, SIG_DFL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* In the child. Returns only when something failed, with errno. */
static void become(const struct p3d_launch *l)
{
    reset_signals();
    (void)setsid();
    if (l->dir_fd >= 0 && fchdir(l->dir_fd) != 0)
        return;
    int in = open("/dev/null", O_RDONLY);
    if (in < 0 || dup2(in, STDIN_FILENO) < 0 || dup2(l->output_fd, STDOUT_FILENO) < 0 ||
        dup2(l->output_fd, STDERR_FILENO) < 0)
        return;
    /* Ours are CLOEXEC anyway; this is for what `p3d up` itself was started with. */
    (void)close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    for (size_t i = 0; i < l->keep_n; i++)
        if (fcntl(l->keep[i], F_SETFD, 0) != 0)
            return;
    if (l->path != NULL)
        (void)execve(l->path, l->argv, l->envp);
    else
        (void)execveat(l->exe_fd, "", l->argv, l->envp, AT_EMPTY_PATH);
}

/* What the child says before its exec closes the pipe: nothing, or an errno. */
static int read_errno(int fd)
{
    int why = 0;
    ssize_t n;
    do
        n = read(fd, &why, sizeof(why));
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof(why) ? why : 0;
}

int p3d_launch(const struct p3d_launch *l, pid_t *ret_pid, struct p3d_error *err)
{
    int say[2];
    sigset_t all, before;
    if (pipe2(say, O_CLOEXEC) != 0)
        return p3d_fail(err, P3D_E_IO, "pipe: %s", strerror(errno));
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, &before); /* no handler of ours may run in the child */
    pid_t pid = fork();
    if (pid == 0) {
        become(l);
        int why = errno;
        (void)!write(say[1], &why, sizeof(why));
        _exit(127);
    }
    int why = pid < 0 ? errno : 0;
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    p3d_closep(&say[1]);
    if (pid > 0)
        why = read_errno(say[0]);
    p3d_closep(&say[0]);
    if (why == 0) {
        *ret_pid = pid;
        return 0;
    }
    if (pid > 0)
        (void)waitpid(pid, NULL, 0);
    return p3d_fail(err, P3D_E_IO, "%s %s: %s", pid < 0 ? "fork for" : "start of", l->argv[0],
                    strerror(why));
}
