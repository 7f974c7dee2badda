/* SPDX-License-Identifier: MIT */
/* Writing results.
 *
 * Guarantees: whoever sees the final name sees all the bytes, also after a crash of the machine;
 * a full disk, a size limit or a missing directory is an error with the system's own words and
 * leaves no file behind. main.c ignores SIGXFSZ, so that a size limit is an error like others. */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int write_all(int fd, const char *bytes, size_t length)
{
    while (length) {
        size_t part = length < (1 << 20) ? length : (1 << 20);
        ssize_t done = write(fd, bytes, part);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return -1;
        bytes += done;
        length -= (size_t)done;
    }
    return 0;
}

static int write_pieces(int fd, const struct let_piece *pieces, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (write_all(fd, pieces[i].bytes, pieces[i].length) < 0)
            return -1;
    return fsync(fd);
}

/* Make the new name last: fsync the directory it is in. */
static int sync_directory(const char *path)
{
    char copy[PATH_MAX];
    int fd, status;

    memcpy(copy, path, strlen(path) + 1);
    fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    status = fsync(fd);
    (void)close(fd);
    return status;
}

/* A rename would silently replace a device or a link by a file. */
static int check_target(const char *path, struct let_error *err)
{
    struct stat info;

    if (!lstat(path, &info) && !S_ISREG(info.st_mode))
        return let_fail(err, LET_IO, "cannot write %.200s: it is not a regular file", path);
    return 0;
}

int let_file_write(const char *path, const struct let_piece *pieces, size_t count,
                   struct let_error *err)
{
    char temporary[PATH_MAX];
    int length = snprintf(temporary, sizeof(temporary), "%s.%ld.tmp", path, (long)getpid());
    int fd, status = check_target(path, err);

    if (status)
        return status;
    if (length < 0 || (size_t)length >= sizeof(temporary))
        return let_fail(err, LET_IO, "the path of the result is too long");
    fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd < 0)
        return let_fail(err, LET_IO, "cannot create %.200s: %s", path, strerror(errno));
    status = write_pieces(fd, pieces, count);
    if (status < 0) {
        int saved = errno;

        (void)close(fd);
        errno = saved;
    } else {
        status = close(fd); /* some file systems report a full disk only here */
    }
    if (!status)
        status = rename(temporary, path);
    if (status) {
        status = let_fail(err, LET_IO, "cannot write %.200s: %s", path, strerror(errno));
        (void)unlink(temporary);
        return status;
    }
    if (sync_directory(path) < 0) {
        status = let_fail(err, LET_IO, "cannot write %.200s: %s", path, strerror(errno));
        (void)unlink(path);
    }
    return status;
}
