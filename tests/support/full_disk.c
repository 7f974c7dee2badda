/* SPDX-License-Identifier: MIT
 *
 * Loaded in front of a process (LD_PRELOAD): as long as $FULL_DISK/.full exists, what is written to files below $FULL_DISK
 * fails as on a disk without room; every other such write is first cut to half, as the last one before the end is. For
 * machines where a test cannot mount a small file system. By raw system calls only.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static char root[4096], flag[4200];
static unsigned turns;

__attribute__((constructor)) static void open_disk(void)
{
    const char *path = getenv("FULL_DISK");
    if (path != NULL && strlen(path) < sizeof(root)) {
        (void)snprintf(root, sizeof(root), "%s", path);
        (void)snprintf(flag, sizeof(flag), "%s/.full", path);
    }
}

static int no_room(int fd)
{
    char link[64], path[4096];
    int before = errno, below = 0;
    if (root[0] != '\0' && syscall(SYS_access, flag, F_OK) == 0) {
        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        ssize_t n = readlink(link, path, sizeof(path) - 1);
        below = n > (ssize_t)strlen(root) && memcmp(path, root, strlen(root)) == 0 && path[strlen(root)] == '/';
    }
    errno = before;
    return below;
}

static ssize_t refuse(void)
{
    errno = ENOSPC;
    return -1;
}

/* The bytes that still fit; 0 = none. */
static size_t room(int fd, size_t n)
{
    if (!no_room(fd))
        return n;
    return n > 1 && turns++ % 2 == 0 ? n / 2 : 0;
}

ssize_t write(int fd, const void *p, size_t n)
{
    size_t fits = room(fd, n);
    return fits == 0 && n > 0 ? refuse() : syscall(SYS_write, fd, p, fits);
}

ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at)
{
    size_t fits = room(fd, n);
    return fits == 0 && n > 0 ? refuse() : syscall(SYS_pwrite64, fd, p, fits, at);
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
    return pwrite64(fd, p, n, at);
}

ssize_t writev(int fd, const struct iovec *v, int n)
{
    return no_room(fd) ? refuse() : syscall(SYS_writev, fd, v, n);
}

ssize_t copy_file_range(int from, off64_t *from_at, int to, off64_t *to_at, size_t n, unsigned flags)
{
    return no_room(to) ? refuse() : syscall(SYS_copy_file_range, from, from_at, to, to_at, n, flags);
}
