/* SPDX-License-Identifier: MIT
 *
 * Between the files of artifact/: the handle and opening beneath a directory.
 */
#pragma once
#include <sys/stat.h>

#include "p3d/artifact.h"

struct p3d_artifacts {
    int rootfd;
    char *root; /* for error texts */
    char id[33];
    unsigned char key[32]; /* secret */
};

#define P3D_ARTIFACT_NAME_MAX 200
/* [A-Za-z0-9._-]{1,200}, no leading dot: what may become one part of a path of ours. */
bool p3d_artifact_name_ok(const char *name);

#define P3D_ARTIFACT_LOG ".log" /* in the attempt's directory; no name of an artifact begins so */

/* openat() of a relative path of any depth, never outside dirfd, never through a link. -1 and
 * errno. */
int p3d_open_beneath(int dirfd, const char *path, int flags);
/* The same, one part at a time: for kernels before 5.6 and sandboxes that refuse openat2. */
int p3d_open_beneath_walk(int dirfd, const char *path, int flags);
/* A directory of ours, one part. make: create it (0700) when absent; *ret_new (may be NULL) tells.
 * -1 and errno. */
int p3d_open_dir(int dirfd, const char *name, bool make, bool *ret_new);

/* Open a regular file of ours for reading, without links. Errors: P3D_E_RESULT_NOT_FOUND; P3D_E_IO. */
P3D_MUST int p3d_artifact_open_at(struct p3d_artifacts *a, const struct p3d_job_id *job,
                                  const char *attempt, const char *name, int *ret_fd,
                                  struct stat *ret_st);
/* Remove what attempts of a smaller fence have left in the job's directory; what cannot be removed stays for the purge. */
void p3d_artifact_sweep(int job_fd, const char *attempt);

/* Reads or makes <root>/.store-id into a->id. Errors: P3D_E_IO. */
P3D_MUST int p3d_store_id_load(struct p3d_artifacts *a, struct p3d_error *err);
/* Reads or makes <root>/.store-key into a->key. Errors: P3D_E_IO, also when others may use it. */
P3D_MUST int p3d_store_key_load(struct p3d_artifacts *a, struct p3d_error *err);
int p3d_write_all(int fd, const void *p, size_t n); /* 0, or -1 and errno */
