/* SPDX-License-Identifier: MIT
 *
 * The place of the embedded redis-server in `p3d up`. When nobody has run/redis.lock one is
 * started; when somebody has it, the living one is adopted (it answers, its `dir` is ours) and
 * watched through a pidfd; a second one is never started. A redis-server that loads its data is
 * waited for, with a line a second that says how far it is.
 */
#include <errno.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "p3d/clock.h"
#include "p3d/log.h"
#include "p3d/str.h"
#include "redis_internal.h"
#include "supervisor_internal.h"

enum {
    PROBE_FIRST_MS = 10,
    PROBE_MAX_MS = 200,
    PROBE_TIMEOUT_MS = 500, /* of one, blocking: nothing else is to be done by then */
    ADOPT_AGAIN_MS = 200,
    SAY_EVERY_MS = 1000,
};

static void answered(struct p3d_slot *t)
{
    p3d_slot_ready(t);
    t->s->redis_answered = true;
    p3d_supervisor_start_roles(t->s);
}

/* It does not answer yet: a line when the reason is new, and each second while it loads. */
static void say_waiting(struct p3d_slot *t, int rc, const char *why)
{
    uint64_t waited = p3d_mono_ms() - t->started_ms;
    if (rc == P3D_E_BUSY && waited / SAY_EVERY_MS != t->said_at) {
        t->said_at = waited / SAY_EVERY_MS;
        p3d_log(P3D_LOG_INFO, "redis_loading", P3D_S("what", why), P3D_I("waited_ms", waited));
    } else if (rc != P3D_E_BUSY && waited > 5 * SAY_EVERY_MS && !t->said) {
        t->said = true;
        p3d_log(P3D_LOG_WARN, "redis_waiting", P3D_S("what", why), P3D_I("waited_ms", waited));
    }
}

static void on_probe(struct p3d_timer *timer)
{
    struct p3d_supervisor *s =
        (struct p3d_supervisor *)(void *)((char *)timer - offsetof(struct p3d_supervisor, probe));
    struct p3d_slot *t = &s->redis;
    struct p3d_redis_answer answer;
    struct p3d_error err = {0};

    if (t->state != P3D_SLOT_RUNNING || t->ready)
        return;
    int rc = p3d_redis_probe(&s->dir, PROBE_TIMEOUT_MS, &answer, NULL, &err);
    if (rc == 0 && answer.pid == t->pid) {
        answered(t);
        return;
    }
    say_waiting(t, rc, err.detail);
    s->probe_ms = s->probe_ms * 2 < PROBE_MAX_MS ? s->probe_ms * 2 : PROBE_MAX_MS;
    p3d_timer_set(s->loop, &s->probe, s->probe_ms);
}

static void on_adopted_death(void *priv, int events)
{
    struct p3d_slot *t = priv;
    (void)events;
    p3d_slot_died(t, P3D_STATUS_UNKNOWN);
}

/* Somebody has the lock: make the living one ours. */
static void adopt(struct p3d_slot *t)
{
    struct p3d_redis_answer answer;
    struct p3d_error err = {0};
    int pidfd = -1;
    int rc = p3d_redis_probe(&t->s->dir, PROBE_TIMEOUT_MS, &answer, &pidfd, &err);
    if (rc != 0 || pidfd < 0) {
        if (t->started_ms == 0)
            t->started_ms = p3d_mono_ms();
        say_waiting(t, rc, err.detail);
        p3d_slot_held(t, ADOPT_AGAIN_MS);
        return;
    }
    p3d_slot_running(t, answer.pid);
    t->pidfd = pidfd;
    t->pidfd_watch = p3d_watch(t->s->loop, pidfd, on_adopted_death, t);
    p3d_interest(t->s->loop, t->pidfd_watch, P3D_READABLE);
    p3d_log(P3D_LOG_INFO, "redis_adopted", P3D_I("child", answer.pid));
    answered(t);
}

void p3d_redis_slot_start(struct p3d_slot *t)
{
    struct p3d_supervisor *s = t->s;
    struct p3d_error err = {0};
    int lock_fd = -1;
    pid_t pid = 0;

    int rc = p3d_lock_take(&s->dir, P3D_REDIS_LOCK, &lock_fd);
    if (rc == P3D_E_BUSY) {
        adopt(t);
        return;
    }
    if (rc != 0) {
        p3d_slot_failed(t, strerror(errno));
        return;
    }
    rc = p3d_redis_launch(&s->dir, s->cfg, lock_fd, &pid, &err);
    if (rc != 0) {
        p3d_slot_failed(t, err.detail);
        return;
    }
    p3d_slot_running(t, pid);
    t->said_at = 0;
    s->probe.cb = on_probe;
    s->probe_ms = PROBE_FIRST_MS;
    p3d_timer_set(s->loop, &s->probe, s->probe_ms);
}

void p3d_redis_slot_words(const struct p3d_slot *t, char *dst, size_t size)
{
    p3d_redis_last_words(&t->s->dir, dst, size);
}
