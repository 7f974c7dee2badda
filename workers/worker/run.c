/* SPDX-License-Identifier: MIT
 *
 * The runner while it lives: asked for at the spawner, listened to on two pipes, ended when its
 * time is up. Guarantee: what it wrote before its end is read before the end is judged; nothing of
 * it blocks the loop; GONE is raised only when the spawner says that no process of the attempt
 * lives. When the spawner itself dies, this worker kills what it finds and ends: its successor
 * starts clean.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "work_internal.h"

#define READ_BYTES 16384
#define READS_PER_TURN 8
#define READS_AT_END 256 /* more than a pipe can hold: whoever still writes is a stranger */
#define STUCK_MS 30000   /* killed and still there: say so */
#define LAST_KILL_MS 5000

/* Read what is there. False: the pipe is at its end. */
static bool drain_pipe(int fd, unsigned reads,
                       void (*take)(struct p3d_attempt *, const char *, size_t),
                       struct p3d_attempt *a)
{
    char bytes[READ_BYTES];
    while (reads-- > 0) {
        ssize_t n = read(fd, bytes, sizeof(bytes));
        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        if (n == 0)
            return false;
        take(a, bytes, (size_t)n);
    }
    return true;
}

static void take_log(struct p3d_attempt *a, const char *p, size_t n)
{
    p3d_joblog_feed(&a->log, p, n);
}

static void take_events(struct p3d_attempt *a, const char *p, size_t n)
{
    p3d_events_feed(&a->events, p, n);
}

static void close_pipe(struct p3d_work *w, int *fd, struct p3d_watch **watch)
{
    p3d_unwatch(w->loop, *watch);
    *watch = NULL;
    p3d_closep(fd);
    *fd = -1;
}

static void on_log(void *priv, int events)
{
    struct p3d_work *w = priv;
    (void)events;
    if (!drain_pipe(w->log_fd, READS_PER_TURN, take_log, w->a))
        close_pipe(w, &w->log_fd, &w->watch_log);
}

static void on_events(void *priv, int events)
{
    struct p3d_work *w = priv;
    (void)events;
    if (!drain_pipe(w->events_fd, READS_PER_TURN, take_events, w->a))
        close_pipe(w, &w->events_fd, &w->watch_events);
}

/* A pipe whose reading end is ours and never blocks. */
static int open_pipe(struct p3d_work *w, int *ours, struct p3d_watch **watch,
                     void (*cb)(void *priv, int events), int *theirs)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return P3D_E_IO;
    (void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
    *ours = ends[0];
    *theirs = ends[1];
    *watch = p3d_watch(w->loop, ends[0], cb, w);
    p3d_interest(w->loop, *watch, P3D_READABLE);
    return 0;
}

static int ask_spawner(struct p3d_work *w)
{
    struct p3d_attempt *a = w->a;
    int null_fd P3D_CLEANUP(p3d_closep) = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int log_end P3D_CLEANUP(p3d_closep) = -1, events_end P3D_CLEANUP(p3d_closep) = -1;
    if (null_fd < 0 || open_pipe(w, &w->log_fd, &w->watch_log, on_log, &log_end) != 0 ||
        open_pipe(w, &w->events_fd, &w->watch_events, on_events, &events_end) != 0)
        return P3D_E_IO;
    struct p3d_spawn req = {
        .id = (uint32_t)a->serial,
        .file_max_bytes = w->cfg->workers_max_output_bytes,
        .cwd = a->dir,
        .argv = a->model->command,
        .env = a->env,
    };
    int fds[P3D_SPAWN_FDS] = {null_fd, log_end, log_end, events_end};
    return p3d_spawner_run(&w->spawner, &req, fds);
}

static void spawner_lost(struct p3d_work *w)
{
    p3d_log(P3D_LOG_ERROR, "spawner_lost", P3D_S("job", w->a != NULL ? w->a->lease.job.s : ""),
            P3D_S("state", p3d_work_state_name(w->state)));
    if (!p3d_tree_end(LAST_KILL_MS))
        p3d_log(P3D_LOG_ERROR, "runner_stuck", P3D_S("worker", w->id));
    w->exit_status = 1;
}

void p3d_work_spawn(struct p3d_work *w)
{
    int r = ask_spawner(w);
    if (r == 0) {
        if (w->a->timeout_ms > 0)
            p3d_timer_set(w->loop, &w->timeout_at, (uint64_t)w->a->timeout_ms);
        return;
    }
    p3d_work_run_done(w);
    if (r == P3D_E_UNAVAILABLE) {
        spawner_lost(w);
        return;
    }
    if (r == P3D_E_TOO_LARGE)
        (void)p3d_attempt_decide(w->a, P3D_END_FAIL, "EXEC_FAILED", false,
                                 P3D_STR("the command line and environment are too long"));
    else
        (void)p3d_attempt_decide(w->a, P3D_END_FAIL, "IO_ERROR", true,
                                 P3D_STR("the worker is out of descriptors"));
    p3d_work_raise(w, P3D_ON_HOPELESS);
}

void p3d_work_confirm(struct p3d_work *w)
{
    /* From now on the loss of this worker counts against the job: the job may be the reason. */
    p3d_work_beat(w);
}

void p3d_work_on_timeout_timer(struct p3d_timer *t)
{
    struct p3d_work *w = (struct p3d_work *)((char *)t - offsetof(struct p3d_work, timeout_at));
    char words[96];
    (void)p3d_format(words, sizeof(words), "no result within %g seconds",
                     (double)w->a->timeout_ms / 1000);
    p3d_work_end(w, P3D_END_FAIL, "TIMEOUT", false, words, P3D_ON_END);
}

static void signal_runner(struct p3d_work *w, int signo, uint64_t next_ms)
{
    p3d_timer_clear(w->loop, &w->timeout_at);
    p3d_timer_set(w->loop, &w->kill_at, next_ms);
    if (p3d_spawner_signal(&w->spawner, (uint32_t)w->a->serial, signo) != 0)
        spawner_lost(w);
}

void p3d_work_term(struct p3d_work *w)
{
    signal_runner(w, SIGTERM, (uint64_t)w->cfg->workers_kill_grace_seconds * 1000);
}

void p3d_work_kill(struct p3d_work *w)
{
    w->a->killed = true;
    signal_runner(w, SIGKILL, STUCK_MS);
}

void p3d_work_on_kill_timer(struct p3d_timer *t)
{
    struct p3d_work *w = (struct p3d_work *)((char *)t - offsetof(struct p3d_work, kill_at));
    if (w->state != P3D_WORK_KILLING)
        return;
    if (w->a->killed) /* SIGKILL waits for a driver or a dead file system */
        p3d_work_log(w, P3D_LOG_WARN, "runner_stuck");
    p3d_work_raise(w, P3D_ON_KILL);
}

void p3d_work_run_done(struct p3d_work *w)
{
    p3d_timer_clear(w->loop, &w->timeout_at);
    p3d_timer_clear(w->loop, &w->kill_at);
    p3d_timer_clear(w->loop, &w->progress_at);
    close_pipe(w, &w->log_fd, &w->watch_log);
    close_pipe(w, &w->events_fd, &w->watch_events);
}

static void on_gone(struct p3d_work *w, const struct p3d_spawn_report *r)
{
    struct p3d_attempt *a = w->a;
    a->status = r->status;
    a->cpu_ms = r->cpu_ms;
    a->max_rss_kib = r->max_rss_kib;
    if (w->log_fd >= 0)
        (void)drain_pipe(w->log_fd, READS_AT_END, take_log, a);
    if (w->events_fd >= 0)
        (void)drain_pipe(w->events_fd, READS_AT_END, take_events, a);
    p3d_events_end(&a->events);
    if (a->events.bad > 0)
        p3d_joblog_note(&a->log, "%u lines on descriptor 3 were no events", a->events.bad);
    if (a->events.cut)
        p3d_joblog_note(&a->log, "events behind %d bytes were not read", P3D_EVENTS_MAX_BYTES);
    if (a->info_full)
        p3d_joblog_note(&a->log, "info over %d bytes was left out", P3D_INFO_MAX);
    p3d_work_run_done(w);
    if (r->failed_step != P3D_STEP_NONE) {
        char words[1024];
        const char *name = strerrorname_np(r->failed_errno);
        (void)p3d_format(words, sizeof(words), "exec failed: %s '%.600s': %s %s",
                         p3d_spawn_step_words(r->failed_step), a->model->command[0],
                         name != NULL ? name : "", strerror(r->failed_errno));
        (void)p3d_attempt_decide(a, P3D_END_FAIL, "EXEC_FAILED", r->failed_step == P3D_STEP_FORK,
                                 p3d_str_z(words));
    }
    p3d_attempt_judge(a);
    p3d_work_raise(w, P3D_ON_GONE);
}

static void on_report(struct p3d_work *w, const struct p3d_spawn_report *r)
{
    if (w->a == NULL || r->head.id != (uint32_t)w->a->serial || w->state < P3D_WORK_STARTING ||
        w->state > P3D_WORK_KILLING)
        return;
    if (r->head.type == P3D_SPAWN_STARTED) {
        w->a->ran = true;
        p3d_work_raise(w, P3D_ON_STARTED);
    } else if (r->head.type == P3D_SPAWN_EXITED) {
        p3d_timer_clear(w->loop, &w->timeout_at); /* it was in time; the rest is being killed */
    } else {
        on_gone(w, r);
    }
}

void p3d_work_on_spawner(void *priv, int events)
{
    struct p3d_work *w = priv;
    struct p3d_spawn_report report;
    int r;
    (void)events;
    while ((r = p3d_spawner_read(&w->spawner, &report)) == 0)
        on_report(w, &report);
    if (r == P3D_E_UNAVAILABLE) {
        p3d_interest(w->loop, w->watch_spawner, 0);
        spawner_lost(w);
    }
}
