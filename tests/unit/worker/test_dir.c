/* SPDX-License-Identifier: MIT
 *
 * The directory of an attempt: made private, removed in whatever shape it was left, touching
 * nothing else.
 */
#include "support.h"

static void made_and_removed(void **state)
{
    struct place *p = *state;
    struct stat st;
    int fd;
    assert_int_equal(p3d_attempt_dir_make(p->fd, "a", P3D_STR("{\"x\":1}"), &fd, NULL), 0);
    assert_int_equal(fstatat(p->fd, "a", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(fstatat(fd, "input.json", &st, 0), 0);
    assert_int_equal(st.st_size, 7);
    assert_int_equal(fstatat(fd, "outputs", &st, 0), 0);
    assert_int_equal(fstatat(fd, "inputs", &st, 0), 0);
    assert_int_equal(st.st_mode & 0222, 0);
    (void)close(fd);
    struct p3d_error err;
    assert_int_equal(p3d_attempt_dir_make(p->fd, "a", P3D_STR(""), &fd, &err), P3D_E_IO);
    assert_int_equal(p3d_tree_remove(p->fd, "a"), 0);
    assert_int_equal(p3d_tree_remove(p->fd, "a"), 0); /* absent is fine */
    assert_int_not_equal(fstatat(p->fd, "a", &st, 0), 0);
}

static void links_are_not_followed(void **state)
{
    struct place *p = *state;
    assert_int_equal(mkdirat(p->fd, "keep", 0700), 0);
    put_file(p->fd, "keep/file", "precious");
    assert_int_equal(mkdirat(p->fd, "gone", 0700), 0);
    assert_int_equal(symlinkat("../keep", p->fd, "gone/link"), 0);
    assert_int_equal(symlinkat("../keep/file", p->fd, "gone/file"), 0);
    assert_int_equal(linkat(p->fd, "keep/file", p->fd, "gone/hard", 0), 0);
    assert_int_equal(mkfifoat(p->fd, "gone/fifo", 0600), 0);
    assert_int_equal(p3d_tree_remove(p->fd, "gone"), 0);
    struct stat st;
    assert_int_equal(fstatat(p->fd, "keep/file", &st, 0), 0);
    assert_int_equal(st.st_size, 8);
    assert_int_equal(symlinkat("keep", p->fd, "top"), 0); /* a link in the place of the directory */
    assert_int_equal(p3d_tree_remove(p->fd, "top"), 0);
    assert_int_equal(fstatat(p->fd, "keep/file", &st, 0), 0);
}

static void forbidden_modes_are_no_obstacle(void **state)
{
    struct place *p = *state;
    assert_int_equal(mkdirat(p->fd, "d", 0700), 0);
    assert_int_equal(mkdirat(p->fd, "d/e", 0700), 0);
    put_file(p->fd, "d/e/f", "x");
    assert_int_equal(fchmodat(p->fd, "d/e", 0, 0), 0);
    assert_int_equal(fchmodat(p->fd, "d", 0, 0), 0);
    assert_int_equal(p3d_tree_remove(p->fd, "d"), 0);
}

static void a_thousand_levels(void **state)
{
    struct place *p = *state;
    int here = p->fd;
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(mkdirat(here, "deeper", 0700), 0);
        int next = openat(here, "deeper", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(next >= 0);
        if (i % 100 == 0)
            put_file(next, "file", "x");
        if (here != p->fd)
            (void)close(here);
        here = next;
    }
    (void)close(here);
    assert_int_equal(p3d_tree_empty(p->fd), 0);
    struct stat st;
    assert_int_equal(fstat(p->fd, &st), 0);
    assert_int_equal(st.st_nlink, 2);
}

static void many_files(void **state)
{
    struct place *p = *state;
    char name[32];
    for (int i = 0; i < 1000; i++) {
        (void)p3d_format(name, sizeof(name), "f%d", i);
        put_file(p->fd, name, "");
    }
    assert_int_equal(p3d_tree_empty(p->fd), 0);
    assert_int_not_equal(faccessat(p->fd, "f1", F_OK, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(made_and_removed, place_setup, place_teardown),
        cmocka_unit_test_setup_teardown(links_are_not_followed, place_setup, place_teardown),
        cmocka_unit_test_setup_teardown(forbidden_modes_are_no_obstacle, place_setup,
                                        place_teardown),
        cmocka_unit_test_setup_teardown(a_thousand_levels, place_setup, place_teardown),
        cmocka_unit_test_setup_teardown(many_files, place_setup, place_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
