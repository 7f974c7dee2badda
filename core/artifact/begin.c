/* SPDX-License-Identifier: MIT
 *
 * The directories of an attempt. They are made here and nowhere else, before it runs, so that a late attempt of a job that
 * was deleted meanwhile finds them gone and leaves nothing behind. Guarantee: when this succeeded they are on disk, and
 * what older attempts of the job have left is removed. Does not: remove what an attempt of a larger fence has made.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "artifact_internal.h"

#define ROUNDS_MAX 4 /* another attempt may remove the job's directory, empty, between our two steps */

/* 0, or -1 and errno. */
static int make(struct p3d_artifacts *a, const char *job, const char *attempt)
{
    bool job_new, fresh;
    P3D_CLEANUP(p3d_closep) int job_fd = p3d_open_dir(a->rootfd, job, true, &job_new);
    if (job_fd < 0 || (job_new && fsync(a->rootfd)))
        return -1;
    if (!job_new)
        p3d_artifact_sweep(job_fd, attempt);
    P3D_CLEANUP(p3d_closep) int fd = p3d_open_dir(job_fd, attempt, true, &fresh);
    return fd < 0 || (fresh && fsync(job_fd)) ? -1 : 0;
}

int p3d_artifact_begin(struct p3d_artifacts *a, const struct p3d_job_id *job, const char *attempt,
                       struct p3d_error *err)
{
    if (!p3d_artifact_name_ok(job->s) || !p3d_artifact_name_ok(attempt))
        return p3d_fail(err, P3D_E_BAD_REQUEST, "the name of the job or attempt is not valid");
    int status = -1;
    errno = ENOENT;
    for (int round = 0; status != 0 && errno == ENOENT && round < ROUNDS_MAX; round++)
        status = make(a, job->s, attempt);
    if (status != 0)
        return p3d_fail(err, P3D_E_IO, "the attempt's directory cannot be made: %s", strerror(errno));
    return 0;
}
