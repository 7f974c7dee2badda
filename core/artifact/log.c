/* SPDX-License-Identifier: MIT
 *
 * The log of an attempt: one file beside its results under a name that no artifact can have. It is made before the
 * attempt runs, so that any server sees it grow. Its bytes are the kernel's to write.
 */
#include <fcntl.h>
#include <unistd.h>

#include "artifact_internal.h"

/* The directory of an attempt that was begun. -1 and errno. */
static int open_attempt(struct p3d_artifacts *a, const struct p3d_job_id *job, const char *attempt)
{
    P3D_CLEANUP(p3d_closep) int job_fd = p3d_open_dir(a->rootfd, job->s, false, NULL);
    return job_fd < 0 ? -1 : p3d_open_dir(job_fd, attempt, false, NULL);
}

int p3d_artifact_log_create(struct p3d_artifacts *a, const struct p3d_job_id *job, const char *attempt, int *ret_fd)
{
    if (!p3d_artifact_name_ok(job->s) || !p3d_artifact_name_ok(attempt))
        return P3D_E_IO;
    P3D_CLEANUP(p3d_closep) int dir = open_attempt(a, job, attempt);
    if (dir < 0)
        return P3D_E_IO;
    int fd = openat(dir, P3D_ARTIFACT_LOG, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return P3D_E_IO;
    *ret_fd = fd;
    return 0;
}

int p3d_artifact_log(struct p3d_artifacts *a, const struct p3d_job_id *job, const char *attempt, int *ret_fd,
                     int64_t *ret_size)
{
    struct stat st;
    int status = p3d_artifact_open_at(a, job, attempt, P3D_ARTIFACT_LOG, ret_fd, &st);
    if (!status)
        *ret_size = st.st_size;
    return status;
}
