/* SPDX-License-Identifier: MIT
 *
 * core/store/hub*.c against a real server that comes and goes: who hears what and when, and what it costs; and against
 * one that publishes nonsense.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/store/hub_internal.h"
#include "p3d/clock.h"
#include "redis.h"

#define ULID "01ARZ3NDEKTSV4RRFFQ69G5FAV"
#define ANN "user_00000000000000a1"
#define BOB "user_00000000000000b2"

struct ear {
    struct p3d_listener *x;
    int ready, events, accounts;
    struct p3d_event_of_job last;
    void (*then)(struct ear *e); /* after each callback */
    struct p3d_hub **hub;
    struct ear *other;
};

static void on_event(void *priv, const struct p3d_event_of_job *e)
{
    struct ear *ear = priv;
    ear->events++;
    ear->last = *e;
    if (ear->then)
        ear->then(ear);
}

static void on_ready(void *priv)
{
    struct ear *ear = priv;
    ear->ready++;
    if (ear->then)
        ear->then(ear);
}

static void on_account(void *priv, const struct p3d_owner_id *owner)
{
    struct ear *ear = priv;
    (void)owner;
    ear->accounts++;
    if (ear->then)
        ear->then(ear);
}

static const struct p3d_hub_callbacks callbacks = {.event = on_event, .ready = on_ready, .account = on_account};

static struct p3d_owner_id owner_of(const char *text)
{
    struct p3d_owner_id id = {""};
    (void)p3d_format(id.s, sizeof id.s, "%s", text);
    return id;
}

static void listen_to(struct p3d_hub *h, struct ear *e, const char *owner)
{
    struct p3d_owner_id id = owner_of(owner ? owner : "");
    int before = e->ready;
    e->x = p3d_hub_listen(h, owner ? &id : NULL, &callbacks, e);
    assert_int_equal(e->ready, before); /* never from within */
}

static void leave(struct ear *e)
{
    p3d_hub_unlisten(e->x);
    e->x = NULL;
}

static struct p3d_hub *open_hub(struct world *w)
{
    struct p3d_hub *h;
    struct p3d_error err = {0};
    assert_int_equal(p3d_hub_open(w->loop, &w->cfg, &h, &err), 0);
    return h;
}

static void start(struct world *w)
{
    redis_start(w);
    conn_open(w, 5000, 100000, true);
    until_up(w, w->ups + 1);
}

/* How many heard it. */
static long long publish(struct world *w, const char *channel, const char *text)
{
    struct p3d_str argv[] = {P3D_STR("PUBLISH"), p3d_str_z(channel), p3d_str_z(text)};
    struct tally t = {0};
    assert_int_equal(p3d_conn_call(w->conn, argv, 3, 0, count, &t), 0);
    until(w, &t.n, 1);
    assert_int_equal(t.ok, 1);
    return t.integer;
}

static void settle(struct world *w)
{
    struct tally t = {0};
    for (int i = 0; i < 5; i++) {
        assert_int_equal(call(w, &t, "PING"), 0);
        until(w, &t.n, i + 1);
        p3d_poll_loop_run_once(w->poll, 5);
    }
}

static void hears_its_owner_only(void **state)
{
    struct world *w = *state;
    struct ear ann = {0}, bob = {0}, all = {0}, none = {0};

    start(w);
    struct p3d_hub *h = open_hub(w);
    listen_to(h, &ann, ANN);
    listen_to(h, &bob, BOB);
    listen_to(h, &all, NULL);
    listen_to(h, &none, "");
    assert_int_equal(p3d_hub_listeners(h), 4);
    until(w, &ann.ready, 1);
    until(w, &bob.ready, 1);
    until(w, &all.ready, 1);
    until(w, &none.ready, 1);

    assert_int_equal(publish(w, "p3d:{0}:ev:" ANN, ULID " " ANN " 7 1"), 1);
    assert_int_equal(publish(w, "p3d:{0}:ev", ULID " " ANN " 7 1"), 1);
    until(w, &all.events, 1);
    until(w, &ann.events, 1);
    assert_string_equal(ann.last.id.s, "job_0" ULID);
    assert_string_equal(ann.last.owner.s, ANN);
    assert_int_equal(ann.last.rev, 7);
    assert_int_equal(ann.last.state, P3D_JOB_PROCESSING);

    assert_int_equal(publish(w, "p3d:{0}:ev:-", ULID " - 9999999999 4"), 1);
    until(w, &none.events, 1);
    assert_string_equal(none.last.owner.s, "");
    assert_int_equal(none.last.state, P3D_JOB_CANCELLED);
    assert_int_equal(publish(w, "p3d:{0}:ev:" BOB, "account " BOB), 1);
    until(w, &bob.accounts, 1);
    assert_int_equal(ann.events + bob.events + all.events + none.events, 3);
    assert_int_equal(ann.accounts + all.accounts, 0);

    leave(&ann);
    settle(w);
    assert_int_equal(publish(w, "p3d:{0}:ev:" ANN, ULID " " ANN " 8 1"), 0); /* not subscribed any more */
    leave(&bob);
    leave(&all);
    leave(&none);
    assert_int_equal(p3d_hub_listeners(h), 0);
    p3d_hub_close(h);
}

static void one_subscription_for_many(void **state)
{
    struct world *w = *state;
    static struct ear many[5000];
    char name[32];

    memset(many, 0, sizeof many);
    start(w);
    struct p3d_hub *h = open_hub(w);
    for (size_t i = 0; i < 5000; i++) {
        (void)p3d_format(name, sizeof name, "user_%016zx", i % 2500);
        listen_to(h, &many[i], name);
    }
    assert_int_equal(h->channels, 2500);
    for (size_t i = 0; i < 5000; i++)
        until(w, &many[i].ready, 1);
    struct ear late = {0};
    listen_to(h, &late, "user_0000000000000007"); /* it stands already */
    until(w, &late.ready, 1);
    assert_int_equal(publish(w, "p3d:{0}:ev:user_0000000000000007", ULID " user_0000000000000007 3 2"), 1);
    until(w, &late.events, 1);
    int heard = 0;
    for (size_t i = 0; i < 5000; i++)
        heard += many[i].events;
    assert_int_equal(heard, 2);
    for (size_t i = 0; i < 5000; i++)
        leave(&many[i]);
    leave(&late);
    settle(w);
    assert_int_equal(h->channels, 0);
    assert_int_equal(publish(w, "p3d:{0}:ev:user_0000000000000007", ULID " user_0000000000000007 4 2"), 0);
    p3d_hub_close(h);
}

/* Leave and come back before Redis has said a word: the older confirmation is not the newer one's. */
static void comes_and_goes_at_once(void **state)
{
    struct world *w = *state;
    struct ear first = {0}, ann = {0};

    start(w);
    struct p3d_hub *h = open_hub(w);
    listen_to(h, &first, BOB);
    until(w, &first.ready, 1);
    for (int i = 0; i < 100; i++) {
        listen_to(h, &ann, ANN);
        if (i < 99)
            leave(&ann);
    }
    until(w, &ann.ready, 1);
    assert_int_equal(publish(w, "p3d:{0}:ev:" ANN, ULID " " ANN " 1 0"), 1);
    until(w, &ann.events, 1);
    settle(w);
    assert_int_equal(ann.ready, 1);
    leave(&ann);
    leave(&first);
    p3d_hub_close(h);
}

static void says_ready_again_after_a_loss(void **state)
{
    struct world *w = *state;
    struct ear ann = {0}, all = {0};

    struct p3d_hub *h = open_hub(w);
    listen_to(h, &ann, ANN); /* before there is a server */
    p3d_poll_loop_run_once(w->poll, 20);
    start(w);
    until(w, &ann.ready, 1);
    listen_to(h, &all, NULL);
    until(w, &all.ready, 1);
    redis_kill(w);
    until_down(w, 1);
    redis_start(w);
    until_up(w, 2);
    until(w, &ann.ready, 2);
    until(w, &all.ready, 2);
    assert_int_equal(publish(w, "p3d:{0}:ev:" ANN, ULID " " ANN " 1 0"), 1);
    until(w, &ann.events, 1);
    leave(&ann);
    leave(&all);
    p3d_hub_close(h);
}

static void leave_both(struct ear *e)
{
    if (e->other && e->other->x)
        leave(e->other);
    if (e->x)
        leave(e);
}

static void close_all(struct ear *e)
{
    p3d_hub_close(*e->hub);
    *e->hub = NULL;
}

static void callbacks_may_end_anybody(void **state)
{
    struct world *w = *state;

    start(w);
    for (int when = 0; when < 2; when++) { /* in `ready`, or in `event` */
        struct p3d_hub *h = open_hub(w);
        struct ear a = {0}, b = {0}, c = {0};
        a.other = &b;
        b.other = &a;
        if (when == 0)
            a.then = b.then = leave_both;
        listen_to(h, &a, ANN);
        listen_to(h, &b, ANN);
        listen_to(h, &c, ANN);
        until(w, &c.ready, 1);
        if (when == 1) {
            until(w, &a.ready, 1);
            until(w, &b.ready, 1);
            a.then = b.then = leave_both;
            assert_int_equal(publish(w, "p3d:{0}:ev:" ANN, ULID " " ANN " 1 0"), 1);
            until(w, &c.events, 1);
            assert_int_equal(a.events + b.events, 1);
        } else {
            settle(w);
            assert_int_equal(a.ready + b.ready, 1);
        }
        assert_int_equal(p3d_hub_listeners(h), 1);
        c.hub = &h;
        c.then = close_all;
        assert_int_equal(publish(w, "p3d:{0}:ev:" ANN, ULID " " ANN " 2 0"), 1);
        until(w, &c.events, when + 1);
        assert_null(h);
        leave(&c); /* of a hub that is no more */
    }
}

static void closes_when_nobody_listens(void **state)
{
    struct world *w = *state;
    struct ear ann = {0};

    start(w);
    struct p3d_hub *h = open_hub(w);
    assert_null(h->conn); /* not before there is a listener */
    listen_to(h, &ann, ANN);
    until(w, &ann.ready, 1);
    leave(&ann);
    assert_non_null(h->conn);
    assert_true(h->linger.slot != 0);
    listen_to(h, &ann, ANN); /* in time */
    assert_int_equal(h->linger.slot, 0);
    until(w, &ann.ready, 2);
    leave(&ann);
    p3d_timer_set(w->loop, &h->linger, 0); /* the seconds are over */
    for (int i = 0; i < 100 && h->conn; i++)
        p3d_poll_loop_run_once(w->poll, 10);
    assert_null(h->conn);
    assert_int_equal(h->beat.slot, 0);
    listen_to(h, &ann, ANN);
    until(w, &ann.ready, 3);
    leave(&ann);
    p3d_hub_close(h);
}

/* A server that stops answering: PING finds out. */
static void notices_a_dead_peer(void **state)
{
    struct world *w = *state;
    struct ear ann = {0};

    w->cfg.redis_timeout_ms = 200;
    start(w);
    struct p3d_hub *h = open_hub(w);
    listen_to(h, &ann, ANN);
    until(w, &ann.ready, 1);
    assert_true(h->beat.slot != 0);
    assert_int_equal(kill(w->redis, SIGSTOP), 0);
    p3d_timer_set(w->loop, &h->beat, 20);
    for (int i = 0; i < 500 && p3d_conn_up(h->conn); i++)
        p3d_poll_loop_run_once(w->poll, 10);
    assert_string_equal(p3d_conn_last_error(h->conn), "no answer in time");
    assert_int_equal(kill(w->redis, SIGCONT), 0);
    until(w, &ann.ready, 2);
    leave(&ann);
    p3d_hub_close(h);
}

static void refuses_a_bad_url(void **state)
{
    struct world *w = *state;
    struct p3d_hub *h = NULL;
    struct p3d_error err = {0};

    world_url(w, "redis://:hunter2@/");
    assert_int_equal(p3d_hub_open(w->loop, &w->cfg, &h, &err), P3D_E_CONFIG);
    assert_null(strstr(err.detail, "hunter2"));
    p3d_hub_close(NULL);
    p3d_hub_unlisten(NULL);
}

static void nonsense_is_ignored(void **state)
{
    static const char *const texts[] = {
        "", " ", "account", "account ", "account x", "account " BOB, "account " ANN " ", "account  " ANN, ULID,
        ULID " " ANN, ULID " " ANN " 1", ULID " " ANN " 1 ", ULID " " ANN " 1 5", ULID " " ANN " 1 00",
        ULID " " ANN " -1 0", ULID " " ANN " 99999999999999999999 0", ULID " " BOB " 1 0", ULID " - 1 0",
        ULID " " ANN " 1 0 ", "01ARZ3NDEKTSV4RRFFQ69G5FA! " ANN " 1 0", ULID "  " ANN " 1 0", ULID " " ANN " 1 x",
    };
    struct world *w = *state;
    struct ear ann = {0};

    start(w);
    struct p3d_hub *h = open_hub(w);
    listen_to(h, &ann, ANN);
    until(w, &ann.ready, 1);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_int_equal(publish(w, "p3d:{0}:ev:" ANN, texts[i]), 1);
    assert_int_equal(publish(w, "p3d:{0}:ev:" ANN, ULID " " ANN " 1 0"), 1);
    until(w, &ann.events, 1);
    assert_int_equal(ann.events + ann.accounts, 1);
    assert_int_equal(h->bad, sizeof texts / sizeof *texts);
    leave(&ann);
    p3d_hub_close(h);
}

#define GREETED "+OK\r\n"
#define NAME "$32\r\np3d:{0}:ev:" ANN "\r\n"
#define STANDS "*3\r\n$9\r\nsubscribe\r\n" NAME ":1\r\n"
#define SAID(text) "*3\r\n$7\r\nmessage\r\n" NAME text

/* What a server says in one go to whoever comes, and how often a listener is told `ready` and an event by it. */
static const struct lie {
    struct p3d_str text;
    int ready, events, bad;
    const char *error; /* NULL: it is believed */
} lies[] = {
    {P3D_STR(GREETED STANDS), 1, 0, 0, NULL},
    {P3D_STR(GREETED STANDS SAID("$52\r\n" ULID " " ANN " 1 0\r\n")), 1, 0, 0, NULL}, /* before `ready`: it will be read */
    {P3D_STR(GREETED STANDS SAID(":5\r\n") SAID("$-1\r\n") SAID("*0\r\n")), 1, 0, 3, NULL},
    {P3D_STR(GREETED STANDS "*3\r\n$7\r\nmessage\r\n$1\r\nx\r\n$1\r\nx\r\n"), 1, 0, 1, NULL},
    {P3D_STR(GREETED STANDS "*3\r\n$7\r\nmessage\r\n:1\r\n$1\r\nx\r\n"), 1, 0, 1, NULL},
    {P3D_STR(GREETED "+OK\r\n"), 0, 0, 0, "SUBSCRIBE: not confirmed"},
    {P3D_STR(GREETED "-NOPERM no\r\n"), 0, 0, 0, "NOPERM no"},
    {P3D_STR(GREETED "*3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n"), 0, 0, 0, "SUBSCRIBE: not confirmed"},
    {P3D_STR(GREETED "*3\r\n$9\r\nsubscribe\r\n:1\r\n:1\r\n"), 0, 0, 0, "SUBSCRIBE: not confirmed"},
    {P3D_STR(GREETED "*0\r\n"), 0, 0, 0, "SUBSCRIBE: not confirmed"},
    {P3D_STR(GREETED "*4\r\n$8\r\npmessage\r\n$1\r\nx\r\n$1\r\nx\r\n$1\r\nx\r\n"), 0, 0, 0, "SUBSCRIBE: not confirmed"},
    {P3D_STR(GREETED STANDS STANDS), 0, 0, 0, "a reply that nothing waits for"},
    {P3D_STR(GREETED STANDS "!"), 0, 0, 0, "protocol"},
};

struct liar {
    struct p3d_loop *loop;
    struct p3d_str text;
    int listener, fd;
    size_t said;
    bool greeted;
    struct p3d_watch *watch, *peer;
};

/* One answer to the greeting, the rest to what comes next. */
static void on_peer(void *priv, int events)
{
    struct liar *l = priv;
    char waste[4096];
    (void)events;
    ssize_t n = recv(l->fd, waste, sizeof waste, 0);
    if (n <= 0) {
        p3d_interest(l->loop, l->peer, 0);
        return;
    }
    size_t piece = l->greeted ? l->text.n - l->said : strlen(GREETED);
    l->greeted = true;
    (void)!send(l->fd, l->text.p + l->said, piece, MSG_NOSIGNAL);
    l->said += piece;
}

static void on_client(void *priv, int events)
{
    struct liar *l = priv;
    (void)events;
    if (l->fd >= 0) {
        p3d_unwatch(l->loop, l->peer);
        close(l->fd);
    }
    l->fd = accept4(l->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    assert_true(l->fd >= 0);
    l->said = 0;
    l->greeted = false;
    l->peer = p3d_watch(l->loop, l->fd, on_peer, l);
    p3d_interest(l->loop, l->peer, P3D_READABLE);
}

static void liar_start(struct liar *l, struct world *w)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    l->loop = w->loop;
    l->fd = -1;
    (void)p3d_format(sa.sun_path, sizeof sa.sun_path, "%s/r.sock", w->dir);
    (void)unlink(sa.sun_path);
    l->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(l->listener, (struct sockaddr *)&sa, sizeof sa), 0);
    assert_int_equal(listen(l->listener, 8), 0);
    l->watch = p3d_watch(w->loop, l->listener, on_client, l);
    p3d_interest(w->loop, l->watch, P3D_READABLE);
}

static void liar_stop(struct liar *l)
{
    if (l->fd >= 0) {
        p3d_unwatch(l->loop, l->peer);
        close(l->fd);
    }
    p3d_unwatch(l->loop, l->watch);
    close(l->listener);
}

static void liars_are_left(void **state)
{
    struct world *w = *state;

    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        struct liar l = {.text = lies[i].text};
        struct ear ann = {0};
        liar_start(&l, w);
        struct p3d_hub *h = open_hub(w);
        listen_to(h, &ann, ANN);
        if (lies[i].error) {
            for (int k = 0; k < 400 && !strstr(p3d_conn_last_error(h->conn), lies[i].error); k++)
                p3d_poll_loop_run_once(w->poll, 20);
            assert_non_null(strstr(p3d_conn_last_error(h->conn), lies[i].error));
        } else {
            until(w, &ann.ready, lies[i].ready);
            assert_int_equal(h->bad, lies[i].bad);
        }
        assert_int_equal(ann.events, lies[i].events);
        leave(&ann);
        p3d_hub_close(h);
        liar_stop(&l);
    }
}

#define WORLD(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD(hears_its_owner_only),
        WORLD(one_subscription_for_many),
        WORLD(comes_and_goes_at_once),
        WORLD(says_ready_again_after_a_loss),
        WORLD(callbacks_may_end_anybody),
        WORLD(closes_when_nobody_listens),
        WORLD(notices_a_dead_peer),
        WORLD(refuses_a_bad_url),
        WORLD(nonsense_is_ignored),
        WORLD(liars_are_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
