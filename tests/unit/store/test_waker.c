/* SPDX-License-Identifier: MIT
 *
 * core/store/waker.c: each question has one answer, with a server, without one, and when it goes meanwhile; and
 * p3d_poll_wait.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/store/store_internal.h"
#include "p3d/clock.h"
#include "p3d/lease.h"
#include "redis.h"

struct sleeper {
    struct world *w;
    struct p3d_waker *waker;
    int ups, downs;
    bool close, ask_again;
};

static void on_wake(void *priv, bool up)
{
    struct sleeper *s = priv;

    if (up)
        s->ups++;
    else
        s->downs++;
    if (s->close) {
        p3d_waker_close(s->waker);
        s->waker = NULL;
    } else if (s->ask_again) {
        p3d_waker_wait(s->waker);
    }
}

static void wake_up(struct world *w, const char *words)
{
    struct tally t = {0};
    assert_int_equal(call(w, &t, words), 0);
    until(w, &t.n, 1);
    assert_int_equal(t.ok, 1);
}

static void open_waker(struct sleeper *s)
{
    const struct p3d_str kinds[] = {P3D_STR("mesh/a"), P3D_STR("mesh/b")};
    struct p3d_error err;
    assert_int_equal(p3d_waker_open(s->w->loop, &s->w->cfg, kinds, 2, on_wake, s, &s->waker, &err), 0);
}

/* Until the server holds n blocked clients. */
static void until_blocked(struct world *w, int n)
{
    struct p3d_str want = P3D_STR("");
    char text[40];

    (void)p3d_format(text, sizeof text, "blocked_clients:%d\r\n", n);
    want = p3d_str_z(text);
    for (int i = 0; i < 1000; i++) {
        struct tally t = {0};
        assert_int_equal(call(w, &t, "INFO clients"), 0);
        until(w, &t.n, 1);
        if (strstr(t.text, want.p))
            return;
        p3d_poll_loop_run_once(w->poll, 10);
    }
    fail_msg("nobody waits");
}

static void wakes_for_any_kind(void **state)
{
    struct world *w = *state;
    struct sleeper s = {.w = w};

    redis_start(w);
    conn_open(w, 5000, 10, true);
    until_up(w, 1);
    open_waker(&s);
    p3d_waker_wait(s.waker);
    p3d_waker_wait(s.waker); /* the same question */
    until_blocked(w, 1);
    assert_int_equal(s.ups + s.downs, 0);
    wake_up(w, "RPUSH p3d:{0}:wake:mesh/b 1");
    until(w, &s.ups, 1);
    assert_int_equal(s.downs, 0);

    p3d_waker_wait(s.waker);
    until_blocked(w, 1);
    wake_up(w, "RPUSH p3d:{0}:wake:mesh/a 1");
    until(w, &s.ups, 2);

    wake_up(w, "RPUSH p3d:{0}:wake:mesh/a 1"); /* nobody asked */
    p3d_poll_loop_run_once(w->poll, 50);
    assert_int_equal(s.ups, 2);
    p3d_waker_wait(s.waker);
    until(w, &s.ups, 3);
    p3d_waker_close(s.waker);
}

static void answers_after_a_while(void **state)
{
    struct world *w = *state;
    struct sleeper s = {.w = w};

    redis_start(w);
    open_waker(&s);
    uint64_t start = p3d_mono_ms();
    p3d_waker_wait(s.waker);
    until(w, &s.ups, 1);
    assert_in_range(p3d_mono_ms() - start, 3900, 9000);
    assert_int_equal(s.downs, 0);
    p3d_waker_close(s.waker);
}

static void tells_a_loss(void **state)
{
    struct world *w = *state;
    struct sleeper s = {.w = w};

    redis_start(w);
    conn_open(w, 5000, 10, true);
    until_up(w, 1);
    open_waker(&s);
    p3d_waker_wait(s.waker);
    until_blocked(w, 1);
    redis_kill(w);
    until(w, &s.downs, 1);
    assert_int_equal(s.ups, 0);

    p3d_waker_wait(s.waker); /* without a connection: asked when there is one again */
    redis_start(w);
    until_up(w, 2);
    until_blocked(w, 1);
    wake_up(w, "RPUSH p3d:{0}:wake:mesh/a 1");
    until(w, &s.ups, 1);
    p3d_waker_close(s.waker);
}

static void answers_without_a_server(void **state)
{
    struct world *w = *state;
    struct sleeper s = {.w = w, .ask_again = true};

    open_waker(&s);
    uint64_t start = p3d_mono_ms();
    p3d_waker_wait(s.waker);
    until(w, &s.downs, 1);
    assert_in_range(p3d_mono_ms() - start, 3900, 9000);
    p3d_waker_close(s.waker);
}

static void closes_in_its_callback(void **state)
{
    struct world *w = *state;
    struct sleeper s = {.w = w, .close = true};

    redis_start(w);
    conn_open(w, 5000, 10, true);
    until_up(w, 1);
    open_waker(&s);
    p3d_waker_wait(s.waker);
    wake_up(w, "RPUSH p3d:{0}:wake:mesh/a 1");
    until(w, &s.ups, 1);
    assert_null(s.waker);
}

static void closes_while_waiting(void **state)
{
    struct world *w = *state;
    struct sleeper s = {.w = w};

    redis_start(w);
    conn_open(w, 5000, 10, true);
    until_up(w, 1);
    open_waker(&s);
    p3d_waker_wait(s.waker);
    until_blocked(w, 1);
    p3d_waker_close(s.waker);
    until_blocked(w, 0);
    assert_int_equal(s.ups + s.downs, 0);
}

#define NONCE "0123456789abcdef"

/* The world's connection as that of a store: what ends a watch is said through it. */
static struct p3d_store store_of(struct world *w)
{
    return (struct p3d_store){.loop = w->loop, .conn = w->conn};
}

static void watches_an_attempt(void **state)
{
    struct world *w = *state;
    struct sleeper s = {.w = w};

    redis_start(w);
    conn_open(w, 5000, 10, true);
    until_up(w, 1);
    struct p3d_store store = store_of(w);
    open_waker(&s);
    p3d_waker_unwatch(s.waker, &store); /* nothing is watched */
    p3d_waker_watch(s.waker, NONCE);
    until_blocked(w, 1);
    wake_up(w, "RPUSH p3d:{0}:wake:mesh/a 1"); /* not its affair now */
    p3d_poll_loop_run_once(w->poll, 50);
    assert_int_equal(s.ups + s.downs, 0);
    wake_up(w, "RPUSH p3d:{0}:ctl:" NONCE " 1");
    until(w, &s.ups, 1);
    wake_up(w, "RPUSH p3d:{0}:ctl:" NONCE " 1"); /* before it is watched again: kept */
    p3d_waker_watch(s.waker, NONCE);
    until(w, &s.ups, 2);
    p3d_waker_wait(s.waker); /* and the wake-up of before too */
    until(w, &s.ups, 3);
    assert_int_equal(s.downs, 0);
    p3d_waker_close(s.waker);
}

static void an_ended_watch_delays_nothing(void **state)
{
    struct world *w = *state;
    struct sleeper s = {.w = w};

    redis_start(w);
    conn_open(w, 5000, 10, true);
    until_up(w, 1);
    struct p3d_store store = store_of(w);
    open_waker(&s);
    uint64_t start = p3d_mono_ms();
    for (int i = 0; i < 100; i++) {
        p3d_waker_watch(s.waker, NONCE);
        if (i % 3 == 0)
            until_blocked(w, 1); /* else Redis may not have heard of it yet */
        p3d_waker_unwatch(s.waker, &store);
        p3d_waker_unwatch(s.waker, &store);
        if (i % 2 == 0) {
            p3d_waker_wait(s.waker);
            wake_up(w, "RPUSH p3d:{0}:wake:mesh/a 1");
            until(w, &s.ups, i / 2 + 1);
        }
    }
    assert_in_range(p3d_mono_ms() - start, 0, 3000); /* one BLPOP that lay in the way would take longer */
    assert_int_equal(s.ups, 50);
    assert_int_equal(s.downs, 0);
    p3d_waker_close(s.waker);
    struct tally t = {0};
    assert_int_equal(call(w, &t, "PTTL p3d:{0}:ctl:" NONCE), 0);
    until(w, &t.n, 1);
    assert_true(t.integer == -2 || (t.integer >= 0 && t.integer <= 1000));
}

static void a_watch_outlives_time_and_connections(void **state)
{
    struct world *w = *state;
    struct sleeper s = {.w = w};

    redis_start(w);
    conn_open(w, 5000, 10, true);
    until_up(w, 1);
    open_waker(&s);
    p3d_waker_watch(s.waker, NONCE);
    until_blocked(w, 1);
    redis_kill(w);
    until_down(w, 1);
    redis_start(w);
    until_up(w, 2);
    until_blocked(w, 1);
    uint64_t start = p3d_mono_ms();
    while (p3d_mono_ms() - start < 5500) /* longer than one BLPOP */
        p3d_poll_loop_run_once(w->poll, 50);
    assert_int_equal(s.ups + s.downs, 0);
    until_blocked(w, 1);
    wake_up(w, "RPUSH p3d:{0}:ctl:" NONCE " 1");
    until(w, &s.ups, 1);
    p3d_waker_watch(s.waker, NONCE);
    until_blocked(w, 1);
    p3d_waker_close(s.waker);
    assert_int_equal(s.ups, 1);
}

/* Nobody can end the watch: its connection is made anew, and the wait is answered. */
static void a_watch_ends_without_a_store(void **state)
{
    struct world *w = *state;
    struct sleeper s = {.w = w};

    redis_start(w);
    conn_open(w, 5000, 10, true);
    until_up(w, 1);
    struct p3d_store store = store_of(w);
    open_waker(&s);
    p3d_waker_watch(s.waker, NONCE);
    until_blocked(w, 1);
    p3d_conn_drop(w->conn, "test");
    p3d_waker_unwatch(s.waker, &store);
    p3d_waker_wait(s.waker);
    until_up(w, 2);
    until_blocked(w, 1);
    wake_up(w, "RPUSH p3d:{0}:wake:mesh/a 1");
    until(w, &s.ups, 1);
    p3d_waker_close(s.waker);
}

static void needs_a_kind_and_a_url(void **state)
{
    struct world *w = *state;
    struct p3d_waker *waker = NULL;
    struct p3d_error err = {0};
    const struct p3d_str kind = P3D_STR("a/b");

    assert_int_equal(p3d_waker_open(w->loop, &w->cfg, NULL, 0, on_wake, NULL, &waker, &err), P3D_E_CONFIG);
    world_url(w, "redis://:hunter2@/");
    assert_int_equal(p3d_waker_open(w->loop, &w->cfg, &kind, 1, on_wake, NULL, &waker, &err), P3D_E_CONFIG);
    assert_null(waker);
}

struct bell {
    struct p3d_timer timer;
    struct p3d_turn turn;
    bool rung;
};

static void on_bell(struct p3d_timer *t)
{
    P3D_OWNER(t, struct bell, timer)->rung = true;
}

static void on_turn(struct p3d_turn *t)
{
    P3D_OWNER(t, struct bell, turn)->rung = true;
}

static void waits_in_a_straight_line(void **state)
{
    struct world *w = *state;
    struct bell b = {.timer.cb = on_bell, .turn.cb = on_turn};

    uint64_t start = p3d_mono_ms();
    assert_int_equal(p3d_poll_wait(w->poll, &b.rung, 120), P3D_E_TIMEOUT);
    assert_in_range(p3d_mono_ms() - start, 120, 5000);
    p3d_timer_set(w->loop, &b.timer, 30);
    assert_int_equal(p3d_poll_wait(w->poll, &b.rung, 20000), 0);
    assert_int_equal(p3d_poll_wait(w->poll, &b.rung, 0), 0);
    b.rung = false;
    p3d_turn_end(w->loop, &b.turn);
    start = p3d_mono_ms();
    assert_int_equal(p3d_poll_wait(w->poll, &b.rung, 20000), 0);
    assert_in_range(p3d_mono_ms() - start, 0, 5000);
}

#define WORLD(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD(wakes_for_any_kind),
        WORLD(answers_after_a_while),
        WORLD(tells_a_loss),
        WORLD(answers_without_a_server),
        WORLD(closes_in_its_callback),
        WORLD(closes_while_waiting),
        WORLD(watches_an_attempt),
        WORLD(an_ended_watch_delays_nothing),
        WORLD(a_watch_outlives_time_and_connections),
        WORLD(a_watch_ends_without_a_store),
        WORLD(needs_a_kind_and_a_url),
        WORLD(waits_in_a_straight_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
