/* SPDX-License-Identifier: MIT
 *
 * What hostile or broken request heads get: JSON, the right status, and a connection that ends.
 * Fails too when the library's parser is not the one of guard.c any more (then the server does not
 * even start).
 */
#include "http_fixture.h"

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
static const struct {
    const char *what, *request;
} bad[] = {
    {"CL and TE", "POST /echo HTTP/1.1\r\n" H
                  "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
    {"TE and CL", "POST /echo HTTP/1.1\r\n" H
                  "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"},
    {"two CL", "POST /echo HTTP/1.1\r\n" H "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"},
    {"the same CL twice",
     "POST /echo HTTP/1.1\r\n" H "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"},
    {"two TE", "POST /echo HTTP/1.1\r\n" H
               "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n"},
    {"TE in 1.0", "POST /echo HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
    {"no Host", "GET /hello HTTP/1.1\r\n\r\n"},
    {"two Host", "GET /hello HTTP/1.1\r\n" H H "\r\n"},
    {"odd Host", "GET /hello HTTP/1.1\r\nHost: a/b\r\n\r\n"},
    {"bare LF", "GET /hello HTTP/1.1\n" H "\r\n"},
    {"bare LF at the end", "GET /hello HTTP/1.1\r\n" H "\n"},
    {"folded", "GET /hello HTTP/1.1\r\n" H "X-A: 1\r\n  2\r\n\r\n"},
    {"CL list", "POST /echo HTTP/1.1\r\n" H "Content-Length: 5, 5\r\n\r\nhello"},
    {"CL +5", "POST /echo HTTP/1.1\r\n" H "Content-Length: +5\r\n\r\nhello"},
    {"CL -1", "POST /echo HTTP/1.1\r\n" H "Content-Length: -1\r\n\r\nhello"},
    {"CL empty", "POST /echo HTTP/1.1\r\n" H "Content-Length: \r\n\r\nhello"},
    {"TE gzip", "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"},
    {"TE x", "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"},
    {"space before colon",
     "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"},
    {"CR in a value", "GET /hello HTTP/1.1\r\n" H "X-A: 1\r2\r\n\r\n"},
    {"garbage", "\x16\x03\x01\x02garbage\r\n\r\n"},
    {"HTTP/2.0", "GET /hello HTTP/2.0\r\n" H "\r\n"},
    {"preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
    {"authority form", "CONNECT a:80 HTTP/1.1\r\n" H "\r\n"},
    {"no slash", "GET hello HTTP/1.1\r\n" H "\r\n"},
    {"expectation", "POST /echo HTTP/1.1\r\n" H "Content-Length: 2\r\nExpect: tea\r\n\r\n{}"},
    {"chunk size", "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n"},
    {"chunk overflow",
     "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n\r\n"},
};

static void test_bad_heads(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int fd = dial();
        send_text(fd, bad[i].request);
        struct answer a = receive(fd, false);
        if (a.status != 400)
            print_error("%s: %s\n", bad[i].what, a.text);
        assert_envelope(&a, 400, "BAD_REQUEST");
        assert_true(ended(fd));
        answer_done(&a);
        (void)close(fd);
    }
}

static void test_good_heads(void **state)
{
    static const char *const good[] = {
        "GET /hello HTTP/1.1\r\n" H "\r\n",
        "GET /hello HTTP/1.0\r\n\r\n",
        "\r\nGET /hello HTTP/1.1\r\n" H "\r\n",
        "GET http://a/hello HTTP/1.1\r\n" H "\r\n",
        "GET http://a HTTP/1.1\r\n" H "\r\n",
        "POST /echo HTTP/1.1\r\n" H "Content-Length: 2\r\n\r\n{}",
        "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: Chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct answer a = ask(good[i]);
        if (a.status != 200)
            print_error("%zu: %s\n", i, a.text);
        assert_int_equal(a.status, 200);
        answer_done(&a);
    }
}

/* NUL needs its length told. */
static void test_nul_in_value(void **state)
{
    static const char request[] = "GET /hello HTTP/1.1\r\n" H "X-A: 1\0"
                                  "2\r\n\r\n";
    (void)state;
    int fd = dial();
    send_all(fd, request, sizeof(request) - 1);
    struct answer a = receive(fd, false);
    assert_envelope(&a, 400, "BAD_REQUEST");
    answer_done(&a);
    (void)close(fd);
}

static void test_head_by_bytes(void **state)
{
    static const char request[] = "POST /echo HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nhello";
    (void)state;
    int fd = dial();
    for (size_t i = 0; i < sizeof(request) - 1; i++)
        send_all(fd, request + i, 1);
    struct answer a = receive(fd, false);
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(a.body, "\"length\":5"));
    answer_done(&a);
    (void)close(fd);
}

static struct answer with_header_of(size_t n)
{
    char *fill = p3d_alloc(n + 1);
    memset(fill, 'x', n);
    struct answer a = askf("GET /hello HTTP/1.1\r\n" H "X-Fill: %s\r\n\r\n", fill);
    free(fill);
    return a;
}

static void test_head_size(void **state)
{
    (void)state;
    struct answer a = with_header_of(15000);
    assert_int_equal(a.status, 200);
    answer_done(&a);
    for (size_t n = 16384; n <= 600000; n *= 6) {
        a = with_header_of(n);
        assert_envelope(&a, 431, "HEADERS_TOO_LARGE");
        answer_done(&a);
    }
}

static void test_many_headers(void **state)
{
    struct p3d_buf b;
    (void)state;
    p3d_buf_init(&b, 0);
    p3d_buf_addz(&b, "GET /hello HTTP/1.1\r\n" H);
    for (int i = 0; i < 120; i++)
        p3d_buf_addf(&b, "X-%d: 1\r\n", i);
    p3d_buf_addz(&b, "\r\n");
    struct answer a = ask(b.p);
    assert_envelope(&a, 400, "BAD_REQUEST");
    answer_done(&a);
    p3d_buf_done(&b);
}

static void test_body_limits(void **state)
{
    static const struct {
        const char *path;
        long length;
        int status;
    } rows[] = {
        {"/echo", 1 << 20, 200},         {"/echo", (1 << 20) + 1, 413},
        {"/submit", (1 << 20) + 1, 200}, {"/submit", 4 << 20, 200},
        {"/submit", (4 << 20) + 1, 413}, {"/none", 4 << 20, 404},
        {"/secret", (1 << 20) + 1, 413}, {"/file", 70000, 405},
    };
    (void)state;
    char *body = p3d_alloc((4 << 20) + 1);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char head[160];
        int fd = dial();
        (void)p3d_format(head, sizeof(head), "POST %s HTTP/1.1\r\n" H "Content-Length: %ld\r\n\r\n",
                         rows[i].path, rows[i].length);
        send_text(fd, head);
        send_all(fd, body, (size_t)rows[i].length);
        struct answer a = receive(fd, false);
        assert_int_equal(a.status, rows[i].status);
        if (a.status == 413)
            assert_envelope(&a, 413, "TOO_LARGE");
        answer_done(&a);
        (void)close(fd);
    }
    free(body);
}

static void send_chunks(int fd, const char *path, size_t n)
{
    char head[128], *block = p3d_alloc(65536);
    (void)p3d_format(head, sizeof(head),
                     "POST %s HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n", path);
    send_text(fd, head);
    for (size_t done = 0; done < n; done += 65536) {
        send_text(fd, "10000\r\n");
        send_all(fd, block, 65536);
        send_text(fd, "\r\n");
    }
    send_text(fd, "0\r\n\r\n");
    free(block);
}

static void test_chunked_limits(void **state)
{
    (void)state;
    int fd = dial();
    send_chunks(fd, "/echo", 2 << 20); /* read to its end, then refused: the connection goes on */
    struct answer a = receive(fd, false);
    assert_envelope(&a, 413, "TOO_LARGE");
    answer_done(&a);
    send_text(fd, "GET /hello HTTP/1.1\r\n" H "\r\n");
    a = receive(fd, false);
    assert_int_equal(a.status, 200);
    answer_done(&a);
    (void)close(fd);
    fd = dial();
    send_chunks(fd, "/submit", 8 << 20); /* above what the library reads at all */
    a = receive(fd, false);
    assert_envelope(&a, 413, "TOO_LARGE");
    answer_done(&a);
    (void)close(fd);
}

static void test_expect_continue(void **state)
{
    (void)state;
    int fd = dial();
    send_text(fd, "POST /echo HTTP/1.1\r\n" H "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    struct answer a = receive(fd, true);
    assert_int_equal(a.status, 100);
    answer_done(&a);
    send_text(fd, "{}");
    a = receive(fd, false);
    assert_int_equal(a.status, 200);
    answer_done(&a);
    (void)close(fd);
    a = ask("POST /echo HTTP/1.1\r\n" H "Content-Length: 99999999\r\nExpect: 100-continue\r\n\r\n");
    assert_envelope(&a, 413, "TOO_LARGE");
    answer_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_heads),       cmocka_unit_test(test_good_heads),
        cmocka_unit_test(test_nul_in_value),    cmocka_unit_test(test_head_by_bytes),
        cmocka_unit_test(test_head_size),       cmocka_unit_test(test_many_headers),
        cmocka_unit_test(test_body_limits),     cmocka_unit_test(test_chunked_limits),
        cmocka_unit_test(test_expect_continue),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
