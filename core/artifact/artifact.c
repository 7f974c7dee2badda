/* SPDX-License-Identifier: MIT
 *
 * The artifact store on a file system: its root, reading, and the readiness check. Every name that
 * reaches a system call is one checked part, opened beneath a directory descriptor without
 * following links, so neither a client's text nor something a job left behind can lead outside.
 * publish.c writes, log.c keeps the logs, remove.c removes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "artifact_internal.h"

bool p3d_artifact_name_ok(const char *name)
{
    size_t n = strlen(name);
    if (!n || n > P3D_ARTIFACT_NAME_MAX || name[0] == '.')
        return false;
    return n == strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
}

/* mkdir -p, 0700. The last mkdir's errno decides; existing parts are fine. */
static int make_path(const char *path)
{
    char *copy = p3d_strdup(path);
    int status = 0;
    for (char *slash = copy + 1; *copy && (slash = strchr(slash, '/')); slash++) {
        *slash = 0;
        (void)mkdir(copy, 0700); /* a part that fails shows in the next one */
        *slash = '/';
    }
    if (mkdir(copy, 0700) && errno != EEXIST)
        status = -1;
    int saved = errno;
    free(copy);
    errno = saved;
    return status;
}

int p3d_artifacts_open(const char *root, struct p3d_artifacts **ret, struct p3d_error *err)
{
    struct p3d_artifacts *a = p3d_alloc(sizeof *a);
    int status = 0;
    a->root = p3d_strdup(root);
    a->rootfd = make_path(root) ? -1 : open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (a->rootfd < 0)
        status = p3d_fail(err, P3D_E_IO, "the artifact store %.300s cannot be opened: %s", root,
                          strerror(errno));
    status = status ? status : p3d_store_id_load(a, err);
    status = status ? status : p3d_store_key_load(a, err);
    if (status)
        p3d_artifacts_close(a);
    else
        *ret = a;
    return status;
}

const char *p3d_artifacts_id(const struct p3d_artifacts *a)
{
    return a->id;
}

const unsigned char *p3d_artifacts_key(const struct p3d_artifacts *a)
{
    return a->key;
}

void p3d_artifacts_close(struct p3d_artifacts *a)
{
    if (!a)
        return;
    p3d_closep(&a->rootfd);
    p3d_wipe(a->key, sizeof a->key);
    free(a->root);
    free(a);
}

int p3d_artifacts_check(struct p3d_artifacts *a, struct p3d_error *err)
{
    char nonce[17], name[32];
    p3d_nonce(nonce);
    (void)p3d_format(name, sizeof name, ".check-%s", nonce);
    P3D_CLEANUP(p3d_closep)
    int fd = openat(a->rootfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool failed = fd < 0 || p3d_write_all(fd, name, strlen(name));
    int saved = errno;
    if (fd >= 0)
        (void)unlinkat(a->rootfd, name, 0);
    return failed ? p3d_fail(err, P3D_E_IO, "no file can be made in %.300s: %s", a->root,
                             strerror(saved))
                  : 0;
}

/* What is not there, or is not a thing of ours, is "no result"; the rest is the disk's fault. */
static int open_error(void)
{
    return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? P3D_E_RESULT_NOT_FOUND
                                                                 : P3D_E_IO;
}

int p3d_artifact_open_at(struct p3d_artifacts *a, const struct p3d_job_id *job, const char *attempt,
                         const char *name, int *ret_fd, struct stat *ret_st)
{
    if (!p3d_artifact_name_ok(job->s) || !p3d_artifact_name_ok(attempt))
        return P3D_E_RESULT_NOT_FOUND;
    P3D_CLEANUP(p3d_closep) int job_fd = p3d_open_dir(a->rootfd, job->s, false, NULL);
    if (job_fd < 0)
        return open_error();
    P3D_CLEANUP(p3d_closep) int attempt_fd = p3d_open_dir(job_fd, attempt, false, NULL);
    if (attempt_fd < 0)
        return open_error();
    int fd = openat(attempt_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return open_error();
    if (fstat(fd, ret_st) || !S_ISREG(ret_st->st_mode)) {
        (void)close(fd);
        return P3D_E_RESULT_NOT_FOUND;
    }
    *ret_fd = fd;
    return 0;
}

int p3d_artifact_open(struct p3d_artifacts *a, const struct p3d_job_id *job, const char *attempt,
                      const char *name, int *ret_fd, int64_t *ret_size, int64_t *ret_mtime_s)
{
    struct stat st;
    int status = p3d_artifact_name_ok(name)
                     ? p3d_artifact_open_at(a, job, attempt, name, ret_fd, &st)
                     : P3D_E_RESULT_NOT_FOUND;
    if (!status && ret_size)
        *ret_size = st.st_size;
    if (!status && ret_mtime_s)
        *ret_mtime_s = st.st_mtime;
    return status;
}
