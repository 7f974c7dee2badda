/* SPDX-License-Identifier: MIT
 *
 * The log of an attempt: order, cap, tail; and text of a runner made fit for JSON.
 */
#include "support.h"

#define LOG "log"

static void open_log(struct p3d_joblog *l, const struct place *p, int64_t max)
{
    int fd = openat(p->fd, LOG, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    p3d_joblog_open(l, fd, max);
}

static char *slurp(int dirfd, const char *name)
{
    char *text = p3d_alloc(1 << 20);
    int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_true(read(fd, text, (1 << 20) - 1) >= 0);
    (void)close(fd);
    return text;
}

static void small_one_is_kept_whole(void **state)
{
    struct place *p = *state;
    struct p3d_joblog l;
    open_log(&l, p, 4096);
    p3d_joblog_feed(&l, "one\ntwo\n", 8);
    p3d_joblog_note(&l, "%d lines", 2);
    assert_true(p3d_str_eq_z(p3d_joblog_tail(&l, 10), "one\ntwo"));
    assert_true(p3d_str_eq_z(p3d_joblog_tail(&l, 1), "two"));
    p3d_joblog_close(&l);
    char *text = slurp(p->fd, LOG);
    assert_string_equal(text, "one\ntwo\n[p3d: 2 lines]\n");
    free(text);
}

static void large_one_is_capped_but_its_end_is_known(void **state)
{
    struct place *p = *state;
    struct p3d_joblog l;
    char line[101];
    open_log(&l, p, 5000);
    for (int i = 0; i < 1000; i++) {
        (void)p3d_format(line, sizeof(line), "%099d\n", i);
        p3d_joblog_feed(&l, line, 100);
    }
    struct p3d_str tail = p3d_joblog_tail(&l, 10);
    assert_int_equal(tail.n, 999);
    assert_memory_equal(tail.p + tail.n - 3, "999", 3);
    p3d_joblog_close(&l);
    char *text = slurp(p->fd, LOG);
    assert_int_equal(strlen(text), 5000 + strlen("\n[log truncated]\n"));
    assert_string_equal(text + 5000, "\n[log truncated]\n");
    free(text);
}

/* No file, or a disk that is full: the end is known all the same. */
static void without_a_file_the_end_is_known(void **state)
{
    struct p3d_joblog l;
    (void)state;
    for (int round = 0; round < 2; round++) {
        p3d_joblog_open(&l, round ? open("/dev/full", O_WRONLY | O_CLOEXEC) : -1, 4096);
        p3d_joblog_feed(&l, "one\ntwo\n", 8);
        p3d_joblog_note(&l, "more");
        assert_int_equal(l.fd, -1);
        p3d_joblog_feed(&l, "three\n", 6);
        assert_true(p3d_str_eq_z(p3d_joblog_tail(&l, 10), "one\ntwo\nthree"));
        p3d_joblog_close(&l);
    }
}

static void tail_of_nothing_and_of_one_endless_line(void **state)
{
    struct place *p = *state;
    struct p3d_joblog l;
    char block[3000];
    open_log(&l, p, 4096);
    assert_int_equal(p3d_joblog_tail(&l, 10).n, 0);
    memset(block, 'y', sizeof(block));
    for (int i = 0; i < 100; i++)
        p3d_joblog_feed(&l, block, sizeof(block));
    assert_true(p3d_joblog_tail(&l, 10).n >= P3D_JOBLOG_TAIL);
    assert_true(l.tail.n <= (size_t)2 * P3D_JOBLOG_TAIL);
    p3d_joblog_close(&l);
}

static void text_is_made_fit(void **state)
{
    (void)state;
    char *t = p3d_text_clean((struct p3d_str){"a\0b\xff\xc3", 5}, 100);
    assert_string_equal(t, "a b\xef\xbf\xbd\xef\xbf\xbd");
    free(t);
    t = p3d_text_clean(P3D_STR("ab\xc3\xa4"), 3); /* no half characters */
    assert_string_equal(t, "ab");
    free(t);
    t = p3d_text_clean((struct p3d_str){"\xff\xff\xff\xff", 4}, 4); /* what replaces is longer */
    assert_string_equal(t, "\xef\xbf\xbd");
    free(t);
    t = p3d_text_clean((struct p3d_str){NULL, 0}, 4);
    assert_string_equal(t, "");
    free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(small_one_is_kept_whole, place_setup, place_teardown),
        cmocka_unit_test_setup_teardown(large_one_is_capped_but_its_end_is_known, place_setup,
                                        place_teardown),
        cmocka_unit_test_setup_teardown(tail_of_nothing_and_of_one_endless_line, place_setup,
                                        place_teardown),
        cmocka_unit_test(without_a_file_the_end_is_known),
        cmocka_unit_test(text_is_made_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
