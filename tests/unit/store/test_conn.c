/* SPDX-License-Identifier: MIT
 *
 * core/store/conn*.c against a real redis-server: greeting, pipelining, loss and return, deadlines, limits, scripts.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>

#include "p3d/clock.h"
#include "redis.h"

/* The value behind name: in an INFO text. */
static long long info(struct world *w, const char *section, const char *name)
{
    struct tally t = {0};
    char words[64];

    (void)p3d_format(words, sizeof words, "INFO %s", section);
    assert_int_equal(call(w, &t, words), 0);
    until(w, &t.n, 1);
    const char *at = strstr(t.text, name);
    return at ? strtoll(at + strlen(name), NULL, 10) : -1;
}

static void comes_up_late(void **state)
{
    struct world *w = *state;
    struct tally t = {0};

    conn_open(w, 5000, 100, false);
    assert_int_equal(call(w, &t, "PING"), P3D_E_STORE_DOWN); /* at once, never through the callback */
    for (int i = 0; i < 3; i++)
        p3d_poll_loop_run_once(w->poll, 100);
    assert_int_equal(w->ups, 0);
    assert_non_null(strstr(p3d_conn_last_error(w->conn), "No such file"));
    redis_start(w);
    until_up(w, 1);
    assert_string_equal(p3d_conn_last_error(w->conn), "");
    assert_int_equal(call(w, &t, "CLIENT GETNAME"), 0);
    until(w, &t.n, 1);
    assert_string_equal(t.text, "p3d");
    assert_int_equal(w->downs, 0);
}

static void many_calls_are_one_write(void **state)
{
    struct world *w = *state;
    struct tally t = {0};

    redis_start(w);
    conn_open(w, 5000, 10000, false);
    until_up(w, 1);
    long long before = info(w, "stats", "total_reads_processed:");
    for (int i = 0; i < 1000; i++)
        assert_int_equal(call(w, &t, "INCR n"), 0);
    until(w, &t.n, 1000);
    assert_int_equal(t.ok, 1000);
    assert_int_equal(t.integer, 1000);
    /* 20 bytes each: as many reads as the server's buffer of 16 KiB asks for, and the one of INFO. */
    assert_in_range(info(w, "stats", "total_reads_processed:") - before, 1, 6);
}

static void big_values_pass(void **state)
{
    struct world *w = *state;
    struct tally t = {0};
    const size_t n = 20u << 20;
    char *big = p3d_alloc(n);

    redis_start(w);
    conn_open(w, 10000, 100, true);
    until_up(w, 1);
    memset(big, 'b', n);
    const struct p3d_str set[] = {P3D_STR("SET"), P3D_STR("big"), {big, n}};
    for (int i = 0; i < 3; i++) /* more than the socket takes at once */
        assert_int_equal(p3d_conn_call(w->conn, set, 3, 0, count, &t), 0);
    until(w, &t.n, 3);
    assert_int_equal(call(w, &t, "STRLEN big"), 0);
    until(w, &t.n, 4);
    assert_int_equal(t.integer, n);
    assert_int_equal(call(w, &t, "GET big"), 0);
    until(w, &t.n, 5);
    assert_int_equal(t.ok, 5);
    assert_int_equal(w->downs, 0);
    free(big);
}

static void refuses_gigabytes(void **state)
{
    struct world *w = *state;
    struct tally t = {0};
    char byte = 0;

    redis_start(w);
    conn_open(w, 5000, 100, true);
    until_up(w, 1);
    const struct p3d_str set[] = {P3D_STR("SET"), P3D_STR("big"), {&byte, (size_t)1 << 40}};
    assert_int_equal(p3d_conn_call(w->conn, set, 3, 0, count, &t), P3D_E_BUSY); /* without looking at it */
    assert_int_equal(t.n, 0);
}

static void survives_a_killed_server(void **state)
{
    struct world *w = *state;
    struct tally t = {0};

    redis_start(w);
    conn_open(w, 5000, 1000, false);
    until_up(w, 1);
    for (int round = 1; round <= 3; round++) {
        t = (struct tally){0};
        assert_int_equal(kill(w->redis, SIGSTOP), 0);
        for (int i = 0; i < 200; i++)
            assert_int_equal(call(w, &t, "PING"), 0);
        p3d_poll_loop_run_once(w->poll, 0);
        redis_kill(w);
        until_down(w, round);
        assert_int_equal(t.n, 200);
        assert_int_equal(t.down, 200);
        redis_start(w);
        until_up(w, round + 1);
        assert_int_equal(t.n, 200);
        assert_int_equal(call(w, &t, "PING"), 0);
        until(w, &t.n, 201);
        assert_int_equal(t.ok, 1);
    }
}

static int ping_script(struct world *w, struct tally *t)
{
    const struct p3d_str key = P3D_STR("p3d:{0}:");
    return p3d_conn_script(w->conn, P3D_SCRIPT_ping, &key, 1, NULL, 0, count, t);
}

static void forgotten_scripts_are_not_noticed(void **state)
{
    struct world *w = *state;
    struct tally t = {0}, flush = {0};

    redis_start(w);
    conn_open(w, 5000, 1000, false);
    until_up(w, 1);
    assert_int_equal(ping_script(w, &t), 0);
    until(w, &t.n, 1);
    assert_int_equal(t.ok, 1);
    assert_int_equal(info(w, "commandstats", "cmdstat_eval:calls="), -1);

    assert_int_equal(call(w, &flush, "SCRIPT FLUSH"), 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(ping_script(w, &t), 0);
    until(w, &t.n, 6);
    assert_int_equal(t.ok, 6);
    assert_int_equal(info(w, "commandstats", "cmdstat_eval:calls="), 5); /* they were all under way */
    assert_int_equal(ping_script(w, &t), 0);
    until(w, &t.n, 7);
    assert_int_equal(info(w, "commandstats", "cmdstat_eval:calls="), 5); /* known again */
}

static void works_without_loading(void **state)
{
    struct world *w = *state;
    struct tally t = {0};

    redis_start(w);
    conn_open(w, 5000, 1000, true);
    until_up(w, 1);
    assert_int_equal(ping_script(w, &t), 0);
    until(w, &t.n, 1);
    assert_int_equal(t.ok, 1);
}

static void a_hung_server_is_left(void **state)
{
    struct world *w = *state;
    struct tally patient = {0}, hasty = {0};
    const struct p3d_str ping = P3D_STR("PING");

    redis_start(w);
    conn_open(w, 60000, 1000, true);
    until_up(w, 1);
    assert_int_equal(kill(w->redis, SIGSTOP), 0);
    uint64_t start = p3d_mono_ms();
    assert_int_equal(p3d_conn_call(w->conn, &ping, 1, 0, count, &patient), 0);
    assert_int_equal(p3d_conn_call(w->conn, &ping, 1, 300, count, &hasty), 0);
    until_down(w, 1);
    assert_in_range(p3d_mono_ms() - start, 290, 5000);
    assert_int_equal(patient.down, 1);
    assert_int_equal(hasty.down, 1);
    assert_string_equal(p3d_conn_last_error(w->conn), "no answer in time");
    assert_int_equal(kill(w->redis, SIGCONT), 0);
    until_up(w, 2);
}

static void a_hung_greeting_is_left(void **state)
{
    struct world *w = *state;

    redis_start(w);
    conn_open(w, 200, 1000, false);
    until_up(w, 1);
    conn_close(w);
    w->ups = 0;
    assert_int_equal(kill(w->redis, SIGSTOP), 0);
    conn_open(w, 200, 1000, false);
    while (strcmp(p3d_conn_last_error(w->conn), "no answer in time"))
        p3d_poll_loop_run_once(w->poll, 1000);
    assert_int_equal(w->ups, 0);
    assert_int_equal(kill(w->redis, SIGCONT), 0);
    until_up(w, 1);
    assert_int_equal(w->downs, 0); /* it was never up */
}

static void our_own_sleep_is_no_loss(void **state)
{
    struct world *w = *state;
    struct tally t = {0};

    redis_start(w);
    conn_open(w, 100, 1000, true);
    until_up(w, 1);
    assert_int_equal(call(w, &t, "PING"), 0);
    p3d_wire_flush(w->conn);
    uint64_t start = p3d_mono_ms(); /* a loop that is busy elsewhere for longer than the deadline */
    while (p3d_mono_ms() - start < 200)
        ;
    until(w, &t.n, 1);
    assert_int_equal(t.ok, 1);
    assert_int_equal(w->downs, 0);
}

static void says_busy(void **state)
{
    struct world *w = *state;
    struct tally t = {0};

    redis_start(w);
    conn_open(w, 5000, 10, true);
    until_up(w, 1);
    for (int i = 0; i < 10; i++)
        assert_int_equal(call(w, &t, "PING"), 0);
    assert_int_equal(call(w, &t, "PING"), P3D_E_BUSY);
    assert_int_equal(ping_script(w, &t), P3D_E_BUSY);
    until(w, &t.n, 10);
    assert_int_equal(t.ok, 10);
    assert_int_equal(call(w, &t, "PING"), 0);
    until(w, &t.n, 11);
}

static void url_with(struct world *w, const char *userinfo)
{
    char *url = p3d_asprintf("unix://%s@%s/r.sock", userinfo, w->dir);
    world_url(w, url);
    free(url);
}

static void opens_with_a_password(void **state)
{
    struct world *w = *state;
    struct tally t = {0};

    w->extra = "requirepass open-sesame\nuser bob on >b%b ~* +@all";
    redis_start(w);
    url_with(w, ":open-sesame");
    conn_open(w, 5000, 10, false);
    until_up(w, 1);
    conn_close(w);
    url_with(w, "bob:b%25b");
    conn_open(w, 5000, 10, false);
    until_up(w, 2);
    assert_int_equal(call(w, &t, "ACL WHOAMI"), 0);
    until(w, &t.n, 1);
    assert_string_equal(t.text, "bob");
}

static void stays_down_with_a_wrong_one(void **state)
{
    static const struct wrong {
        const char *userinfo, *says;
    } wrongs[] = {{":wrong", "AUTH: WRONGPASS"}, {"bob:open-sesame", "AUTH: WRONGPASS"}, {":", "CLIENT SETNAME: NOAUTH"}};
    struct world *w = *state;

    w->extra = "requirepass open-sesame";
    redis_start(w);
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
        url_with(w, wrongs[i].userinfo);
        conn_open(w, 5000, 10, false);
        uint64_t start = p3d_mono_ms();
        while (!strstr(p3d_conn_last_error(w->conn), wrongs[i].says) && p3d_mono_ms() - start < 20000)
            p3d_poll_loop_run_once(w->poll, 1000);
        assert_non_null(strstr(p3d_conn_last_error(w->conn), wrongs[i].says));
        assert_false(p3d_conn_up(w->conn));
        assert_int_equal(w->ups, 0);
        conn_close(w);
    }
}

struct closer {
    struct world *w;
    struct tally rest;
    int n;
};

static void close_it(void *priv, int err, const redisReply *reply)
{
    struct closer *k = priv;

    assert_int_equal(err, 0);
    k->n++;
    struct p3d_conn *c = k->w->conn;
    conn_close(k->w);
    assert_int_equal(k->rest.down, 3); /* answered before close returned */
    assert_string_equal(reply->str, "PONG");
    const struct p3d_str ping = P3D_STR("PING");
    assert_int_equal(p3d_conn_call(c, &ping, 1, 0, count, &k->rest), P3D_E_STORE_DOWN);
}

static void closes_in_a_callback(void **state)
{
    struct world *w = *state;
    struct closer k = {.w = w};
    const struct p3d_str ping = P3D_STR("PING");

    redis_start(w);
    conn_open(w, 5000, 10, true);
    until_up(w, 1);
    assert_int_equal(p3d_conn_call(w->conn, &ping, 1, 0, close_it, &k), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(call(w, &k.rest, "PING"), 0);
    until(w, &k.n, 1);
    assert_int_equal(k.rest.n, 3);
    assert_int_equal(w->downs, 0); /* closing is no loss */
}

static void close_on_loss(void *priv, int err, const redisReply *reply)
{
    struct closer *k = priv;

    (void)reply;
    assert_int_equal(err, P3D_E_STORE_DOWN);
    k->n++;
    conn_close(k->w);
    assert_int_equal(k->rest.down, 3);
}

static void closes_while_being_lost(void **state)
{
    struct world *w = *state;
    struct closer k = {.w = w};
    const struct p3d_str ping = P3D_STR("PING");

    redis_start(w);
    conn_open(w, 5000, 10, true);
    until_up(w, 1);
    assert_int_equal(kill(w->redis, SIGSTOP), 0);
    assert_int_equal(p3d_conn_call(w->conn, &ping, 1, 0, close_on_loss, &k), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(call(w, &k.rest, "PING"), 0);
    redis_kill(w);
    until(w, &k.n, 1);
    assert_int_equal(k.rest.n, 3);
    assert_int_equal(w->downs, 0);
}

static void again(void *priv, int err, const redisReply *reply)
{
    struct closer *k = priv;
    const struct p3d_str ping = P3D_STR("PING");

    (void)reply;
    assert_int_equal(err, 0);
    if (++k->n < 50)
        assert_int_equal(p3d_conn_call(k->w->conn, &ping, 1, 0, again, k), 0);
}

static void calls_in_a_callback(void **state)
{
    struct world *w = *state;
    struct closer k = {.w = w};
    const struct p3d_str ping = P3D_STR("PING");

    redis_start(w);
    conn_open(w, 5000, 10, true);
    until_up(w, 1);
    assert_int_equal(p3d_conn_call(w->conn, &ping, 1, 0, again, &k), 0);
    until(w, &k.n, 50);
}

static void closes_at_any_time(void **state)
{
    struct world *w = *state;
    struct tally t = {0};

    redis_start(w);
    for (int turns = 0; turns < 8; turns++) {
        conn_open(w, 5000, 10, false);
        for (int i = 0; i < turns; i++)
            p3d_poll_loop_run_once(w->poll, 20);
        int sent = call(w, &t, "PING") ? 0 : 1;
        conn_close(w);
        assert_int_equal(t.n, sent);
        assert_int_equal(t.down, sent);
        t = (struct tally){0};
    }
}

static void reaches_a_deep_socket(void **state)
{
    struct world *w = *state;

    world_deepen(w);
    assert_true(strlen(w->dir) > 108);
    redis_start(w);
    conn_open(w, 5000, 10, false);
    until_up(w, 1);
}

static void connects_by_tcp(void **state)
{
    static const char *const hosts[] = {"127.0.0.1", "localhost", "LOCALHOST"};
    struct world *w = *state;
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof sa;
    char extra[64];

    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, n), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &n), 0);
    close(fd);
    (void)p3d_format(extra, sizeof extra, "port %d\nbind 127.0.0.1", ntohs(sa.sin_port));
    w->extra = extra;
    redis_start(w);
    for (int i = 0; i < 3; i++) {
        struct tally t = {0};
        char *url = p3d_asprintf("redis://%s:%d/3", hosts[i], ntohs(sa.sin_port));
        world_url(w, url);
        free(url);
        conn_open(w, 5000, 10, true);
        until_up(w, i + 1);
        assert_int_equal(call(w, &t, "CLIENT LIST"), 0);
        until(w, &t.n, 1);
        assert_non_null(strstr(t.text, " db=3 "));
        conn_close(w);
    }
    w->extra = "";
}

static void refused_by_tcp(void **state)
{
    struct world *w = *state;

    world_url(w, "redis://127.0.0.1:1/0");
    conn_open(w, 5000, 10, true);
    uint64_t start = p3d_mono_ms();
    while (!*p3d_conn_last_error(w->conn) && p3d_mono_ms() - start < 20000)
        p3d_poll_loop_run_once(w->poll, 100);
    assert_string_equal(p3d_conn_last_error(w->conn), "connect: Connection refused");
}

static void lets_another_primary_be_found(void **state)
{
    struct world *w = *state;
    struct tally t = {0};

    redis_start(w);
    conn_open(w, 5000, 10, false);
    until_up(w, 1);
    assert_int_equal(call(w, &t, "REPLICAOF 127.0.0.1 1"), 0);
    until(w, &t.n, 1);
    assert_int_equal(call(w, &t, "SET a b"), 0);
    until(w, &t.n, 2);
    assert_int_equal(t.down, 1);
    until(w, &w->downs, 1);
    assert_non_null(strstr(p3d_conn_last_error(w->conn), "READONLY"));
}

static void full_is_full(void **state)
{
    struct world *w = *state;
    struct tally t = {0};

    w->extra = "maxmemory 1\nmaxmemory-policy noeviction";
    redis_start(w);
    conn_open(w, 5000, 10, true);
    until_up(w, 1);
    const struct p3d_str set[] = {P3D_STR("SET"), P3D_STR("a"), P3D_STR("b")};
    assert_int_equal(p3d_conn_call(w->conn, set, 3, 0, count, &t), 0);
    until(w, &t.n, 1);
    assert_int_equal(t.other, 1);
    assert_non_null(strstr(t.text, "OOM"));
}

#define WORLD(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD(comes_up_late),
        WORLD(many_calls_are_one_write),
        WORLD(big_values_pass),
        WORLD(refuses_gigabytes),
        WORLD(survives_a_killed_server),
        WORLD(forgotten_scripts_are_not_noticed),
        WORLD(works_without_loading),
        WORLD(a_hung_server_is_left),
        WORLD(a_hung_greeting_is_left),
        WORLD(our_own_sleep_is_no_loss),
        WORLD(says_busy),
        WORLD(opens_with_a_password),
        WORLD(stays_down_with_a_wrong_one),
        WORLD(closes_in_a_callback),
        WORLD(closes_while_being_lost),
        WORLD(calls_in_a_callback),
        WORLD(closes_at_any_time),
        WORLD(reaches_a_deep_socket),
        WORLD(connects_by_tcp),
        WORLD(refused_by_tcp),
        WORLD(lets_another_primary_be_found),
        WORLD(full_is_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
