/* SPDX-License-Identifier: MIT
 *
 * A place for one child and its successors: when it is started, what is written when it dies, when
 * the next one comes. Guarantee: one log line per death (who, how, after how long, doing what);
 * never two processes in one place; a child that cannot start does not spin (100 ms doubling to 30
 * s, from the beginning again after a life of 60 s). What is special about a kind is in its start
 * function.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "p3d/clock.h"
#include "p3d/log.h"
#include "p3d/str.h"
#include "supervisor_internal.h"

enum {
    BACKOFF_MIN_MS = 100,
    BACKOFF_MAX_MS = 5000,
    GOOD_LIFE_MS = 10000,
    QUICK_LIFE_MS = 1000,
    QUICK_DEATHS_MAX = 5,
    ORPHANS_AGAIN_MS = 100,
};

static const struct kind {
    const char *name;
    void (*start)(struct p3d_slot *t);
} kinds[] = {
    [P3D_SLOT_REDIS] = {"redis", p3d_redis_slot_start},
    [P3D_SLOT_SERVE] = {"serve", p3d_role_slot_start},
    [P3D_SLOT_WORK] = {"work", p3d_role_slot_start},
};

/* Is it to run, as things are? The workers that finish their jobs need Redis till the last one. */
static bool wanted(const struct p3d_slot *t)
{
    return t->s->phase == P3D_PHASE_UP ||
           (t->s->phase == P3D_PHASE_DRAIN && t->kind == P3D_SLOT_REDIS);
}

static void on_timer(struct p3d_timer *timer)
{
    struct p3d_slot *t =
        (struct p3d_slot *)(void *)((char *)timer - offsetof(struct p3d_slot, timer));
    if (wanted(t))
        p3d_slot_start(t);
    else if (t->state == P3D_SLOT_RUNNING || t->state == P3D_SLOT_HELD)
        p3d_slot_kill(t, "did not leave in time");
}

void p3d_slot_init(struct p3d_slot *t, struct p3d_supervisor *s, enum p3d_slot_kind kind,
                   int number)
{
    *t = (struct p3d_slot){.s = s, .kind = kind, .number = number, .pidfd = -1, .control_fd = -1};
    t->timer.cb = on_timer;
    if (number > 0)
        (void)p3d_format(t->name, sizeof(t->name), "%s-%d", kinds[kind].name, number);
    else
        (void)p3d_format(t->name, sizeof(t->name), "%s", kinds[kind].name);
}

static void drop_pidfd(struct p3d_slot *t)
{
    p3d_unwatch(t->s->loop, t->pidfd_watch);
    t->pidfd_watch = NULL;
    p3d_closep(&t->pidfd);
    t->pidfd = -1;
}

void p3d_slot_done(struct p3d_slot *t)
{
    p3d_timer_clear(t->s->loop, &t->timer);
    p3d_role_slot_hang_up(t);
    drop_pidfd(t);
}

void p3d_slot_start(struct p3d_slot *t)
{
    /* A worker's first job must not meet processes of its predecessor's last one. */
    if (t->kind == P3D_SLOT_WORK && t->started_ms != 0 && !p3d_orphans_settled(t->s)) {
        p3d_slot_later(t, ORPHANS_AGAIN_MS);
        return;
    }
    kinds[t->kind].start(t);
}

void p3d_slot_later(struct p3d_slot *t, uint64_t in_ms)
{
    t->state = P3D_SLOT_WAITING;
    p3d_timer_set(t->s->loop, &t->timer, in_ms);
}

void p3d_slot_held(struct p3d_slot *t, uint64_t again_ms)
{
    t->state = P3D_SLOT_HELD;
    if (t->pidfd < 0)
        t->pidfd = p3d_lock_holder(&t->s->dir, t->name);
    p3d_timer_set(t->s->loop, &t->timer, again_ms);
}

void p3d_slot_running(struct p3d_slot *t, pid_t pid)
{
    p3d_timer_clear(t->s->loop, &t->timer);
    drop_pidfd(t);
    t->state = P3D_SLOT_RUNNING;
    t->pid = pid;
    t->started_ms = p3d_mono_ms();
    t->ready = t->said = false;
    t->doing[0] = '\0';
    if (p3d_pidfile_write(&t->s->dir, t->name, pid) != 0)
        p3d_log(P3D_LOG_WARN, "pid_file", P3D_S("name", t->name), P3D_S("error", strerror(errno)));
}

void p3d_slot_ready(struct p3d_slot *t)
{
    if (t->ready)
        return;
    t->ready = t->ever_ready = true;
    p3d_log(P3D_LOG_INFO, "role_ready", P3D_S("who", t->name), P3D_I("child", t->pid),
            P3D_I("after_ms", p3d_mono_ms() - t->started_ms));
}

static uint64_t next_backoff(struct p3d_slot *t, uint64_t life_ms)
{
    uint64_t twice = t->backoff_ms * 2;
    t->backoff_ms = t->backoff_ms == 0 || life_ms >= GOOD_LIFE_MS ? BACKOFF_MIN_MS
                    : twice < BACKOFF_MAX_MS                      ? twice
                                                                  : BACKOFF_MAX_MS;
    return t->backoff_ms;
}

/* The one line about a death. in_ms: next start, -1 = none. */
static void obituary(const struct p3d_slot *t, int status, uint64_t life_ms, int64_t in_ms)
{
    struct p3d_field f[8];
    size_t n = 0;
    bool known = status != P3D_STATUS_UNKNOWN, expected = t->s->phase != P3D_PHASE_UP;
    char sig[32];

    f[n++] = P3D_S("who", t->name);
    f[n++] = P3D_I("child", t->pid);
    if (!known) {
        f[n++] = P3D_S("exit", "unknown"); /* not our child: adopted */
    } else if (WIFSIGNALED(status)) {
        const char *name = sigabbrev_np(WTERMSIG(status));
        (void)p3d_format(sig, sizeof(sig), "SIG%s%s", name != NULL ? name : "?",
                         WCOREDUMP(status) ? ", core dumped" : "");
        f[n++] = P3D_S("signal", sig);
    } else {
        f[n++] = P3D_I("exit", WEXITSTATUS(status));
    }
    f[n++] = P3D_F("uptime_s", (double)life_ms / 1000);
    f[n++] = P3D_S("doing", t->doing[0] != '\0' ? t->doing : t->ready ? "nothing" : "starting");
    if (in_ms >= 0)
        f[n++] = P3D_I("restart_in_ms", in_ms);
    bool clean = known && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    p3d_log_write(expected && (clean || !known) ? P3D_LOG_INFO : P3D_LOG_WARN, "role_died", f, n);
}

/* True when the whole `up` gives up because of it: broken from the first moment on. */
static bool hopeless(struct p3d_slot *t, uint64_t life_ms)
{
    if (t->ever_ready || life_ms >= QUICK_LIFE_MS)
        return false;
    return ++t->quick_deaths >= QUICK_DEATHS_MAX;
}

static void give_up(struct p3d_slot *t, int exit_status)
{
    char words[256] = "";
    if (t->kind == P3D_SLOT_REDIS)
        p3d_redis_slot_words(t, words, sizeof(words));
    p3d_log(P3D_LOG_ERROR, "giving_up", P3D_S("who", t->name), P3D_I("starts", t->quick_deaths),
            P3D_S("why", words[0] != '\0' ? words
                                          : "it ended at each start; its own lines above say why"));
    t->state = P3D_SLOT_GONE;
    p3d_supervisor_stop(t->s, t->kind == P3D_SLOT_REDIS ? 3 : exit_status != 0 ? exit_status : 1);
}

void p3d_slot_failed(struct p3d_slot *t, const char *why)
{
    bool end = hopeless(t, 0);
    uint64_t in_ms = next_backoff(t, 0);
    p3d_log(P3D_LOG_ERROR, "role_not_started", P3D_S("who", t->name), P3D_S("error", why),
            P3D_I("restart_in_ms", in_ms));
    if (end)
        give_up(t, 1);
    else
        p3d_slot_later(t, in_ms);
}

void p3d_slot_died(struct p3d_slot *t, int status)
{
    struct p3d_supervisor *s = t->s;
    uint64_t life_ms = p3d_mono_ms() - t->started_ms;
    bool again = wanted(t);
    bool end = again && hopeless(t, life_ms);
    uint64_t in_ms = again && !end ? next_backoff(t, life_ms) : 0;

    p3d_timer_clear(s->loop, &t->timer);
    p3d_role_slot_read_rest(t);
    obituary(t, status, life_ms, again && !end ? (int64_t)in_ms : -1);
    p3d_role_slot_hang_up(t);
    drop_pidfd(t);
    p3d_pidfile_remove(&s->dir, t->name);
    t->pid = 0;
    t->ready = false;
    t->state = P3D_SLOT_GONE;
    if (t->kind == P3D_SLOT_WORK) /* not only at the next start: that may be half a minute away */
        p3d_orphans_end(s);
    if (end)
        give_up(t, status != P3D_STATUS_UNKNOWN && WIFEXITED(status) ? WEXITSTATUS(status) : 1);
    else if (again)
        p3d_slot_later(t, in_ms);
}

void p3d_slot_signal(struct p3d_slot *t, int sig)
{
    if (t->pidfd >= 0)
        (void)pidfd_send_signal(t->pidfd, sig, NULL, 0);
    else if (t->state == P3D_SLOT_RUNNING)
        (void)kill(t->pid, sig); /* our child, not reaped: the number is its own */
}

void p3d_slot_leave(struct p3d_slot *t, uint64_t kill_in_ms)
{
    if (t->state == P3D_SLOT_HELD || t->state == P3D_SLOT_RUNNING) {
        p3d_timer_set(t->s->loop, &t->timer, kill_in_ms);
        /* An older worker has lost its supervisor: it is leaving already. */
        if (t->state == P3D_SLOT_RUNNING || t->kind == P3D_SLOT_REDIS)
            p3d_slot_signal(t, SIGTERM);
        return;
    }
    p3d_timer_clear(t->s->loop, &t->timer);
    t->state = P3D_SLOT_GONE;
}

void p3d_slot_kill(struct p3d_slot *t, const char *why)
{
    p3d_log(P3D_LOG_WARN, "role_killed", P3D_S("who", t->name), P3D_I("child", t->pid),
            P3D_S("why", why), P3D_S("doing", t->doing[0] != '\0' ? t->doing : "nothing"));
    p3d_timer_clear(t->s->loop, &t->timer);
    p3d_slot_signal(t, SIGKILL);
    if (t->state == P3D_SLOT_HELD && t->pidfd < 0)
        t->state = P3D_SLOT_GONE; /* who has the lock is not known: nothing more to be done */
}

void p3d_slot_recheck(struct p3d_slot *t)
{
    char lock[40];
    int fd = -1;
    (void)p3d_format(lock, sizeof(lock), "%s.lock", t->name);
    if (t->state != P3D_SLOT_HELD || p3d_lock_take(&t->s->dir, lock, &fd) != 0)
        return;
    p3d_closep(&fd);
    p3d_log(P3D_LOG_INFO, "slot_free", P3D_S("who", t->name),
            P3D_I("was", p3d_pidfile_read(&t->s->dir, t->name)));
    p3d_timer_clear(t->s->loop, &t->timer);
    drop_pidfd(t);
    p3d_pidfile_remove(&t->s->dir, t->name);
    t->state = P3D_SLOT_GONE;
}
