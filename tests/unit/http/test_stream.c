/* SPDX-License-Identifier: MIT
 *
 * Answers that come bit by bit, clients that leave while nothing is sent, and the drain of both.
 */
#include "http_fixture.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "p3d/clock.h"

#define H "Host: a\r\n"
#define TICKS 200
#define LIMIT (1u << 20)

struct source {
    struct p3d_timer timer;
    struct p3d_call *call;
    int n;
    bool over;
};
static atomic_int gone, begun, told;
static atomic_bool go;
static char block[65536];

static void on_cell_end(void *arg)
{
    (void)arg;
    atomic_fetch_sub(&app.cells, 1);
}

static struct source *source_new(struct p3d_call *c, void (*cb)(struct p3d_timer *t))
{
    struct source *s = p3d_call_alloc(c, sizeof(*s));
    s->timer.cb = cb;
    s->call = p3d_call_ref(c);
    atomic_fetch_add(&app.cells, 1);
    atomic_fetch_add(&begun, 1);
    p3d_call_defer(c, on_cell_end, NULL);
    return s;
}

static void source_end(struct source *s)
{
    assert_false(s->over);
    s->over = true;
    p3d_timer_clear(p3d_http_loop(app.http), &s->timer);
    p3d_call_unref(s->call);
}

static void on_gone(void *arg)
{
    atomic_fetch_add(&gone, 1);
    source_end(arg);
}

static void tick(struct p3d_timer *t)
{
    struct source *s = (struct source *)t;
    char text[32];
    if (s->n == TICKS) {
        p3d_stream_end(s->call);
        source_end(s);
        return;
    }
    for (int i = 0; i < 4; i++) {
        (void)p3d_format(text, sizeof(text), "tick %d\n", s->n++);
        p3d_stream_send(s->call, p3d_str_z(text));
    }
    p3d_timer_set(p3d_http_loop(app.http), t, 1);
}

static void on_ticks(struct p3d_call *c)
{
    struct source *s = source_new(c, tick);
    p3d_stream_begin(c, "text/plain; charset=utf-8", LIMIT, on_gone, s);
    if (!p3d_call_is_head(c))
        tick(&s->timer);
}

static void on_drain(void *arg)
{
    struct source *s = arg;
    atomic_fetch_add(&told, 1);
    p3d_stream_send(s->call, P3D_STR("bye\n"));
    p3d_stream_end(s->call);
    source_end(s);
}

static void on_quiet(struct p3d_call *c)
{
    struct source *s = source_new(c, NULL);
    p3d_stream_begin(c, "text/event-stream", LIMIT, on_gone, s);
    p3d_call_on_drain(c, on_drain, s);
    p3d_stream_send(c, P3D_STR("hello\n"));
}

static void flood(struct p3d_timer *t)
{
    struct source *s = (struct source *)t;
    assert_true(p3d_stream_waiting(s->call) <= 2 * LIMIT);
    p3d_stream_send(s->call, (struct p3d_str){block, sizeof(block)});
    p3d_timer_set(p3d_http_loop(app.http), t, 1);
}

static void on_flood(struct p3d_call *c)
{
    struct source *s = source_new(c, flood);
    p3d_stream_begin(c, "text/plain", LIMIT, on_gone, s);
    flood(&s->timer);
}

static void answer_when_let(struct p3d_timer *t)
{
    struct source *s = (struct source *)t;
    if (!atomic_load(&go)) {
        p3d_timer_set(p3d_http_loop(app.http), t, 2);
        return;
    }
    p3d_reply_json(s->call, 200, json_object());
    source_end(s);
}

static void on_drain_wait(void *arg)
{
    struct source *s = arg;
    atomic_fetch_add(&told, 1);
    p3d_reply_json(s->call, 200, json_object());
    source_end(s);
}

static void on_wait(struct p3d_call *c)
{
    struct source *s = source_new(c, answer_when_let);
    p3d_call_on_gone(c, on_gone, s);
    p3d_call_on_drain(c, on_drain_wait, s);
    answer_when_let(&s->timer);
}

/* Begins when the client has left already. */
static void begin_late(struct p3d_timer *t)
{
    struct source *s = (struct source *)t;
    if (!p3d_call_gone(s->call)) {
        p3d_timer_set(p3d_http_loop(app.http), t, 2);
        return;
    }
    p3d_stream_begin(s->call, "text/plain", LIMIT, on_gone, s);
    p3d_stream_send(s->call, P3D_STR("nobody hears\n"));
}

static void on_nothing(void *arg)
{
    (void)arg;
}

static void on_late(struct p3d_call *c)
{
    struct source *s = source_new(c, begin_late);
    p3d_call_on_gone(c, on_nothing, s);
    begin_late(&s->timer);
}

#define R(p, h)                                                                                    \
    {                                                                                              \
        .method = P3D_GET, .pattern = (p), .credential = P3D_CRED_PUBLIC, .mode = P3D_MODE_ANY,    \
        .body = P3D_BODY_NONE, .handler = on_##h, .name = #h, .doc = ""                            \
    }
static const struct p3d_route routes[] = {
    R("/ticks", ticks), R("/quiet", quiet), R("/flood", flood),
    R("/wait", wait),   R("/late", late),   R("/hello", hello),
};

static int start(void **state)
{
    (void)state;
    atomic_store(&gone, 0);
    atomic_store(&begun, 0);
    atomic_store(&told, 0);
    atomic_store(&go, false);
    app.cfg.server_drain_seconds = 10;
    return server_start(routes, sizeof(routes) / sizeof(routes[0]));
}

static int stop(void **state)
{
    (void)state;
    return server_stop();
}

/* Up to the end of the connection, or of a chunked body. */
static char *read_all(int fd, bool chunked)
{
    struct p3d_buf b;
    char part[4096];
    p3d_buf_init(&b, 0);
    while (!chunked || b.n < 7 || memcmp(b.p + b.n - 7, "\r\n0\r\n\r\n", 7) != 0) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, WAIT_MS) != 1)
            fail_msg("nothing within %d ms", WAIT_MS);
        ssize_t n = recv(fd, part, sizeof(part), 0);
        if (n <= 0)
            break;
        p3d_buf_add(&b, part, (size_t)n);
    }
    return p3d_buf_take(&b);
}

/* Takes the sizes out. */
static void unchunk(char *body)
{
    char *to = body, *at = body;
    size_t n;
    while ((n = strtoul(at, &at, 16)) > 0) {
        memmove(to, at + 2, n);
        to += n;
        at += 2 + n + 2;
    }
    *to = '\0';
}

static void assert_ticks(const char *body)
{
    struct p3d_buf want;
    p3d_buf_init(&want, 0);
    for (int i = 0; i < TICKS; i++)
        p3d_buf_addf(&want, "tick %d\n", i);
    assert_string_equal(body, want.p);
    p3d_buf_done(&want);
}

static void test_chunked(void **state)
{
    int fd = dial();
    (void)state;
    for (int i = 0; i < 2; i++) { /* the connection goes on */
        send_text(fd, "GET /ticks HTTP/1.1\r\n" H "\r\n");
        char *text = read_all(fd, true), *body = strstr(text, "\r\n\r\n") + 4;
        assert_non_null(strstr(text, "HTTP/1.1 200 OK\r\n"));
        assert_non_null(strcasestr(text, "\r\ntransfer-encoding: chunked\r\n"));
        assert_non_null(strcasestr(text, "\r\ncontent-type: text/plain; charset=utf-8\r\n"));
        assert_non_null(strcasestr(text, "\r\nx-accel-buffering: no\r\n"));
        assert_non_null(strcasestr(text, "\r\ncache-control: no-store\r\n"));
        assert_null(strcasestr(text, "content-length"));
        unchunk(body);
        assert_ticks(body);
        free(text);
    }
    (void)close(fd);
    assert_true(wait_for(&app.cells, 0));
    assert_int_equal(atomic_load(&gone), 0);
}

static void test_old_client(void **state)
{
    int fd = dial();
    (void)state;
    send_text(fd, "GET /ticks HTTP/1.0\r\n" H "Connection: keep-alive\r\n\r\n");
    char *text = read_all(fd, false);
    assert_null(strcasestr(text, "transfer-encoding"));
    assert_non_null(strcasestr(text, "\r\nconnection: close\r\n"));
    assert_ticks(strstr(text, "\r\n\r\n") + 4);
    free(text);
    (void)close(fd);
    assert_true(wait_for(&app.cells, 0));
}

static void test_head(void **state)
{
    int fd = dial();
    (void)state;
    send_text(fd, "HEAD /ticks HTTP/1.1\r\n" H "\r\n"
                  "GET /hello HTTP/1.1\r\n" H "\r\n");
    for (int i = 0; i < 2; i++) {
        struct answer a = receive(fd, i == 0);
        assert_int_equal(a.status, 200);
        answer_done(&a);
    }
    (void)close(fd);
    assert_true(wait_for(&app.cells, 0));
}

/* how 0: closes; 1: resets; 2: shuts its side down and waits for the end. */
static void leave(int fd, int how)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    if (how == 1)
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
    if (how == 2) {
        (void)shutdown(fd, SHUT_WR);
        free(read_all(fd, false));
    }
    (void)close(fd);
}

/* behind: comes after the request has begun; NULL: nothing. */
static void leaving(const char *request, const char *behind)
{
    enum { N = 60 };
    int fds[N];
    for (int i = 0; i < N; i++) {
        fds[i] = dial();
        send_text(fds[i], request);
    }
    assert_true(wait_for(&begun, N));
    for (int i = 0; i < N && behind != NULL; i++)
        send_text(fds[i], behind);
    assert_int_equal(atomic_load(&gone), 0);
    for (int i = 2; i < N; i += 3)
        (void)shutdown(fds[i], SHUT_WR); /* all of them before the first is waited for */
    for (int i = 0; i < N; i++)
        leave(fds[i], i % 3);
    assert_true(wait_for(&gone, N));
    assert_true(wait_for(&app.cells, 0));
    assert_true(wait_for(&app.requests, N));
}

static void test_leaves_a_stream(void **state)
{
    (void)state;
    leaving("GET /quiet HTTP/1.1\r\n" H "\r\n", NULL);
}

static void test_leaves_a_wait(void **state)
{
    (void)state;
    leaving("GET /wait HTTP/1.1\r\n" H "\r\n", NULL);
    assert_int_equal(atomic_load(&app.last_status), 499);
}

static void test_left_before(void **state)
{
    (void)state;
    leaving("GET /late HTTP/1.1\r\n" H "\r\n", NULL);
}

/* What stands behind the request hides the end of the connection. */
static void test_leaves_with_bytes_behind(void **state)
{
    static const char *const requests[] = {"GET /quiet HTTP/1.1\r\n" H "\r\n", "GET /wait HTTP/1.1\r\n" H "\r\n",
                                           "GET /late HTTP/1.1\r\n" H "\r\n"};
    static const char *const behind[] = {"\r\n", "GET /hello HTTP/1.1\r\n" H "\r\n"};
    (void)state;
    for (size_t i = 0; i < 6; i++) {
        atomic_store(&gone, 0);
        atomic_store(&begun, 0);
        uint64_t began_ms = p3d_mono_ms();
        leaving(requests[i / 2], behind[i % 2]);
        assert_true(p3d_mono_ms() < began_ms + 5000);
        atomic_store(&app.requests, 0);
    }
}

/* Long enough for several looks at the connection, and its client is still there. */
static void test_stays_with_bytes_behind(void **state)
{
    int fd = dial(), quiet = dial();
    (void)state;
    send_text(fd, "GET /wait HTTP/1.1\r\n" H "\r\n");
    send_text(quiet, "GET /quiet HTTP/1.1\r\n" H "\r\n");
    assert_true(wait_for(&begun, 2));
    send_text(fd, "GET /hello HTTP/1.1\r\n" H "\r\nGET /wait HTTP/1.1\r\n" H "\r\n");
    send_text(quiet, "\r\n");
    struct pollfd p = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 2500), 0);
    assert_int_equal(atomic_load(&gone), 0);
    atomic_store(&go, true);
    for (int i = 0; i < 3; i++) {
        struct answer a = receive(fd, false);
        assert_int_equal(a.status, 200);
        assert_true((strstr(a.body, "hello") != NULL) == (i == 1));
        answer_done(&a);
    }
    (void)close(fd);
    (void)close(quiet);
    assert_true(wait_for(&gone, 1));
    assert_true(wait_for(&app.cells, 0));
}

static void test_next_request_waits(void **state)
{
    int fd = dial();
    (void)state;
    send_text(fd, "GET /wait HTTP/1.1\r\n" H "\r\n");
    assert_true(wait_for(&begun, 1));
    send_text(fd, "GET /hello HTTP/1.1\r\n" H "\r\nGET /wait HTTP/1.1\r\n" H "\r\n");
    atomic_store(&go, true);
    for (int i = 0; i < 3; i++) {
        struct answer a = receive(fd, false);
        assert_int_equal(a.status, 200);
        answer_done(&a);
    }
    (void)close(fd);
    assert_int_equal(atomic_load(&gone), 0);
    assert_true(wait_for(&app.cells, 0));
}

static void test_slow_reader(void **state)
{
    int fd = dial(), small = 4096;
    (void)state;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    send_text(fd, "GET /flood HTTP/1.1\r\n" H "\r\n");
    assert_true(wait_for(&gone, 1));
    assert_true(wait_for(&app.cells, 0));
    (void)close(fd);
}

static void test_drain(void **state)
{
    enum { N = 40 };
    int fds[N];
    (void)state;
    for (int i = 0; i < N; i++) {
        fds[i] = dial();
        send_text(fds[i], i % 4 == 0 ? "GET /wait HTTP/1.1\r\n" H "\r\n" : "GET /quiet HTTP/1.1\r\n" H "\r\n");
    }
    assert_true(wait_for(&begun, N));
    uint64_t began_ms = p3d_mono_ms();
    atomic_store(&app.drain, true);
    for (int i = 0; i < N; i++) {
        char *text = read_all(fds[i], false);
        assert_non_null(strstr(text, i % 4 == 0 ? "{}" : "bye\n"));
        free(text);
        (void)close(fds[i]);
    }
    while (!atomic_load(&app.idle) && p3d_mono_ms() < began_ms + WAIT_MS)
        (void)poll(NULL, 0, 1);
    assert_true(atomic_load(&app.idle));
    assert_true(p3d_mono_ms() < began_ms + 6000);
    assert_true(p3d_mono_ms() > began_ms + 500); /* not all at once */
    assert_int_equal(atomic_load(&told), N);
    assert_int_equal(atomic_load(&gone), 0);
}

/* Who does not take the rest is cut. */
static void test_drain_of_a_slow_reader(void **state)
{
    int fd = dial(), quiet = dial();
    (void)state;
    send_text(fd, "GET /flood HTTP/1.1\r\n" H "\r\n"); /* it does not ask to be told, either */
    send_text(quiet, "GET /quiet HTTP/1.1\r\n" H "\r\n");
    assert_true(wait_for(&begun, 2));
    uint64_t began_ms = p3d_mono_ms();
    atomic_store(&app.drain, true);
    while (!atomic_load(&app.idle) && p3d_mono_ms() < began_ms + WAIT_MS)
        (void)poll(NULL, 0, 1);
    assert_true(atomic_load(&app.idle));
    (void)close(fd);
    (void)close(quiet);
}

/* The server ends with streams and waits open, some with bytes behind them. */
static void end_with(const char *behind)
{
    int fds[3];
    atomic_store(&begun, 0);
    for (int i = 0; i < 3; i++) {
        fds[i] = dial();
        send_text(fds[i], i == 0 ? "GET /wait HTTP/1.1\r\n" H "\r\n" : "GET /quiet HTTP/1.1\r\n" H "\r\n");
    }
    assert_true(wait_for(&begun, 3));
    send_text(fds[0], behind);
    send_text(fds[1], behind);
    assert_int_equal(server_stop(), 0);
    for (int i = 0; i < 3; i++)
        (void)close(fds[i]);
    assert_int_equal(server_start(routes, sizeof(routes) / sizeof(routes[0])), 0);
}

static void test_end(void **state)
{
    (void)state;
    end_with("");
    end_with("\r\n");
    end_with("GET /hello HTTP/1.1\r\n" H "\r\n");
}

int main(void)
{
    memset(block, 'x', sizeof(block));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_chunked, start, stop),
        cmocka_unit_test_setup_teardown(test_old_client, start, stop),
        cmocka_unit_test_setup_teardown(test_head, start, stop),
        cmocka_unit_test_setup_teardown(test_leaves_a_stream, start, stop),
        cmocka_unit_test_setup_teardown(test_leaves_a_wait, start, stop),
        cmocka_unit_test_setup_teardown(test_left_before, start, stop),
        cmocka_unit_test_setup_teardown(test_leaves_with_bytes_behind, start, stop),
        cmocka_unit_test_setup_teardown(test_stays_with_bytes_behind, start, stop),
        cmocka_unit_test_setup_teardown(test_next_request_waits, start, stop),
        cmocka_unit_test_setup_teardown(test_slow_reader, start, stop),
        cmocka_unit_test_setup_teardown(test_drain, start, stop),
        cmocka_unit_test_setup_teardown(test_drain_of_a_slow_reader, start, stop),
        cmocka_unit_test_setup_teardown(test_end, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
