/* SPDX-License-Identifier: MIT
 *
 * The embedded redis-server, without a loop: start one (redis.c), ask one that runs
 * (redis_probe.c), how much memory it may use (memory.c).
 */
#pragma once
#include <stdint.h>
#include <sys/types.h>

#include "p3d/config.h"
#include "rundir_internal.h"

#define P3D_REDIS_LOCK "redis.lock"
enum { P3D_REDIS_STOP_MS = 30000 };

/* redis-server in PATH? ret_path: owned. Errors: P3D_E_UNAVAILABLE names the package and the
 * command that installs it. */
P3D_MUST int p3d_redis_find(char **ret_path, struct p3d_error *err);

/* Start redis-server; lock_fd (run/redis.lock) goes to it and is closed here. Does not wait until
 * it answers. Errors: P3D_E_UNAVAILABLE no redis-server; P3D_E_IO. lock_fd is closed then too. */
P3D_MUST int p3d_redis_launch(const struct p3d_rundir *d, const struct p3d_config *cfg, int lock_fd,
                              pid_t *ret_pid, struct p3d_error *err);

/* The last line that redis-server wrote to run/redis.log, cut to size; "" when there is none. */
void p3d_redis_last_words(const struct p3d_rundir *d, char *dst, size_t size);

struct p3d_redis_answer {
    pid_t pid;  /* who listens on run/redis.sock */
    int loaded; /* percent, while it loads */
};
/* Ask the one on run/redis.sock: PING, and is its `dir` our data_dir/redis? ret_pidfd (may be NULL)
 * gets a pidfd of it that surely means the process that answered. Blocks up to timeout_ms. ret->pid
 * is set whenever somebody listens. Errors: P3D_E_UNAVAILABLE nobody answers; P3D_E_BUSY it loads
 * its data; P3D_E_CORRUPT it is not ours. */
P3D_MUST int p3d_redis_probe(const struct p3d_rundir *d, int timeout_ms,
                             struct p3d_redis_answer *ret, int *ret_pidfd, struct p3d_error *err);

/* Memory that this process and its children may use, in bytes: RAM or the smallest cgroup limit
 * above us. */
uint64_t p3d_memory_limit(void);
