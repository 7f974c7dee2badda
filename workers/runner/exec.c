/* SPDX-License-Identifier: MIT
 *
 * From a request to a running command, in the spawner. Guarantee: the child has exactly descriptors
 * 0..3, its own session, default signals, a private umask, no way to gain privileges, no core
 * files, a limit on the size of its files, and dies with the spawner; when a step fails the caller
 * learns which one and why. Between fork and exec only async-signal-safe calls are made. Does not:
 * wait for anything, or run a shell.
 */
#include "spawn_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static enum p3d_spawn_step set_session(pid_t spawner)
{
    sigset_t none;
    for (int sig = 1; sig < NSIG; sig++)
        (void)signal(sig, SIG_DFL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    if (setsid() < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
        return P3D_STEP_SESSION;
    if (getppid() != spawner) { /* it died before the prctl: nobody would ever end us */
        errno = ESRCH;
        return P3D_STEP_SESSION;
    }
    return P3D_STEP_NONE;
}

/* The received ones are above 3: 0..3 of the spawner are always taken. */
static enum p3d_spawn_step set_fds(const int fds[P3D_SPAWN_FDS])
{
    for (int i = 0; i < P3D_SPAWN_FDS; i++)
        if (fds[i] < P3D_SPAWN_FDS || dup2(fds[i], i) < 0)
            return P3D_STEP_FDS;
    /* Ours are CLOEXEC anyway; this is for what the worker itself was started with. */
    if (close_range(P3D_SPAWN_FDS, ~0U, CLOSE_RANGE_CLOEXEC) != 0 && errno != ENOSYS &&
        errno != EINVAL)
        return P3D_STEP_FDS;
    return P3D_STEP_NONE;
}

static enum p3d_spawn_step set_limits(int64_t file_max_bytes)
{
    struct rlimit core = {0, 0};
    struct rlimit file = {(rlim_t)file_max_bytes, (rlim_t)file_max_bytes};
    struct rlimit now;
    if (getrlimit(RLIMIT_FSIZE, &now) == 0 && now.rlim_max < file.rlim_max)
        file = (struct rlimit){now.rlim_max, now.rlim_max};
    if (setrlimit(RLIMIT_CORE, &core) != 0 || setrlimit(RLIMIT_FSIZE, &file) != 0)
        return P3D_STEP_LIMITS;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return P3D_STEP_LIMITS;
    (void)umask(077);
    return P3D_STEP_NONE;
}

static const char *path_of(char *const *env)
{
    for (; *env != NULL; env++)
        if (strncmp(*env, "PATH=", 5) == 0)
            return *env + 5;
    return "/usr/bin:/bin";
}

/* execve along PATH of the new environment. Unlike execvpe(3) a file without "#!" is not given to a
 * shell. */
static void exec_along(const struct p3d_spawn *s)
{
    const char *name = s->argv[0];
    if (strchr(name, '/') != NULL) {
        (void)execve(name, s->argv, s->env);
        return;
    }
    char file[4096];
    int why = ENOENT;
    size_t name_n = strlen(name);
    for (const char *at = path_of(s->env); at != NULL && *at != '\0';) {
        const char *colon = strchr(at, ':');
        size_t n = colon != NULL ? (size_t)(colon - at) : strlen(at);
        if (n > 0 && n + 1 + name_n < sizeof(file)) {
            memcpy(file, at, n);
            file[n] = '/';
            memcpy(file + n + 1, name, name_n + 1);
            (void)execve(file, s->argv, s->env);
            if (errno != ENOENT && errno != ENOTDIR)
                why = errno;
        }
        at = colon != NULL ? colon + 1 : NULL;
    }
    errno = why;
}

/* In the child. Returns only when a step failed; errno says why. */
static enum p3d_spawn_step become(const struct p3d_spawn *s, const int fds[P3D_SPAWN_FDS],
                                  pid_t spawner)
{
    enum p3d_spawn_step step = set_session(spawner);
    if (step == P3D_STEP_NONE)
        step = set_fds(fds);
    if (step == P3D_STEP_NONE && chdir(s->cwd) != 0)
        step = P3D_STEP_CWD;
    if (step == P3D_STEP_NONE)
        step = set_limits(s->file_max_bytes);
    if (step != P3D_STEP_NONE)
        return step;
    exec_along(s);
    return P3D_STEP_EXEC;
}

int p3d_spawn_exec(const struct p3d_spawn *s, const int fds[P3D_SPAWN_FDS], pid_t *ret_pid,
                   int *ret_say)
{
    int say[2];
    if (pipe2(say, O_CLOEXEC) != 0)
        return P3D_E_UNAVAILABLE;
    (void)fcntl(say[0], F_SETFL, O_NONBLOCK);
    pid_t spawner = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        int32_t why[2];
        why[0] = (int32_t)become(s, fds, spawner);
        why[1] = errno;
        (void)!write(say[1], why, sizeof(why));
        _exit(127);
    }
    p3d_closep(&say[1]);
    if (pid < 0) {
        p3d_closep(&say[0]);
        return P3D_E_UNAVAILABLE;
    }
    *ret_pid = pid;
    *ret_say = say[0];
    return 0;
}
