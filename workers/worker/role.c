/* SPDX-License-Identifier: MIT
 *
 * `p3d work`: set up, run, take down. Order matters: the place first (its lock waits for the
 * predecessor's last process), the spawner before any thread, the store last. Guarantee: refuses to
 * start when this machine does not see the artifact store that Redis knows; says ready only when it
 * is connected and checked. Does not: read configuration, or restart itself; the supervisor does.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "p3d/clock.h"
#include "work_internal.h"

#define SPAWNER_END_MS 10000

static void check(struct p3d_work *w);

static void on_checked(void *priv, int err, const struct p3d_answer *answer)
{
    struct p3d_work_call *c = priv;
    struct p3d_work *w = c->w;
    (void)answer;
    c->out = false;
    if (w->state != P3D_WORK_START || err == P3D_E_STORE_DOWN) {
        if (w->state == P3D_WORK_START && p3d_store_up(w->store))
            p3d_timer_set(w->loop, &w->claim_at, 200);
        return;
    }
    if (err != 0) {
        const char *why =
            w->check_error.detail[0] != '\0' ? w->check_error.detail : p3d_err_info(err)->message;
        bool files = strstr(why, "artifact") != NULL;
        p3d_log(P3D_LOG_ERROR, "store_refused", P3D_S("reason", why),
                P3D_S("hint", files ? "mount it, or use another artifact.root" : ""));
        w->exit_status = 1;
        w->draining = true;
        p3d_work_raise(w, P3D_ON_LEAVE);
        return;
    }
    w->checked = true;
    p3d_work_say(w, "ready\n");
    p3d_log(P3D_LOG_INFO, "worker_ready", P3D_S("worker", w->id), P3D_I("models", w->kinds_n));
    p3d_work_raise(w, P3D_ON_CHECKED);
}

static void check(struct p3d_work *w)
{
    if (!w->check.out)
        w->check.out = p3d_store_check(w->store, p3d_artifacts_id(w->artifacts), &w->check_error,
                                       on_checked, &w->check) == 0;
}

/* claim_at has one meaning per state: before the check it repeats the check. */
static void on_claim_timer(struct p3d_timer *t)
{
    struct p3d_work *w = (struct p3d_work *)((char *)t - offsetof(struct p3d_work, claim_at));
    if (w->state == P3D_WORK_START)
        check(w);
    else
        p3d_work_on_claim_timer(t);
}

static void on_store(void *priv, bool up)
{
    struct p3d_work *w = priv;
    p3d_log(up ? P3D_LOG_INFO : P3D_LOG_WARN, up ? "store_up" : "store_down",
            P3D_S("state", p3d_work_state_name(w->state)));
    if (!up)
        return;
    if (w->state == P3D_WORK_START)
        check(w);
    if (w->a != NULL)
        p3d_work_beat(w);
    p3d_work_claim_repeat(w);
    p3d_work_finish_send(w);
}

/* Descriptors 0..2 are always something: else a pipe of a runner could become "stderr". */
static void fill_standard_fds(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    while (fd >= 0 && fd <= STDERR_FILENO);
    p3d_closep(&fd);
}

static int open_store(struct p3d_work *w, struct p3d_error *err)
{
    int r = p3d_pool_new(w->loop, 1, 1, &w->pool);
    if (r != 0)
        return p3d_fail(err, r, "cannot start the helper thread");
    r = p3d_store_open(w->loop, w->cfg, on_store, w, &w->store, err);
    if (r == 0 && w->kinds_n > 0)
        r = p3d_waker_open(w->loop, w->cfg, w->kinds, w->kinds_n, p3d_work_on_wake, w, &w->waker,
                           err);
    return r;
}

static int open_all(struct p3d_work *w, struct p3d_error *err)
{
    fill_standard_fds();
    /* Should the spawner die, its runner becomes our child, to be killed. */
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    int r = p3d_work_place_open(w, err);
    if (r == 0)
        r = p3d_spawner_start(&w->spawner, w->lock_fd, err);
    if (r == 0)
        r = p3d_poll_loop_new(&w->poll);
    if (r != 0)
        return r;
    w->loop = p3d_poll_loop_base(w->poll);
    w->watch_spawner = p3d_watch(w->loop, w->spawner.fd, p3d_work_on_spawner, w);
    p3d_interest(w->loop, w->watch_spawner, P3D_READABLE);
    r = p3d_work_signals_open(w, err);
    if (r == 0)
        r = p3d_artifacts_open(w->cfg->artifact_root, &w->artifacts, err);
    if (r == 0) {
        p3d_work_kinds(w);
        r = open_store(w, err);
    }
    if (r == 0 && (r = p3d_work_house_open(w)) != 0)
        return p3d_fail(err, r, "cannot start the thread that removes files");
    if (r == 0)
        p3d_timer_set(w->loop, &w->reap_at, 1000);
    return r;
}

static void init(struct p3d_work *w, const struct p3d_config *cfg, const struct p3d_inherit *in)
{
    *w = (struct p3d_work){
        .cfg = cfg,
        .in = in,
        .lease_ms = cfg->workers_lease_seconds * 1000,
        .max_concurrent = cfg->limits_max_concurrent_jobs,
        .dirfd = -1,
        .lock_fd = -1,
        .hand_fd = -1,
        .signal_fd = -1,
        .log_fd = -1,
        .events_fd = -1,
        .spawner = {.fd = -1},
        .exit_status = 0,
        .beat_at = {.cb = p3d_work_on_beat_timer},
        .orphan_at = {.cb = p3d_work_on_orphan_timer},
        .watch_at = {.cb = p3d_work_on_watch_timer},
        .timeout_at = {.cb = p3d_work_on_timeout_timer},
        .kill_at = {.cb = p3d_work_on_kill_timer},
        .progress_at = {.cb = p3d_work_on_progress_timer},
        .reap_at = {.cb = p3d_work_on_reap_timer},
        .claim_at = {.cb = on_claim_timer},
        .finish_at = {.cb = p3d_work_on_finish_timer},
        .drain_at = {.cb = p3d_work_on_drain_timer},
    };
    struct p3d_work_call *calls[] = {&w->check,    &w->claim,  &w->beat,
                                     &w->progress, &w->finish, &w->reap};
    for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
        calls[i]->w = w;
}

static void close_all(struct p3d_work *w)
{
    struct p3d_timer *timers[] = {&w->beat_at,    &w->orphan_at,   &w->watch_at, &w->timeout_at,
                                  &w->kill_at,    &w->progress_at, &w->reap_at,  &w->claim_at,
                                  &w->finish_at,  &w->drain_at};
    if (w->loop != NULL) {
        p3d_work_run_done(w);
        p3d_unwatch(w->loop, w->watch_spawner);
    }
    p3d_spawner_stop(&w->spawner, SPAWNER_END_MS);
    p3d_pool_free(w->pool);
    p3d_work_house_close(w);
    p3d_waker_close(w->waker);
    p3d_store_close(w->store);
    p3d_artifacts_close(w->artifacts);
    p3d_attempt_free(w->a);
    if (w->loop != NULL) {
        for (size_t i = 0; i < sizeof(timers) / sizeof(*timers); i++)
            p3d_timer_clear(w->loop, timers[i]);
        p3d_unwatch(w->loop, w->watch_signals);
        p3d_unwatch(w->loop, w->watch_control);
    }
    p3d_closep(&w->signal_fd);
    p3d_poll_loop_free(w->poll);
    p3d_work_place_close(w);
    free(w->kinds);
    free(w->max_workers);
}

int p3d_role_work(const struct p3d_config *cfg, const struct p3d_inherit *in)
{
    struct p3d_work w;
    struct p3d_error err = {0};
    init(&w, cfg, in);
    int r = open_all(&w, &err);
    if (r != 0) {
        p3d_log(P3D_LOG_ERROR, "worker_refused", P3D_S("reason", err.detail));
        w.exit_status = r == P3D_E_UNAVAILABLE ? 3 : 1;
    }
    while (w.exit_status == 0 && w.state != P3D_WORK_STOPPED)
        p3d_poll_loop_run_once(w.poll, -1);
    w.state = P3D_WORK_STOPPED;
    close_all(&w);
    p3d_log(P3D_LOG_INFO, "worker_stopped", P3D_S("worker", w.id), P3D_I("status", w.exit_status));
    return w.exit_status;
}
