/* SPDX-License-Identifier: MIT
 *
 * Removing what a job left: beneath the root's descriptor, never through a link, nothing absent is
 * an error. Published trees are flat, but whatever stands there goes, down to 16 levels. The parent
 * is synced, because the record that points here is deleted next and must not outlive a power cut
 * alone.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "artifact_internal.h"

#define DEPTH_MAX 16
#define ROUNDS_MAX 4 /* a straggler may add a file while we empty the directory */

static int remove_tree(int dirfd, const char *name, unsigned depth);

static int remove_entry(int dirfd, const char *name, unsigned depth)
{
    if (!unlinkat(dirfd, name, 0) || errno == ENOENT)
        return 0;
    return errno == EISDIR || errno == EPERM ? remove_tree(dirfd, name, depth + 1) : P3D_E_IO;
}

/* All but `keep`, which may be NULL. */
static int empty(int dirfd, unsigned depth, const char *keep)
{
    int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* its own position */
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    int status = 0;
    if (!d) {
        p3d_closep(&fd);
        return errno == ENOENT ? 0 : P3D_E_IO;
    }
    for (struct dirent *e; !status && (e = readdir(d));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
            (!keep || strcmp(e->d_name, keep) != 0))
            status = remove_entry(dirfd, e->d_name, depth);
    (void)closedir(d);
    return status;
}

static int remove_tree(int dirfd, const char *name, unsigned depth)
{
    if (depth > DEPTH_MAX)
        return P3D_E_IO;
    P3D_CLEANUP(p3d_closep) int fd = p3d_open_dir(dirfd, name, false, NULL);
    if (fd < 0 &&
        (errno == ENOTDIR || errno == ELOOP)) /* a link or a file in a directory's place */
        return !unlinkat(dirfd, name, 0) || errno == ENOENT ? 0 : P3D_E_IO;
    if (fd < 0)
        return errno == ENOENT ? 0 : P3D_E_IO;
    for (int round = 0; round < ROUNDS_MAX; round++) {
        int status = empty(fd, depth, NULL);
        if (status)
            return status;
        if (!unlinkat(dirfd, name, AT_REMOVEDIR) || errno == ENOENT)
            return 0;
        if (errno != ENOTEMPTY && errno != EEXIST)
            break;
    }
    return P3D_E_IO;
}

static int remove_synced(int dirfd, const char *name)
{
    int status = remove_tree(dirfd, name, 0);
    return status ? status : fsync(dirfd) ? P3D_E_IO : 0;
}

static int open_job(const struct p3d_artifacts *a, const struct p3d_job_id *job, int *ret_fd)
{
    *ret_fd = p3d_open_dir(a->rootfd, job->s, false, NULL);
    return *ret_fd >= 0 || errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? 0 : P3D_E_IO;
}

int p3d_artifact_clear(struct p3d_artifacts *a, const struct p3d_job_id *job, const char *attempt)
{
    P3D_CLEANUP(p3d_closep) int job_fd = -1;
    if (!p3d_artifact_name_ok(job->s) || !p3d_artifact_name_ok(attempt))
        return 0;
    if (open_job(a, job, &job_fd))
        return P3D_E_IO;
    P3D_CLEANUP(p3d_closep)
    int fd = job_fd < 0 ? -1 : p3d_open_dir(job_fd, attempt, false, NULL);
    int status = fd < 0 ? 0 : empty(fd, 0, P3D_ARTIFACT_LOG);
    return status || (fd >= 0 && fsync(fd)) ? P3D_E_IO : 0;
}

/* The number in "<fence>-<nonce>"; false: not a name of that form. */
static bool fence_of(const char *attempt, uint64_t *ret)
{
    size_t n = strspn(attempt, "0123456789");
    int64_t fence;
    if (attempt[n] != '-' || p3d_str_to_i64((struct p3d_str){attempt, n}, 0, INT64_MAX, &fence))
        return false;
    *ret = (uint64_t)fence;
    return true;
}

void p3d_artifact_sweep(int job_fd, const char *attempt)
{
    uint64_t newest, fence;
    int fd = openat(job_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        p3d_closep(&fd);
        return;
    }
    for (struct dirent *e; fence_of(attempt, &newest) && (e = readdir(d));)
        if (fence_of(e->d_name, &fence) && fence < newest)
            P3D_IGNORE(remove_tree(job_fd, e->d_name, 0));
    (void)closedir(d);
}

int p3d_artifact_remove(struct p3d_artifacts *a, const struct p3d_job_id *job, const char *attempt)
{
    if (!p3d_artifact_name_ok(job->s) || (attempt && !p3d_artifact_name_ok(attempt)))
        return 0; /* nothing of such a name was ever made */
    if (!attempt)
        return remove_synced(a->rootfd, job->s);
    P3D_CLEANUP(p3d_closep) int job_fd = -1;
    int status = open_job(a, job, &job_fd);
    if (status || job_fd < 0)
        return status;
    status = remove_synced(job_fd, attempt);
    (void)unlinkat(a->rootfd, job->s, AT_REMOVEDIR); /* not empty: as it should be */
    return status;
}
