/* SPDX-License-Identifier: MIT
 *
 * `p3d up`: makes the data folder its own, binds the port, starts Redis, servers and workers, says
 * `ready http://…` once when a job can be taken, restarts what dies, and takes everything down in
 * order: servers and workers first (drain), Redis last, then whatever is left. Guarantee: after a
 * return no process below this one lives. Killed with SIGKILL it leaves roles that notice the end
 * of their control socket, and a Redis that the next `p3d up` adopts. Does not: serve or touch a
 * job.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "p3d/clock.h"
#include "p3d/log.h"
#include "p3d/role.h"
#include "p3d/str.h"
#include "redis_internal.h"
#include "supervisor_internal.h"

enum {
    ROLES_WITHOUT_REDIS_MS = 2000, /* then they answer 503 while it loads */
    LEAVING_TICK_MS = 50,
    SLACK_MS = 5000,       /* over what a role promises to need */
    HURRY_SERVE_MS = 2000, /* after the second signal */
    LEFTOVERS_MS = 10000,
};

static void on_child(struct p3d_supervisor *s, pid_t pid, int status)
{
    if (pid == s->redis.pid && s->redis.pidfd < 0) {
        p3d_slot_died(&s->redis, status);
        return;
    }
    for (size_t i = 0; i < s->roles_n; i++) {
        if (s->roles[i].pid == pid) {
            p3d_slot_died(&s->roles[i], status);
            return;
        }
    }
    p3d_orphans_reaped(s, pid);
}

static void reap(struct p3d_supervisor *s)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        on_child(s, pid, status);
}

/* Each further signal is more impatient: drain, stop now, kill. */
static void on_stop_signal(struct p3d_supervisor *s, int sig)
{
    const char *name = sigabbrev_np(sig);
    s->stops++;
    p3d_log(P3D_LOG_INFO, "stopping", P3D_S("signal", name != NULL ? name : "?"),
            P3D_I("times", s->stops));
    if (s->phase == P3D_PHASE_UP) {
        p3d_supervisor_stop(s, 0);
        return;
    }
    uint64_t grace_ms = (uint64_t)s->cfg->workers_kill_grace_seconds * 1000;
    for (size_t i = 0; i < s->roles_n; i++) {
        struct p3d_slot *t = &s->roles[i];
        if (t->state != P3D_SLOT_RUNNING && t->state != P3D_SLOT_HELD)
            continue;
        if (s->stops > 2) {
            p3d_slot_kill(t, "asked to stop three times");
            continue;
        }
        p3d_slot_leave(t, t->kind == P3D_SLOT_SERVE ? HURRY_SERVE_MS : grace_ms + SLACK_MS);
        if (t->state == P3D_SLOT_HELD)
            p3d_slot_signal(t, SIGTERM);
    }
}

static void on_hang_up(struct p3d_supervisor *s)
{
    if (s->on_terminal)
        on_stop_signal(s, SIGHUP);
    else
        p3d_log(P3D_LOG_WARN, "reload",
                P3D_S("what", "no setting can be changed while running: "
                              "restart with SIGTERM and `p3d up`"));
}

static void on_signal(void *priv, int events)
{
    struct p3d_supervisor *s = priv;
    struct signalfd_siginfo info;
    (void)events;
    while (read(s->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGCHLD)
            reap(s);
        else if (info.ssi_signo == SIGHUP)
            on_hang_up(s);
        else
            on_stop_signal(s, (int)info.ssi_signo);
    }
}

void p3d_supervisor_start_roles(struct p3d_supervisor *s)
{
    p3d_timer_clear(s->loop, &s->roles_at);
    if (s->roles_started || s->phase != P3D_PHASE_UP)
        return;
    s->roles_started = true;
    for (size_t i = 0; i < s->roles_n && s->phase == P3D_PHASE_UP; i++)
        p3d_slot_start(&s->roles[i]);
}

static void on_roles_at(struct p3d_timer *timer)
{
    p3d_supervisor_start_roles(
        (struct p3d_supervisor *)(void *)((char *)timer -
                                          offsetof(struct p3d_supervisor, roles_at)));
}

void p3d_supervisor_stop(struct p3d_supervisor *s, int exit_status)
{
    const struct p3d_config *cfg = s->cfg;
    if (s->phase != P3D_PHASE_UP)
        return;
    s->phase = P3D_PHASE_DRAIN;
    s->exit_status = exit_status;
    p3d_timer_clear(s->loop, &s->roles_at);
    p3d_closep(&s->listen_fd); /* the servers alone decide now until when they accept */
    s->listen_fd = -1;
    uint64_t serve_ms = (uint64_t)cfg->server_drain_seconds * 1000 + SLACK_MS;
    uint64_t work_ms =
        (uint64_t)(cfg->workers_drain_seconds + cfg->workers_kill_grace_seconds) * 1000 + SLACK_MS;
    for (size_t i = 0; i < s->roles_n; i++)
        p3d_slot_leave(&s->roles[i], s->roles[i].kind == P3D_SLOT_SERVE ? serve_ms : work_ms);
}

static void on_store_state(void *priv, bool up)
{
    struct p3d_supervisor *s = priv;
    s->redis_answered = s->redis_answered || up;
}

static bool can_take_a_job(const struct p3d_supervisor *s)
{
    bool serves = true, works = false, any_work = false;
    for (size_t i = 0; i < s->roles_n; i++) {
        const struct p3d_slot *t = &s->roles[i];
        bool there = t->ever_ready || t->state == P3D_SLOT_HELD;
        if (t->kind == P3D_SLOT_SERVE)
            serves = serves && there;
        else
            works = works || there;
        any_work = any_work || t->kind == P3D_SLOT_WORK;
    }
    return s->redis_answered && serves && (works || !any_work);
}

static void say_ready(struct p3d_supervisor *s)
{
    const char *host = s->cfg->server_host;
    char line[512];
    if (strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0 || strcmp(host, "") == 0)
        host = "127.0.0.1";
    bool six = strchr(host, ':') != NULL;
    (void)p3d_format(line, sizeof(line), "ready http://%s%s%s:%d\n", six ? "[" : "", host,
                     six ? "]" : "", s->port);
    (void)!write(STDOUT_FILENO, line,
                 strlen(line)); /* nobody there to read it is no reason to stop */
    s->ready_said = true;
}

/* After each turn: what follows from what just happened. False = the end. */
static bool advance(struct p3d_supervisor *s)
{
    size_t left = 0;
    if (s->redis_answered && s->store != NULL) {
        p3d_store_close(s->store);
        s->store = NULL;
    }
    if (s->phase == P3D_PHASE_UP) {
        if (!s->ready_said && can_take_a_job(s))
            say_ready(s);
        return true;
    }
    for (size_t i = 0; i < s->roles_n; i++) {
        p3d_slot_recheck(&s->roles[i]);
        left += s->roles[i].state != P3D_SLOT_GONE;
    }
    if (s->phase == P3D_PHASE_DRAIN && left == 0 && p3d_orphans_settled(s)) {
        s->phase = P3D_PHASE_REDIS;
        p3d_slot_leave(&s->redis, P3D_REDIS_STOP_MS);
    }
    if (s->phase != P3D_PHASE_REDIS)
        return true;
    p3d_slot_recheck(&s->redis);
    return s->redis.state != P3D_SLOT_GONE;
}

static int64_t cores(void)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
    return n > 0 ? n : 1;
}

static void make_slots(struct p3d_supervisor *s)
{
    int64_t serves = s->cfg->server_processes > 0 ? s->cfg->server_processes : cores();
    s->roles_n = (size_t)(serves + s->cfg->workers_count);
    s->roles = p3d_alloc(s->roles_n * sizeof(*s->roles));
    p3d_slot_init(&s->redis, s, P3D_SLOT_REDIS, 0);
    for (size_t i = 0; i < s->roles_n; i++) {
        bool serve = (int64_t)i < serves;
        p3d_slot_init(&s->roles[i], s, serve ? P3D_SLOT_SERVE : P3D_SLOT_WORK,
                      (int)(serve ? (int64_t)i : (int64_t)i - serves) + 1);
    }
}

static int own_data_dir(struct p3d_supervisor *s, struct p3d_error *err)
{
    const char *path = s->cfg->top_data_dir;
    int rc = p3d_rundir_open(path, &s->dir, err);
    if (rc != 0)
        return rc;
    rc = p3d_lock_take(&s->dir, "supervisor.lock", &s->lock_fd);
    if (rc == P3D_E_BUSY)
        return p3d_fail(
            err, rc,
            "data directory %s is in use by process %d (p3d up): stop that one or choose "
            "another folder with --data-dir",
            path, (int)p3d_pidfile_read(&s->dir, "supervisor"));
    if (rc != 0 || (rc = p3d_pidfile_write(&s->dir, "supervisor", getpid())) != 0)
        return p3d_fail(err, rc, "data directory %s: run/: %s", path, strerror(errno));
    return 0;
}

static int take_signals(struct p3d_supervisor *s, struct p3d_error *err)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGHUP);
    (void)sigaddset(&set, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    (void)signal(SIGCHLD,
                 SIG_DFL); /* ignored by whoever started us, it would leave nothing to wait for */
    s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (s->signal_fd < 0)
        return p3d_fail(err, P3D_E_IO, "signalfd: %s", strerror(errno));
    int tty P3D_CLEANUP(p3d_closep) = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    s->on_terminal = tty >= 0;
    s->signals = p3d_watch(s->loop, s->signal_fd, on_signal, s);
    p3d_interest(s->loop, s->signals, P3D_READABLE);
    return 0;
}

/* Everything that can be refused is, before the first process is started. */
static int prepare(struct p3d_supervisor *s, struct p3d_error *err)
{
    int rc = own_data_dir(s, err);
    if (rc == 0)
        rc =
            p3d_listen(s->cfg->server_host, (int)s->cfg->server_port, &s->listen_fd, &s->port, err);
    if (rc == 0 && s->cfg->redis_url.n == 0) {
        char *redis P3D_CLEANUP(p3d_freep) = NULL;
        rc = p3d_redis_find(&redis, err);
    }
    if (rc == 0 && (s->exe_fd = open("/proc/self/exe", O_PATH | O_CLOEXEC)) < 0)
        rc = p3d_fail(err, P3D_E_IO, "/proc/self/exe: %s", strerror(errno));
    if (rc == 0)
        rc = p3d_poll_loop_new(&s->poll);
    if (rc != 0)
        return rc;
    s->loop = p3d_poll_loop_base(s->poll);
    make_slots(s);
    p3d_orphans_init(s);
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
        return p3d_fail(err, P3D_E_IO, "child subreaper: %s", strerror(errno));
    return take_signals(s, err);
}

static int run(struct p3d_supervisor *s, struct p3d_error *err)
{
    p3d_log(P3D_LOG_INFO, "up", P3D_S("host", s->cfg->server_host), P3D_I("port", s->port),
            P3D_S("data_dir", s->cfg->top_data_dir),
            P3D_S("config", s->cfg->file ? s->cfg->file : "defaults"));
    p3d_advice_log(s->cfg);
    if (s->cfg->redis_url.n > 0) {
        s->redis.state = P3D_SLOT_GONE; /* somebody else's */
        int rc = p3d_store_open(s->loop, s->cfg, on_store_state, s, &s->store, err);
        if (rc != 0)
            return rc;
        p3d_supervisor_start_roles(s);
    } else {
        s->roles_at.cb = on_roles_at;
        p3d_timer_set(s->loop, &s->roles_at, ROLES_WITHOUT_REDIS_MS);
        p3d_slot_start(&s->redis);
    }
    while (advance(s))
        p3d_poll_loop_run_once(s->poll, s->phase == P3D_PHASE_UP ? -1 : LEAVING_TICK_MS);
    return 0;
}

/* The last net: whatever is still below us. */
static void sweep(struct p3d_supervisor *s)
{
    uint64_t end = p3d_mono_ms() + LEFTOVERS_MS;
    reap(s);
    while (!p3d_orphans_settled(s) && p3d_mono_ms() < end) {
        p3d_poll_loop_run_once(s->poll, LEAVING_TICK_MS);
        reap(s);
    }
}

static void take_down(struct p3d_supervisor *s)
{
    p3d_store_close(s->store);
    if (s->poll != NULL) {
        p3d_slot_done(&s->redis);
        for (size_t i = 0; i < s->roles_n; i++)
            p3d_slot_done(&s->roles[i]);
        p3d_timer_clear(s->loop, &s->probe);
        p3d_timer_clear(s->loop, &s->roles_at);
        p3d_timer_clear(s->loop, &s->orphans_at);
        p3d_unwatch(s->loop, s->signals);
    }
    p3d_poll_loop_free(s->poll);
    if (s->lock_fd >= 0)
        p3d_pidfile_remove(&s->dir, "supervisor");
    free(s->roles);
    free(s->strangers);
    p3d_closep(&s->signal_fd);
    p3d_closep(&s->listen_fd);
    p3d_closep(&s->exe_fd);
    p3d_closep(&s->lock_fd);
    p3d_rundir_close(&s->dir);
}

int p3d_role_up(const struct p3d_config *cfg, char *const *role_argv)
{
    struct p3d_error err = {0};
    struct p3d_supervisor s = {.cfg = cfg,
                               .role_argv = role_argv,
                               .dir = {-1, -1, -1},
                               .lock_fd = -1,
                               .exe_fd = -1,
                               .listen_fd = -1,
                               .signal_fd = -1};
    int rc = prepare(&s, &err);
    if (rc == 0)
        rc = run(&s, &err);
    if (rc == 0)
        sweep(&s);
    else
        p3d_log(P3D_LOG_ERROR, "up_refused", P3D_S("error", err.detail));
    int status = rc == 0 ? s.exit_status : rc == P3D_E_UNAVAILABLE ? 3 : 1;
    if (rc == 0)
        p3d_log(P3D_LOG_INFO, "down", P3D_I("exit", status));
    take_down(&s);
    return status;
}
