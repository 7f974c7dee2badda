/* SPDX-License-Identifier: MIT
 *
 * Lifetimes: clients that leave, the limit of connections, the drain, and the loop that all of it
 * runs on.
 */
#include "http_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "p3d/clock.h"

#define H "Host: a\r\n"

static int start(void **state)
{
    (void)state;
    return server_start(test_routes, test_routes_n);
}

static int start_three(void **state)
{
    (void)state;
    app.cfg.server_max_connections = 3;
    return server_start(test_routes, test_routes_n);
}

static int stop(void **state)
{
    (void)state;
    atomic_store(&app.release, true);
    (void)wait_for(&app.cells, 0);
    return server_stop();
}

static void test_leaves_while_pending(void **state)
{
    enum { N = 50 };
    int fds[N];
    (void)state;
    for (int i = 0; i < N; i++) {
        struct linger now = {.l_onoff = 1, .l_linger = 0};
        fds[i] = dial();
        send_text(fds[i], "GET /later HTTP/1.1\r\n" H "\r\n");
        if (i % 2 == 0)
            assert_int_equal(setsockopt(fds[i], SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
    }
    assert_true(wait_for(&app.cells, N));
    for (int i = 0; i < N; i++)
        (void)close(fds[i]);
    struct answer a = ask("GET /hello HTTP/1.1\r\n" H "\r\n");
    assert_int_equal(a.status, 200);
    answer_done(&a);
    atomic_store(&app.release, true);
    assert_true(wait_for(&app.cells, 0));
    assert_true(wait_for(&app.requests, N + 1)); /* each is reported, once */
}

static void test_leaves_in_the_body(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        int fd = dial();
        send_text(fd, "POST /submit HTTP/1.1\r\n" H "Content-Length: 1000000\r\n\r\nhalf of it");
        (void)close(fd);
    }
    struct answer a = ask("GET /hello HTTP/1.1\r\n" H "\r\n");
    assert_int_equal(a.status, 200);
    answer_done(&a);
    assert_int_equal(atomic_load(&app.cells), 0);
}

static void test_limit_of_connections(void **state)
{
    int fds[4];
    (void)state;
    for (int i = 0; i < 4; i++) {
        fds[i] = dial(); /* the fourth waits in the kernel's queue */
        send_text(fds[i], "GET /hello HTTP/1.1\r\n" H "\r\n");
        if (i == 3)
            break;
        struct answer a = receive(fds[i], false);
        assert_int_equal(a.status, 200);
        answer_done(&a);
    }
    struct pollfd p = {.fd = fds[3], .events = POLLIN};
    assert_int_equal(poll(&p, 1, 100), 0);
    (void)close(fds[0]);
    struct answer a = receive(fds[3], false);
    assert_int_equal(a.status, 200);
    answer_done(&a);
    for (int i = 1; i < 4; i++)
        (void)close(fds[i]);
}

static bool refused(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)app.port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool no = connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0 && errno == ECONNREFUSED;
    (void)close(fd);
    return no;
}

static void test_drain(void **state)
{
    char text[64];
    (void)state;
    int pending = dial(), idle = dial();
    send_text(pending, "GET /later HTTP/1.1\r\n" H "\r\n");
    send_text(idle, "GET /hello HTTP/1.1\r\n" H "\r\n");
    struct answer a = receive(idle, false);
    assert_string_equal(header(&a, "connection", text, sizeof(text)), "keep-alive");
    answer_done(&a);
    assert_true(wait_for(&app.cells, 1));
    atomic_store(&app.drain, true);
    uint64_t until_ms = p3d_mono_ms() + WAIT_MS;
    while (!refused() && p3d_mono_ms() < until_ms)
        (void)poll(NULL, 0, 1);
    assert_true(refused());
    assert_false(atomic_load(&app.idle));
    atomic_store(&app.release, true);
    a = receive(pending, false);
    assert_int_equal(a.status, 200);
    assert_string_equal(header(&a, "connection", text, sizeof(text)), "close");
    answer_done(&a);
    assert_true(ended(pending));
    assert_true(ended(idle)); /* asks for nothing: cut after 5 s */
    until_ms = p3d_mono_ms() + WAIT_MS;
    while (!atomic_load(&app.idle) && p3d_mono_ms() < until_ms)
        (void)poll(NULL, 0, 1);
    assert_true(atomic_load(&app.idle));
    (void)close(pending);
    (void)close(idle);
}

struct pipe_test {
    struct p3d_loop *loop;
    struct p3d_watch *r, *w;
    struct p3d_timer timer;
    struct p3d_turn turn;
    int fds[2];
    int reads, writes, timers, turns;
};

static void on_read(void *priv, int events)
{
    struct pipe_test *t = priv;
    char ch;
    assert_int_equal(events, P3D_READABLE);
    if (++t->reads < 3)
        return; /* level-triggered: not read, so it comes again */
    assert_int_equal(read(t->fds[0], &ch, 1), 1);
    p3d_unwatch(t->loop, t->r);
    t->r = NULL;
}

static void on_write(void *priv, int events)
{
    struct pipe_test *t = priv;
    assert_int_equal(events, P3D_WRITABLE);
    if (++t->writes == 3)
        p3d_interest(t->loop, t->w, 0);
}

static void on_timer(struct p3d_timer *timer)
{
    struct pipe_test *t = (struct pipe_test *)((char *)timer - offsetof(struct pipe_test, timer));
    if (++t->timers < 3)
        p3d_timer_set(t->loop, timer, 1);
    p3d_turn_end(t->loop, &t->turn);
}

static void on_turn(struct p3d_turn *turn)
{
    struct pipe_test *t = (struct pipe_test *)((char *)turn - offsetof(struct pipe_test, turn));
    t->turns++;
}

static void test_loop(void **state)
{
    struct pipe_test t = {.timer.cb = on_timer, .turn.cb = on_turn};
    struct p3d_http *h = NULL;
    (void)state;
    assert_int_equal(p3d_http_new(&h, NULL), 0);
    t.loop = p3d_http_loop(h);
    assert_int_equal(pipe(t.fds), 0);
    t.r = p3d_watch(t.loop, t.fds[0], on_read, &t);
    t.w = p3d_watch(t.loop, t.fds[1], on_write, &t);
    p3d_interest(t.loop, t.w, P3D_WRITABLE);
    p3d_interest(t.loop, t.r, P3D_READABLE);
    p3d_timer_set(t.loop, &t.timer, 1);
    for (int i = 0; i < 200 && t.writes < 3; i++)
        p3d_http_run_once(h, 20);
    assert_int_equal(write(t.fds[1], "x", 1), 1);
    for (int i = 0; i < 200 && (t.r != NULL || t.timers < 3 || t.turns < 3); i++)
        p3d_http_run_once(h, 20);
    assert_true(t.r == NULL && t.reads == 3 && t.writes == 3 && t.timers == 3 && t.turns == 3);
    p3d_interest(t.loop, t.w, P3D_WRITABLE);
    for (int i = 0; i < 200 && t.writes < 4; i++)
        p3d_http_run_once(h, 20);
    assert_true(t.writes >= 4);
    p3d_unwatch(t.loop, t.w);
    assert_int_equal(write(t.fds[1], "x", 1), 1); /* the watch had a descriptor of its own */
    p3d_http_run_once(h, 0);
    (void)close(t.fds[0]);
    (void)close(t.fds[1]);
    p3d_http_free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loop),
        cmocka_unit_test_setup_teardown(test_leaves_while_pending, start, stop),
        cmocka_unit_test_setup_teardown(test_leaves_in_the_body, start, stop),
        cmocka_unit_test_setup_teardown(test_limit_of_connections, start_three, stop),
        cmocka_unit_test_setup_teardown(test_drain, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
