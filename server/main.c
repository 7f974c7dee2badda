/* SPDX-License-Identifier: MIT
 *
 * The serve process: one loop, three pools beside it, one store connection, one listening socket. Guarantee: it accepts
 * nobody before the store has said that it is the right one and has given the keys of signed URLs; SIGTERM or the end
 * of the supervisor lets open requests finish within server.drain_seconds and then ends with 0; a store that goes away
 * and comes back needs no restart. Does not: start anything else, or write to the artifact store (it removes what is
 * left of deleted jobs). The only file of server/ that logs requests.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/app_internal.h"
#include "p3d/clock.h"
#include "p3d/hub.h"
#include "p3d/lease.h"
#include "p3d/log.h"
#include "p3d/records.h"
#include "p3d/role.h"

#define FILE_THREADS 2
#define FILE_QUEUE 1024
#define BODY_THREADS 1
#define BODY_QUEUE 1024 /* batch.c bounds their bytes */
#define CHECK_AGAIN_MS 200
#define KEYS_MS 5000 /* a new key signs only when every process has seen it: 15 s after it was made */
#define REAP_MS 1000
#define REAP_JITTER_MS 200
#define REAP_FULL 64 /* items of a full round: there is more */
#define REAP_AGAIN_MS 20
#define TURN_MS 1000
#define DRAIN_TURN_MS 50

struct serve {
    struct p3d_app app;
    const struct p3d_inherit *in;
    sigset_t old_mask;
    int signal_fd;
    struct p3d_watch *signal_watch, *control_watch;
    struct p3d_timer check, reap, keys;
    struct p3d_error check_err;
    bool checked, refused; /* what the store said of itself */
    bool has_keys;
    struct p3d_purge *purge; /* files of deleted jobs */
    bool purge_failing;    /* and said so */
    bool closing;          /* no timer is set any more */
    unsigned stops;        /* how often we were told to stop */
};

#define OF(member, t) ((struct serve *)(void *)((char *)(t) - offsetof(struct serve, member)))

static int say(const char *event, const struct p3d_error *e)
{
    p3d_log(P3D_LOG_ERROR, event, P3D_S("where", e->where), P3D_S("detail", e->detail));
    return -1;
}

/* ---- told to stop ---- */

static void on_signal(void *priv, int events)
{
    struct serve *s = priv;
    struct signalfd_siginfo i;
    (void)events;
    while (read(s->signal_fd, &i, sizeof(i)) == (ssize_t)sizeof(i)) {
        if (i.ssi_signo == SIGHUP)
            p3d_log(P3D_LOG_WARN, "reload", P3D_S("detail", "nothing of a serve process can be reloaded; restart it"));
        else if (i.ssi_signo == SIGTERM || s->in->control_fd < 0) /* Ctrl-C is the supervisor's to judge */
            s->stops++;
    }
}

static void on_control(void *priv, int events)
{
    struct serve *s = priv;
    char sink[64];
    (void)events;
    ssize_t n = recv(s->in->control_fd, sink, sizeof(sink), MSG_DONTWAIT);
    if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
        return;
    p3d_log(P3D_LOG_WARN, "supervisor_gone", P3D_S("detail", "finishing open requests"));
    p3d_interest(s->app.loop, s->control_watch, 0);
    s->stops++;
}

static int open_signals(struct serve *s)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGHUP);
    (void)sigprocmask(SIG_BLOCK, &set, &s->old_mask);
    s->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (s->signal_fd < 0)
        return -1;
    s->signal_watch = p3d_watch(s->app.loop, s->signal_fd, on_signal, s);
    p3d_interest(s->app.loop, s->signal_watch, P3D_READABLE);
    if (s->in->control_fd < 0)
        return 0;
    s->control_watch = p3d_watch(s->app.loop, s->in->control_fd, on_control, s);
    p3d_interest(s->app.loop, s->control_watch, P3D_READABLE);
    return 0;
}

/* ---- files of deleted jobs ---- */

static void on_purged(void *priv, int err, const struct p3d_answer *a)
{
    (void)priv, (void)err, (void)a; /* lost: the store names the job again */
}

static void on_removed(void *priv, const struct p3d_job_id *id, int err)
{
    struct serve *s = priv;
    if (err == 0)
        P3D_IGNORE(p3d_store_purged(s->app.store, id, on_purged, NULL));
    else if (!s->purge_failing)
        p3d_log(P3D_LOG_ERROR, "purge_failed", P3D_S("job", id->s), P3D_S("error", p3d_err_info(err)->symbol));
    s->purge_failing = err != 0;
}

/* ---- opening ---- */

static void on_store_state(void *priv, bool up)
{
    struct serve *s = priv;
    if (s->closing)
        return;
    p3d_log(up ? P3D_LOG_INFO : P3D_LOG_WARN, "store", P3D_S("state", up ? "up" : "down"));
    if (up && s->check.slot != 0) /* it was waiting for this */
        p3d_timer_set(s->app.loop, &s->check, 0);
    if (up && s->keys.slot != 0)
        p3d_timer_set(s->app.loop, &s->keys, 0);
    if (!up)
        s->app.signing.stale = true;
}

static int open_parts(struct serve *s)
{
    struct p3d_app *app = &s->app;
    struct p3d_error err = {.code = 0};
    if (p3d_http_new(&app->http, &err) != 0)
        return say("start_failed", &err);
    app->loop = p3d_http_loop(app->http);
    if (open_signals(s) != 0 ||
        p3d_pool_new(app->loop, (unsigned)app->cfg->security_hash_threads, (unsigned)app->cfg->security_hash_queue,
                     &app->hashing) != 0 ||
        p3d_pool_new(app->loop, FILE_THREADS, FILE_QUEUE, &app->files) != 0 ||
        p3d_pool_new(app->loop, BODY_THREADS, BODY_QUEUE, &app->bodies) != 0) {
        (void)p3d_fail(&err, P3D_E_UNAVAILABLE, "cannot make threads or descriptors");
        return say("start_failed", &err);
    }
    if (p3d_store_open(app->loop, app->cfg, on_store_state, s, &app->store, &err) != 0)
        return say("start_failed", &err);
    if (p3d_hub_open(app->loop, app->cfg, &app->hub, &err) != 0)
        return say("start_failed", &err);
    if (p3d_artifacts_open(app->cfg->artifact_root, &app->artifacts, &err) != 0)
        return say("start_failed", &err);
    s->purge = p3d_purge_new(app->artifacts, app->files, on_removed, s);
    p3d_routes_build(app);
    return 0;
}

/* ---- is it the right store? ---- */

static void on_checked(void *priv, int err, const struct p3d_answer *a)
{
    struct serve *s = priv;
    (void)a;
    s->checked = err == 0;
    if (err == 0 && s->check_err.detail[0] != '\0')
        p3d_log(P3D_LOG_WARN, "store_warning", P3D_S("detail", s->check_err.detail));
    s->refused = err != 0 && !p3d_err_info(err)->retryable;
    if (!s->checked && !s->refused && !s->closing)
        p3d_timer_set(s->app.loop, &s->check, CHECK_AGAIN_MS);
}

static void check(struct p3d_timer *t)
{
    struct serve *s = OF(check, t);
    int err = p3d_store_check(s->app.store, p3d_artifacts_id(s->app.artifacts), &s->check_err, on_checked, s);
    if (err != 0)
        on_checked(s, err, NULL);
}

/* ---- the keys of signed URLs ---- */

static void on_keys(void *priv, int err, const struct p3d_answer *a)
{
    struct serve *s = priv;
    if (err == 0 && a->n == 0)
        err = P3D_E_CORRUPT;
    if (err == 0) {
        p3d_signing_set(&s->app.signing, a->keys, a->n, p3d_artifacts_key(s->app.artifacts));
        s->app.legacy_tokens = a->legacy_tokens;
        s->has_keys = true;
    } else { /* the old ones go on */
        if (!s->app.signing.stale && !p3d_err_info(err)->retryable)
            p3d_log(P3D_LOG_ERROR, "keys_unreadable", P3D_S("error", p3d_err_info(err)->symbol));
        s->app.signing.stale = true;
        s->refused = !s->has_keys && !p3d_err_info(err)->retryable;
    }
    if (!s->closing)
        p3d_timer_set(s->app.loop, &s->keys, s->has_keys ? KEYS_MS : CHECK_AGAIN_MS);
}

static void ask_keys(struct p3d_timer *t)
{
    struct serve *s = OF(keys, t);
    int err = p3d_store_keys(s->app.store, on_keys, s);
    if (err != 0)
        on_keys(s, err, NULL);
}

/* 0, or -1: refused. Told to stop meanwhile: 0 as well, with s->stops. */
static int wait_for_store(struct serve *s)
{
    s->check.cb = check;
    check(&s->check);
    if (!s->checked && !s->refused && !p3d_store_up(s->app.store))
        p3d_log(P3D_LOG_INFO, "waiting", P3D_S("for", "store"));
    while (!s->checked && !s->refused && s->stops == 0)
        p3d_http_run_once(s->app.http, TURN_MS);
    if (s->refused)
        return say("store_refused", &s->check_err);
    s->keys.cb = ask_keys;
    ask_keys(&s->keys);
    while (!s->has_keys && !s->refused && s->stops == 0)
        p3d_http_run_once(s->app.http, TURN_MS);
    return s->refused ? -1 : 0; /* said already */
}

/* ---- housekeeping ---- */

static void on_reaped(void *priv, int err, const struct p3d_answer *a)
{
    struct serve *s = priv;
    bool more = err == 0 && a->total >= REAP_FULL;
    uint32_t spread;
    p3d_random(&spread, sizeof(spread));
    uint64_t ms = more ? REAP_AGAIN_MS : REAP_MS - REAP_JITTER_MS / 2 + spread % REAP_JITTER_MS;
    if (err == 0 && a->total > 0)
        p3d_log(P3D_LOG_DEBUG, "reaped", P3D_I("items", a->total));
    if (s->closing)
        return;
    for (size_t i = 0; err == 0 && i < a->n; i++)
        p3d_purge_add(s->purge, &a->jobs[i].id);
    p3d_timer_set(s->app.loop, &s->reap, ms);
}

/* For a Redis that has no limit of its own. */
static void on_memory(void *priv, int err, int64_t used_bytes, int64_t limit_bytes)
{
    struct serve *s = priv;
    (void)limit_bytes;
    bool full = err == 0 ? used_bytes > s->app.cfg->redis_memory_limit : s->app.store_full;
    if (full != s->app.store_full)
        p3d_log(full ? P3D_LOG_ERROR : P3D_LOG_INFO, "store_memory", P3D_S("state", full ? "full" : "enough"),
                P3D_I("used_bytes", used_bytes));
    s->app.store_full = full;
}

static void reap(struct p3d_timer *t)
{
    struct serve *s = OF(reap, t);
    if (s->app.cfg->redis_memory_limit >= 0)
        P3D_IGNORE(p3d_store_memory(s->app.store, on_memory, s));
    struct p3d_retention keep = p3d_retention_of(s->app.cfg);
    int err = p3d_store_reap(s->app.store, s->app.cfg->workers_lease_seconds * 1000, &keep,
                             p3d_purge_room(s->purge), on_reaped, s);
    if (err != 0)
        on_reaped(s, err, NULL);
}

/* ---- serving ---- */

/* The pattern, not the path: a line says what was asked for, and no id, query or token of anybody. */
static void on_request(struct p3d_app *app, const struct p3d_call *c, int status, double seconds, int64_t bytes)
{
    (void)app;
    p3d_log(P3D_LOG_INFO, "request", P3D_S("method", p3d_call_method(c)),
            P3D_S("path_route", p3d_call_route(c)->pattern), P3D_I("status", status), P3D_F("ms", seconds * 1000.0),
            P3D_I("bytes", bytes), P3D_S("client", p3d_call_client(c)), P3D_S("req", p3d_call_request_id(c)));
}

static int begin(struct serve *s)
{
    const struct p3d_config *cfg = s->app.cfg;
    struct p3d_error err = {.code = 0};
    int fd = s->in->listen_fd, port = 0;
    if (fd < 0 && p3d_listen(cfg->server_host, (int)cfg->server_port, &fd, &port, &err) != 0)
        return say("start_failed", &err);
    struct p3d_http_options o = {.cfg = cfg,
                                 .app = &s->app,
                                 .routes = s->app.routes,
                                 .routes_n = s->app.routes_n,
                                 .signing = &s->app.signing,
                                 .legacy_tokens = &s->app.legacy_tokens,
                                 .listen_fd = fd,
                                 .on_request = on_request};
    if (p3d_http_start(s->app.http, &o, &err) != 0)
        return say("start_failed", &err);
    s->reap.cb = reap;
    reap(&s->reap);
    if (s->in->listen_fd < 0)
        p3d_log(P3D_LOG_INFO, "listening", P3D_S("host", cfg->server_host), P3D_I("port", port));
    if (s->in->control_fd >= 0)
        (void)!send(s->in->control_fd, "ready\n", 6, MSG_NOSIGNAL);
    return 0;
}

static void drain(struct serve *s)
{
    uint64_t end_ms = p3d_mono_ms() + (uint64_t)s->app.cfg->server_drain_seconds * 1000;
    unsigned stops = s->stops;
    p3d_log(P3D_LOG_INFO, "draining", P3D_I("seconds", s->app.cfg->server_drain_seconds));
    p3d_http_drain(s->app.http);
    while (!p3d_http_idle(s->app.http) && p3d_mono_ms() < end_ms && s->stops == stops)
        p3d_http_run_once(s->app.http, DRAIN_TURN_MS);
}

/* Pools before the store: what their tasks begin there is answered by its closing; what that begins finds no pool. */
static void close_parts(struct serve *s)
{
    struct p3d_app *app = &s->app;
    struct p3d_pool *hashing = app->hashing, *files = app->files, *bodies = app->bodies;
    struct p3d_hub *hub = app->hub;
    s->closing = true;
    if (app->http == NULL)
        return;
    p3d_timer_clear(app->loop, &s->check);
    p3d_timer_clear(app->loop, &s->reap);
    p3d_timer_clear(app->loop, &s->keys);
    app->hashing = app->files = app->bodies = NULL;
    app->hub = NULL;
    p3d_pool_free(hashing);
    p3d_pool_free(files);
    p3d_pool_free(bodies);
    p3d_purge_free(s->purge);
    if (app->store != NULL)
        p3d_store_stop(app->store); /* requests that are still open ask it to the end */
    p3d_hub_close(hub); /* who listens lives on in the requests that http ends */
    p3d_unwatch(app->loop, s->signal_watch);
    p3d_unwatch(app->loop, s->control_watch);
    p3d_http_free(app->http);
    p3d_store_close(app->store);
    p3d_signing_done(&app->signing);
    p3d_artifacts_close(app->artifacts);
    p3d_routes_done(app);
    p3d_closep(&s->signal_fd);
    (void)sigprocmask(SIG_SETMASK, &s->old_mask, NULL);
}

int p3d_role_serve(const struct p3d_config *cfg, const struct p3d_inherit *in)
{
    struct serve s = {.app = {.cfg = cfg, .started_ms = p3d_mono_ms()}, .in = in, .signal_fd = -1};
    bool good = open_parts(&s) == 0 && wait_for_store(&s) == 0;
    if (good && s.stops == 0)
        good = begin(&s) == 0;
    while (good && s.stops == 0)
        p3d_http_run_once(s.app.http, TURN_MS);
    if (good)
        drain(&s);
    close_parts(&s);
    if (good)
        p3d_log(P3D_LOG_INFO, "stopped", P3D_I("status", 0));
    return good ? 0 : 1;
}
