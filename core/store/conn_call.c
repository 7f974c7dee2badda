/* SPDX-License-Identifier: MIT
 *
 * The commands that wait for their answer, oldest first: Redis answers in order. Each has its callback run exactly once:
 * with the reply, or with P3D_E_STORE_DOWN when the connection is lost. When one is late the whole connection is (what
 * stands behind it cannot be answered before it). A script that the server does not know is sent again with its text,
 * and nobody notices.
 */
#include "conn_parts_internal.h"

#include <assert.h>
#include <string.h>

#include "p3d/clock.h"

enum {
    CALL_MAGIC = 0x70336463,
    BYTES_MAX = 256 << 20, /* unsent and kept for scripts, of one connection */
    ARG_OVERHEAD = 26,     /* "$", a length, two line ends */
};

struct p3d_call {
    unsigned magic;
    int script;       /* or P3D_NO_SCRIPT */
    bool evaled;      /* its text was sent */
    struct p3d_call *next;
    p3d_conn_cb *cb;
    void *priv;
    uint64_t deadline_ms;
    size_t argc;      /* of the command */
    size_t kept_n;
    char kept[];      /* of a script: keys and arguments as they were sent */
};

/* "$12\r\n" and the like; the one hot place where printf would be seen in a profile. */
static void add_count(struct p3d_buf *out, char kind, size_t n)
{
    char text[24], *p = text + sizeof text;

    *--p = '\n';
    *--p = '\r';
    do
        *--p = (char)('0' + n % 10);
    while ((n /= 10));
    *--p = kind;
    p3d_buf_add(out, p, (size_t)(text + sizeof text - p));
}

static void add_args(struct p3d_buf *out, struct p3d_argv part)
{
    for (size_t i = 0; i < part.n; i++) {
        add_count(out, '$', part.v[i].n);
        p3d_buf_add(out, part.v[i].p, part.v[i].n);
        p3d_buf_add(out, "\r\n", 2);
    }
}

static void append(struct p3d_conn *c, struct p3d_call *call)
{
    call->next = NULL;
    if (c->last)
        c->last->next = call;
    else
        c->first = call;
    c->last = call;
    c->inflight++;
    c->held += call->kept_n;
    if (!c->alarm_ms || call->deadline_ms < c->alarm_ms) {
        uint64_t now = p3d_mono_ms();
        c->alarm_ms = call->deadline_ms;
        p3d_timer_set(c->loop, &c->alarm, c->alarm_ms > now ? c->alarm_ms - now : 0);
    }
    p3d_turn_end(c->loop, &c->flush);
}

static struct p3d_call *shift(struct p3d_conn *c)
{
    struct p3d_call *call = c->first;
    if (!call)
        return NULL;
    assert(call->magic == CALL_MAGIC);
    c->first = call->next;
    if (!c->first)
        c->last = NULL;
    c->inflight--;
    c->held -= call->kept_n;
    return call;
}

static void finish(struct p3d_call *call, int err, const redisReply *reply)
{
    p3d_conn_cb *cb = call->cb;
    void *priv = call->priv;

    call->magic = 0;
    free(call);
    cb(priv, err, reply);
}

int p3d_call_send(struct p3d_conn *c, const struct p3d_argv *parts, size_t n, int script, uint64_t timeout_ms,
                  p3d_conn_cb *cb, void *priv)
{
    size_t argc = 0, bytes = 0, keep = 0;

    for (size_t i = 0; i < n; i++) {
        argc += parts[i].n;
        for (size_t k = 0; k < parts[i].n; k++)
            bytes += parts[i].v[k].n + ARG_OVERHEAD;
    }
    if (bytes > BYTES_MAX || c->out.n - c->sent + c->held + bytes > BYTES_MAX)
        return P3D_E_BUSY;

    add_count(&c->out, '*', argc);
    for (size_t i = 0; i < n; i++) {
        add_args(&c->out, parts[i]);
        if (i == 0)
            keep = c->out.n;
    }
    if (script == P3D_NO_SCRIPT)
        keep = c->out.n;
    struct p3d_call *call = p3d_alloc(sizeof *call + c->out.n - keep);
    *call = (struct p3d_call){.magic = CALL_MAGIC, .script = script, .cb = cb, .priv = priv, .argc = argc};
    call->deadline_ms = p3d_mono_ms() + (timeout_ms ? timeout_ms : c->timeout_ms);
    call->kept_n = c->out.n - keep;
    memcpy(call->kept, c->out.p + keep, call->kept_n);
    append(c, call);
    return 0;
}

int p3d_call_allowed(const struct p3d_conn *c)
{
    if (c->phase != P3D_CONN_UP)
        return P3D_E_STORE_DOWN;
    return c->inflight >= c->max_inflight ? P3D_E_BUSY : 0;
}

int p3d_conn_call(struct p3d_conn *c, const struct p3d_str *argv, size_t n, uint64_t timeout_ms, p3d_conn_cb *cb,
                  void *priv)
{
    int rc = p3d_call_allowed(c);
    return rc ? rc : p3d_call_send(c, &(struct p3d_argv){argv, n}, 1, P3D_NO_SCRIPT, timeout_ms, cb, priv);
}

/* The server forgot the script (restart, SCRIPT FLUSH): the same again with its text. The deadline stays. */
static void send_text(struct p3d_conn *c, struct p3d_call *call)
{
    const struct p3d_str head[] = {P3D_STR("EVAL"), p3d_script_info((enum p3d_script)call->script)->text};

    call->evaled = true;
    add_count(&c->out, '*', call->argc);
    add_args(&c->out, (struct p3d_argv){head, 2});
    p3d_buf_add(&c->out, call->kept, call->kept_n);
    append(c, call);
}

bool p3d_reply_is(const redisReply *r, const char *word)
{
    size_t n = strlen(word);
    return r->type == REDIS_REPLY_ERROR && r->len >= n && !memcmp(r->str, word, n) && (r->len == n || r->str[n] == ' ');
}

static const struct meaning {
    const char *word;
    int err;
} meanings[] = {
    {"OOM", P3D_E_STORE_FULL},         {"LOADING", P3D_E_STORE_DOWN},     {"READONLY", P3D_E_STORE_DOWN},
    {"MASTERDOWN", P3D_E_STORE_DOWN},  {"BUSY", P3D_E_STORE_DOWN},        {"MISCONF", P3D_E_STORE_DOWN},
    {"NOREPLICAS", P3D_E_STORE_DOWN},  {"CLUSTERDOWN", P3D_E_STORE_DOWN}, {"TRYAGAIN", P3D_E_STORE_DOWN},
    {"UNBLOCKED", P3D_E_STORE_DOWN},   {"NOAUTH", P3D_E_STORE_DOWN},
};

/* Redis before 7 wraps the error of a call inside a script: "ERR Error running script (…): @user_script:3: -OOM …". */
static bool wraps(const redisReply *r, const char *word)
{
    static const char lead[] = "ERR Error running script ";
    char inner[24];

    if (r->len < sizeof lead - 1 || memcmp(r->str, lead, sizeof lead - 1))
        return false;
    (void)p3d_format(inner, sizeof inner, ": -%s ", word);
    return memmem(r->str, r->len, inner, strlen(inner)) != NULL;
}

int p3d_reply_err(const redisReply *r)
{
    if (r->type != REDIS_REPLY_ERROR)
        return 0;
    for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
        if (p3d_reply_is(r, meanings[i].word) || wraps(r, meanings[i].word))
            return meanings[i].err;
    return P3D_E_CORRUPT;
}

void p3d_call_answer(struct p3d_conn *c, const redisReply *reply)
{
    if (c->on_push && c->phase == P3D_CONN_UP && c->on_push(c->priv, reply))
        return;

    struct p3d_call *call = shift(c);
    if (!call) {
        bool said = reply->type == REDIS_REPLY_ERROR;
        p3d_conn_lose(c, "%s", said ? reply->str : "protocol: a reply that nothing waits for");
        return;
    }
    if (call->script != P3D_NO_SCRIPT && !call->evaled && p3d_reply_is(reply, "NOSCRIPT")) {
        send_text(c, call);
        return;
    }
    if (p3d_reply_is(reply, "READONLY") || (reply->type == REDIS_REPLY_ERROR && wraps(reply, "READONLY")))
        c->moved = true;
    finish(call, call->script == P3D_NO_SCRIPT ? p3d_reply_err(reply) : p3d_script_err(reply), reply);
}

/* One at a time from the live list: a callback may close the connection, which empties it from within. */
void p3d_call_fail_all(struct p3d_conn *c)
{
    struct p3d_call *call;

    p3d_timer_clear(c->loop, &c->alarm);
    c->alarm_ms = 0;
    while ((call = shift(c)))
        finish(call, P3D_E_STORE_DOWN, NULL);
}

/* Commands of different patience may wait; and the oldest that the timer was set for is mostly answered long ago: then
 * it is set for the oldest of now. That is one walk per timeout instead of a timer per command. */
static void judge(struct p3d_conn *c)
{
    uint64_t oldest = 0, now = p3d_mono_ms();

    for (const struct p3d_call *call = c->first; call; call = call->next)
        if (!oldest || call->deadline_ms < oldest)
            oldest = call->deadline_ms;
    c->alarm_ms = oldest;
    if (oldest > now)
        p3d_timer_set(c->loop, &c->alarm, oldest - now);
    else if (oldest)
        p3d_conn_lose(c, "no answer in time");
}

void p3d_call_on_alarm(struct p3d_timer *t)
{
    struct p3d_conn *c = P3D_OWNER(t, struct p3d_conn, alarm);

    p3d_conn_enter(c);
    /* If it was us who slept, the answers are there already. */
    while (p3d_wire_read(c))
        ;
    if (c->fd >= 0)
        judge(c);
    p3d_conn_leave(c);
}
