/* SPDX-License-Identifier: MIT
 *
 * A process of our own making: what it gets is in this struct, and nothing else.
 */
#pragma once
#include <stddef.h>
#include <sys/types.h>

#include "p3d/err.h"

struct p3d_launch {
    const char *path; /* the image, or NULL: exe_fd is it */
    int exe_fd;
    char *const *argv;
    char *const *envp;
    const int *keep; /* descriptors that stay open under their numbers; all other above 2 close */
    size_t keep_n;
    int output_fd; /* becomes stdout and stderr; stdin is /dev/null */
    int dir_fd;    /* working directory, -1 = ours */
};

/* Fork and execute, in a session of its own, with default signals. Waits for the exec
 * (milliseconds). Errors: P3D_E_IO with the reason; no process is left then. */
P3D_MUST int p3d_launch(const struct p3d_launch *l, pid_t *ret_pid, struct p3d_error *err);
