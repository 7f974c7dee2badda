/* SPDX-License-Identifier: MIT
 *
 * data_dir and its folder run/: locks that live as long as their process, and pid files.
 */
#pragma once
#include <sys/types.h>

#include "p3d/err.h"

struct p3d_rundir {
    int data_fd, run_fd, redis_fd; /* the folders, CLOEXEC; -1 = not open */
};

/* Make what is missing (0700) and open it. Errors: P3D_E_CONFIG with the path and the reason. */
P3D_MUST int p3d_rundir_open(const char *data_dir, struct p3d_rundir *ret, struct p3d_error *err);
void p3d_rundir_close(struct p3d_rundir *d);

/* Lock run/<name> (flock, exclusive) as long as *ret_fd or a copy of it is open anywhere.
 * Errors: P3D_E_BUSY somebody else has it; P3D_E_IO with errno set. */
P3D_MUST int p3d_lock_take(const struct p3d_rundir *d, const char *name, int *ret_fd);

/* run/<name>.pid: whole or absent at any moment. For people and scripts, so whoever can live
 * without it may. Errors: P3D_E_IO with errno set. */
int p3d_pidfile_write(const struct p3d_rundir *d, const char *name, pid_t pid);
pid_t p3d_pidfile_read(const struct p3d_rundir *d,
                       const char *name); /* 0 = none or none that makes sense */
void p3d_pidfile_remove(const struct p3d_rundir *d, const char *name);

/* A pidfd of the process named by run/<name>.pid if it has run/<name>.lock open, else -1 (a number
 * alone could have been given to another process since). */
int p3d_lock_holder(const struct p3d_rundir *d, const char *name);
