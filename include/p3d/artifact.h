/* SPDX-License-Identifier: MIT
 *
 * Where results live: <root>/<job>/<attempt>/<name>, attempt = "<fence>-<nonce>". A name is visible only when its
 * bytes and its directory are on disk. Names are [A-Za-z0-9._-], no leading dot, at most 200 bytes: never a path.
 * Everything is opened beneath a directory descriptor with O_NOFOLLOW. All calls block: helper or pool threads only,
 * except at start.
 */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "p3d/crypto.h"
#include "p3d/err.h"
#include "p3d/id.h"

struct p3d_artifacts;

struct p3d_artifact {
    char name[201];
    char role[33];              /* "mesh", "thumbnail", "file" */
    const char *content_type;   /* by extension; static */
    int64_t size_bytes;
    char sha256[P3D_SHA256_HEX];
};
#define P3D_ATTEMPT_SIZE 64 /* "<fence>-<nonce>" with its terminator */

/* Makes root (0700) and <root>/.store-id when absent. ret_id: the store's id, 32 hex, lives as long as the handle.
 * Errors: P3D_E_IO with what and where. */
P3D_MUST int p3d_artifacts_open(const char *root, struct p3d_artifacts **ret, struct p3d_error *err);
const char *p3d_artifacts_id(const struct p3d_artifacts *a);
/* The id of the store at root, which is not made. ret_id holds P3D_ARTIFACTS_ID_SIZE.
 * Errors: P3D_E_NOT_FOUND there is none; P3D_E_IO with what and where. */
#define P3D_ARTIFACTS_ID_SIZE 33
P3D_MUST int p3d_artifacts_peek(const char *root, char *ret_id, struct p3d_error *err);
/* 32 random bytes of this store, in <root>/.store-key (0600), made when absent by the same open: the half of the keys of
 * signed URLs that is not in Redis. A file of another length, a link, or one that others may use: open answers P3D_E_IO.
 * Lives as long as the handle. */
const unsigned char *p3d_artifacts_key(const struct p3d_artifacts *a);
void p3d_artifacts_close(struct p3d_artifacts *a);
/* Can a file be made here now? For /ready. Errors: P3D_E_IO. */
P3D_MUST int p3d_artifacts_check(struct p3d_artifacts *a, struct p3d_error *err);

/* Before an attempt: its directories are made and on disk, and what older attempts (by their fence) of the job have left
 * is removed. Errors: P3D_E_IO with what, but not where; P3D_E_BAD_REQUEST not names of ours. */
P3D_MUST int p3d_artifact_begin(struct p3d_artifacts *a, const struct p3d_job_id *job, const char *attempt,
                                struct p3d_error *err);
/* Copy one regular file (path beneath dirfd, no links anywhere on the way) in, hashing on the way: temporary name,
 * fsync, rename, fsync of the directories. ret->name is the last part of path, made safe; ret->role from `role`.
 * *abandon (may be NULL) turning true ends it early with P3D_E_STALE.
 * Errors: P3D_E_BAD_REQUEST not a regular file below dirfd, or larger than max_bytes; P3D_E_IO disk, and the attempt's
 * directory is not there (never begun, or removed with its job: it is not made again); P3D_E_STALE. */
P3D_MUST int p3d_artifact_publish(struct p3d_artifacts *a, const struct p3d_job_id *job, const char *attempt, int dirfd,
                                  const char *path, const char *role, int64_t max_bytes, const atomic_bool *abandon,
                                  struct p3d_artifact *ret, struct p3d_error *err);
/* Open for reading. ret_fd: owned, CLOEXEC. Errors: P3D_E_RESULT_NOT_FOUND; P3D_E_IO. */
P3D_MUST int p3d_artifact_open(struct p3d_artifacts *a, const struct p3d_job_id *job, const char *attempt,
                               const char *name, int *ret_fd, int64_t *ret_size, int64_t *ret_mtime_s);
/* The log of an attempt, written while it runs and read by anybody. Not an artifact: no name leads to it.
 * _create: for the worker, once the attempt was begun; ret_fd: O_APPEND, CLOEXEC. Errors: P3D_E_IO, also when there is
 * one already.
 * _log: ret_fd for reading. Errors: P3D_E_RESULT_NOT_FOUND; P3D_E_IO. */
P3D_MUST int p3d_artifact_log_create(struct p3d_artifacts *a, const struct p3d_job_id *job, const char *attempt, int *ret_fd);
P3D_MUST int p3d_artifact_log(struct p3d_artifacts *a, const struct p3d_job_id *job, const char *attempt, int *ret_fd,
                              int64_t *ret_size);
/* Remove what an attempt has published, but not its log. Absent is fine. Errors: P3D_E_IO. */
P3D_MUST int p3d_artifact_clear(struct p3d_artifacts *a, const struct p3d_job_id *job, const char *attempt);
/* Remove one attempt's files (and the job's directory when nothing else is in it), or all of the job's when attempt is
 * NULL. Absent is fine. Errors: P3D_E_IO. */
P3D_MUST int p3d_artifact_remove(struct p3d_artifacts *a, const struct p3d_job_id *job, const char *attempt);

/* Removing whole jobs on a pool, one after the other, a few at a time. removed: on the loop, once for each that was
 * begun; err 0 or P3D_E_IO. Loop thread. */
struct p3d_pool;
struct p3d_purge;
struct p3d_purge *p3d_purge_new(struct p3d_artifacts *a, struct p3d_pool *pool,
                                void (*removed)(void *priv, const struct p3d_job_id *id, int err), void *priv);
size_t p3d_purge_room(const struct p3d_purge *p); /* how many more it takes now */
/* One that is waiting already, or has no room, is left out: it will be named again. */
void p3d_purge_add(struct p3d_purge *p, const struct p3d_job_id *id);
void p3d_purge_free(struct p3d_purge *p); /* after its pool. NULL is fine */

/* By extension: ".glb" -> model/gltf-binary; unknown -> application/octet-stream. Static. */
const char *p3d_content_type(const char *name);
