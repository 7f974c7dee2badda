/* SPDX-License-Identifier: MIT
 *
 * The reader of descriptor 3: JSON lines become events. Guarantee: memory is at most one line; a
 * line that is too long, no JSON, no object, of an unknown event or with a field of the wrong type
 * is counted and left out, never fatal; the reader takes bytes for ever, so a runner that floods it
 * is not blocked by it. Does not: act on anything.
 */
#include <math.h>
#include <string.h>

#include "p3d/json.h"
#include "runner_internal.h"

/* An optional field. False when it is there with another type. */
static bool opt_str(const json_t *o, const char *key, struct p3d_str *ret)
{
    const json_t *v = json_object_get(o, key);
    if (v == NULL || json_is_null(v))
        return true;
    if (!json_is_string(v))
        return false;
    *ret = (struct p3d_str){json_string_value(v), json_string_length(v)};
    return true;
}

static bool read_progress(json_t *o, struct p3d_event *e)
{
    const json_t *v = json_object_get(o, "value");
    if (!json_is_number(v) || !opt_str(o, "message", &e->message))
        return false;
    e->value = json_number_value(v);
    if (!isfinite(e->value))
        return false;
    e->value = fmin(fmax(e->value, 0), 1);
    return true;
}

static bool read_output(json_t *o, struct p3d_event *e)
{
    return opt_str(o, "path", &e->path) && opt_str(o, "role", &e->role) && e->path.n > 0;
}

static bool read_info(json_t *o, struct p3d_event *e)
{
    (void)json_object_del(o, "event");
    e->info = o;
    return true;
}

static bool read_error(json_t *o, struct p3d_event *e)
{
    const json_t *retryable = json_object_get(o, "retryable");
    if (!opt_str(o, "code", &e->code) || !opt_str(o, "message", &e->message))
        return false;
    if (retryable != NULL && !json_is_boolean(retryable) && !json_is_null(retryable))
        return false;
    e->retryable = json_is_true(retryable);
    return true;
}

static bool read_nothing(json_t *o, struct p3d_event *e)
{
    (void)o;
    (void)e;
    return true;
}

static const struct {
    const char *name;
    bool (*read)(json_t *o, struct p3d_event *e);
} kinds[P3D_EVENT__COUNT] = {
    [P3D_EVENT_PROGRESS] = {"progress", read_progress},
    [P3D_EVENT_OUTPUT] = {"output", read_output},
    [P3D_EVENT_THUMBNAIL] = {"thumbnail", read_output},
    [P3D_EVENT_INFO] = {"info", read_info},
    [P3D_EVENT_ERROR] = {"error", read_error},
    [P3D_EVENT_READY] = {"ready", read_nothing},
    [P3D_EVENT_DONE] = {"done", read_nothing},
};

static bool read_line(struct p3d_events *e, struct p3d_str line)
{
    json_t *o = NULL;
    bool good = false;
    if (p3d_json_parse(line, &o, NULL) != 0 || !json_is_object(o)) {
        json_decref(o);
        return false;
    }
    struct p3d_str name = p3d_json_get_str(o, "event");
    for (size_t i = 0; i < P3D_EVENT__COUNT && !good; i++) {
        struct p3d_event event = {.kind = (enum p3d_event_kind)i};
        if (!p3d_str_eq_z(name, kinds[i].name))
            continue;
        if (!kinds[i].read(o, &event))
            break;
        good = true;
        e->cb(e->priv, &event);
    }
    json_decref(o);
    return good;
}

static void line_over(struct p3d_events *e)
{
    struct p3d_str line = p3d_str_trim(p3d_buf_str(&e->line));
    if (line.n > 0 && line.p[line.n - 1] == '\r')
        line = p3d_str_trim((struct p3d_str){line.p, line.n - 1});
    if (e->skipping || (line.n > 0 && !read_line(e, line)))
        e->bad++;
    e->skipping = false;
    p3d_buf_cut(&e->line, e->line.n);
}

static void add(struct p3d_events *e, const char *p, size_t n)
{
    if (e->skipping)
        return;
    if (e->line.n + n > P3D_EVENT_LINE_MAX) {
        e->skipping = true;
        return;
    }
    p3d_buf_add(&e->line, p, n);
}

void p3d_events_init(struct p3d_events *e, void (*cb)(void *priv, const struct p3d_event *e),
                     void *priv)
{
    *e = (struct p3d_events){.cb = cb, .priv = priv};
    p3d_buf_init(&e->line, P3D_EVENT_LINE_MAX);
}

void p3d_events_feed(struct p3d_events *e, const char *p, size_t n)
{
    while (n > 0 && !e->cut) {
        const char *newline = memchr(p, '\n', n);
        size_t part = newline != NULL ? (size_t)(newline - p) : n;
        add(e, p, part);
        if (newline != NULL) {
            line_over(e);
            part++;
        }
        e->total += (int64_t)part;
        e->cut = e->total > P3D_EVENTS_MAX_BYTES;
        p += part;
        n -= part;
    }
}

void p3d_events_end(struct p3d_events *e)
{
    if (e->line.n > 0 || e->skipping)
        line_over(e);
}

void p3d_events_done(struct p3d_events *e)
{
    p3d_buf_done(&e->line);
}
