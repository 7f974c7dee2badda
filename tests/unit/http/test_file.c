/* SPDX-License-Identifier: MIT
 *
 * Files as answers: headers, conditions, ranges, HEAD, constant memory, files that are shorter than
 * promised.
 */
#include "http_fixture.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int start(void **state)
{
    (void)state;
    return server_start(test_routes, test_routes_n);
}

static int stop(void **state)
{
    (void)state;
    return server_stop();
}

#define H "Host: a\r\n"

static void test_headers(void **state)
{
    static const char *const want[][2] = {
        {"content-type", "model/gltf-binary"},
        {"content-length", "1000"},
        {"etag", "\"0123abcd\""},
        {"last-modified", "Mon, 01 Jan 2024 00:00:00 GMT"},
        {"accept-ranges", "bytes"},
        {"x-content-type-options", "nosniff"},
        {"content-security-policy", "sandbox; default-src 'none'"},
        {"content-disposition",
         "attachment; filename=\"r_sult _1_.glb\"; filename*=UTF-8''r%C3%A9sult%20%221%22.glb"},
    };
    char text[512];
    (void)state;
    for (int head = 0; head < 2; head++) {
        struct answer a = askf("%s /file HTTP/1.1\r\n" H "\r\n", head ? "HEAD" : "GET");
        assert_int_equal(a.status, 200);
        for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++)
            assert_string_equal(header(&a, want[i][0], text, sizeof(text)), want[i][1]);
        assert_int_equal(a.body_n, head ? 0 : 1000);
        answer_done(&a);
    }
}

static void test_conditions(void **state)
{
    static const struct {
        const char *header;
        int status;
    } rows[] = {
        {"If-None-Match: \"0123abcd\"", 304},
        {"If-None-Match: W/\"0123abcd\"", 304},
        {"If-None-Match: \"a\", \"0123abcd\"", 304},
        {"If-None-Match: *", 304},
        {"If-None-Match: \"0123abc\"", 200},
        {"If-None-Match: 0123abcd", 200},
        {"If-None-Match: \"", 200},
        {"If-None-Match: \"0123abcd\"\r\nRange: bytes=0-1", 304},
        {"If-Range: \"0123abcd\"\r\nRange: bytes=0-1", 206},
        {"If-Range: \"other\"\r\nRange: bytes=0-1", 200},
        {"If-Range: W/\"0123abcd\"\r\nRange: bytes=0-1", 200},
        {"If-Range: Mon, 01 Jan 2024 00:00:00 GMT\r\nRange: bytes=0-1", 200},
    };
    (void)state;
    int fd = dial(); /* all on one connection: a 304 with a body would break it */
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[300];
        (void)p3d_format(text, sizeof(text), "GET /file HTTP/1.1\r\n" H "%s\r\n\r\n",
                         rows[i].header);
        send_text(fd, text);
        struct answer a = receive(fd, false);
        if (a.status != rows[i].status)
            print_error("%s\n", rows[i].header);
        assert_int_equal(a.status, rows[i].status);
        assert_string_equal(header(&a, "etag", text, sizeof(text)), "\"0123abcd\"");
        answer_done(&a);
    }
    (void)close(fd);
}

static void test_ranges(void **state)
{
    static const struct {
        const char *range;
        int status;
        const char *content_range;
        size_t n;
    } rows[] = {
        {"bytes=0-0", 206, "bytes 0-0/1000", 1},
        {"bytes=1-3", 206, "bytes 1-3/1000", 3},
        {"bytes=990-", 206, "bytes 990-999/1000", 10},
        {"bytes=-10", 206, "bytes 990-999/1000", 10},
        {"bytes=-5000", 206, "bytes 0-999/1000", 1000},
        {"bytes=0-99999999999999999999", 206, "bytes 0-999/1000", 1000},
        {"Bytes=0-1", 206, "bytes 0-1/1000", 2},
        {"bytes=1000-", 416, "bytes */1000", 0},
        {"bytes=99999999999999999999-", 416, "bytes */1000", 0},
        {"bytes=-0", 416, "bytes */1000", 0},
        {"bytes=0-1,3-4", 200, NULL, 1000},
        {"bytes=5-4", 200, NULL, 1000},
        {"bytes=-", 200, NULL, 1000},
        {"bytes=a-b", 200, NULL, 1000},
        {"bytes= 1-2", 206, "bytes 1-2/1000", 2},
        {"lines=1-2", 200, NULL, 1000},
        {"bytes", 200, NULL, 1000},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[128];
        struct answer a = askf("GET /file HTTP/1.1\r\n" H "Range: %s\r\n\r\n", rows[i].range);
        if (a.status != rows[i].status)
            print_error("%s: %s\n", rows[i].range, a.text);
        assert_int_equal(a.status, rows[i].status);
        const char *got = header(&a, "content-range", text, sizeof(text));
        assert_true((got == NULL) == (rows[i].content_range == NULL));
        if (got != NULL)
            assert_string_equal(got, rows[i].content_range);
        if (a.status == 416)
            assert_envelope(&a, 416, "RANGE_NOT_SATISFIABLE");
        else
            assert_int_equal(a.body_n, rows[i].n);
        if (a.status == 206 && rows[i].content_range[6] == '1')
            assert_int_equal(a.body[0], 'b');
        answer_done(&a);
    }
    struct answer a = ask("HEAD /file HTTP/1.1\r\n" H "Range: bytes=0-1\r\n\r\n");
    assert_int_equal(a.status, 200); /* ranges are for GET */
    answer_done(&a);
}

static long rss_kib(void)
{
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    assert_int_equal(fscanf(f, "%*d %ld", &pages), 1);
    (void)fclose(f);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void test_big_in_constant_memory(void **state)
{
    static char block[65536];
    (void)state;
    int fd = dial();
    send_text(fd, "GET /big HTTP/1.1\r\n" H "\r\nGET /hello HTTP/1.1\r\n" H "\r\n");
    struct answer a = receive(fd, true);
    assert_int_equal(a.status, 200);
    answer_done(&a);
    long before = rss_kib(), most = before;
    size_t got = 0;
    while (got < BIG_FILE) {
        size_t left = BIG_FILE - got;
        ssize_t n = recv(fd, block, left < sizeof(block) ? left : sizeof(block), 0);
        assert_true(n > 0);
        for (ssize_t i = 0; i < n; i += 4099) { /* some bytes of each read */
            size_t at = (got + (size_t)i) % 65536;
            assert_int_equal(block[i], 'a' + at % 26);
        }
        bool look = got >> 20 != (got + (size_t)n) >> 20;
        got += (size_t)n;
        long now = look ? rss_kib() : 0;
        most = now > most ? now : most;
    }
    print_message("50 MB sent, memory grew by %ld KiB\n", most - before);
    assert_true(most - before < 4096);
    a = receive(fd, false);
    assert_int_equal(a.status, 200);
    answer_done(&a);
    (void)close(fd);
}

static void test_client_leaves_in_the_middle(void **state)
{
    static char block[65536];
    (void)state;
    for (int i = 0; i < 20; i++) {
        struct linger now = {.l_onoff = 1, .l_linger = 0};
        int fd = dial();
        send_text(fd, "GET /big HTTP/1.1\r\n" H "\r\n");
        for (size_t got = 0; got < 100000;) {
            ssize_t n = recv(fd, block, sizeof(block), 0);
            assert_true(n > 0);
            got += (size_t)n;
        }
        if (i % 2 == 0)
            assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
        (void)close(fd);
    }
    assert_true(wait_for(&app.cells, 0));
}

static void test_shorter_than_promised(void **state)
{
    (void)state;
    int fd = dial();
    send_text(fd, "GET /short HTTP/1.1\r\n" H "\r\n");
    struct answer a = receive(fd, false);
    assert_int_equal(a.status, 0); /* never complete */
    assert_int_equal(a.body_n, 1000);
    answer_done(&a);
    (void)close(fd);
    assert_true(wait_for(&app.cells, 0));
}

static void test_many_at_once(void **state)
{
    enum { N = 90 };
    static char block[65536];
    int fds[N];
    size_t total = 0;
    (void)state;
    for (int i = 0; i < N; i++) {
        fds[i] = dial();
        send_text(fds[i],
                  "GET /big HTTP/1.1\r\n" H "Range: bytes=0-999999\r\nConnection: close\r\n\r\n");
    }
    for (int i = 0; i < N; i++) {
        struct answer a = receive(fds[i], true);
        assert_int_equal(a.status, 206);
        answer_done(&a);
        for (ssize_t n; (n = recv(fds[i], block, sizeof(block), 0)) > 0;)
            total += (size_t)n;
        (void)close(fds[i]);
    }
    assert_int_equal(total, N * 1000000);
    assert_true(wait_for(&app.cells, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_conditions),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_big_in_constant_memory),
        cmocka_unit_test(test_client_leaves_in_the_middle),
        cmocka_unit_test(test_shorter_than_promised),
        cmocka_unit_test(test_many_at_once),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
