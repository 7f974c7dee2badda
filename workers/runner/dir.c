/* SPDX-License-Identifier: MIT
 *
 * The directory of an attempt: made private, removed whole. Guarantee: removal works beneath a
 * descriptor, follows no link, changes no file outside, and ends for any shape a runner can leave:
 * modes without access, a hundred thousand files, directories nested deeper than descriptors or
 * stack would allow. Does not: run while the runner lives.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "p3d/id.h"
#include "runner_internal.h"

#define DEPTH_MAX 32 /* deeper directories are moved to the top first */

static int write_file(int dirfd, const char *name, struct p3d_str text)
{
    int fd P3D_CLEANUP(p3d_closep) =
        openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400);
    if (fd < 0)
        return -1;
    while (text.n > 0) {
        ssize_t r = write(fd, text.p, text.n);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return -1;
        text.p += r;
        text.n -= (size_t)r;
    }
    return 0;
}

int p3d_attempt_dir_make(int parent_fd, const char *name, struct p3d_str input_json, int *ret_fd,
                         struct p3d_error *err)
{
    static const char *const folders[] = {"inputs", "outputs", "tmp"};
    if (mkdirat(parent_fd, name, 0700) != 0)
        return p3d_fail(err, P3D_E_IO, "cannot make the working directory: %s", strerror(errno));
    int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    bool made = fd >= 0;
    for (size_t i = 0; made && i < sizeof(folders) / sizeof(*folders); i++)
        made = mkdirat(fd, folders[i], 0700) == 0;
    made = made && write_file(fd, "input.json", input_json) == 0;
    made = made && fchmodat(fd, "inputs", 0500, 0) == 0;
    if (made) {
        *ret_fd = fd;
        return 0;
    }
    int why = errno;
    p3d_closep(&fd);
    P3D_IGNORE(p3d_tree_remove(parent_fd, name));
    return p3d_fail(err, P3D_E_IO, "cannot fill the working directory: %s", strerror(why));
}

/* Open a directory for emptying, whatever its mode says. */
static int open_dir(int parent_fd, const char *name)
{
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    struct stat st;
    if (fstatat(parent_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return -1;
    if (!S_ISDIR(st.st_mode)) {
        errno = ENOTDIR;
        return -1;
    }
    /* It is a directory and nobody else is at work here, so this follows no link. */
    if ((st.st_mode & 0700) != 0700 && fchmodat(parent_fd, name, 0700, 0) != 0)
        return -1;
    return openat(parent_fd, name, flags);
}

static int empty(int dirfd, int top_fd, unsigned depth);

/* One entry. 0, or -1 with errno. */
static int remove_entry(int dirfd, const char *name, int top_fd, unsigned depth)
{
    if (unlinkat(dirfd, name, 0) == 0)
        return 0;
    if (errno != EISDIR && errno != EPERM) /* EPERM is what POSIX says for a directory */
        return -1;
    if (depth >= DEPTH_MAX) {
        char high[32] = "deep-";
        p3d_nonce(high + 5);
        (void)fchmodat(dirfd, name, 0700, 0); /* moving a directory writes into it: its ".." */
        return renameat(dirfd, name, top_fd, high); /* the top's next round finds it */
    }
    int fd P3D_CLEANUP(p3d_closep) = open_dir(dirfd, name);
    if (fd < 0 || empty(fd, top_fd, depth + 1) != 0)
        return -1;
    return unlinkat(dirfd, name, AT_REMOVEDIR);
}

/* Rounds until one finds nothing: what is removed or moved while readdir runs may hide other
 * entries. */
static int empty(int dirfd, int top_fd, unsigned depth)
{
    for (bool found = true; found;) {
        found = false;
        int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
        if (dir == NULL) {
            p3d_closep(&fd);
            return -1;
        }
        int r = 0;
        for (const struct dirent *e; r == 0 && (e = readdir(dir)) != NULL;) {
            if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
                continue;
            found = true;
            r = remove_entry(dirfd, e->d_name, top_fd, depth);
        }
        int why = errno;
        (void)closedir(dir);
        errno = why;
        if (r != 0)
            return -1;
    }
    return 0;
}

int p3d_tree_empty(int dirfd)
{
    return empty(dirfd, dirfd, 0) == 0 ? 0 : P3D_E_IO;
}

int p3d_tree_remove(int parent_fd, const char *name)
{
    int fd = open_dir(parent_fd, name);
    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0)
        return unlinkat(parent_fd, name, 0) == 0 ? 0 : P3D_E_IO;
    int r = p3d_tree_empty(fd);
    p3d_closep(&fd);
    if (r == 0 && unlinkat(parent_fd, name, AT_REMOVEDIR) != 0)
        r = P3D_E_IO;
    return r;
}
