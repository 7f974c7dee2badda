/* SPDX-License-Identifier: MIT
 *
 * Roles: one binary, a role is a subcommand. The supervisor (`p3d up`) forks and re-executes the binary for each one.
 * What a role inherits is in one table, passed as hidden flags `--inherit control=3,listen=4,lock=5,slot=1`.
 *
 * Control socket (SOCK_STREAM pair, lines): role -> supervisor "ready\n" once; worker also "busy <job_id>\n", "idle\n"
 * (for the obituary). End of file: the supervisor is gone; a serve drains and exits, a worker finishes its job and
 * exits. SIGTERM: drain, exit 0.
 */
#pragma once
#include "p3d/config.h"
#include "p3d/err.h"

struct p3d_inherit {
    int control_fd; /* -1 = started by hand */
    int listen_fd;  /* serve; -1 = bind host:port itself */
    int lock_fd;    /* work: flocked run/work-N.lock, kept open; -1 = take one itself */
    int slot;       /* N of serve-N, work-N; 0 when by hand */
};
/* "control=3,listen=4": Errors: P3D_E_VALIDATION. All fds named are checked and made CLOEXEC. */
P3D_MUST int p3d_inherit_parse(const char *text, struct p3d_inherit *ret);

/* Role mains: run until told to stop, return the exit status (0 ok, 1 refused, 2 usage, 3 unavailable). They log. */
int p3d_role_up(const struct p3d_config *cfg, char *const *role_argv); /* role_argv: --config … as given, NULL-ended */
int p3d_role_serve(const struct p3d_config *cfg, const struct p3d_inherit *in);
int p3d_role_work(const struct p3d_config *cfg, const struct p3d_inherit *in);
int p3d_role_spawner(int socket_fd); /* hidden: `p3d spawner`, one per worker */

/* Bind and listen (SO_REUSEADDR, non-blocking, CLOEXEC); ret_port: the real one.
 * Errors: P3D_E_CONFIG "port 7842 is in use on 0.0.0.0 …". */
P3D_MUST int p3d_listen(const char *host, int port, int *ret_fd, int *ret_port, struct p3d_error *err);

/* Embedded Redis (workers/supervisor/redis.c), also for command-line verbs: see that it runs for this data_dir; start it
 * when nobody holds run/redis.lock, else adopt the living one (PING, `dir` matches). ret_pid: of the one we started, or
 * 0 when adopted. Blocks up to 30 s while it loads. Errors: P3D_E_UNAVAILABLE with the reason. */
P3D_MUST int p3d_embedded_redis_start(const struct p3d_config *cfg, int *ret_pid, struct p3d_error *err);
/* Stop the one that _start started (pid 0: nothing), unless a `p3d up` has adopted it meanwhile. Waits for its end. */
void p3d_embedded_redis_stop(const struct p3d_config *cfg, int pid);
