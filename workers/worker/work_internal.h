/* SPDX-License-Identifier: MIT
 *
 * A worker: one loop, at most one attempt. role.c sets it up and takes it down, worker.c runs the state table, the other
 * files are the actions. Everything hangs from struct p3d_work; the callbacks of store calls find it through the call.
 */
#pragma once
#include "../runner/spawn_internal.h"
#include "attempt_internal.h"
#include "p3d/config.h"
#include "p3d/log.h"
#include "p3d/role.h"
#include "states_internal.h"

#define P3D_PROGRESS_MS 250 /* between two progress calls */

/* A call to the store that is out. */
struct p3d_work_call {
    struct p3d_work *w;
    bool out;
    uint64_t serial;   /* of the attempt it is about */
    uint64_t sent_ms;
};

struct p3d_work {
    const struct p3d_config *cfg;
    const struct p3d_inherit *in;
    int64_t lease_ms;
    int64_t max_concurrent; /* running jobs of an owner without a limit of their own */
    int slot;
    char id[65];             /* worker id */
    int exit_status;

    struct p3d_poll_loop *poll;
    struct p3d_loop *loop;   /* of poll */
    struct p3d_pool *pool;   /* the helper: one thread */
    struct p3d_pool *purge_pool; /* another, for the files of deleted jobs */
    struct p3d_purge *purge;
    bool purge_failing;      /* and said so */
    struct p3d_store *store;
    struct p3d_waker *waker; /* NULL: nothing to claim */
    struct p3d_artifacts *artifacts;
    struct p3d_spawner spawner;
    char *dir;               /* data_dir/work/<slot> */
    int dirfd, lock_fd, signal_fd;
    int hand_fd;             /* lock of a slot we found ourselves, else -1 */
    struct p3d_watch *watch_spawner, *watch_signals, *watch_control, *watch_log, *watch_events;
    int log_fd, events_fd;   /* our ends of the runner's pipes, -1 = closed */

    struct p3d_str *kinds;   /* 2n: any n in a row are all of them, begun elsewhere */
    int64_t *max_workers;    /* the same */
    size_t kinds_n, kinds_at;
    struct p3d_claim claim_text; /* of the claim that is out or to be repeated; claim_open */
    bool claim_open;         /* sent, not answered: a repeat must be the same */

    enum p3d_work_state state; /* p3d_work_raise() only */
    struct p3d_attempt *a;   /* in the states with a job */
    uint64_t serial;
    uint64_t renewed_ms;     /* when the last heartbeat (or claim) that was answered was sent */
    bool checked, draining;
    unsigned stops;

    struct p3d_work_call check, claim, beat, progress, finish, reap;
    struct p3d_error check_error; /* p3d_store_check writes it */
    bool beat_again;         /* wanted while one was out */
    struct p3d_timer beat_at, orphan_at, watch_at, timeout_at, kill_at, progress_at, reap_at, claim_at, finish_at,
        drain_at;
};

/* ---- worker.c ---- */
void p3d_work_raise(struct p3d_work *w, enum p3d_work_event e);
void p3d_work_end(struct p3d_work *w, enum p3d_end end, const char *code, bool retry, const char *message,
                  enum p3d_work_event how); /* decide, and raise END or KILL when it counted */
void p3d_work_over(struct p3d_work *w);     /* the attempt is over for us: free it; FINISHED or LEAVE */
void p3d_work_say(struct p3d_work *w, const char *line); /* to the supervisor */
void p3d_work_log(struct p3d_work *w, enum p3d_log_level level, const char *event); /* with the attempt's fields */

/* ---- place.c ---- */
int p3d_work_place_open(struct p3d_work *w, struct p3d_error *err); /* slot, lock, directory, id */
void p3d_work_place_close(struct p3d_work *w);

/* ---- strays.c ---- */
/* parent: data_dir/work. Blocks until those that were found are gone. Errors: P3D_E_UNAVAILABLE one does not go. */
P3D_MUST int p3d_work_strays_end(const struct p3d_work *w, const char *parent, struct p3d_error *err);

/* ---- claim.c ---- */
void p3d_work_kinds(struct p3d_work *w);       /* fill kinds from the configuration */
void p3d_work_claim(struct p3d_work *w);       /* P3D_DO_CLAIM */
void p3d_work_claim_repeat(struct p3d_work *w); /* the store is back */
void p3d_work_claim_new(struct p3d_work *w);   /* claim_text with a new nonce */
void p3d_work_got(struct p3d_work *w, const struct p3d_job *job); /* JOB or UNWANTED */
void p3d_work_on_wake(void *priv, bool up);
void p3d_work_on_claim_timer(struct p3d_timer *t);

/* ---- beat.c ---- */
void p3d_work_leased(struct p3d_work *w, uint64_t sent_ms); /* a lease begins: heartbeat and orphan timers */
void p3d_work_unleased(struct p3d_work *w);
void p3d_work_beat(struct p3d_work *w);        /* now */
void p3d_work_lost(struct p3d_work *w);        /* the store has refused the lease: nothing of the attempt stays */
bool p3d_work_lease_fresh(const struct p3d_work *w); /* renewed within lease_ms */
void p3d_work_on_beat_timer(struct p3d_timer *t);
void p3d_work_on_orphan_timer(struct p3d_timer *t);
void p3d_work_on_watch_timer(struct p3d_timer *t);
void p3d_work_on_hint(struct p3d_work *w);     /* somebody may have cancelled the attempt */

/* ---- house.c ---- */
P3D_MUST int p3d_work_house_open(struct p3d_work *w);
void p3d_work_house_close(struct p3d_work *w); /* before the store */
void p3d_work_on_reap_timer(struct p3d_timer *t);

/* ---- prepare.c ---- */
void p3d_work_prepare(struct p3d_work *w);

/* ---- run.c ---- */
void p3d_work_spawn(struct p3d_work *w);
void p3d_work_confirm(struct p3d_work *w);
void p3d_work_term(struct p3d_work *w);
void p3d_work_kill(struct p3d_work *w);
void p3d_work_on_spawner(void *priv, int events);
void p3d_work_on_timeout_timer(struct p3d_timer *t);
void p3d_work_on_kill_timer(struct p3d_timer *t);
void p3d_work_run_done(struct p3d_work *w); /* close the pipes, clear the timers */

/* ---- progress.c ---- */
void p3d_work_on_event(void *priv, const struct p3d_event *e);
void p3d_work_on_progress_timer(struct p3d_timer *t);

/* ---- wrap.c ---- */
void p3d_work_wrap(struct p3d_work *w);

/* ---- finish.c ---- */
void p3d_work_finish(struct p3d_work *w);
void p3d_work_finish_send(struct p3d_work *w); /* if it is to be sent and can be */
void p3d_work_on_finish_timer(struct p3d_timer *t);

/* ---- drain.c ---- */
int p3d_work_signals_open(struct p3d_work *w, struct p3d_error *err);
void p3d_work_drain(struct p3d_work *w);
void p3d_work_on_drain_timer(struct p3d_timer *t);
