/* SPDX-License-Identifier: MIT
 *
 * How a worker is told to stop: SIGTERM, SIGINT, or the end of the control socket. Guarantee:
 * without a job it leaves at once; with one it finishes within workers.drain_seconds, else the job
 * goes back to the queue as if never claimed; a second signal shortens that to now. Signals come
 * through a descriptor: nothing runs in a handler.
 */
#include <errno.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "work_internal.h"

#define ANSWER_MS 5000 /* how long a claim that is out may still bring a job, to be given back */

void p3d_work_drain(struct p3d_work *w)
{
    if (w->draining)
        return;
    w->draining = true;
    p3d_log(P3D_LOG_INFO, "draining", P3D_S("state", p3d_work_state_name(w->state)));
    if (w->state == P3D_WORK_CLAIMING && w->claim.out)
        p3d_timer_set(w->loop, &w->drain_at, ANSWER_MS);
    else if (p3d_work_has_job(w->state))
        p3d_timer_set(w->loop, &w->drain_at, (uint64_t)w->cfg->workers_drain_seconds * 1000);
    else
        p3d_work_raise(w, P3D_ON_LEAVE);
}

void p3d_work_on_drain_timer(struct p3d_timer *t)
{
    struct p3d_work *w = (struct p3d_work *)((char *)t - offsetof(struct p3d_work, drain_at));
    if (w->state == P3D_WORK_CLAIMING ||
        (w->state == P3D_WORK_FINISHING && !p3d_store_up(w->store)))
        p3d_work_raise(w, P3D_ON_LEAVE);
    else
        p3d_work_end(w, P3D_END_RELEASE, NULL, false, "", P3D_ON_END);
}

/* The second signal. */
static void hurry(struct p3d_work *w)
{
    if (w->state == P3D_WORK_CLAIMING || (w->state == P3D_WORK_FINISHING && w->stops > 2) ||
        (w->state == P3D_WORK_FINISHING && !p3d_store_up(w->store))) {
        p3d_work_raise(w, P3D_ON_LEAVE);
        return;
    }
    if (w->a == NULL)
        return;
    (void)p3d_attempt_decide(w->a, P3D_END_RELEASE, NULL, false, P3D_STR(""));
    p3d_work_raise(w, P3D_ON_KILL);
}

static void on_signal(void *priv, int events)
{
    struct p3d_work *w = priv;
    struct signalfd_siginfo info;
    (void)events;
    while (read(w->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (++w->stops == 1 && !w->draining)
            p3d_work_drain(w);
        else if (w->stops > 1)
            hurry(w);
    }
}

static void on_control(void *priv, int events)
{
    struct p3d_work *w = priv;
    char bytes[256];
    (void)events;
    ssize_t n = read(w->in->control_fd, bytes, sizeof(bytes));
    if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
        return; /* nothing is said in this direction yet */
    p3d_unwatch(w->loop, w->watch_control);
    w->watch_control = NULL;
    p3d_work_drain(w);
}

int p3d_work_signals_open(struct p3d_work *w, struct p3d_error *err)
{
    sigset_t mine;
    (void)sigemptyset(&mine);
    (void)sigaddset(&mine, SIGTERM);
    (void)sigaddset(&mine, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &mine, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN);
    w->signal_fd = signalfd(-1, &mine, SFD_CLOEXEC | SFD_NONBLOCK);
    if (w->signal_fd < 0)
        return p3d_fail(err, P3D_E_UNAVAILABLE, "signalfd: %s", strerror(errno));
    w->watch_signals = p3d_watch(w->loop, w->signal_fd, on_signal, w);
    p3d_interest(w->loop, w->watch_signals, P3D_READABLE);
    if (w->in->control_fd >= 0) {
        w->watch_control = p3d_watch(w->loop, w->in->control_fd, on_control, w);
        p3d_interest(w->loop, w->watch_control, P3D_READABLE);
    }
    return 0;
}
