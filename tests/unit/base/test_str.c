/* SPDX-License-Identifier: MIT
 *
 * core/base/str.c and alloc.c: views, numbers, UTF-8 in all the ways it can be wrong, buffers with
 * their cap.
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "p3d/str.h"

static void views(void **state)
{
    (void)state;
    struct p3d_str empty = p3d_str_z(NULL);
    assert_int_equal(empty.n, 0);
    assert_true(p3d_str_eq(empty, P3D_STR("")));
    assert_true(p3d_str_eq_z(P3D_STR("abc"), "abc"));
    assert_false(p3d_str_eq_z(P3D_STR("abc"), "abcd"));
    assert_false(p3d_str_eq(P3D_STR("a\0b"), P3D_STR("a\0c")));
    assert_true(p3d_str_ieq_z(P3D_STR("BeArEr"), "bearer"));
    assert_false(p3d_str_ieq_z(P3D_STR("@"), "`"));
    assert_false(p3d_str_ieq_z(P3D_STR("["), "{"));
    assert_true(p3d_str_starts(P3D_STR("job_1"), "job_"));
    assert_true(p3d_str_starts(empty, ""));
    assert_false(p3d_str_starts(P3D_STR("jo"), "job_"));
    assert_true(p3d_str_eq_z(p3d_str_trim(P3D_STR(" \t a b\t ")), "a b"));
    assert_int_equal(p3d_str_trim(P3D_STR(" \t ")).n, 0);
    assert_true(p3d_str_eq_z(p3d_str_trim(P3D_STR("\na\r")), "\na\r"));
}

static void numbers(void **state)
{
    (void)state;
    static const struct {
        struct p3d_str text;
        int64_t min, max, want;
        bool good;
    } rows[] = {
        {P3D_STR("0"), 0, 10, 0, true},
        {P3D_STR("007"), 0, 10, 7, true},
        {P3D_STR("-5"), -5, 10, -5, true},
        {P3D_STR("-6"), -5, 10, 0, false},
        {P3D_STR("11"), 0, 10, 0, false},
        {P3D_STR("9223372036854775807"), INT64_MIN, INT64_MAX, INT64_MAX, true},
        {P3D_STR("-9223372036854775808"), INT64_MIN, INT64_MAX, INT64_MIN, true},
        {P3D_STR("9223372036854775808"), INT64_MIN, INT64_MAX, 0, false},
        {P3D_STR("-9223372036854775809"), INT64_MIN, INT64_MAX, 0, false},
        {P3D_STR("99999999999999999999999"), INT64_MIN, INT64_MAX, 0, false},
        {P3D_STR(""), 0, 10, 0, false},
        {P3D_STR("-"), -5, 10, 0, false},
        {P3D_STR("+1"), 0, 10, 0, false},
        {P3D_STR(" 1"), 0, 10, 0, false},
        {P3D_STR("1 "), 0, 10, 0, false},
        {P3D_STR("1.0"), 0, 10, 0, false},
        {P3D_STR("0x1"), 0, 10, 0, false},
        {P3D_STR("1\0"), 0, 10, 0, false},
        {P3D_STR("--1"), -5, 10, 0, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t got = 4711;
        int r = p3d_str_to_i64(rows[i].text, rows[i].min, rows[i].max, &got);
        assert_int_equal(r, rows[i].good ? 0 : P3D_E_VALIDATION);
        assert_int_equal(got, rows[i].good ? rows[i].want : 4711);
    }
}

static void booleans(void **state)
{
    (void)state;
    static const char *const yes[] = {"true", "YES", "On", "1"};
    static const char *const no[] = {"false", "No", "OFF", "0"};
    static const char *const bad[] = {"", "2", "y", "true ", "enabled"};
    bool v = false;
    for (size_t i = 0; i < COUNT(yes); i++) {
        v = false;
        assert_int_equal(p3d_str_to_bool(p3d_str_z(yes[i]), &v), 0);
        assert_true(v);
        assert_int_equal(p3d_str_to_bool(p3d_str_z(no[i]), &v), 0);
        assert_false(v);
    }
    v = true;
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_int_equal(p3d_str_to_bool(p3d_str_z(bad[i]), &v), P3D_E_VALIDATION);
    assert_true(v);
}

static void utf8(void **state)
{
    (void)state;
    static const struct p3d_str good[] = {
        P3D_STR(""),
        P3D_STR("abc"),
        P3D_STR("a\0b"),
        P3D_STR("\x7F"),
        P3D_STR("\xC2\x80"),
        P3D_STR("\xDF\xBF"),
        P3D_STR("\xE0\xA0\x80"),
        P3D_STR("\xED\x9F\xBF"),
        P3D_STR("\xEE\x80\x80"),
        P3D_STR("\xEF\xBF\xBF"),
        P3D_STR("\xF0\x90\x80\x80"),
        P3D_STR("\xF4\x8F\xBF\xBF"),
    };
    static const struct p3d_str bad[] = {
        P3D_STR("\x80"),             /* continuation alone */
        P3D_STR("\xBF"),             /* the last of those */
        P3D_STR("\xC0\x80"),         /* overlong NUL */
        P3D_STR("\xC1\xBF"),         /* overlong 7F */
        P3D_STR("\xE0\x9F\xBF"),     /* overlong 7FF */
        P3D_STR("\xF0\x8F\xBF\xBF"), /* overlong FFFF */
        P3D_STR("\xED\xA0\x80"),     /* first surrogate */
        P3D_STR("\xED\xBF\xBF"),     /* last surrogate */
        P3D_STR("\xF4\x90\x80\x80"), /* U+110000 */
        P3D_STR("\xF5\x80\x80\x80"), /* no such lead */
        P3D_STR("\xF8\x88\x80\x80\x80"),
        P3D_STR("\xFE"),
        P3D_STR("\xFF"),
        P3D_STR("\xC3"),         /* cut */
        P3D_STR("\xE2\x82"),     /* cut */
        P3D_STR("\xF0\x9F\x98"), /* cut */
        P3D_STR("\xC3 "),        /* no continuation */
        P3D_STR("\xE2\x82 "),
        P3D_STR("\xE2 \x82"),
        P3D_STR("\xF0\x9F\x98z"),
        P3D_STR("ok\xC3\xC3\xA4"), /* lead behind lead */
    };
    for (size_t i = 0; i < COUNT(good); i++)
        assert_true(p3d_utf8_valid(good[i]));
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(p3d_utf8_valid(bad[i]));
    assert_int_equal(p3d_utf8_count(P3D_STR("a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80")), 4);
}

static void utf8_control(void **state)
{
    (void)state;
    static const struct {
        struct p3d_str s;
        size_t n;
    } rows[] = {
        {P3D_STR("\x01"), 1},         {P3D_STR("\x1f"), 1},         {P3D_STR(" "), 0},
        {P3D_STR("\x7f"), 1},         {P3D_STR("~"), 0},            {P3D_STR("\xc2\x80"), 2},
        {P3D_STR("\xc2\x9f"), 2},     {P3D_STR("\xc2\xa0"), 0},     {P3D_STR("\xc3\x80"), 0},
        {P3D_STR("\xe2\x80\xa7"), 0}, {P3D_STR("\xe2\x80\xa8"), 3}, {P3D_STR("\xe2\x80\xae"), 3},
        {P3D_STR("\xe2\x80\xaf"), 0}, {P3D_STR("\xe2\x81\xa5"), 0}, {P3D_STR("\xe2\x81\xa6"), 3},
        {P3D_STR("\xe2\x81\xa9"), 3}, {P3D_STR("\xe2\x81\xaa"), 0}, {P3D_STR("\xe2\x80"), 0},
        {P3D_STR("\xc2"), 0},         {P3D_STR("\xe2"), 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(p3d_utf8_control(rows[i].s, 0), rows[i].n);
    assert_int_equal(p3d_utf8_control(P3D_STR("a\xe2\x80\xae"), 1), 3);
}

static void utf8_cut(void **state)
{
    (void)state;
    struct p3d_str s = P3D_STR("a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80"); /* 1 + 2 + 3 + 4 */
    static const size_t want[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10};
    for (size_t max = 0; max < COUNT(want); max++)
        assert_int_equal(p3d_utf8_cut(s, max).n, want[max]);
    assert_int_equal(p3d_utf8_cut(P3D_STR("\x80\x80\x80\x80\x80\x80"), 5).n, 5);
}

static void format(void **state)
{
    (void)state;
    char dst[6];
    assert_true(p3d_format(dst, sizeof(dst), "%d", 12345));
    assert_string_equal(dst, "12345");
    assert_false(p3d_format(dst, sizeof(dst), "%d", 123456));
    assert_string_equal(dst, "12345");
    assert_false(p3d_format(dst, sizeof(dst), "abcd%s", "\xC3\xA4"));
    assert_string_equal(dst, "abcd");
    assert_false(p3d_format(dst, sizeof(dst), "abc%sx", "\xC3\xA4"));
    assert_string_equal(dst, "abc\xC3\xA4");
    assert_false(p3d_format(dst, 1, "x"));
    assert_string_equal(dst, "");
    assert_false(p3d_format(dst, 0, "x"));
}

static void buffers(void **state)
{
    (void)state;
    struct p3d_buf b;
    p3d_buf_init(&b, 0);
    assert_int_equal(p3d_buf_str(&b).n, 0);
    p3d_buf_add(&b, NULL, 0);
    assert_string_equal(b.p, "");
    p3d_buf_addz(&b, "one");
    p3d_buf_addf(&b, " %d %s", 2, "three");
    assert_string_equal(b.p, "one 2 three");
    p3d_buf_cut(&b, 4);
    assert_string_equal(b.p, "2 three");
    p3d_buf_cut(&b, b.n);
    assert_string_equal(b.p, "");
    for (int i = 0; i < 1000; i++)
        p3d_buf_add(&b, "0123456789", 10);
    assert_int_equal(b.n, 10000);
    assert_int_equal(strlen(b.p), 10000);
    char *taken = p3d_buf_take(&b);
    assert_int_equal(strlen(taken), 10000);
    free(taken);
    assert_null(b.p);
    taken = p3d_buf_take(&b);
    assert_string_equal(taken, "");
    free(taken);
    p3d_buf_done(&b);
    p3d_buf_done(NULL);
}

static void buffer_cap(void **state)
{
    (void)state;
    struct p3d_buf b;
    p3d_buf_init(&b, 5);
    p3d_buf_add(&b, "12345", 5);
    assert_false(b.full);
    assert_string_equal(b.p, "12345");
    p3d_buf_add(&b, "", 0);
    assert_false(b.full);
    p3d_buf_addf(&b, "%c", '6');
    assert_true(b.full);
    assert_string_equal(b.p, "12345");
    p3d_buf_cut(&b, 3);
    p3d_buf_add(&b, "7", 1); /* no holes: nothing more comes in */
    assert_string_equal(b.p, "45");
    assert_true(b.full);
    p3d_buf_done(&b);
    p3d_buf_init(&b, 5);
    p3d_buf_add(&b, b.p, SIZE_MAX);
    assert_true(b.full);
    assert_null(b.p);
    p3d_buf_done(&b);
}

static void allocator(void **state)
{
    (void)state;
    char *p = p3d_alloc(0);
    assert_int_equal(*p, 0);
    p = p3d_realloc(p, 0);
    assert_non_null(p);
    free(p);
    assert_null(p3d_strdup(NULL));
    P3D_CLEANUP(p3d_freep) char *a = p3d_strndup("abc\0def", 7);
    assert_memory_equal(a, "abc\0def", 8);
    P3D_CLEANUP(p3d_freep) char *f = p3d_asprintf("%s-%d", "x", 1);
    assert_string_equal(f, "x-1");
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    errno = EXDEV;
    p3d_closep(&fd);
    assert_int_equal(errno, EXDEV);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    fd = -1;
    p3d_closep(&fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(views),   cmocka_unit_test(numbers),    cmocka_unit_test(booleans),
        cmocka_unit_test(utf8),    cmocka_unit_test(utf8_control), cmocka_unit_test(utf8_cut),   cmocka_unit_test(format),
        cmocka_unit_test(buffers), cmocka_unit_test(buffer_cap), cmocka_unit_test(allocator),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
