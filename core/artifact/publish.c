/* SPDX-License-Identifier: MIT
 *
 * One output of a job into the store. Order, so that a name is seen only when everything below it
 * is on disk: directories made and synced (begin.c), bytes copied to a temporary name and synced,
 * renamed, directory synced. Any failure removes the temporary file; a crash leaves one with a leading dot,
 * which no reader can name and remove.c sweeps. The source was written by a job: opened beneath its
 * directory without links, a regular file with one name only (a second hard link could be someone
 * else's file), its size capped while copying, hashed as copied.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "artifact_internal.h"

#define PIECE 1048576
#define EXTENSION_MAX 20

struct publish {
    struct p3d_artifacts *a;
    const char *path; /* as the job names it, for errors */
    int64_t max_bytes;
    const atomic_bool *abandon;
    struct p3d_error *err;
    int source, job_dir, dir, file; /* -1 or owned */
    char temporary[32];
    bool temporary_made;
};

/* Not where: the client reads this, too. */
static int fail_disk(const struct publish *p, const char *doing)
{
    return p3d_fail(p->err, P3D_E_IO, "%s: %s", doing, strerror(errno));
}

/* The last part of the path with everything outside [A-Za-z0-9._-] replaced; a long stem is cut,
 * not its extension. */
static int safe_name(const struct publish *p, char dst[P3D_ARTIFACT_NAME_MAX + 1])
{
    const char *slash = strrchr(p->path, '/'), *base = slash ? slash + 1 : p->path;
    const char *dot = strrchr(base, '.');
    size_t n = strlen(base), tail = dot && strlen(dot) <= EXTENSION_MAX ? strlen(dot) : 0;
    if (!n || !strcmp(base, ".") || !strcmp(base, ".."))
        return p3d_fail(p->err, P3D_E_BAD_REQUEST, "output '%.200s' is not the name of a file",
                        p->path);
    size_t stem = n - tail;
    if (n > P3D_ARTIFACT_NAME_MAX)
        stem = P3D_ARTIFACT_NAME_MAX - tail;
    memcpy(dst, base, stem);
    memcpy(dst + stem, base + n - tail, tail);
    dst[stem + tail] = 0;
    for (char *c = dst; *c; c++) {
        char one[2] = {*c, 0};
        if (*c != '.' && !p3d_artifact_name_ok(one))
            *c = '_';
    }
    if (dst[0] == '.')
        dst[0] = '_';
    return 0;
}

static int open_source(struct publish *p, int dirfd)
{
    struct stat st;
    p->source = p3d_open_beneath(dirfd, p->path,
                                 O_RDONLY | O_NONBLOCK | O_NOCTTY); /* a FIFO must not hold us */
    if (p->source < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == EIO))
        return p3d_fail(p->err, P3D_E_IO, "output '%.200s' cannot be opened: %s", p->path,
                        strerror(errno));
    if (p->source < 0)
        return p3d_fail(p->err, P3D_E_BAD_REQUEST, "output '%.200s' cannot be opened: %s", p->path,
                        errno == ELOOP   ? "there is a link on the way"
                        : errno == EXDEV ? "it leads out of the directory"
                                         : strerror(errno));
    if (fstat(p->source, &st))
        return p3d_fail(p->err, P3D_E_IO, "output '%.200s' cannot be examined: %s", p->path,
                        strerror(errno));
    if (!S_ISREG(st.st_mode))
        return p3d_fail(p->err, P3D_E_BAD_REQUEST, "output '%.200s' is not a regular file",
                        p->path);
    if (st.st_nlink != 1)
        return p3d_fail(p->err, P3D_E_BAD_REQUEST, "output '%.200s' has more than one name",
                        p->path);
    if (st.st_size > p->max_bytes)
        return p3d_fail(p->err, P3D_E_BAD_REQUEST, "output '%.200s' is larger than %lld bytes",
                        p->path, (long long)p->max_bytes);
    return 0;
}

static int open_target(struct publish *p, const char *job, const char *attempt)
{
    char nonce[17];
    p->job_dir = p3d_open_dir(p->a->rootfd, job, false, NULL);
    p->dir = p->job_dir < 0 ? -1 : p3d_open_dir(p->job_dir, attempt, false, NULL);
    if (p->dir < 0)
        return fail_disk(p, "the attempt's directory cannot be opened");
    p3d_nonce(nonce);
    (void)p3d_format(p->temporary, sizeof p->temporary, ".tmp-%s", nonce);
    p->file =
        openat(p->dir, p->temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (p->file < 0)
        return fail_disk(p, "a file cannot be made");
    p->temporary_made = true;
    return 0;
}

/* One piece from source to file. *ret_n 0 at the end. */
static int copy_piece(struct publish *p, char *piece, struct p3d_digest *digest, int64_t done,
                      size_t *ret_n)
{
    ssize_t n;
    if (p->abandon && atomic_load_explicit(p->abandon, memory_order_relaxed))
        return p3d_fail(p->err, P3D_E_STALE, "publishing '%.200s' was given up", p->path);
    do
        n = read(p->source, piece, PIECE);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return p3d_fail(p->err, P3D_E_IO, "output '%.200s' cannot be read: %s", p->path,
                        strerror(errno));
    if (n > p->max_bytes - done) /* it grew since it was opened */
        return p3d_fail(p->err, P3D_E_BAD_REQUEST, "output '%.200s' is larger than %lld bytes",
                        p->path, (long long)p->max_bytes);
    if (p3d_write_all(p->file, piece, (size_t)n))
        return fail_disk(p, "a file cannot be written");
    p3d_digest_add(digest, piece, (size_t)n);
    *ret_n = (size_t)n;
    return 0;
}

static int copy(struct publish *p, struct p3d_artifact *ret)
{
    struct p3d_digest *digest = p3d_digest_new();
    char *piece = p3d_alloc(PIECE);
    int status;
    size_t n = 0;
    do {
        status = copy_piece(p, piece, digest, ret->size_bytes, &n);
        ret->size_bytes += (int64_t)n;
    } while (!status && n);
    if (!status)
        p3d_digest_hex(digest, ret->sha256);
    p3d_digest_free(digest);
    free(piece);
    return status;
}

static int commit(struct publish *p, const char *name)
{
    if (fsync(p->file))
        return fail_disk(p, "a file cannot be synced");
    if (p->abandon && atomic_load_explicit(p->abandon, memory_order_relaxed))
        return p3d_fail(p->err, P3D_E_STALE, "publishing '%.200s' was given up", p->path);
    if (renameat(p->dir, p->temporary, p->dir, name))
        return fail_disk(p, "a file cannot be renamed");
    p->temporary_made = false;
    if (!fsync(p->dir))
        return 0;
    int status = fail_disk(p, "a directory cannot be synced");
    (void)unlinkat(p->dir, name, 0); /* not known to be on disk: not to be seen */
    return status;
}

int p3d_artifact_publish(struct p3d_artifacts *a, const struct p3d_job_id *job, const char *attempt,
                         int dirfd, const char *path, const char *role, int64_t max_bytes,
                         const atomic_bool *abandon, struct p3d_artifact *ret,
                         struct p3d_error *err)
{
    struct publish p = {.a = a,
                        .path = path,
                        .max_bytes = max_bytes,
                        .abandon = abandon,
                        .err = err,
                        .source = -1,
                        .job_dir = -1,
                        .dir = -1,
                        .file = -1};
    struct p3d_artifact done = {0};
    if (!p3d_artifact_name_ok(job->s) || !p3d_artifact_name_ok(attempt))
        return p3d_fail(err, P3D_E_BAD_REQUEST, "the name of the job or attempt is not valid");
    int status = safe_name(&p, done.name);
    status = status ? status : open_source(&p, dirfd);
    status = status ? status : open_target(&p, job->s, attempt);
    status = status ? status : copy(&p, &done);
    status = status ? status : commit(&p, done.name);
    if (p.temporary_made)
        (void)unlinkat(p.dir, p.temporary, 0);
    p3d_closep(&p.file);
    p3d_closep(&p.source);
    p3d_closep(&p.dir);
    p3d_closep(&p.job_dir);
    if (status)
        return status;
    (void)p3d_format(done.role, sizeof done.role, "%s", role);
    done.content_type = p3d_content_type(done.name);
    *ret = done;
    return 0;
}
