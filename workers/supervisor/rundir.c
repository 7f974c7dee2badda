/* SPDX-License-Identifier: MIT
 *
 * data_dir, its locks and pid files. A lock is a flock on an open file: it ends with the last
 * process that has the file open, however that process ends, so it needs no cleaning up and lock
 * files are never removed (removing one would let two processes lock two files of one name).
 * Pid files are for people and scripts; no decision of ours rests on the number alone.
 */
#include "rundir_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "p3d/str.h"

enum { NAME_BYTES = 64 };

/* mkdir -p; the last one belongs to us alone. */
static int make_path(const char *path)
{
    char *copy P3D_CLEANUP(p3d_freep) = p3d_strdup(path);
    for (char *p = copy + 1; *p != '\0'; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        if (mkdir(copy, 0755) != 0 && errno != EEXIST)
            return -1;
        *p = '/';
    }
    return mkdir(copy, 0700) != 0 && errno != EEXIST ? -1 : 0;
}

static int open_folder(int at, const char *name)
{
    if (at != AT_FDCWD && mkdirat(at, name, 0700) != 0 && errno != EEXIST)
        return -1;
    return openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int p3d_rundir_open(const char *data_dir, struct p3d_rundir *ret, struct p3d_error *err)
{
    struct p3d_rundir d = {.data_fd = -1, .run_fd = -1, .redis_fd = -1};
    if (make_path(data_dir) == 0)
        d.data_fd = open_folder(AT_FDCWD, data_dir);
    if (d.data_fd >= 0)
        d.run_fd = open_folder(d.data_fd, "run");
    if (d.run_fd >= 0)
        d.redis_fd = open_folder(d.data_fd, "redis");
    if (d.redis_fd < 0 || faccessat(d.run_fd, ".", W_OK | X_OK, 0) != 0) {
        int why = errno;
        p3d_rundir_close(&d);
        return p3d_fail(err, P3D_E_CONFIG, "data directory %s cannot be used: %s (see --data-dir)",
                        data_dir, strerror(why));
    }
    *ret = d;
    return 0;
}

void p3d_rundir_close(struct p3d_rundir *d)
{
    p3d_closep(&d->redis_fd);
    p3d_closep(&d->run_fd);
    p3d_closep(&d->data_fd);
    *d = (struct p3d_rundir){.data_fd = -1, .run_fd = -1, .redis_fd = -1};
}

int p3d_lock_take(const struct p3d_rundir *d, const char *name, int *ret_fd)
{
    int fd = openat(d->run_fd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return P3D_E_IO;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        *ret_fd = fd;
        return 0;
    }
    int rc = errno == EWOULDBLOCK ? P3D_E_BUSY : P3D_E_IO;
    p3d_closep(&fd);
    return rc;
}

int p3d_pidfile_write(const struct p3d_rundir *d, const char *name, pid_t pid)
{
    char file[NAME_BYTES], fresh[NAME_BYTES], text[16];
    (void)p3d_format(file, sizeof(file), "%s.pid", name);
    (void)p3d_format(fresh, sizeof(fresh), "%s.pid.new", name);
    (void)p3d_format(text, sizeof(text), "%d\n", (int)pid);

    int fd = openat(d->run_fd, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return P3D_E_IO;
    size_t n = strlen(text);
    bool ok = write(fd, text, n) == (ssize_t)n;
    ok = close(fd) == 0 && ok;
    if (ok && renameat(d->run_fd, fresh, d->run_fd, file) == 0)
        return 0;
    int why = errno;
    (void)unlinkat(d->run_fd, fresh, 0);
    errno = why;
    return P3D_E_IO;
}

pid_t p3d_pidfile_read(const struct p3d_rundir *d, const char *name)
{
    char file[NAME_BYTES], text[16];
    (void)p3d_format(file, sizeof(file), "%s.pid", name);
    int fd P3D_CLEANUP(p3d_closep) = openat(d->run_fd, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, text, sizeof(text));
    int64_t pid = 0;
    if (n < 2 || text[n - 1] != '\n' ||
        p3d_str_to_i64((struct p3d_str){text, (size_t)n - 1}, 1, 1 << 30, &pid) != 0)
        return 0;
    return (pid_t)pid;
}

void p3d_pidfile_remove(const struct p3d_rundir *d, const char *name)
{
    char file[NAME_BYTES];
    (void)p3d_format(file, sizeof(file), "%s.pid", name);
    (void)unlinkat(d->run_fd, file, 0);
}

static bool has_open(pid_t pid, const struct stat *wanted)
{
    char path[64];
    (void)p3d_format(path, sizeof(path), "/proc/%d/fd", (int)pid);
    DIR *dir = opendir(path);
    if (dir == NULL)
        return false;
    bool found = false;
    for (struct dirent *e = readdir(dir); e != NULL && !found; e = readdir(dir)) {
        struct stat st;
        found = e->d_name[0] != '.' && fstatat(dirfd(dir), e->d_name, &st, 0) == 0 &&
                st.st_dev == wanted->st_dev && st.st_ino == wanted->st_ino;
    }
    (void)closedir(dir);
    return found;
}

int p3d_lock_holder(const struct p3d_rundir *d, const char *name)
{
    char file[NAME_BYTES];
    struct stat st;
    (void)p3d_format(file, sizeof(file), "%s.lock", name);
    pid_t pid = p3d_pidfile_read(d, name);
    if (pid == 0 || fstatat(d->run_fd, file, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return -1;
    /* The order matters: what has the file open after the pidfd exists is what the pidfd names. */
    int fd = pidfd_open(pid, 0);
    if (fd >= 0 && !has_open(pid, &st)) {
        (void)close(fd);
        fd = -1;
    }
    return fd;
}
