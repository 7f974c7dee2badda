/* SPDX-License-Identifier: MIT
 *
 * How the embedded redis-server is started. Guarantee: at most one lives per data_dir, because it
 * inherits the locked run/redis.lock and nobody starts one without that lock (two on one
 * append-only file would start without complaint and destroy it). It has no TCP port; its socket is
 * named through a descriptor of run/, because redis-server changes to its data folder before it
 * binds, and because a socket's path has 108 bytes. Its output goes to run/redis.log. Does not:
 * restart it (redis_slot.c).
 */
#include "redis_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "launch_internal.h"
#include "p3d/clock.h"
#include "p3d/role.h"

enum { LOG_MAX_BYTES = 4 << 20, MEMORY_PERCENT = 40, START_MS = 30000 };
#define REDIS_LOG "redis.log"

int p3d_redis_find(char **ret_path, struct p3d_error *err)
{
    const char *path = getenv("PATH");
    if (path == NULL || *path == '\0')
        path = "/usr/local/bin:/usr/bin:/bin";
    while (*path != '\0') {
        size_t n = strcspn(path, ":");
        char *file = p3d_asprintf("%.*s/redis-server", (int)n, path);
        if (n > 0 && access(file, X_OK) == 0) {
            *ret_path = file;
            return 0;
        }
        free(file);
        path += n + (path[n] == ':');
    }
    return p3d_fail(
        err, P3D_E_UNAVAILABLE,
        "redis-server is not in PATH: install it (Debian: apt-get install redis-server) "
        "or name a running Redis with redis.url");
}

/* One generation of the log is kept; it is short, so the start of a server is soon enough to turn
 * it. */
static int open_log(const struct p3d_rundir *d)
{
    struct stat st;
    if (fstatat(d->run_fd, REDIS_LOG, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_size > LOG_MAX_BYTES)
        (void)renameat(d->run_fd, REDIS_LOG, d->run_fd, REDIS_LOG ".1");
    return openat(d->run_fd, REDIS_LOG, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW,
                  0600);
}

static char *folder_path(int fd)
{
    char link[40], path[4096];
    (void)p3d_format(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof(path));
    return n > 0 && (size_t)n < sizeof(path) ? p3d_strndup(path, (size_t)n) : NULL;
}

static int launch(const struct p3d_rundir *d, const struct p3d_config *cfg, int lock_fd,
                  const char *exe, int log_fd, pid_t *ret_pid, struct p3d_error *err)
{
    char socket_path[48], memory[24];
    char *dir P3D_CLEANUP(p3d_freep) = folder_path(d->redis_fd);
    if (dir == NULL || log_fd < 0)
        return p3d_fail(err, P3D_E_IO, "run/" REDIS_LOG ": %s", strerror(errno));
    (void)p3d_format(socket_path, sizeof(socket_path), "/proc/self/fd/%d/redis.sock", d->run_fd);
    (void)p3d_format(memory, sizeof(memory), "%" PRIu64, p3d_memory_limit() / 100 * MEMORY_PERCENT);
    /* clang-format off */
    const char *const argv[] = {
        "redis-server",
        "--port", "0",
        "--unixsocket", socket_path,
        "--unixsocketperm", "700",
        "--dir", dir,
        "--daemonize", "no",
        "--appendonly", "yes",
        "--appendfsync", cfg->redis_durability,
        "--save", "",
        "--logfile", "",
        "--maxmemory", memory,
        "--maxmemory-policy", "noeviction",
        NULL};
    /* clang-format on */
    /* Nothing of ours: neither secrets nor a locale that changes what it writes. */
    const char *const envp[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C", NULL};
    const int keep[] = {d->run_fd, lock_fd};
    const struct p3d_launch l = {.path = exe,
                                 .argv = (char *const *)(uintptr_t)argv,
                                 .envp = (char *const *)(uintptr_t)envp,
                                 .keep = keep,
                                 .keep_n = 2,
                                 .output_fd = log_fd,
                                 .dir_fd = d->run_fd};
    return p3d_launch(&l, ret_pid, err);
}

int p3d_redis_launch(const struct p3d_rundir *d, const struct p3d_config *cfg, int lock_fd,
                     pid_t *ret_pid, struct p3d_error *err)
{
    char *exe P3D_CLEANUP(p3d_freep) = NULL;
    int log_fd = -1;
    pid_t pid = 0;
    int rc = p3d_redis_find(&exe, err);
    if (rc == 0) {
        log_fd = open_log(d);
        rc = launch(d, cfg, lock_fd, exe, log_fd, &pid, err);
    }
    p3d_closep(&log_fd);
    p3d_closep(&lock_fd);
    if (rc == 0)
        *ret_pid = pid;
    return rc;
}

void p3d_redis_last_words(const struct p3d_rundir *d, char *dst, size_t size)
{
    char text[1024];
    *dst = '\0';
    int fd P3D_CLEANUP(p3d_closep) =
        openat(d->run_fd, REDIS_LOG, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    off_t end = fd >= 0 ? lseek(fd, 0, SEEK_END) : -1;
    if (end <= 0)
        return;
    off_t from = end > (off_t)sizeof(text) ? end - (off_t)sizeof(text) : 0;
    ssize_t n = pread(fd, text, sizeof(text), from);
    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == ' '))
        n--;
    if (n <= 0)
        return;
    const char *line = memrchr(text, '\n', (size_t)n);
    line = line != NULL ? line + 1 : text;
    (void)p3d_format(dst, size, "%.*s", (int)(text + n - line), line);
}

/* A process that was started here and is gone again? */
static bool died(pid_t pid, const struct p3d_rundir *d, struct p3d_error *err)
{
    char words[256];
    int status;
    if (pid == 0 || waitpid(pid, &status, WNOHANG) != pid)
        return false;
    p3d_redis_last_words(d, words, sizeof(words));
    (void)p3d_fail(err, P3D_E_UNAVAILABLE, "redis-server ended at its start (%s %d): %s",
                   WIFSIGNALED(status) ? "signal" : "exit",
                   WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), words);
    return true;
}

static int start_or_adopt(const struct p3d_rundir *d, const struct p3d_config *cfg, int *ret_pid,
                          struct p3d_error *err)
{
    uint64_t end = p3d_mono_ms() + START_MS;
    struct p3d_redis_answer answer;
    pid_t pid = 0;
    int rc;

    for (int wait_ms = 5;; wait_ms = wait_ms < 200 ? wait_ms * 2 : 200) {
        int lock_fd = -1;
        rc = pid != 0 ? P3D_E_BUSY : p3d_lock_take(d, P3D_REDIS_LOCK, &lock_fd);
        if (rc == 0) {
            rc = p3d_redis_launch(d, cfg, lock_fd, &pid, err);
            if (rc != 0)
                return rc;
            (void)p3d_pidfile_write(d, "redis", pid);
        } else if (rc != P3D_E_BUSY) {
            return p3d_fail(err, P3D_E_UNAVAILABLE, "run/" P3D_REDIS_LOCK ": %s", strerror(errno));
        }
        if (died(pid, d, err)) {
            p3d_pidfile_remove(d, "redis");
            return P3D_E_UNAVAILABLE;
        }
        rc = p3d_redis_probe(d, 1000, &answer, NULL, err);
        if (rc == 0)
            break;
        if (rc == P3D_E_CORRUPT || p3d_mono_ms() >= end)
            return rc == P3D_E_BUSY ? P3D_E_UNAVAILABLE : rc;
        (void)poll(NULL, 0, wait_ms);
    }
    *ret_pid = (int)pid;
    return 0;
}

int p3d_embedded_redis_start(const struct p3d_config *cfg, int *ret_pid, struct p3d_error *err)
{
    struct p3d_rundir d;
    int rc = p3d_rundir_open(cfg->top_data_dir, &d, err);
    if (rc != 0)
        return rc;
    rc = start_or_adopt(&d, cfg, ret_pid, err);
    p3d_rundir_close(&d);
    return rc;
}

void p3d_embedded_redis_stop(const struct p3d_config *cfg, int pid)
{
    struct p3d_rundir d;
    struct p3d_error err;
    int lock_fd = -1;
    if (pid <= 0 || p3d_rundir_open(cfg->top_data_dir, &d, &err) != 0)
        return;
    /* Kept while it goes down: no supervisor may start meanwhile and adopt the dying one. */
    if (p3d_lock_take(&d, "supervisor.lock", &lock_fd) == 0) {
        uint64_t end = p3d_mono_ms() + P3D_REDIS_STOP_MS;
        pid_t gone = 0;
        (void)kill(pid, SIGTERM);
        while ((gone = waitpid(pid, NULL, WNOHANG)) == 0 && p3d_mono_ms() < end)
            (void)poll(NULL, 0, 10);
        if (gone == 0) {
            (void)kill(pid, SIGKILL);
            (void)waitpid(pid, NULL, 0);
        }
        p3d_pidfile_remove(&d, "redis");
    }
    p3d_closep(&lock_fd);
    p3d_rundir_close(&d);
}
