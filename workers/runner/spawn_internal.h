/* SPDX-License-Identifier: MIT
 *
 * What a worker and its spawner say to each other, over one SOCK_SEQPACKET pair: a fixed head, then a body whose length
 * the head names. Both ends run the same binary, so numbers are in the machine's order; everything is checked all the
 * same: a message that breaks a rule ends the conversation.
 *
 *   worker -> spawner   RUN      body below, four descriptors by SCM_RIGHTS: 0, 1, 2 and the events
 *                       SIGNAL   uint32 SIGTERM (the process group) or SIGKILL (everything that is left)
 *   spawner -> worker   STARTED, EXITED, GONE: struct p3d_spawn_report, in this order; GONE always comes, alone when
 *                       there was no start (failed_errno)
 *   body of RUN: int64 file_max_bytes, uint32 argc, uint32 envc, then cwd, argv…, env…, each uint32 length and bytes
 *                that end with their only NUL
 * One attempt at a time; `id` is chosen by the worker and repeated in every message about it.
 */
#pragma once
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "p3d/err.h"
#include "p3d/str.h"

#define P3D_SPAWN_MAGIC 0x50334431U
#define P3D_SPAWN_MAX_BYTES (128 * 1024) /* of a message */
#define P3D_SPAWN_MAX_STRINGS 1024       /* argv and env together */
#define P3D_SPAWN_FDS 4

enum p3d_spawn_type {
    P3D_SPAWN_RUN = 1,
    P3D_SPAWN_SIGNAL = 2,
    P3D_SPAWN_STARTED = 16,
    P3D_SPAWN_EXITED = 17,
    P3D_SPAWN_GONE = 18,
};

struct p3d_spawn_head {
    uint32_t magic, type, id, body_bytes;
};

struct p3d_spawn_signal {
    struct p3d_spawn_head head;
    uint32_t signo;
};

/* Where making a process failed; the words are p3d_spawn_step_words(). */
enum p3d_spawn_step {
    P3D_STEP_NONE,
    P3D_STEP_FORK,
    P3D_STEP_SESSION,
    P3D_STEP_FDS,
    P3D_STEP_CWD,
    P3D_STEP_LIMITS,
    P3D_STEP_EXEC,
    P3D_STEP__COUNT
};

struct p3d_spawn_report {
    struct p3d_spawn_head head;
    int32_t pid;
    int32_t status;       /* as waitpid(2) gives it */
    int32_t failed_step;  /* enum p3d_spawn_step; not NONE: the command never ran */
    int32_t failed_errno;
    int64_t cpu_ms;       /* user + system, of the runner and the children it waited for */
    int64_t max_rss_kib;
};

/* One request. Everything borrowed, except after _decode: then all of it hangs from `text` and the two vectors. */
struct p3d_spawn {
    uint32_t id;
    int64_t file_max_bytes; /* RLIMIT_FSIZE */
    char *cwd;
    char **argv, **env; /* NULL-ended */
    char *text;
};

/* ---- wire.c ---- */
/* Append the whole RUN message. Errors: P3D_E_TOO_LARGE over a cap; P3D_E_VALIDATION no argv[0]. */
P3D_MUST int p3d_spawn_encode(const struct p3d_spawn *s, struct p3d_buf *out);
/* ret: owned, p3d_spawn_done(). Errors: P3D_E_VALIDATION. */
P3D_MUST int p3d_spawn_decode(struct p3d_str message, struct p3d_spawn *ret);
void p3d_spawn_done(struct p3d_spawn *s);
const char *p3d_spawn_step_words(int step); /* "cannot start"; static */

/* ---- exec.c: in the spawner ---- */
/* Fork and exec. fds: become 0..3 of the child. ret_say: non-blocking; at its end of file the exec has happened, or two
 * int32 (step, errno) came. Errors: P3D_E_UNAVAILABLE with errno when there is no process. */
P3D_MUST int p3d_spawn_exec(const struct p3d_spawn *s, const int fds[P3D_SPAWN_FDS], pid_t *ret_pid, int *ret_say);

/* ---- tree.c ---- */
void p3d_tree_kill(void); /* one round: SIGKILL to every child; their children are the next round's */
/* Kill and reap until no child is left, at most for_ms (the caller is a subreaper). False: some still live. Blocks. */
bool p3d_tree_end(unsigned for_ms);

/* ---- spawner_link.c: in the worker ---- */
struct p3d_spawner {
    pid_t pid;
    int fd; /* non-blocking */
};
/* Start `p3d spawner`: before any thread. keep_fd (or -1) stays open in it as long as it lives. */
P3D_MUST int p3d_spawner_start(struct p3d_spawner *s, int keep_fd, struct p3d_error *err);
/* Errors: P3D_E_TOO_LARGE; P3D_E_UNAVAILABLE the spawner is gone. */
P3D_MUST int p3d_spawner_run(struct p3d_spawner *s, const struct p3d_spawn *req, const int fds[P3D_SPAWN_FDS]);
P3D_MUST int p3d_spawner_signal(struct p3d_spawner *s, uint32_t id, int signo);
/* One report. Errors: P3D_E_NOT_FOUND none at the moment; P3D_E_UNAVAILABLE the spawner is gone or talks nonsense. */
P3D_MUST int p3d_spawner_read(struct p3d_spawner *s, struct p3d_spawn_report *ret);
/* Close the socket and wait for its end (it kills what it has first), at most for_ms. Blocks. */
void p3d_spawner_stop(struct p3d_spawner *s, unsigned for_ms);
