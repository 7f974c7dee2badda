/* SPDX-License-Identifier: MIT
 *
 * What an attempt left behind when its worker, its spawner and the supervisor were all killed at
 * once: children of the init process by now, found by P3D_OUTPUT_DIR in the environment that they
 * inherited. Guarantee: when this returns 0, no process lives that has there an attempt of this
 * slot, or of a slot that nobody has. Does not: find one that was given another environment, or
 * another user; that takes a namespace or a cgroup. The working directory is no sign: it may be an
 * operator's shell.
 */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "p3d/str.h"
#include "work_internal.h"

#define ENVIRON_MAX (4 << 20)
#define END_MS 5000 /* of one process behind SIGKILL */
#define VARIABLE "P3D_OUTPUT_DIR="

/* The slot in "<parent>/<slot>/…", 0 = that is somewhere else. */
static int slot_of(struct p3d_str path, struct p3d_str parent)
{
    int64_t slot = 0;
    if (path.n <= parent.n + 1 || memcmp(path.p, parent.p, parent.n) != 0 ||
        path.p[parent.n] != '/')
        return 0;
    const char *name = path.p + parent.n + 1;
    const char *end = memchr(name, '/', path.n - parent.n - 1);
    if (end == NULL ||
        p3d_str_to_i64((struct p3d_str){name, (size_t)(end - name)}, 1, 1 << 30, &slot) != 0)
        return 0;
    return (int)slot;
}

static int slot_named(const char *pid, struct p3d_str parent)
{
    char file[64], bytes[16384];
    struct p3d_buf all;
    ssize_t n;
    int slot = 0;
    (void)p3d_format(file, sizeof(file), "/proc/%s/environ", pid);
    int fd P3D_CLEANUP(p3d_closep) = open(file, O_RDONLY | O_CLOEXEC);
    p3d_buf_init(&all, ENVIRON_MAX);
    while (fd >= 0 && !all.full && (n = read(fd, bytes, sizeof(bytes))) > 0)
        p3d_buf_add(&all, bytes, (size_t)n);
    for (size_t at = 0; at < all.n && slot == 0; at += strlen(all.p + at) + 1) {
        struct p3d_str one = p3d_str_z(all.p + at);
        if (p3d_str_starts(one, VARIABLE))
            slot = slot_of(p3d_str_z(one.p + strlen(VARIABLE)), parent);
    }
    p3d_buf_done(&all);
    return slot;
}

/* Ours, or nobody's: an older worker that still has its slot ends its processes itself. */
static bool may_end(const struct p3d_work *w, const char *parent, int slot, int *ret_lock)
{
    *ret_lock = -1;
    if (slot == w->slot)
        return true;
    char *path P3D_CLEANUP(p3d_freep) = p3d_asprintf("%s/%d.lock", parent, slot);
    int fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) {
        *ret_lock = fd;
        return true;
    }
    p3d_closep(&fd);
    return false;
}

/* 0 it is none, or gone by now; P3D_E_UNAVAILABLE it does not end. */
static int end_one(const struct p3d_work *w, const char *parent, const char *pid)
{
    int64_t number = 0;
    if (p3d_str_to_i64(p3d_str_z(pid), 1, 1 << 30, &number) != 0)
        return 0;
    /* Before it is looked at: what the descriptor names cannot become another process. */
    int fd P3D_CLEANUP(p3d_closep) = pidfd_open((pid_t)number, 0);
    int lock P3D_CLEANUP(p3d_closep) = -1;
    int slot = fd >= 0 ? slot_named(pid, p3d_str_z(parent)) : 0;
    if (slot == 0 || number == getpid() || !may_end(w, parent, slot, &lock))
        return 0;
    p3d_log(P3D_LOG_WARN, "stray_killed", P3D_I("child", number), P3D_I("slot", slot));
    (void)pidfd_send_signal(fd, SIGKILL, NULL, 0);
    struct pollfd gone = {.fd = fd, .events = POLLIN};
    return poll(&gone, 1, END_MS) == 1 ? 0 : P3D_E_UNAVAILABLE;
}

int p3d_work_strays_end(const struct p3d_work *w, const char *parent, struct p3d_error *err)
{
    DIR *dir = opendir("/proc");
    int r = 0;
    if (dir == NULL) /* a system without /proc: nobody can be found */
        return 0;
    for (const struct dirent *e; r == 0 && (e = readdir(dir)) != NULL;)
        if (e->d_name[0] >= '1' && e->d_name[0] <= '9' && (r = end_one(w, parent, e->d_name)) != 0)
            (void)p3d_fail(err, r, "process %s of an earlier attempt does not end", e->d_name);
    (void)closedir(dir);
    return r;
}
