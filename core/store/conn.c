/* SPDX-License-Identifier: MIT
 *
 * The life of a connection: dial, greet, up, lost, again. It guarantees that nothing is sent for a caller before every
 * greeting (AUTH, SELECT, SETNAME, the scripts) was answered well, that a loss answers every waiting command, and that
 * it may be closed from inside any of its callbacks. The retries never end; how long they last is the caller's affair.
 */
#include "conn_parts_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "p3d/clock.h"
#include "p3d/config.h"

enum {
    BACKOFF_MIN_MS = 50,
    BACKOFF_MAX_MS = 2000,
    STEADY_MS = 2000, /* up for so long: the next loss is a new one, tried again at once */
};

void p3d_conn_enter(struct p3d_conn *c)
{
    c->depth++;
}

void p3d_conn_leave(struct p3d_conn *c)
{
    if (--c->depth || c->phase != P3D_CONN_CLOSED)
        return;
    p3d_buf_done(&c->out);
    p3d_redis_url_done(&c->url);
    free(c);
}

/* Words of the server go into logs: one line, printable. */
P3D_PRINTF(2, 0) static void note(struct p3d_conn *c, const char *fmt, va_list ap)
{
    (void)vsnprintf(c->last_error, sizeof c->last_error, fmt, ap);
    for (char *p = c->last_error; *p; p++)
        if (*p < ' ' || *p > '~')
            *p = '?';
}

static void retry_later(struct p3d_conn *c)
{
    uint32_t chance;

    p3d_random(&chance, sizeof chance);
    p3d_timer_set(c->loop, &c->retry, c->backoff_ms * 3 / 4 + chance % (c->backoff_ms / 2));
    c->backoff_ms *= 2;
    if (c->backoff_ms > BACKOFF_MAX_MS)
        c->backoff_ms = BACKOFF_MAX_MS;
}

void p3d_conn_lose(struct p3d_conn *c, const char *fmt, ...)
{
    va_list ap;
    bool was_up = c->phase == P3D_CONN_UP;

    if (c->phase == P3D_CONN_DOWN || c->phase == P3D_CONN_CLOSED)
        return;
    va_start(ap, fmt); /* the words may lie in what is closed next */
    note(c, fmt, ap);
    va_end(ap);
    c->phase = P3D_CONN_DOWN;
    p3d_wire_close(c);
    if (was_up && p3d_mono_ms() - c->up_at_ms >= STEADY_MS)
        c->backoff_ms = BACKOFF_MIN_MS;
    retry_later(c);
    p3d_call_fail_all(c);
    if (was_up && c->phase != P3D_CONN_CLOSED && c->on_state)
        c->on_state(c->priv, false);
}

/* An old server quotes the arguments of a command that it does not know, and these are secret: up to the quote only. */
static void refused(struct p3d_conn *c, const char *what, const redisReply *r)
{
    size_t n = strcmp(what, "AUTH") ? r->len : strcspn(r->str, "'`\"");
    p3d_conn_lose(c, "%s: %.*s", what, (int)(n < 200 ? n : 200), r->str);
}

static void greet_scripts(struct p3d_conn *c);

static void on_greeting(void *priv, int err, const redisReply *reply)
{
    struct p3d_conn *c = priv;

    if (c->phase != P3D_CONN_GREETING)
        return; /* lost already: the rest of them */
    if (reply->type == REDIS_REPLY_ERROR) {
        refused(c, c->greeting[c->greeted], reply);
        return;
    }
    if (err || (reply->type != REDIS_REPLY_STATUS && reply->type != REDIS_REPLY_STRING)) {
        p3d_conn_lose(c, "%s: not a Redis server", c->greeting[c->greeted]);
        return;
    }
    if (++c->greeted < c->greetings)
        return;
    if (!c->loading && !c->no_scripts) {
        greet_scripts(c);
        return;
    }
    c->phase = P3D_CONN_UP;
    c->up_at_ms = p3d_mono_ms();
    c->last_error[0] = 0;
    if (c->on_state)
        c->on_state(c->priv, true);
}

static void greet(struct p3d_conn *c, const char *what, const struct p3d_str *argv, size_t n)
{
    struct p3d_argv all = {argv, n};

    c->greeting[c->greetings++] = what;
    if (c->phase == P3D_CONN_GREETING && p3d_call_send(c, &all, 1, P3D_NO_SCRIPT, 0, on_greeting, c))
        p3d_conn_lose(c, "%s: too long", what);
}

/* Not before it has let us in: Redis cuts off whoever sends it 16 KB before that, and the reason with it. */
static void greet_scripts(struct p3d_conn *c)
{
    c->loading = true;
    for (int s = 0; s < P3D_SCRIPT__COUNT; s++) {
        const struct p3d_script_info *info = p3d_script_info((enum p3d_script)s);
        greet(c, info->name, (struct p3d_str[]){P3D_STR("SCRIPT"), P3D_STR("LOAD"), info->text}, 3);
    }
}

static void greet_auth(struct p3d_conn *c)
{
    const struct p3d_secret *user = &c->url.user, *password = &c->url.password;
    const struct p3d_str argv[] = {
        P3D_STR("AUTH"),
        {(const char *)user->p, user->n},
        {(const char *)password->p, password->n},
    };
    const struct p3d_str old[] = {argv[0], argv[2]}; /* without a user: as before Redis 6 */

    if (!user->n && !password->n)
        return;
    c->secret = true;
    greet(c, "AUTH", user->n ? argv : old, user->n ? 3 : 2);
    p3d_wire_flush(c); /* and wipe */
}

static void greet_all(struct p3d_conn *c)
{
    char db[12];

    c->greetings = c->greeted = 0;
    c->loading = false;
    greet_auth(c);
    if (c->url.db) {
        (void)p3d_format(db, sizeof db, "%d", c->url.db);
        greet(c, "SELECT", (struct p3d_str[]){P3D_STR("SELECT"), p3d_str_z(db)}, 2);
    }
    greet(c, "CLIENT SETNAME", (struct p3d_str[]){P3D_STR("CLIENT"), P3D_STR("SETNAME"), P3D_STR("p3d")}, 3);
}

static void on_dialled(struct p3d_dial *d, int fd, const char *error)
{
    struct p3d_conn *c = P3D_OWNER(d, struct p3d_conn, dial);

    p3d_conn_enter(c);
    if (fd < 0) {
        p3d_conn_lose(c, "%s", error);
    } else {
        p3d_wire_open(c, fd);
        c->phase = P3D_CONN_GREETING;
        greet_all(c);
    }
    p3d_conn_leave(c);
}

static void on_retry(struct p3d_timer *t)
{
    struct p3d_conn *c = P3D_OWNER(t, struct p3d_conn, retry);
    c->phase = P3D_CONN_DIALING;
    p3d_dial_start(&c->dial);
}

int p3d_conn_open(struct p3d_loop *l, const struct p3d_conn_options *o, struct p3d_conn **ret, struct p3d_error *err)
{
    const struct p3d_secret *text = &o->cfg->redis_url;
    struct p3d_redis_url url;

    int rc = p3d_redis_url_parse((struct p3d_str){(const char *)text->p, text->n}, o->cfg->top_data_dir, &url, err);
    if (rc)
        return rc;
    struct p3d_conn *c = p3d_alloc(sizeof *c);
    c->loop = l;
    c->url = url;
    c->timeout_ms = o->timeout_ms;
    c->max_inflight = o->max_inflight;
    c->no_scripts = o->no_scripts;
    c->on_state = o->on_state;
    c->on_push = o->on_push;
    c->priv = o->priv;
    c->fd = -1;
    c->backoff_ms = BACKOFF_MIN_MS;
    c->retry.cb = on_retry;
    c->alarm.cb = p3d_call_on_alarm;
    c->flush.cb = p3d_wire_on_turn;
    c->dial.loop = l;
    c->dial.url = &c->url;
    c->dial.timeout_ms = o->timeout_ms;
    c->dial.cb = on_dialled;
    c->dial.fd = -1;
    p3d_timer_set(l, &c->retry, 0);
    *ret = c;
    return 0;
}

void p3d_conn_close(struct p3d_conn *c)
{
    if (!c || c->phase == P3D_CONN_CLOSED)
        return;
    p3d_conn_enter(c);
    c->phase = P3D_CONN_CLOSED;
    p3d_timer_clear(c->loop, &c->retry);
    p3d_turn_clear(c->loop, &c->flush);
    p3d_dial_done(&c->dial);
    p3d_wire_close(c);
    p3d_call_fail_all(c);
    p3d_conn_leave(c);
}

void p3d_conn_drop(struct p3d_conn *c, const char *why)
{
    p3d_conn_enter(c);
    p3d_conn_lose(c, "%s", why);
    p3d_conn_leave(c);
}

bool p3d_conn_up(const struct p3d_conn *c)
{
    return c->phase == P3D_CONN_UP;
}

const char *p3d_conn_last_error(const struct p3d_conn *c)
{
    return c->last_error;
}
