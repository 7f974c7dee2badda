/* SPDX-License-Identifier: MIT
 *
 * What the runner says while it works, and what of it the store hears: progress at most four times
 * a second, never going back. Everything else is kept in the attempt until its end. Guarantee: a
 * runner that talks a thousand times a second costs the store no more than one that talks four
 * times.
 */
#include <string.h>

#include "p3d/clock.h"
#include "p3d/json.h"
#include "work_internal.h"

static void on_told(void *priv, int err, const struct p3d_answer *answer)
{
    struct p3d_work_call *c = priv;
    struct p3d_work *w = c->w;
    (void)answer;
    c->out = false;
    if (w->a == NULL || c->serial != w->a->serial)
        return;
    if (err == P3D_E_STALE)
        p3d_work_beat(w); /* which decides */
    if (w->a->progress_new && w->progress_at.slot == 0)
        p3d_timer_set(w->loop, &w->progress_at, P3D_PROGRESS_MS);
}

static void tell(struct p3d_work *w)
{
    struct p3d_attempt *a = w->a;
    size_t n;
    if (w->progress.out)
        return; /* its answer asks again */
    char *text P3D_CLEANUP(p3d_freep) = p3d_attempt_progress(a, &n);
    w->progress.sent_ms = p3d_mono_ms();
    w->progress.serial = a->serial;
    a->progress_new = false;
    if (p3d_store_progress(w->store, &a->lease, a->progress, (struct p3d_str){text, n}, on_told,
                           &w->progress) == 0)
        w->progress.out = true; /* else the next one says it */
}

void p3d_work_on_progress_timer(struct p3d_timer *t)
{
    struct p3d_work *w = (struct p3d_work *)((char *)t - offsetof(struct p3d_work, progress_at));
    if ((w->state == P3D_WORK_RUNNING || w->state == P3D_WORK_STARTING) && w->a->progress_new)
        tell(w);
}

static void on_progress(struct p3d_work *w, const struct p3d_event *e)
{
    struct p3d_attempt *a = w->a;
    unsigned value = (unsigned)(e->value * 10000);
    if (value > a->progress)
        a->progress = value;
    if (e->message.n > 0) {
        free(a->progress_text);
        a->progress_text = p3d_text_clean(e->message, P3D_PROGRESS_TEXT_MAX);
    }
    a->progress_new = true;
    if (w->progress_at.slot != 0)
        return;
    uint64_t since_ms = p3d_mono_ms() - w->progress.sent_ms;
    bool wait = w->progress.serial == a->serial && since_ms < P3D_PROGRESS_MS;
    p3d_timer_set(w->loop, &w->progress_at, wait ? P3D_PROGRESS_MS - since_ms : 0);
}

static void on_output(struct p3d_work *w, const struct p3d_event *e)
{
    p3d_outputs_announce(&w->a->outputs, w->a->dir, e->path, e->role);
}

static void on_thumbnail(struct p3d_work *w, const struct p3d_event *e)
{
    p3d_outputs_thumbnail(&w->a->outputs, w->a->dir, e->path);
}

static void on_info(struct p3d_work *w, const struct p3d_event *e)
{
    struct p3d_attempt *a = w->a;
    size_t n;
    if (a->info_full)
        return;
    json_t *merged = json_copy(a->info);
    (void)json_object_update(merged, e->info);
    free(p3d_json_dump(merged, &n));
    if (n > P3D_INFO_MAX) {
        a->info_full = true;
        json_decref(merged);
        return;
    }
    json_decref(a->info);
    a->info = merged;
}

/* "[A-Z0-9_]+" as our own codes, else MODEL_ERROR stays. */
static bool code_fits(struct p3d_str code)
{
    for (size_t i = 0; i < code.n; i++)
        if ((code.p[i] < 'A' || code.p[i] > 'Z') && (code.p[i] < 'a' || code.p[i] > 'z') &&
            (code.p[i] < '0' || code.p[i] > '9') && code.p[i] != '_')
            return false;
    return code.n > 0 && code.n <= 64;
}

static void on_error(struct p3d_work *w, const struct p3d_event *e)
{
    struct p3d_attempt *a = w->a;
    if (a->said_error) /* the first one is the cause */
        return;
    a->said_error = true;
    a->said_retry = e->retryable;
    a->said_message = p3d_text_clean(e->message, P3D_MESSAGE_MAX);
    if (code_fits(e->code))
        (void)p3d_format(a->said_code, sizeof(a->said_code), "%.*s", (int)e->code.n, e->code.p);
}

void p3d_work_on_event(void *priv, const struct p3d_event *e)
{
    static void (*const handlers[P3D_EVENT__COUNT])(struct p3d_work *, const struct p3d_event *) = {
        [P3D_EVENT_PROGRESS] = on_progress,   [P3D_EVENT_OUTPUT] = on_output,
        [P3D_EVENT_THUMBNAIL] = on_thumbnail, [P3D_EVENT_INFO] = on_info,
        [P3D_EVENT_ERROR] = on_error,
    };
    struct p3d_work *w = priv;
    if (w->a != NULL && handlers[e->kind] != NULL)
        handlers[e->kind](w, e);
}
