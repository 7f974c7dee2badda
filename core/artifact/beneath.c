/* SPDX-License-Identifier: MIT
 *
 * Opening names that a job wrote, without ever leaving its directory. openat2(2) with
 * RESOLVE_BENEATH and no links of any kind does it in the kernel; where it is missing (before
 * Linux 5.6, or refused by a sandbox) the path is walked one part at a time with O_NOFOLLOW. Both
 * refuse "..", absolute and empty paths, so they accept the same names.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/openat2.h>

#include "artifact_internal.h"

#define RACES_MAX 8 /* EAGAIN: somebody renamed on the way; the kernel could not be sure */

static bool path_ok(const char *path)
{
    if (!*path || *path == '/' || strlen(path) >= PATH_MAX)
        return false;
    for (const char *part = path; *part;) {
        size_t n = strcspn(part, "/");
        if (n == 2 && part[0] == '.' && part[1] == '.')
            return false;
        part += n + (part[n] == '/');
    }
    return true;
}

static int walk(int dirfd, char *path, int flags)
{
    int at = dirfd;
    for (char *part = path;;) {
        size_t n = strcspn(part, "/");
        char *rest = part + n + strspn(part + n, "/");
        bool last = !*rest;
        part[n] = 0;
        int fd = openat(at, part,
                        last ? flags | O_NOFOLLOW | O_CLOEXEC
                             : O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int saved = errno;
        if (at != dirfd)
            (void)close(at);
        errno = saved;
        if (fd < 0 || last)
            return fd;
        at = fd;
        part = rest;
    }
}

int p3d_open_beneath_walk(int dirfd, const char *path, int flags)
{
    if (!path_ok(path)) {
        errno = EXDEV;
        return -1;
    }
    char *copy = p3d_strdup(path);
    int fd = walk(dirfd, copy, flags);
    int saved = errno;
    free(copy);
    errno = saved;
    return fd;
}

int p3d_open_beneath(int dirfd, const char *path, int flags)
{
    struct open_how how = {.flags = (unsigned)(flags | O_NOFOLLOW | O_CLOEXEC),
                           .resolve =
                               RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
    long fd = -1;
    if (!path_ok(path)) {
        errno = EXDEV;
        return -1;
    }
    for (int i = 0; i < RACES_MAX; i++) {
        fd = syscall(SYS_openat2, dirfd, path, &how, sizeof how);
        if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
            break;
    }
    if (fd < 0 && (errno == ENOSYS || errno == EPERM))
        return p3d_open_beneath_walk(dirfd, path, flags);
    return (int)fd;
}

int p3d_open_dir(int dirfd, const char *name, bool make, bool *ret_new)
{
    bool made = make && !mkdirat(dirfd, name, 0700);
    if (make && !made && errno != EEXIST)
        return -1;
    int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 && ret_new)
        *ret_new = made;
    return fd;
}
