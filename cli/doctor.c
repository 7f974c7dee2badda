/* SPDX-License-Identifier: MIT
 *
 * `p3d doctor`: looks at everything there is in the queue, while servers and workers go on, and with --repair puts right
 * what is wrong. Guarantee: what is reported is wrong; a repair loses no job and lets none run twice (lua/doctor.lua).
 * What cannot be seen in one moment, the tokens that wake workers and the sum of all files, counts only when it stays so.
 * Does not: stop anything, or look at files. Ctrl-C ends it between two pages. To add a check: a row of steps.
 */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "doctor_internal.h"
#include "p3d/clock.h"
#include "p3d/loop.h"
#include "p3d/model.h"
#include "verbs_internal.h"

enum { WAKE_LOOKS = 10, WAKE_PAUSE_MS = 200, SUMS = 12, KINDS_MAX = 1024 };
#define READY "ready:"

static const int stop_signals[] = {SIGINT, SIGTERM, SIGHUP};
enum { STOP_SIGNALS = sizeof(stop_signals) / sizeof(*stop_signals) };

/* They are blocked all the time, so what has come is pending. */
static bool over(struct p3d_checkup *c)
{
    sigset_t pending;
    if (sigpending(&pending) == 0)
        for (int i = 0; i < STOP_SIGNALS; i++)
            c->stopped = c->stopped || sigismember(&pending, stop_signals[i]) == 1;
    return c->stopped || c->err != 0;
}

static int take_page(void *checkup, const struct p3d_answer *a)
{
    struct p3d_checkup *c = checkup;
    const struct p3d_doctor_page *page = a->doctor;
    if (!p3d_format(c->cursor, sizeof(c->cursor), "%s", page->cursor))
        return P3D_E_CORRUPT;
    c->keys += page->keys;
    c->jobs += page->jobs;
    for (size_t i = 0; i < page->walks_n; i++)
        (void)json_array_append_new(c->walks, p3d_json_str(p3d_str_z(page->walks[i])));
    for (size_t i = 0; i < page->n; i++) {
        json_t *problem = p3d_checkup_problem(&page->findings[i]);
        if (c->hold)
            (void)json_array_append_new(c->held, problem);
        else
            p3d_checkup_tell(c, problem);
    }
    return 0;
}

/* The answer to one call; false: the walk is over. */
static bool page(struct p3d_checkup *c, int called, struct p3d_reply *r)
{
    c->err = p3d_session_try(&c->session, called, r);
    p3d_checkup_progress(c);
    return !over(c);
}

#define PAGE(c, name, ...)                                                                                             \
    (reply = (struct p3d_reply){.take = take_page, .priv = (c)},                                                       \
     page((c), p3d_store_doctor_##name(p3d_session_store(&(c)->session), &(c)->mode, __VA_ARGS__, p3d_session_answer,  \
                                       &reply),                                                                        \
          &reply))

static void begin(struct p3d_checkup *c)
{
    (void)p3d_format(c->cursor, sizeof(c->cursor), "0");
}

static bool at_end(const struct p3d_checkup *c)
{
    return strcmp(c->cursor, "0") == 0;
}

static void walk_members(struct p3d_checkup *c, const char *key)
{
    struct p3d_reply reply;
    char cursor[P3D_CHECKUP_CURSOR];
    begin(c);
    do
        memcpy(cursor, c->cursor, sizeof(cursor));
    while (PAGE(c, members, cursor, key) && !at_end(c));
}

/* The keys that a page has named; the cursor of the page is kept. */
static void walk_walks(struct p3d_checkup *c)
{
    char cursor[P3D_CHECKUP_CURSOR];
    size_t i;
    json_t *key, *walks = c->walks;
    memcpy(cursor, c->cursor, sizeof(cursor));
    c->walks = json_array();
    json_array_foreach(walks, i, key)
    {
        const char *name = json_string_value(key);
        if (over(c))
            break;
        if (strncmp(name, READY, strlen(READY)) == 0 && json_array_size(c->kinds) < KINDS_MAX)
            (void)json_array_append_new(c->kinds, json_string(name + strlen(READY)));
        walk_members(c, name);
    }
    json_decref(walks);
    memcpy(c->cursor, cursor, sizeof(cursor));
}

static void walk_keys(struct p3d_checkup *c)
{
    struct p3d_reply reply;
    char cursor[P3D_CHECKUP_CURSOR];
    begin(c);
    do {
        memcpy(cursor, c->cursor, sizeof(cursor));
        if (!PAGE(c, keys, cursor))
            return;
        walk_walks(c);
    } while (!over(c) && !at_end(c));
}

/* ---- wake tokens ---- */

static void pause_for(struct p3d_checkup *c, int ms)
{
    uint64_t end = p3d_mono_ms() + (uint64_t)ms, now;
    while ((now = p3d_mono_ms()) < end && !over(c))
        p3d_poll_loop_run_once(c->session.loop, (int)(end - now));
}

/* Those of the kinds that nobody is told of now. Takes the reference, returns another. */
static json_t *look(struct p3d_checkup *c, json_t *kinds)
{
    struct p3d_reply reply;
    json_t *left = json_array(), *kind;
    size_t i;
    json_array_foreach(kinds, i, kind)
    {
        const char *name = json_string_value(kind);
        const struct p3d_model *model = p3d_model_by_kind(c->session.cfg->models, p3d_str_z(name));
        json_array_clear(c->held);
        if (!PAGE(c, wake, name, model != NULL && model->enabled ? model->max_workers : -2))
            break;
        if (json_array_size(c->held) > 0)
            (void)json_array_append(left, kind);
    }
    json_decref(kinds);
    return left;
}

/* A worker on its way to its claim has the token, and pushes another; nobody has it for long. */
static void check_wakes(struct p3d_checkup *c)
{
    bool repair = c->mode.repair;
    json_t *kinds = json_incref(c->kinds);
    c->hold = true;
    c->mode.repair = false;
    for (int i = 0; i < WAKE_LOOKS && json_array_size(kinds) > 0 && !over(c); i++) {
        if (i > 0)
            pause_for(c, WAKE_PAUSE_MS);
        kinds = look(c, kinds);
    }
    c->hold = false;
    c->mode.repair = repair;
    if (!over(c))
        kinds = look(c, kinds);
    json_decref(kinds);
}

/* ---- bytes ---- */

static void sum_once(struct p3d_checkup *c, const char *known)
{
    struct p3d_reply reply;
    char cursor[P3D_CHECKUP_CURSOR];
    json_array_clear(c->held);
    begin(c);
    do
        memcpy(cursor, c->cursor, sizeof(cursor));
    while (PAGE(c, bytes, cursor, known) && !at_end(c) && strcmp(c->cursor, "changed") != 0 &&
           strcmp(c->cursor, "unread") != 0);
}

/* A difference is one when two sums in a row have it. */
static void check_bytes(struct p3d_checkup *c)
{
    char known[64] = "";
    c->hold = true;
    for (int i = 0; i < SUMS && !over(c); i++) {
        sum_once(c, known);
        json_t *found = json_array_get(c->held, 0);
        if (over(c))
            break;
        if (strcmp(c->cursor, "unread") == 0) {
            p3d_checkup_note(c, "bytes: cannot be checked while there are records that cannot be read");
            goto out;
        }
        if (!at_end(c))
            continue;
        if (found == NULL)
            goto out;
        struct p3d_str detail = p3d_json_get_str(found, "detail");
        if (p3d_str_eq_z(detail, known)) {
            p3d_checkup_tell(c, json_incref(found));
            goto out;
        }
        (void)p3d_format(known, sizeof(known), "%s", detail.p);
    }
    if (!over(c))
        p3d_checkup_note(c, "bytes: could not be checked, too much is going on");
out:
    c->hold = false;
}

static void (*const steps[])(struct p3d_checkup *c) = {walk_keys, check_wakes, check_bytes};

/* ---- the verb ---- */

static void note_repair(struct p3d_checkup *c)
{
    struct p3d_reply r = {.take = NULL};
    char detail[80];
    if (c->repaired == 0 || c->err != 0)
        return;
    (void)p3d_format(detail, sizeof(detail), "%lld of %lld problems", (long long)c->repaired, (long long)c->problems);
    c->err = p3d_session_try(&c->session,
                             p3d_store_doctor_note(p3d_session_store(&c->session), detail, p3d_session_answer, &r), &r);
}

static int examine(struct p3d_checkup *c)
{
    for (size_t i = 0; i < sizeof(steps) / sizeof(*steps) && !over(c); i++)
        steps[i](c);
    note_repair(c);
    p3d_checkup_report(c);
    if (c->err != 0)
        return p3d_session_say(&c->session, c->err);
    if (c->stopped)
        (void)fputs("Stopped.\n", stderr);
    return c->stopped || c->repaired < c->problems ? P3D_EXIT_REFUSED : P3D_EXIT_OK;
}

int p3d_doctor(struct p3d_options *o)
{
    struct p3d_checkup c = {.json = o->value[P3D_OPT_JSON] != NULL, .terminal = isatty(STDERR_FILENO) == 1};
    sigset_t stops, before;
    (void)sigemptyset(&stops);
    for (int i = 0; i < STOP_SIGNALS; i++)
        (void)sigaddset(&stops, stop_signals[i]);
    (void)sigprocmask(SIG_BLOCK, &stops, &before);
    c.listed = json_array();
    c.notes = json_array();
    c.walks = json_array();
    c.held = json_array();
    c.kinds = json_array();
    c.said_ms = p3d_mono_ms();
    int rc = p3d_session_open(o, &c.session);
    if (rc == 0) {
        c.mode = (struct p3d_doctor){.repair = o->value[P3D_OPT_REPAIR] != NULL,
                                     .lease_ms = c.session.cfg->workers_lease_seconds * 1000};
        rc = p3d_checkup_about(&c);
    }
    if (rc == 0)
        rc = examine(&c);
    p3d_session_close(&c.session);
    json_decref(c.listed);
    json_decref(c.notes);
    json_decref(c.walks);
    json_decref(c.held);
    json_decref(c.kinds);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    return rc;
}
