/* SPDX-License-Identifier: MIT
 *
 * The server as its owner sees it: make, start, run, drain, free. Guarantee: configured once,
 * before the first connection; HTTP/1.1 only (HTTP/2 of this library version has open
 * denial-of-service holes); a drain refuses new connections at once, lets open requests finish with
 * `connection: close` and ends idle connections after 5 s. Does not: bind sockets, handle signals
 * or log; that is the serve process.
 */
#include "call_internal.h"

#include <limits.h>
#include <signal.h>
#include <string.h>

#define REQUEST_TIMEOUT_MS                                                                         \
    10000 /* from the first byte awaited to the last of the body; also of idle connections */
#define FILE_THREADS 2
#define FILE_QUEUE 64
#define IDLE_GRACE_MS 5000 /* after a drain began */
#define LAST_TURNS 100
#define LAST_TURN_MS 5

int p3d_http_new(struct p3d_http **ret, struct p3d_error *err)
{
    struct p3d_http *h = p3d_alloc(sizeof(*h));
    h->o.listen_fd = -1;
    h->conns.next = h->conns.prev = &h->conns;
    int e = p3d_h2o_loop_init(&h->loop);
    if (e != 0) {
        free(h);
        return p3d_fail(err, e, "cannot make an event loop");
    }
    (void)signal(SIGPIPE,
                 SIG_IGN); /* a write to a client that left is an error code, not the end */
    *ret = h;
    return 0;
}

struct p3d_loop *p3d_http_loop(struct p3d_http *h)
{
    return &h->loop.base;
}

static struct p3d_guard_options guard_options(const struct p3d_http *h)
{
    const struct p3d_config *cfg = h->o.cfg;
    struct p3d_guard_options o = {.router = h->router};
    o.limits[P3D_BODY_NONE] = P3D_PLAIN_BODY;
    o.limits[P3D_BODY_JSON] = (size_t)cfg->server_max_body_bytes;
    o.limits[P3D_BODY_SUBMIT] = (size_t)cfg->server_max_submit_body_bytes;
    o.limits[P3D_BODY_BATCH] = (size_t)cfg->server_max_batch_body_bytes;
    return o;
}

/* Bodies of 32 MB and more are kept in unlinked files; better on the data disk than in /tmp. */
static void place_spill(const struct p3d_config *cfg)
{
    char dir[PATH_MAX];
    h2o_buffer_mmap_settings_t *m = &h2o_socket_buffer_mmap_settings;
    if (cfg->top_data_dir != NULL && p3d_format(dir, sizeof(dir), "%s/run", cfg->top_data_dir) &&
        strlen(dir) + sizeof("/body.XXXXXX") <= sizeof(m->fn_template) && access(dir, W_OK) == 0)
        (void)p3d_format(m->fn_template, sizeof(m->fn_template), "%s/body.XXXXXX", dir);
}

static void configure(struct p3d_http *h, const struct p3d_guard_options *g)
{
    h2o_config_init(&h->conf);
    h->conf.server_name = h2o_iovec_init(NULL, 0);
    h->conf.http1.req_timeout = REQUEST_TIMEOUT_MS;
    h->conf.http1.upgrade_to_http2 = 0;
    memset(&h->conf.http2.callbacks, 0,
           sizeof(h->conf.http2.callbacks)); /* no timer of its shutdown */
    size_t largest = 0;
    for (size_t i = 0; i < h->o.routes_n; i++) { /* of the routes there are: anybody may send so much */
        size_t limit = g->limits[h->o.routes[i].body];
        largest = limit > largest ? limit : largest;
    }
    h->conf.max_request_entity_size =
        largest + 1; /* the library refuses a chunked body of exactly this */
    h2o_hostconf_t *host =
        h2o_config_register_host(&h->conf, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    p3d_dispatch_register(h, h2o_config_register_path(host, "/", 0));
    p3d_dispatch_register(h, &host->fallback_path);
    h2o_context_init(&h->ctx, h->loop.ev, &h->conf);
    h->accept = (h2o_accept_ctx_t){.ctx = &h->ctx, .hosts = h->conf.hosts};
}

/* The configuration has judged them. */
static void read_proxies(struct p3d_http *h)
{
    char **list = h->o.cfg->server_trusted_proxies;
    size_t n = 0;
    while (list != NULL && list[n] != NULL)
        n++;
    h->proxies = p3d_alloc((n + 1) * sizeof(*h->proxies));
    for (size_t i = 0; i < n; i++)
        h->proxies_n += p3d_net_parse(p3d_str_z(list[i]), &h->proxies[h->proxies_n]) == 0;
}

int p3d_http_start(struct p3d_http *h, const struct p3d_http_options *o, struct p3d_error *err)
{
    h->o = *o;
    int e = p3d_router_new(o->routes, o->routes_n, &h->router, err);
    if (e != 0)
        return e;
    struct p3d_guard_options g = guard_options(h);
    if ((e = p3d_guard_new(&g, &h->guard, err)) != 0)
        return e;
    if ((e = p3d_pool_new(&h->loop.base, FILE_THREADS, FILE_QUEUE, &h->files)) != 0)
        return p3d_fail(err, e, "cannot start threads");
    place_spill(o->cfg);
    read_proxies(h);
    configure(h, &g);
    h->started = true;
    if ((e = p3d_conn_listen(h, err)) != 0)
        (void)close(o->listen_fd);
    return e;
}

void p3d_http_run_once(struct p3d_http *h, int max_ms)
{
    p3d_guard_enter(h->guard);
    p3d_h2o_loop_run_once(&h->loop, max_ms);
    p3d_guard_enter(NULL);
}

/* Connections without a request: no answer under way, and no byte of the next one has come. */
static void on_idle(struct p3d_timer *t)
{
    struct p3d_http *h = H2O_STRUCT_FROM_MEMBER(struct p3d_http, idle, t);
    for (struct conn *c = h->conns.next; c != &h->conns; c = c->next)
        if (c->calls == 0 && c->sock->input->size == 0)
            (void)shutdown(h2o_socket_get_fd(c->sock), SHUT_RDWR);
    p3d_timer_set(&h->loop.base, t, P3D_IDLE_AGAIN_MS);
}

void p3d_http_drain(struct p3d_http *h)
{
    if (h->draining || !h->started)
        return;
    h->draining = true;
    p3d_conn_stop(h);
    h2o_context_request_shutdown(&h->ctx);
    h->idle.cb = on_idle;
    p3d_timer_set(&h->loop.base, &h->idle, IDLE_GRACE_MS);
    p3d_drain_begin(h);
}

bool p3d_http_idle(const struct p3d_http *h)
{
    return h->conns_n == 0 && h->farewells_n == 0;
}

/* Requests that still wait are answered 503, then every connection is cut. */
static void finish(struct p3d_http *h)
{
    p3d_conn_stop(h);
    p3d_timer_clear(&h->loop.base, &h->idle);
    p3d_drain_stop(h);
    p3d_pool_free(h->files);
    h->files = NULL;
    for (struct p3d_call *c = h->calls; c != NULL; c = c->next) {
        c->req->http1_is_persistent = 0;
        if (!c->replied &&
            c->on_gone == NULL) /* a file answer that has not begun fails by itself */
            p3d_leave_refuse(c);
    }
    p3d_conn_close_all(h);
    for (int i = 0; i < LAST_TURNS && h->conns_n > 0; i++)
        p3d_http_run_once(h, LAST_TURN_MS);
    p3d_http_run_once(h, 0); /* what the last ones left for the end of the turn */
}

void p3d_http_free(struct p3d_http *h)
{
    if (h == NULL)
        return;
    bool clean = true;
    if (h->started) {
        finish(h);
        clean = h->conns_n == 0;
    } else if (h->o.listen_fd >= 0) {
        (void)close(h->o.listen_fd);
    }
    p3d_pool_free(h->files);
    if (!clean)
        return; /* the library asserts that none is left; the process ends now anyway */
    p3d_loop_done(&h->loop.base);
    if (h->started) {
        h2o_multithread_queue_t *queue = h->ctx.queue;
        h2o_context_dispose(&h->ctx);
        free(queue); /* 2.2.5 takes it apart and forgets it (lib/common/multithread.c) */
        h2o_config_dispose(&h->conf);
    }
    h2o_evloop_destroy(h->loop.ev);
    p3d_guard_free(h->guard);
    p3d_router_free(h->router);
    free(h->proxies);
    free(h);
}
