/* SPDX-License-Identifier: MIT
 *
 * What is made once for the life of a store: <root>/.store-id, 32 hex and a newline that say which
 * store this is, and <root>/.store-key, 32 random bytes that sign URLs together with what is in
 * Redis. A file is complete before it gets its name, and getting it fails when another process was
 * first: two that start together agree. The key is refused when anybody but its owner could read or
 * write it, and it is nowhere else: it is wiped from memory with the handle and on every way out.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "artifact_internal.h"

#define ID ".store-id"
#define KEY ".store-key"
#define CONTENT_MAX 40 /* more than either file has */

struct content {
    char p[CONTENT_MAX];
    size_t n;
};

static void wipe(struct content *c)
{
    p3d_wipe(c, sizeof *c);
}

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

/* 1 = read, 0 = there is none, negative: error. ret_st: of the file. */
static int read_file(struct p3d_artifacts *a, const char *name, struct content *ret,
                     struct stat *ret_st, struct p3d_error *err)
{
    P3D_CLEANUP(p3d_closep)
    int fd = openat(a->rootfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return 0;
    bool known = fd >= 0 && !fstat(fd, ret_st);
    if (known && !S_ISREG(ret_st->st_mode))
        return p3d_fail(err, P3D_E_IO, "%.300s/%s is not a file", a->root, name);
    ssize_t n = known ? read(fd, ret->p, sizeof ret->p) : -1;
    if (n < 0)
        return p3d_fail(err, P3D_E_IO, "%.300s/%s cannot be read: %s", a->root, name,
                        errno == ELOOP ? "it is a link" : strerror(errno));
    ret->n = (size_t)n;
    return 1;
}

/* Gives `temporary` the name, unless it is taken. 0, or -1 and errno; EEXIST: another process was
 * first. */
static int name_it(int rootfd, const char *temporary, const char *name)
{
    if (!linkat(rootfd, temporary, rootfd, name, 0))
        return 0;
    if (errno == EEXIST)
        return -1;
    return renameat2(rootfd, temporary, rootfd, name,
                     RENAME_NOREPLACE); /* a file system without hard links */
}

static int make_file(struct p3d_artifacts *a, const char *name, const struct content *c)
{
    char nonce[17], temporary[40];
    p3d_nonce(nonce);
    (void)p3d_format(temporary, sizeof temporary, "%s.%s", name, nonce);
    P3D_CLEANUP(p3d_closep)
    int fd = openat(a->rootfd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    int failed = p3d_write_all(fd, c->p, c->n) || fsync(fd) ||
                 (name_it(a->rootfd, temporary, name) && errno != EEXIST);
    int saved = errno;
    (void)unlinkat(a->rootfd, temporary, 0);
    errno = saved;
    return failed || fsync(a->rootfd) ? -1 : 0;
}

/* What is there, else `fresh`, else what another process made meanwhile. */
static int load(struct p3d_artifacts *a, const char *name, const struct content *fresh,
                struct content *ret, struct stat *ret_st, struct p3d_error *err)
{
    int status = read_file(a, name, ret, ret_st, err);
    if (status)
        return status < 0 ? status : 0;
    if (make_file(a, name, fresh))
        return p3d_fail(err, P3D_E_IO, "%.300s/%s cannot be made: %s", a->root, name,
                        strerror(errno));
    status = read_file(a, name, ret, ret_st, err);
    if (!status)
        return p3d_fail(err, P3D_E_IO, "%.300s/%s vanished while it was made", a->root, name);
    return status < 0 ? status : 0;
}

static int take_id(struct p3d_artifacts *a, struct content *c, struct p3d_error *err)
{
    if (c->n && c->p[c->n - 1] == '\n')
        c->n--;
    bool good = c->n == 32;
    for (size_t i = 0; good && i < c->n; i++)
        good = c->p[i] && strchr("0123456789abcdef", c->p[i]);
    if (!good)
        return p3d_fail(err, P3D_E_IO, "%.300s/" ID " does not hold 32 hexadecimal digits",
                        a->root);
    memcpy(a->id, c->p, 32);
    a->id[32] = 0;
    return 0;
}

int p3d_artifacts_peek(const char *root, char *ret_id, struct p3d_error *err)
{
    struct content c;
    struct stat st;
    P3D_CLEANUP(p3d_closep) int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct p3d_artifacts a = {.rootfd = fd, .root = (char *)(uintptr_t)root};
    if (fd < 0 && errno == ENOENT)
        return P3D_E_NOT_FOUND;
    if (fd < 0)
        return p3d_fail(err, P3D_E_IO, "%.300s cannot be opened: %s", root, strerror(errno));
    int status = read_file(&a, ID, &c, &st, err);
    if (status == 0)
        return P3D_E_NOT_FOUND;
    if (status > 0)
        status = take_id(&a, &c, err);
    if (status == 0)
        memcpy(ret_id, a.id, sizeof a.id);
    return status;
}

int p3d_store_id_load(struct p3d_artifacts *a, struct p3d_error *err)
{
    unsigned char raw[16];
    struct content fresh = {.n = 33}, c;
    struct stat st;
    p3d_random(raw, sizeof raw);
    p3d_hex(raw, sizeof raw, fresh.p);
    fresh.p[32] = '\n';
    int status = load(a, ID, &fresh, &c, &st, err);
    if (status)
        return status;
    return take_id(a, &c, err);
}

int p3d_store_key_load(struct p3d_artifacts *a, struct p3d_error *err)
{
    P3D_CLEANUP(wipe) struct content fresh = {.n = sizeof a->key}, c = {.n = 0};
    struct stat st;
    p3d_random(fresh.p, fresh.n);
    int status = load(a, KEY, &fresh, &c, &st, err);
    if (status)
        return status;
    if (c.n != sizeof a->key)
        return p3d_fail(err, P3D_E_IO,
                        "%.300s/" KEY " does not hold %zu bytes; without it a new one is made, "
                        "and signed URLs that are out end",
                        a->root, sizeof a->key);
    if (st.st_mode & (S_IRWXG | S_IRWXO))
        return p3d_fail(err, P3D_E_IO,
                        "%.300s/" KEY " is a secret that others may use (mode %03o): chmod 600, or "
                        "remove it and a new one is made",
                        a->root, (unsigned)(st.st_mode & 0777));
    memcpy(a->key, c.p, sizeof a->key);
    return 0;
}
