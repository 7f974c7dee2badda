/* SPDX-License-Identifier: MIT
 *
 * The engine of a worker: events come in, the table (states.c) says what to do and what is next.
 * Guarantee: the state changes here and nowhere else, before the action runs, so that an action may
 * raise the next event. Also what every action needs: the one log line of an attempt, the words to
 * the supervisor, the end of an attempt.
 */
#include <string.h>
#include <sys/socket.h>

#include "p3d/clock.h"
#include "work_internal.h"

static void do_wait(struct p3d_work *w)
{
    if (w->waker != NULL)
        p3d_waker_wait(w->waker);
}

static void do_abandon(struct p3d_work *w)
{
    atomic_store(&w->a->abandon, true);
}

static void (*const actions[P3D_WORK__DOS])(struct p3d_work *w) = {
    [P3D_DO_CLAIM] = p3d_work_claim,     [P3D_DO_WAIT] = do_wait,
    [P3D_DO_PREPARE] = p3d_work_prepare, [P3D_DO_SPAWN] = p3d_work_spawn,
    [P3D_DO_CONFIRM] = p3d_work_confirm, [P3D_DO_TERM] = p3d_work_term,
    [P3D_DO_KILL] = p3d_work_kill,       [P3D_DO_ABANDON] = do_abandon,
    [P3D_DO_WRAP] = p3d_work_wrap,       [P3D_DO_FINISH] = p3d_work_finish,
};

void p3d_work_raise(struct p3d_work *w, enum p3d_work_event e)
{
    const struct p3d_work_row *row = p3d_work_row_find(w->state, e);
    if (row == NULL)
        return;
    w->state = row->to;
    if (actions[row->act] != NULL)
        actions[row->act](w);
}

void p3d_work_end(struct p3d_work *w, enum p3d_end end, const char *code, bool retry,
                  const char *message, enum p3d_work_event how)
{
    if (w->a != NULL && p3d_attempt_decide(w->a, end, code, retry, p3d_str_z(message)))
        p3d_work_raise(w, how);
}

void p3d_work_over(struct p3d_work *w)
{
    p3d_work_unleased(w);
    p3d_attempt_free(w->a);
    w->a = NULL;
    p3d_work_say(w, "idle\n");
    p3d_work_raise(w, w->draining ? P3D_ON_LEAVE : P3D_ON_FINISHED);
}

void p3d_work_say(struct p3d_work *w, const char *line)
{
    struct p3d_str s = p3d_str_z(line);
    /* Lost when the supervisor is gone or does not read: it is only for its obituaries. */
    if (w->in->control_fd >= 0)
        (void)!send(w->in->control_fd, s.p, s.n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void p3d_work_log(struct p3d_work *w, enum p3d_log_level level, const char *event)
{
    const struct p3d_attempt *a = w->a;
    struct p3d_field fields[10] = {
        P3D_S("job", a->lease.job.s),
        P3D_I("attempt", a->number),
        P3D_S("model", a->model != NULL ? a->model->kind : "?"),
        P3D_F("seconds", (double)(p3d_mono_ms() - a->claimed_ms) / 1000),
        P3D_S("state", p3d_work_state_name(w->state)),
    };
    size_t n = 5;
    if (a->end == P3D_END_FAIL || a->end == P3D_END_CANCEL) {
        const char *end = a->message != NULL ? strchr(a->message, '\n') : NULL;
        fields[n++] = P3D_S("code", a->code);
        fields[n++] = P3D_S("retry", a->retry ? "yes" : "no");
        fields[n++] =
            P3D_SN("reason", ((struct p3d_str){a->message, end != NULL ? (size_t)(end - a->message)
                                                                       : p3d_str_z(a->message).n}));
    }
    if (a->ran) {
        fields[n++] = P3D_I("cpu_ms", a->cpu_ms);
        fields[n++] = P3D_I("max_rss_kib", a->max_rss_kib);
    }
    p3d_log_write(level, event, fields, n);
}
