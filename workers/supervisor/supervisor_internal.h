/* SPDX-License-Identifier: MIT
 *
 * The parts of the supervisor, for this folder only:
 *   supervisor.c  the life of `p3d up`: start, ready line, drain, end
 *   slot.c        one place for one child: its states, backoff, obituary
 *   role.c        start of serve-N and work-N and the lines they say
 *   redis_slot.c  the place of the embedded redis-server; redis.c starts one, redis_probe.c asks
 * one orphans.c     processes that dead workers left behind rundir.c      data_dir, locks and pid
 * files; launch.c: fork and exec One thread; everything hangs from struct p3d_supervisor.
 */
#pragma once
#include <sys/types.h>

#include "launch_internal.h"
#include "p3d/config.h"
#include "p3d/loop.h"
#include "p3d/store.h"
#include "rundir_internal.h"

enum p3d_slot_kind { P3D_SLOT_REDIS, P3D_SLOT_SERVE, P3D_SLOT_WORK };

enum p3d_slot_state {
    P3D_SLOT_IDLE,    /* not started yet */
    P3D_SLOT_WAITING, /* the timer starts it */
    P3D_SLOT_HELD,    /* an older process has its lock; the timer asks again */
    P3D_SLOT_RUNNING, /* pid lives */
    P3D_SLOT_GONE,    /* over, not started again */
};

/* One child and all its successors. state is written by slot.c only. */
struct p3d_slot {
    struct p3d_supervisor *s;
    enum p3d_slot_kind kind;
    int number;    /* from 1 */
    char name[24]; /* "work-2" */
    enum p3d_slot_state state;

    pid_t pid; /* of the living one, 0 = none */
    int pidfd; /* redis: when adopted; work: of an older worker; else -1 */
    struct p3d_watch *pidfd_watch;
    uint64_t started_ms;
    bool ready;             /* this one said so */
    bool ever_ready;        /* it or a predecessor did */
    bool said;              /* the present trouble was logged */
    uint64_t said_at;       /* redis: seconds waited at the last line about loading */
    unsigned quick_deaths;  /* before ever ready */
    uint64_t backoff_ms;    /* of the last start, 0 = none */
    struct p3d_timer timer; /* start, ask again, or (draining) kill */

    int control_fd; /* our end, -1 = closed */
    struct p3d_watch *control;
    char line[128]; /* what came so far of the next line */
    size_t line_n;
    char doing[64]; /* "job_…" while busy, "" when idle */
};

enum p3d_phase {
    P3D_PHASE_UP,
    P3D_PHASE_DRAIN, /* roles are leaving */
    P3D_PHASE_REDIS, /* redis-server is leaving */
};

struct p3d_supervisor {
    const struct p3d_config *cfg;
    char *const *role_argv; /* borrowed */
    struct p3d_poll_loop *poll;
    struct p3d_loop *loop; /* of poll */
    struct p3d_rundir dir;
    int lock_fd, exe_fd, listen_fd, signal_fd;
    int port;
    struct p3d_watch *signals;

    struct p3d_slot redis; /* state IDLE for ever when redis.url is set */
    struct p3d_slot *roles;
    size_t roles_n;
    struct p3d_timer probe;  /* redis-server started, does it answer? */
    uint64_t probe_ms;       /* of the next try */
    struct p3d_store *store; /* redis.url only, until it answers once */
    bool redis_answered;
    struct p3d_timer roles_at; /* start the roles without Redis then */
    bool roles_started, ready_said;

    enum p3d_phase phase;
    unsigned stops;   /* SIGTERM and SIGINT so far */
    bool on_terminal; /* SIGHUP means that the terminal is gone */
    int exit_status;

    pid_t *strangers; /* children from before we were `p3d up`: never touched */
    size_t strangers_n;
    uint64_t orphans_since_ms; /* 0 = none */
    struct p3d_timer orphans_at; /* the next round of ending them */
};

/* ---- supervisor.c ---- */
void p3d_supervisor_stop(struct p3d_supervisor *s, int exit_status); /* drain and end */
void p3d_supervisor_start_roles(struct p3d_supervisor *s); /* once, however often called */

/* ---- slot.c ---- */
void p3d_slot_init(struct p3d_slot *t, struct p3d_supervisor *s, enum p3d_slot_kind kind,
                   int number);
void p3d_slot_done(struct p3d_slot *t);
void p3d_slot_start(struct p3d_slot *t);                   /* now */
void p3d_slot_later(struct p3d_slot *t, uint64_t in_ms);   /* start then */
void p3d_slot_held(struct p3d_slot *t, uint64_t again_ms); /* its lock is held elsewhere */
void p3d_slot_running(struct p3d_slot *t, pid_t pid);      /* started: pid file, clock */
void p3d_slot_ready(struct p3d_slot *t);
/* No process came to be: counted like a quick death. */
void p3d_slot_failed(struct p3d_slot *t, const char *why);
enum { P3D_STATUS_UNKNOWN = -1 };
void p3d_slot_died(struct p3d_slot *t, int status); /* wait status: obituary, next start */
/* SIGTERM now, SIGKILL later; gone at once when nothing runs. */
void p3d_slot_leave(struct p3d_slot *t, uint64_t kill_in_ms);
void p3d_slot_kill(struct p3d_slot *t, const char *why); /* SIGKILL, with a line */
void p3d_slot_signal(struct p3d_slot *t, int sig);
void p3d_slot_recheck(struct p3d_slot *t); /* draining: is its lock still held? */

/* ---- role.c ---- */
void p3d_role_slot_start(struct p3d_slot *t);
void p3d_role_slot_hang_up(struct p3d_slot *t);   /* close our end of the control socket */
void p3d_role_slot_read_rest(struct p3d_slot *t); /* what it said before it died */

/* ---- redis_slot.c ---- */
void p3d_redis_slot_start(struct p3d_slot *t);
/* Why it ended, as it said itself. */
void p3d_redis_slot_words(const struct p3d_slot *t, char *dst, size_t size);

/* ---- orphans.c ---- */
void p3d_orphans_init(struct p3d_supervisor *s); /* note the strangers */
/* True when no process of a dead worker is left; else call again soon. What stays is killed. */
bool p3d_orphans_settled(struct p3d_supervisor *s);
void p3d_orphans_end(struct p3d_supervisor *s); /* a worker died: now and until none is left */
void p3d_orphans_reaped(struct p3d_supervisor *s, pid_t pid); /* a child that is in no slot */

/* ---- advice.c ---- */
/* Settings that are legal and dangerous, one warning each. */
void p3d_advice_log(const struct p3d_config *cfg);
