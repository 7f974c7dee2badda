/* SPDX-License-Identifier: MIT
 *
 * Waiting for work on a connection of its own: BLPOP on the wake lists of the kinds. An element is a hint and no more:
 * the claim decides. It guarantees one answer to each question within about 5 s (plus 5 s when the server hangs), also
 * while there is no connection. It does not know what a job is.
 */
#include "conn_internal.h"

#include "keys_internal.h"
#include "p3d/config.h"
#include "p3d/lease.h"

enum {
    WAIT_MIN_MS = 4000,
    WAIT_SPREAD_MS = 1000, /* workers that started together do not ask together */
    GRACE_MS = 5000,       /* on top, before the connection counts as dead */
    WAKER_INFLIGHT = 4,
};

struct p3d_waker {
    struct p3d_loop *loop;
    struct p3d_conn *conn;
    void (*cb)(void *priv, bool up);
    void *priv;

    bool asked;              /* an answer is owed */
    bool sent;               /* BLPOP is on its way */
    struct p3d_timer timer;  /* the answer when there is no connection to ask */
    char number[24];
    struct p3d_str *argv;    /* BLPOP, a list for each kind, seconds */
    size_t argc;
};

/* The last that is done with w: the callback may close it. */
static void answer(struct p3d_waker *w, bool up)
{
    if (!w->asked || !w->cb)
        return;
    w->asked = false;
    p3d_timer_clear(w->loop, &w->timer);
    w->cb(w->priv, up);
}

static void on_reply(void *priv, int err, const redisReply *reply)
{
    struct p3d_waker *w = priv;

    (void)reply; /* an element or nothing: look either way */
    w->sent = false;
    answer(w, !err);
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

    if (!w->asked || w->sent || !p3d_conn_up(w->conn))
        return;
    (void)p3d_format(w->number, sizeof w->number, "%u.%03u", (unsigned)(ms / 1000), (unsigned)(ms % 1000));
    w->argv[w->argc - 1] = p3d_str_z(w->number);
    w->sent = !p3d_conn_call(w->conn, w->argv, w->argc, ms + GRACE_MS, on_reply, w);
    if (w->sent)
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
    w->asked = true;
    p3d_timer_set(w->loop, &w->timer, wait_ms());
    send(w);
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
