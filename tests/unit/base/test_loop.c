/* SPDX-License-Identifier: MIT
 *
 * core/base/loop.c and loop_poll.c: order of timers, everything removed from within callbacks,
 * turns, posts.
 */
#include "unit.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "p3d/clock.h"
#include "p3d/loop.h"
#include "p3d/str.h"

#define DEADLINE_MS 10000

static struct p3d_poll_loop *poll_loop;
static struct p3d_loop *loop;
static int calls;

static int setup(void **state)
{
    (void)state;
    calls = 0;
    int r = p3d_poll_loop_new(&poll_loop);
    loop = r == 0 ? p3d_poll_loop_base(poll_loop) : NULL;
    return r;
}

static int teardown(void **state)
{
    (void)state;
    p3d_poll_loop_free(poll_loop);
    p3d_poll_loop_free(NULL);
    return 0;
}

/* Turn the loop until `calls` is n. */
static void run_until(int n)
{
    uint64_t end_ms = p3d_mono_ms() + DEADLINE_MS;
    while (calls < n && p3d_mono_ms() < end_ms)
        p3d_poll_loop_run_once(poll_loop, 100);
    assert_int_equal(calls, n);
}

struct alarm {
    struct p3d_timer timer;
    uint64_t again_ms; /* in the callback: UINT64_MAX = not */
    struct alarm *clear, *set;
};
static struct alarm *rung[64];

static void on_alarm(struct p3d_timer *t)
{
    struct alarm *a = (struct alarm *)t;
    assert_int_equal(t->slot, 0);
    assert_true(p3d_mono_ms() >= t->at_ms);
    rung[calls++ % 64] = a;
    if (a->again_ms != UINT64_MAX)
        p3d_timer_set(loop, t, a->again_ms);
    if (a->clear != NULL)
        p3d_timer_clear(loop, &a->clear->timer);
    if (a->set != NULL)
        p3d_timer_set(loop, &a->set->timer, 0);
}

#define ALARM()                                                                                    \
    {                                                                                              \
        .timer = {.cb = on_alarm}, .again_ms = UINT64_MAX                                          \
    }

static void timer_order(void **state)
{
    (void)state;
    static const uint64_t in_ms[] = {40, 10, 30, 0, 20, 15, 35, 5};
    static const size_t order[] = {3, 7, 1, 5, 4, 2, 6, 0};
    struct alarm a[COUNT(in_ms)];
    for (size_t i = 0; i < COUNT(a); i++) {
        a[i] = (struct alarm)ALARM();
        p3d_timer_set(loop, &a[i].timer, 1000000);
        p3d_timer_set(loop, &a[i].timer, in_ms[i]); /* moves it */
    }
    run_until((int)COUNT(a));
    for (size_t i = 0; i < COUNT(a); i++)
        assert_ptr_equal(rung[i], &a[order[i]]);
}

static void timer_callbacks(void **state)
{
    (void)state;
    struct alarm cleared = ALARM(), late = ALARM(), first = ALARM(), never = ALARM();
    first.clear = &cleared;
    first.set = &late;
    p3d_timer_clear(loop, &never.timer); /* was not set */
    p3d_timer_set(loop, &never.timer, UINT64_MAX);
    p3d_timer_set(loop, &first.timer, 0);
    p3d_timer_set(loop, &cleared.timer, 1);
    uint64_t end_ms = p3d_mono_ms() + 3;
    while (p3d_mono_ms() < end_ms) /* both are due in the same turn */
        continue;
    run_until(2);
    assert_ptr_equal(rung[0], &first);
    assert_ptr_equal(rung[1], &late);
    assert_int_equal(cleared.timer.slot, 0);
    p3d_timer_clear(loop, &never.timer);
    assert_int_equal(p3d_loop_before_wait(loop, -1), -1);
}

/* One that sets itself anew with 0 ms runs once a turn. */
static void timer_renewed(void **state)
{
    (void)state;
    struct alarm a = ALARM();
    a.again_ms = 0;
    p3d_timer_set(loop, &a.timer, 0);
    p3d_poll_loop_run_once(poll_loop, 100);
    assert_int_equal(calls, 1);
    p3d_poll_loop_run_once(poll_loop, 100);
    assert_int_equal(calls, 2);
    p3d_timer_clear(loop, &a.timer);
}

/* The heap against a plain list, with a fixed sequence of operations. */
static void timer_heap(void **state)
{
    (void)state;
    static struct p3d_timer t[200];
    uint32_t x = 12345;
    for (int step = 0; step < 20000; step++) {
        x = x * 1664525 + 1013904223;
        struct p3d_timer *one = &t[(x >> 8) % COUNT(t)];
        if ((x >> 28) < 6)
            p3d_timer_clear(loop, one);
        else
            p3d_timer_set(loop, one, 1000 + (x >> 16) % 1000);
        uint64_t least = UINT64_MAX;
        size_t set = 0;
        for (size_t i = 0; i < COUNT(t); i++) {
            if (t[i].slot == 0)
                continue;
            set++;
            assert_ptr_equal(loop->heap[t[i].slot - 1], &t[i]);
            least = t[i].at_ms < least ? t[i].at_ms : least;
        }
        assert_int_equal(loop->heap_n, set);
        if (set > 0)
            assert_int_equal(loop->heap[0]->at_ms, least);
    }
    for (size_t i = 0; i < COUNT(t); i++)
        p3d_timer_clear(loop, &t[i]);
    assert_int_equal(loop->heap_n, 0);
}

static void waits(void **state)
{
    (void)state;
    struct alarm a = ALARM();
    assert_int_equal(p3d_loop_before_wait(loop, 500), 500);
    p3d_timer_set(loop, &a.timer, 100000);
    assert_int_equal(p3d_loop_before_wait(loop, 500), 500);
    assert_true(p3d_loop_before_wait(loop, -1) > 90000);
    p3d_timer_set(loop, &a.timer, UINT64_MAX / 2);
    assert_true(p3d_loop_before_wait(loop, -1) > 0);
    p3d_timer_set(loop, &a.timer, 0);
    assert_int_equal(p3d_loop_before_wait(loop, -1), 0);
    p3d_timer_clear(loop, &a.timer);
}

struct step {
    struct p3d_turn turn;
    struct step *queue;
    struct step *clear;
    int place;
};

static void on_turn(struct p3d_turn *t)
{
    struct step *s = (struct step *)t;
    assert_false(t->queued);
    s->place = ++calls;
    if (s->queue != NULL)
        p3d_turn_end(loop, &s->queue->turn);
    if (s->clear != NULL)
        p3d_turn_clear(loop, &s->clear->turn);
}

static void turns(void **state)
{
    (void)state;
    struct step d = {.turn = {.cb = on_turn}}, c = d, b = d, a = d;
    a.queue = &d;
    b.clear = &c;
    p3d_turn_end(loop, &a.turn);
    p3d_turn_end(loop, &b.turn);
    p3d_turn_end(loop, &c.turn);
    p3d_turn_end(loop, &a.turn); /* is queued */
    assert_int_equal(p3d_loop_before_wait(loop, 7), 7);
    assert_int_equal(a.place, 1);
    assert_int_equal(b.place, 2);
    assert_int_equal(c.place, 0);
    assert_int_equal(d.place, 3);
    p3d_turn_clear(loop, &c.turn);
    p3d_turn_end(loop, &a.turn);
    p3d_turn_end(loop, &c.turn);
    p3d_turn_clear(loop, &c.turn); /* the last one */
    p3d_turn_end(loop, &d.turn);
    p3d_turn_clear(loop, &a.turn); /* the first one */
    assert_int_equal(p3d_loop_before_wait(loop, 7), 7);
    assert_int_equal(d.place, 4);
}

static void turns_bounded(void **state)
{
    (void)state;
    struct step a = {.turn = {.cb = on_turn}};
    a.queue = &a;
    p3d_turn_end(loop, &a.turn);
    assert_int_equal(p3d_loop_before_wait(loop, -1), 0);
    assert_true(calls > 1 && calls < 100000);
    a.queue = NULL;
    assert_int_equal(p3d_loop_before_wait(loop, -1), -1);
}

struct end {
    struct p3d_watch *watch;
    int fd, other, calls, events;
    struct end *remove, *quiet;
    bool add, remove_self;
};

static void on_new(void *priv, int events)
{
    (void)events;
    struct end *e = priv;
    e->calls += 100;
}

static void on_end(void *priv, int events)
{
    struct end *e = priv;
    e->calls++;
    e->events = events;
    calls++;
    if (e->remove != NULL) {
        p3d_unwatch(loop, e->remove->watch);
        e->remove->watch = NULL;
        e->remove = NULL;
    }
    if (e->quiet != NULL)
        p3d_interest(loop, e->quiet->watch, 0);
    if (e->remove_self || e->add) {
        p3d_unwatch(loop, e->watch);
        e->watch = NULL;
    }
    for (int i = 0; e->add && i < 50; i++) { /* the tables must grow during the dispatch */
        struct p3d_watch *w = p3d_watch(loop, e->fd, on_new, e);
        p3d_interest(loop, w, P3D_READABLE);
        if (i < 49)
            p3d_unwatch(loop, w);
        else
            e->watch = w;
    }
    e->add = false;
}

static void open_end(struct end *e, bool ready)
{
    int fds[2];
    memset(e, 0, sizeof(*e));
    assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    e->fd = fds[0];
    e->other = fds[1];
    if (ready)
        assert_int_equal(write(e->other, "x", 1), 1);
    e->watch = p3d_watch(loop, e->fd, on_end, e);
    p3d_interest(loop, e->watch, P3D_READABLE);
}

static void close_end(struct end *e)
{
    p3d_unwatch(loop, e->watch);
    close(e->fd);
    if (e->other >= 0)
        close(e->other);
}

static void watches(void **state)
{
    (void)state;
    struct end a, b;
    open_end(&a, true);
    open_end(&b, false);
    p3d_poll_loop_run_once(poll_loop, 1000);
    p3d_poll_loop_run_once(poll_loop, 1000); /* level-triggered */
    assert_int_equal(a.calls, 2);
    assert_int_equal(a.events, P3D_READABLE);
    assert_int_equal(b.calls, 0);
    p3d_interest(loop, a.watch, 0);
    p3d_poll_loop_run_once(poll_loop, 0);
    assert_int_equal(a.calls, 2);
    close(b.other); /* hang-up is readable, and silent without interest */
    b.other = -1;
    p3d_poll_loop_run_once(poll_loop, 1000);
    assert_int_equal(b.calls, 1);
    p3d_interest(loop, b.watch, 0);
    p3d_poll_loop_run_once(poll_loop, 0);
    assert_int_equal(b.calls, 1);
    struct end w = {.fd = a.other, .other = -1};
    w.watch = p3d_watch(loop, w.fd, on_end, &w);
    p3d_interest(loop, w.watch, P3D_READABLE | P3D_WRITABLE);
    p3d_poll_loop_run_once(poll_loop, 1000);
    assert_int_equal(w.events, P3D_WRITABLE);
    p3d_unwatch(loop, w.watch);
    p3d_unwatch(loop, NULL);
    close_end(&a);
    close_end(&b);
}

/* Whichever of two ready watches comes first removes (or silences) the other, which then must not
 * be called. */
static void watch_removed_by_other(void **state)
{
    (void)state;
    for (int round = 0; round < 4; round++) {
        struct end e[3];
        for (int i = 0; i < 3; i++)
            open_end(&e[i], true);
        if (round < 2)
            e[0].remove = &e[round + 1];
        else
            e[0].quiet = &e[round - 1];
        p3d_poll_loop_run_once(poll_loop, 1000);
        assert_int_equal(e[0].calls, 1);
        assert_int_equal(e[1].calls, round % 2 == 0 ? 0 : 1);
        assert_int_equal(e[2].calls, round % 2 == 0 ? 1 : 0);
        for (int i = 0; i < 3; i++)
            close_end(&e[i]);
    }
}

static void watch_removes_itself(void **state)
{
    (void)state;
    struct end a, b;
    open_end(&a, true);
    open_end(&b, true);
    a.remove_self = true;
    p3d_poll_loop_run_once(poll_loop, 1000);
    p3d_poll_loop_run_once(poll_loop, 1000);
    assert_int_equal(a.calls, 1);
    assert_int_equal(b.calls, 2);
    b.add = true; /* the new one on the same descriptor is called from the next turn on */
    p3d_poll_loop_run_once(poll_loop, 1000);
    assert_int_equal(b.calls, 3);
    p3d_poll_loop_run_once(poll_loop, 1000);
    assert_int_equal(b.calls, 103);
    close_end(&a);
    close_end(&b);
}

struct letter {
    struct p3d_post post;
    int number;
};
static int letters_seen[4];

static void on_letter(struct p3d_post *p)
{
    struct letter *l = (struct letter *)p;
    assert_true(letters_seen[l->number / 10000] == l->number % 10000); /* in order, per thread */
    letters_seen[l->number / 10000]++;
    calls++;
}

static void *send(void *arg)
{
    struct letter *l = arg;
    for (int i = 0; i < 1000; i++)
        p3d_loop_post(loop, &l[i].post);
    return NULL;
}

static void posts(void **state)
{
    (void)state;
    static struct letter letters[4][1000];
    pthread_t threads[4];
    memset(letters_seen, 0, sizeof(letters_seen));
    for (int t = 0; t < 4; t++) {
        for (int i = 0; i < 1000; i++)
            letters[t][i] = (struct letter){.post = {.cb = on_letter}, .number = t * 10000 + i};
        assert_int_equal(pthread_create(&threads[t], NULL, send, letters[t]), 0);
    }
    run_until(4000);
    for (int t = 0; t < 4; t++)
        pthread_join(threads[t], NULL);
    p3d_poll_loop_run_once(poll_loop, 0);
    assert_int_equal(calls, 4000);
}

static void on_repost(struct p3d_post *p)
{
    if (++calls < 3)
        p3d_loop_post(loop, p);
}

static void post_again(void **state)
{
    (void)state;
    struct p3d_post p = {.cb = on_repost};
    p3d_loop_post(loop, &p);
    p3d_poll_loop_run_once(poll_loop, 1000);
    assert_int_equal(calls, 1);
    run_until(3);
}

#define ON_LOOP(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_LOOP(timer_order),          ON_LOOP(timer_callbacks), ON_LOOP(timer_renewed),
        ON_LOOP(timer_heap),           ON_LOOP(waits),           ON_LOOP(turns),
        ON_LOOP(turns_bounded),        ON_LOOP(watches),         ON_LOOP(watch_removed_by_other),
        ON_LOOP(watch_removes_itself), ON_LOOP(posts),           ON_LOOP(post_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
