/* SPDX-License-Identifier: MIT
 *
 * core/base/log.c through a pipe in place of stderr: one event is one line, whatever is in it.
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "p3d/log.h"

static int ends[2], saved_stderr;
static char line[8192];

static int setup(void **state)
{
    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    saved_stderr = dup(STDERR_FILENO);
    return dup2(ends[1], STDERR_FILENO) < 0;
}

static int teardown(void **state)
{
    (void)state;
    (void)dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    close(ends[0]);
    close(ends[1]);
    p3d_log_setup(P3D_LOG_INFO, false, "test");
    return 0;
}

/* What was written since the last call, terminated. */
static size_t take(void)
{
    ssize_t n = read(ends[0], line, sizeof(line) - 1);
    line[n > 0 ? n : 0] = '\0';
    return n > 0 ? (size_t)n : 0;
}

static void assert_one_line(size_t n)
{
    assert_true(n > 0 && n <= 4096);
    assert_ptr_equal(memchr(line, '\n', n), line + n - 1);
    for (size_t i = 0; i + 1 < n; i++)
        assert_true((unsigned char)line[i] >= ' ' && line[i] != 0x7F);
}

static void text_form(void **state)
{
    (void)state;
    p3d_log_setup(P3D_LOG_INFO, false, "serve");
    errno = EXDEV;
    p3d_log(P3D_LOG_INFO, "request", P3D_S("method", "GET"), P3D_I("status", 200), P3D_F("ms", 1.5),
            P3D_S("path", "/a b"), P3D_S("none", NULL), P3D_I("min", INT64_MIN));
    assert_int_equal(errno, EXDEV);
    assert_one_line(take());
    assert_int_equal(line[10], 'T');
    assert_int_equal(line[19], '.');
    assert_memory_equal(line + 23, "Z info serve[", 13);
    const char *rest = strchr(line, ']');
    assert_non_null(rest);
    assert_string_equal(rest, "] request method=GET status=200 ms=1.5 path=\"/a b\" none=\"\" "
                              "min=-9223372036854775808\n");
}

static void level(void **state)
{
    (void)state;
    p3d_log_setup(P3D_LOG_WARN, false, "serve");
    p3d_log(P3D_LOG_INFO, "quiet", P3D_I("n", 1));
    assert_int_equal(take(), 0);
    p3d_log(P3D_LOG_ERROR, "loud", P3D_I("n", 1));
    assert_one_line(take());
    assert_non_null(strstr(line, "Z error serve["));
}

static void text_escapes(void **state)
{
    (void)state;
    p3d_log_setup(P3D_LOG_INFO, false, "t");
    static const struct {
        struct p3d_str in;
        const char *out;
    } rows[] = {
        {P3D_STR("a\nb\r\t"), " v=\"a\\nb\\r\\t\"\n"},
        {P3D_STR("\x1B[31m"), " v=\"\\u001b[31m\"\n"},
        {P3D_STR("q\"\\"), " v=\"q\\\"\\\\\"\n"},
        {P3D_STR("a=b"), " v=\"a=b\"\n"},
        {P3D_STR("\0"), " v=\"\\u0000\"\n"},
        {P3D_STR("\x7F"), " v=\"\\u007f\"\n"},
        {P3D_STR("\xFF\xC3"), " v=\"\\xff\\xc3\"\n"},
        {P3D_STR("\xC2\x85"), " v=\"\\u0085\"\n"},
        {P3D_STR("\xE2\x80\xA8"), " v=\"\\u2028\"\n"},
        {P3D_STR("\xE2\x80\xAE"), " v=\"\\u202e\"\n"},
        {P3D_STR("\xC3\xA4"), " v=\"\xC3\xA4\"\n"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        p3d_log(P3D_LOG_INFO, "e", P3D_SN("v", rows[i].in));
        assert_one_line(take());
        assert_string_equal(strstr(line, " v="), rows[i].out);
    }
}

static json_t *take_json(void)
{
    assert_one_line(take());
    json_t *value = json_loads(line, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    assert_non_null(value);
    return value;
}

static void json_form(void **state)
{
    (void)state;
    p3d_log_setup(P3D_LOG_DEBUG, true, "work-1");
    p3d_log(P3D_LOG_DEBUG, "ev", P3D_SN("v", P3D_STR("a\n\"\\\xFF\0\xC3\xA4")), P3D_I("i", -1),
            P3D_F("nan", NAN), P3D_F("inf", INFINITY), P3D_F("f", 0.25));
    json_t *value = take_json();
    assert_string_equal(json_string_value(json_object_get(value, "level")), "debug");
    assert_string_equal(json_string_value(json_object_get(value, "role")), "work-1");
    assert_int_equal(json_integer_value(json_object_get(value, "pid")), getpid());
    assert_string_equal(json_string_value(json_object_get(value, "event")), "ev");
    assert_int_equal(json_integer_value(json_object_get(value, "i")), -1);
    assert_true(json_is_null(json_object_get(value, "nan")));
    assert_true(json_is_null(json_object_get(value, "inf")));
    assert_non_null(strstr(line, "\"v\":\"a\\n\\\"\\\\\\\\xff\\u0000\xC3\xA4\""));
    json_decref(value);
}

/* Every length around the caps, plain and multi-byte, in both forms. */
static void long_values(void **state)
{
    (void)state;
    static char text[6000];
    static const char *const units[] = {"x", "\xE2\x82\xAC", "\n", "\xFF", " "};
    for (size_t u = 0; u < COUNT(units); u++) {
        size_t unit = strlen(units[u]);
        for (size_t i = 0; i < sizeof(text); i++)
            text[i] = units[u][i % unit];
        for (size_t n = 1; n < 2200; n += n < 1000 ? 97 : 1) {
            struct p3d_str s = {text, n * unit < sizeof(text) ? n * unit : sizeof(text)};
            for (int json = 0; json < 2; json++) {
                p3d_log_setup(P3D_LOG_INFO, json != 0, "t");
                p3d_log(P3D_LOG_INFO, "e", P3D_SN("a", s), P3D_SN("b", s), P3D_I("n", 1),
                        P3D_SN("c", s), P3D_I("last", 123456789));
                if (json != 0) {
                    json_t *value = take_json();
                    assert_int_equal(json_is_true(json_object_get(value, "cut")),
                                     strstr(line, "\"cut\"") != NULL);
                    json_decref(value);
                } else {
                    assert_one_line(take());
                }
            }
        }
    }
    p3d_log(P3D_LOG_INFO, "e", P3D_SN("a", ((struct p3d_str){text, sizeof(text)})), P3D_I("n", 7));
    json_t *value = take_json();
    assert_true(json_is_true(json_object_get(value, "cut")));
    assert_int_equal(json_integer_value(json_object_get(value, "n")), 7);
    json_decref(value);
}

static void many_fields(void **state)
{
    (void)state;
    struct p3d_field fields[600];
    for (size_t i = 0; i < COUNT(fields); i++)
        fields[i] = P3D_I("some_key", INT64_MAX);
    p3d_log_setup(P3D_LOG_INFO, false, "t");
    p3d_log_write(P3D_LOG_INFO, "e", fields, COUNT(fields));
    size_t n = take();
    assert_one_line(n);
    assert_true(n > 3900);
    assert_string_equal(line + n - 10, " cut=true\n");
}

static void gone_reader(void **state)
{
    (void)state;
    (void)signal(SIGPIPE, SIG_IGN);
    p3d_log_setup(P3D_LOG_INFO, false, "t");
    for (int i = 0; i < 20000; i++) /* until the pipe is full: EAGAIN */
        p3d_log(P3D_LOG_INFO, "e", P3D_I("i", i));
    while (take() > 0)
        continue;
    int reader = ends[0];
    close(reader);
    p3d_log(P3D_LOG_INFO, "e", P3D_I("i", 1));
    ends[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

#define IN_PIPE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_PIPE(text_form),   IN_PIPE(level),       IN_PIPE(text_escapes), IN_PIPE(json_form),
        IN_PIPE(long_values), IN_PIPE(many_fields), IN_PIPE(gone_reader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
