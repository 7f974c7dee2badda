/* SPDX-License-Identifier: MIT
 *
 * <root>/.store-id: 32 hex and a newline that say which store this is, made once for its life. The
 * file is complete before it gets its name, and getting it fails when another process was first:
 * two that start together agree.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "artifact_internal.h"

#define NAME ".store-id"

int p3d_write_all(int fd, const void *p, size_t n)
{
    for (const char *at = p; n;) {
        ssize_t put = write(fd, at, n);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0) {
            errno = put ? errno : EIO;
            return -1;
        }
        at += put;
        n -= (size_t)put;
    }
    return 0;
}

/* 1 = read into a->id, 0 = there is none, negative: error. */
static int read_id(struct p3d_artifacts *a, struct p3d_error *err)
{
    char text[40];
    P3D_CLEANUP(p3d_closep)
    int fd = openat(a->rootfd, NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return 0;
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
    if (n < 0)
        return p3d_fail(err, P3D_E_IO, "%.300s/" NAME " cannot be read: %s", a->root,
                        strerror(errno));
    if (n && text[n - 1] == '\n')
        n--;
    bool good = n == 32;
    for (ssize_t i = 0; good && i < n; i++)
        good = text[i] && strchr("0123456789abcdef", text[i]);
    if (!good)
        return p3d_fail(err, P3D_E_IO, "%.300s/" NAME " does not hold 32 hexadecimal digits",
                        a->root);
    memcpy(a->id, text, 32);
    a->id[32] = 0;
    return 1;
}

/* Gives `temporary` the name, unless it is taken. 0, or -1 and errno; EEXIST: another process was
 * first. */
static int name_it(int rootfd, const char *temporary)
{
    if (!linkat(rootfd, temporary, rootfd, NAME, 0))
        return 0;
    if (errno == EEXIST)
        return -1;
    return renameat2(rootfd, temporary, rootfd, NAME,
                     RENAME_NOREPLACE); /* a file system without hard links */
}

static int make_id(struct p3d_artifacts *a)
{
    unsigned char raw[16];
    char text[34], nonce[17], temporary[40];
    p3d_random(raw, sizeof raw);
    p3d_hex(raw, sizeof raw, text);
    text[32] = '\n';
    p3d_nonce(nonce);
    (void)p3d_format(temporary, sizeof temporary, NAME ".%s", nonce);
    P3D_CLEANUP(p3d_closep)
    int fd = openat(a->rootfd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    int failed = p3d_write_all(fd, text, 33) || fsync(fd) ||
                 (name_it(a->rootfd, temporary) && errno != EEXIST);
    int saved = errno;
    (void)unlinkat(a->rootfd, temporary, 0);
    errno = saved;
    return failed || fsync(a->rootfd) ? -1 : 0;
}

int p3d_store_id_load(struct p3d_artifacts *a, struct p3d_error *err)
{
    int status = read_id(a, err);
    if (status)
        return status < 0 ? status : 0;
    if (make_id(a))
        return p3d_fail(err, P3D_E_IO, "%.300s/" NAME " cannot be made: %s", a->root,
                        strerror(errno));
    status = read_id(a, err);
    if (!status)
        return p3d_fail(err, P3D_E_IO, "%.300s/" NAME " vanished while it was made", a->root);
    return status < 0 ? status : 0;
}
