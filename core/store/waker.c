/* SPDX-License-Identifier: MIT
 *
 * A connection of its own that blocks in BLPOP: on the wake lists of the kinds while there is no job, on the control
 * list of the attempt while there is one. An element is a hint and no more: the claim, or the heartbeat, decides. It
 * guarantees one answer to each wait within about 5 s (plus 5 s when the server hangs), also while there is no
 * connection; a watch goes on until it is told once or ended. An ended watch lies in the way of the next wait, and a
 * blocked connection hears nothing, so its list is given an element through another one: whichever of the two comes
 * first, the BLPOP returns, and an element that nobody takes expires. It does not know what a job is.
 */
#include "store_internal.h"

#include "p3d/config.h"
#include "p3d/lease.h"

enum {
    WAIT_MIN_MS = 4000,
    WAIT_SPREAD_MS = 1000, /* workers that started together do not ask together */
    GRACE_MS = 5000,       /* on top, before the connection counts as dead */
    WAKER_INFLIGHT = 4,
    NONCE = 16,            /* digits */
};

enum question { NOTHING, WAIT, WATCH };

struct p3d_waker {
    struct p3d_loop *loop;
    struct p3d_conn *conn;
    void (*cb)(void *priv, bool up);
    void *priv;

    enum question asked;     /* an answer is owed */
    enum question sent;      /* BLPOP is on its way */
    bool stale;              /* that one is of an ended watch: its answer is nobody's */
    struct p3d_timer timer;  /* the answer to a wait when there is no connection to ask */
    char number[24];
    struct p3d_str *argv;    /* BLPOP, a list for each kind, seconds */
    size_t argc;
    char ctl[sizeof P3D_KEY_CTL + NONCE]; /* the list that is watched */
};

static void send(struct p3d_waker *w);

/* The last that is done with w: the callback may close it. */
static void answer(struct p3d_waker *w, bool up)
{
    if (!w->asked || !w->cb)
        return;
    w->asked = NOTHING;
    p3d_timer_clear(w->loop, &w->timer);
    w->cb(w->priv, up);
}

/* A watch that heard nothing, or lost its connection, goes on; so does whatever was asked behind an ended one. */
static void on_reply(void *priv, int err, const redisReply *reply)
{
    struct p3d_waker *w = priv;
    bool told = !err && reply->type != REDIS_REPLY_NIL, go_on = w->stale || (w->sent == WATCH && !told);

    w->sent = NOTHING;
    w->stale = false;
    if (!w->cb)
        return; /* being closed */
    if (!go_on) /* an element or nothing: look either way */
        answer(w, !err);
    else if (err && w->asked == WAIT)
        answer(w, false);
    else
        send(w);
}

static uint64_t wait_ms(void)
{
    uint32_t chance;
    p3d_random(&chance, sizeof chance);
    return WAIT_MIN_MS + chance % WAIT_SPREAD_MS;
}

static void send(struct p3d_waker *w)
{
    uint64_t ms = wait_ms();
    struct p3d_str watch[3] = {P3D_STR("BLPOP"), p3d_str_z(w->ctl)}, *argv = w->asked == WATCH ? watch : w->argv;
    size_t argc = w->asked == WATCH ? 3 : w->argc;

    if (!w->asked || w->sent || !p3d_conn_up(w->conn))
        return;
    (void)p3d_format(w->number, sizeof w->number, "%u.%03u", (unsigned)(ms / 1000), (unsigned)(ms % 1000));
    argv[argc - 1] = p3d_str_z(w->number);
    if (p3d_conn_call(w->conn, argv, argc, ms + GRACE_MS, on_reply, w))
        return;
    w->sent = w->asked;
    p3d_timer_clear(w->loop, &w->timer);
}

static void on_state(void *priv, bool up)
{
    if (up)
        send(priv);
}

static void on_timer(struct p3d_timer *t)
{
    answer((struct p3d_waker *)(void *)((char *)t - offsetof(struct p3d_waker, timer)), false);
}

int p3d_waker_open(struct p3d_loop *l, const struct p3d_config *cfg, const struct p3d_str *kinds, size_t n,
                   void (*cb)(void *priv, bool up), void *priv, struct p3d_waker **ret, struct p3d_error *err)
{
    if (!n)
        return p3d_fail(err, P3D_E_CONFIG, "no kind of job to wait for");
    struct p3d_waker *w = p3d_alloc(sizeof *w);
    w->loop = l;
    w->cb = cb;
    w->priv = priv;
    w->timer.cb = on_timer;
    w->argc = n + 2;
    w->argv = p3d_alloc(w->argc * sizeof *w->argv);
    w->argv[0] = P3D_STR("BLPOP");
    for (size_t i = 0; i < n; i++) {
        char *key = p3d_asprintf("%s%.*s", P3D_KEY_WAKE, (int)kinds[i].n, kinds[i].p);
        w->argv[i + 1] = p3d_str_z(key);
    }

    const struct p3d_conn_options o = {
        .cfg = cfg,
        .timeout_ms = (uint64_t)cfg->redis_timeout_ms,
        .max_inflight = WAKER_INFLIGHT,
        .no_scripts = true,
        .on_state = on_state,
        .priv = w,
    };
    int rc = p3d_conn_open(l, &o, &w->conn, err);
    if (rc)
        p3d_waker_close(w);
    else
        *ret = w;
    return rc;
}

void p3d_waker_wait(struct p3d_waker *w)
{
    if (w->asked)
        return;
    w->asked = WAIT;
    p3d_timer_set(w->loop, &w->timer, wait_ms());
    send(w);
}

void p3d_waker_watch(struct p3d_waker *w, const char *nonce)
{
    if (w->asked)
        return;
    w->asked = WATCH;
    (void)p3d_format(w->ctl, sizeof w->ctl, "%s%s", P3D_KEY_CTL, nonce);
    send(w);
}

static void on_pushed(void *priv, int err, const redisReply *reply)
{
    (void)priv, (void)err, (void)reply; /* lost: the BLPOP ends by itself */
}

static int release(struct p3d_waker *w, struct p3d_store *s)
{
    const struct p3d_str work = P3D_STR(P3D_KEY_WORK), nonce = p3d_str_z(w->ctl + sizeof P3D_KEY_CTL - 1);
    return !s->conn ? P3D_E_STORE_DOWN
                    : p3d_conn_script(s->conn, P3D_SCRIPT_ctl_end, &work, 1, &nonce, 1, on_pushed, NULL);
}

void p3d_waker_unwatch(struct p3d_waker *w, struct p3d_store *s)
{
    if (w->asked != WATCH)
        return;
    w->asked = NOTHING;
    if (!w->sent || w->stale)
        return;
    w->stale = true;
    if (release(w, s))
        p3d_conn_drop(w->conn, "a watch could not be ended");
}

void p3d_waker_close(struct p3d_waker *w)
{
    if (!w)
        return;
    w->cb = NULL;
    p3d_timer_clear(w->loop, &w->timer);
    p3d_conn_close(w->conn);
    for (size_t i = 1; i + 1 < w->argc; i++)
        free((void *)(uintptr_t)w->argv[i].p);
    free(w->argv);
    free(w);
}
