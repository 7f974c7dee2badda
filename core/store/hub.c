/* SPDX-License-Identifier: MIT
 *
 * Who listens to what, over one connection in subscribe mode (conn.c: each SUBSCRIBE, UNSUBSCRIBE and PING has its one
 * answer as any command, and what was published is seen first by on_message). Guarantee: a channel is subscribed while
 * it has a listener and no longer; a listener hears only what comes after its `ready`, and `ready` again when something
 * may have been missed; listening and leaving cost the same however many there are; any callback may end any listener,
 * or close the hub. It knows nothing of records: whoever needs more than a revision reads it.
 */
#include "hub_internal.h"

#include <string.h>

#include "keys_internal.h"
#include "p3d/config.h"

enum {
    BUCKETS_MIN = 16,
    PING_MS = 15000,
    LINGER_MS = 5000,        /* without a listener, before the connection is closed */
    INFLIGHT_MAX = 1 << 20,  /* after a loss all channels are asked for at once */
    CHANNEL_SIZE = sizeof P3D_CHANNEL + 1 + sizeof ((struct p3d_channel *)0)->key,
};

#define OF(p, member) ((struct p3d_hub *)(void *)((char *)(p)-offsetof(struct p3d_hub, member)))

/* A SUBSCRIBE under way. The channel may be gone, and made anew, before it is answered. */
struct p3d_subscribing {
    struct p3d_hub *hub;
    struct p3d_channel *channel; /* NULL: gone */
};

static void enter(struct p3d_hub *h)
{
    h->depth++;
}

static void leave(struct p3d_hub *h)
{
    if (--h->depth || !h->closed)
        return;
    free(h->bucket);
    free(h);
}

/* ---- channels by key ---- */

static struct p3d_channel **bucket_of(const struct p3d_hub *h, const char *key)
{
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a; the last digits of an owner are random */
    for (; *key; key++)
        hash = (hash ^ (unsigned char)*key) * UINT64_C(1099511628211);
    return &h->bucket[(hash ^ hash >> 32) & (h->buckets - 1)];
}

static struct p3d_channel *find(const struct p3d_hub *h, const char *key)
{
    struct p3d_channel *c = *bucket_of(h, key);
    while (c && strcmp(c->key, key) != 0)
        c = c->next;
    return c;
}

static void grow(struct p3d_hub *h)
{
    struct p3d_channel **old = h->bucket;
    size_t n = h->buckets;

    h->buckets = n ? 2 * n : BUCKETS_MIN;
    h->bucket = p3d_alloc(h->buckets * sizeof *h->bucket);
    for (size_t i = 0; i < n; i++)
        for (struct p3d_channel *c = old[i], *next; c; c = next) {
            struct p3d_channel **b = bucket_of(h, c->key);
            next = c->next;
            c->next = *b;
            *b = c;
        }
    free(old);
}

static struct p3d_str channel_name(const struct p3d_channel *c, char dst[CHANNEL_SIZE])
{
    (void)p3d_format(dst, CHANNEL_SIZE, P3D_CHANNEL "%s%s", c->key[0] ? ":" : "", c->key);
    return p3d_str_z(dst);
}

/* The key in the name of a channel, or NULL. name is terminated. */
static const char *key_in(struct p3d_str name)
{
    const size_t n = sizeof P3D_CHANNEL - 1;
    if (!p3d_str_starts(name, P3D_CHANNEL) || memchr(name.p, 0, name.n))
        return NULL;
    if (name.n == n)
        return "";
    return name.p[n] == ':' && name.n > n + 1 ? name.p + n + 1 : NULL;
}

/* ---- telling `ready` ---- */

static void unfresh(struct p3d_listener *x)
{
    if (!x->fresh_at)
        return;
    *x->fresh_at = x->fresh_next;
    if (x->fresh_next)
        x->fresh_next->fresh_at = x->fresh_at;
    x->fresh_at = NULL;
}

static void freshen(struct p3d_hub *h, struct p3d_listener *x)
{
    if (x->fresh_at)
        return;
    x->fresh_next = h->fresh;
    x->fresh_at = &h->fresh;
    if (h->fresh)
        h->fresh->fresh_at = &x->fresh_next;
    h->fresh = x;
    p3d_turn_end(h->loop, &h->tell);
}

static void on_tell(struct p3d_turn *t)
{
    struct p3d_hub *h = OF(t, tell);
    struct p3d_listener *x;

    enter(h);
    h->telling = h->fresh; /* who listens from a callback has its turn next time */
    h->fresh = NULL;
    if (h->telling)
        h->telling->fresh_at = &h->telling;
    while (!h->closed && (x = h->telling)) {
        unfresh(x);
        x->told = true;
        x->cb->ready(x->priv);
    }
    leave(h);
}

/* ---- the connection ---- */

static bool is_word(const redisReply *r, const char *word)
{
    return r->type == REDIS_REPLY_STRING && r->len == strlen(word) && !memcmp(r->str, word, r->len);
}

static bool confirms(const struct p3d_channel *c, const redisReply *r)
{
    char name[CHANNEL_SIZE];
    return r && r->type == REDIS_REPLY_ARRAY && r->elements == 3 && is_word(r->element[0], "subscribe") &&
           is_word(r->element[1], channel_name(c, name).p);
}

static void on_subscribed(void *priv, int err, const redisReply *reply)
{
    struct p3d_subscribing *s = priv;
    struct p3d_channel *c = s->channel;
    struct p3d_hub *h = s->hub;

    free(s);
    if (!c)
        return;
    c->asked = NULL;
    if (err == P3D_E_STORE_DOWN && !reply)
        return; /* lost, on_state knows */
    if (!confirms(c, reply)) {
        p3d_conn_drop(h->conn, reply && reply->type == REDIS_REPLY_ERROR ? reply->str : "SUBSCRIBE: not confirmed");
        return;
    }
    c->stands = true;
    for (struct p3d_listener *x = c->first; x; x = x->next)
        freshen(h, x);
}

static void on_said(void *priv, int err, const redisReply *reply)
{
    (void)priv, (void)err, (void)reply; /* that it came is all; one that does not come loses the connection */
}

static void subscribe(struct p3d_hub *h, struct p3d_channel *c)
{
    char name[CHANNEL_SIZE];
    const struct p3d_str argv[] = {P3D_STR("SUBSCRIBE"), channel_name(c, name)};

    if (!h->conn || !p3d_conn_up(h->conn))
        return; /* all are asked for when it is up */
    struct p3d_subscribing *s = p3d_alloc(sizeof *s);
    *s = (struct p3d_subscribing){h, c};
    if (p3d_conn_call(h->conn, argv, 2, 0, on_subscribed, s)) {
        free(s);
        p3d_conn_drop(h->conn, "too many subscriptions wait");
        return;
    }
    c->asked = s;
}

static void unsubscribe(struct p3d_hub *h, const struct p3d_channel *c)
{
    char name[CHANNEL_SIZE];
    const struct p3d_str argv[] = {P3D_STR("UNSUBSCRIBE"), channel_name(c, name)};

    if (h->conn && p3d_conn_up(h->conn) && p3d_conn_call(h->conn, argv, 2, 0, on_said, NULL))
        p3d_conn_drop(h->conn, "too many subscriptions wait");
}

static void forget_standing(struct p3d_hub *h)
{
    for (size_t i = 0; i < h->buckets; i++)
        for (struct p3d_channel *c = h->bucket[i]; c; c = c->next) {
            c->stands = false;
            for (struct p3d_listener *x = c->first; x; x = x->next) {
                x->told = false;
                unfresh(x);
            }
        }
}

static void on_state(void *priv, bool up)
{
    struct p3d_hub *h = priv;

    if (!up) {
        p3d_timer_clear(h->loop, &h->beat);
        forget_standing(h);
        return;
    }
    p3d_timer_set(h->loop, &h->beat, PING_MS);
    for (size_t i = 0; i < h->buckets; i++)
        for (struct p3d_channel *c = h->bucket[i]; c; c = c->next)
            subscribe(h, c);
}

static void on_beat(struct p3d_timer *t)
{
    struct p3d_hub *h = OF(t, beat);
    const struct p3d_str ping = P3D_STR("PING");

    p3d_timer_set(h->loop, t, PING_MS);
    P3D_IGNORE(p3d_conn_call(h->conn, &ping, 1, 0, on_said, NULL)); /* as many wait: they notice it too */
}

/* ---- what was published ---- */

static void tell_one(const struct p3d_listener *x, const struct p3d_message *m)
{
    if (!x->told)
        return; /* what it reads when it is ready has this in it */
    if (!m->is_account)
        x->cb->event(x->priv, &m->job);
    else if (x->cb->account)
        x->cb->account(x->priv, &m->account);
}

static void tell_all(struct p3d_hub *h, const struct p3d_channel *c, const struct p3d_message *m)
{
    struct p3d_walk walk = {.next = c->first, .outer = h->walks};
    struct p3d_listener *x;

    h->walks = &walk;
    while ((x = walk.next)) { /* c may be gone */
        walk.next = x->next;
        tell_one(x, m);
    }
    h->walks = walk.outer;
}

/* ["message", channel, text]. Of a channel that nobody listens to any more: its end is under way. */
static bool on_message(void *priv, const redisReply *r)
{
    struct p3d_hub *h = priv;
    struct p3d_message m;

    if (r->type != REDIS_REPLY_ARRAY || r->elements != 3 || !is_word(r->element[0], "message"))
        return false;
    const redisReply *name = r->element[1], *text = r->element[2];
    const char *key = name->type == REDIS_REPLY_STRING ? key_in((struct p3d_str){name->str, name->len}) : NULL;
    if (!key || text->type != REDIS_REPLY_STRING ||
        p3d_message_parse((struct p3d_str){text->str, text->len}, &m) || !p3d_message_fits(&m, key)) {
        h->bad++;
        return true;
    }
    const struct p3d_channel *c = find(h, key);
    enter(h);
    if (c)
        tell_all(h, c, &m);
    leave(h);
    return true;
}

static void connect_now(struct p3d_hub *h)
{
    const struct p3d_conn_options o = {
        .cfg = h->cfg,
        .timeout_ms = (uint64_t)h->cfg->redis_timeout_ms,
        .max_inflight = INFLIGHT_MAX,
        .no_scripts = true,
        .on_state = on_state,
        .on_push = on_message,
        .priv = h,
    };
    struct p3d_error err;

    if (!h->conn)
        P3D_IGNORE(p3d_conn_open(h->loop, &o, &h->conn, &err)); /* the URL was good when the hub was opened */
}

/* Only one that is up is closed: one that is being made may wait for a name server, and closing it would too. */
static void on_linger(struct p3d_timer *t)
{
    struct p3d_hub *h = OF(t, linger);

    if (!p3d_conn_up(h->conn)) {
        p3d_timer_set(h->loop, t, LINGER_MS);
        return;
    }
    p3d_timer_clear(h->loop, &h->beat);
    p3d_conn_close(h->conn);
    h->conn = NULL;
}

/* ---- the hub ---- */

int p3d_hub_open(struct p3d_loop *l, const struct p3d_config *cfg, struct p3d_hub **ret, struct p3d_error *err)
{
    const struct p3d_secret *text = &cfg->redis_url;
    struct p3d_redis_url url;

    int rc = p3d_redis_url_parse((struct p3d_str){(const char *)text->p, text->n}, cfg->top_data_dir, &url, err);
    if (rc)
        return rc;
    p3d_redis_url_done(&url);
    struct p3d_hub *h = p3d_alloc(sizeof *h);
    h->loop = l;
    h->cfg = cfg;
    h->tell.cb = on_tell;
    h->beat.cb = on_beat;
    h->linger.cb = on_linger;
    grow(h);
    *ret = h;
    return 0;
}

static void drop_channel(struct p3d_channel *c)
{
    struct p3d_hub *h = c->hub;
    struct p3d_channel **at = bucket_of(h, c->key);

    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    h->channels--;
    if (c->asked)
        c->asked->channel = NULL;
    free(c);
}

void p3d_hub_close(struct p3d_hub *h)
{
    if (!h || h->closed)
        return;
    enter(h);
    h->closed = true;
    p3d_turn_clear(h->loop, &h->tell);
    p3d_timer_clear(h->loop, &h->linger);
    p3d_timer_clear(h->loop, &h->beat);
    for (size_t i = 0; i < h->buckets; i++)
        while (h->bucket[i]) {
            for (struct p3d_listener *x = h->bucket[i]->first; x; x = x->next)
                x->channel = NULL;
            drop_channel(h->bucket[i]);
        }
    for (struct p3d_walk *w = h->walks; w; w = w->outer)
        w->next = NULL;
    p3d_conn_close(h->conn);
    h->conn = NULL;
    leave(h);
}

static struct p3d_channel *channel_for(struct p3d_hub *h, const char *key)
{
    struct p3d_channel *c = find(h, key);
    if (c)
        return c;
    if (h->channels >= h->buckets)
        grow(h);
    struct p3d_channel **b = bucket_of(h, key);
    c = p3d_alloc(sizeof *c);
    c->hub = h;
    (void)p3d_format(c->key, sizeof c->key, "%s", key);
    c->next = *b;
    *b = c;
    h->channels++;
    subscribe(h, c);
    return c;
}

struct p3d_listener *p3d_hub_listen(struct p3d_hub *h, const struct p3d_owner_id *owner,
                                    const struct p3d_hub_callbacks *cb, void *priv)
{
    struct p3d_listener *x = p3d_alloc(sizeof *x);

    p3d_timer_clear(h->loop, &h->linger);
    connect_now(h);
    struct p3d_channel *c = channel_for(h, owner ? (owner->s[0] ? owner->s : "-") : "");
    *x = (struct p3d_listener){.channel = c, .cb = cb, .priv = priv, .next = c->first, .at = &c->first};
    if (c->first)
        c->first->at = &x->next;
    c->first = x;
    h->listeners++;
    if (c->stands)
        freshen(h, x);
    return x;
}

void p3d_hub_unlisten(struct p3d_listener *x)
{
    struct p3d_channel *c = x ? x->channel : NULL;

    if (c) {
        struct p3d_hub *h = c->hub;
        unfresh(x);
        for (struct p3d_walk *w = h->walks; w; w = w->outer)
            if (w->next == x)
                w->next = x->next;
        *x->at = x->next;
        if (x->next)
            x->next->at = x->at;
        if (!c->first) {
            if (c->stands || c->asked)
                unsubscribe(h, c);
            drop_channel(c);
        }
        if (--h->listeners == 0)
            p3d_timer_set(h->loop, &h->linger, LINGER_MS);
    }
    free(x);
}

size_t p3d_hub_listeners(const struct p3d_hub *h)
{
    return h->listeners;
}
