/* SPDX-License-Identifier: MIT
 *
 * What a role inherits: the text, and that descriptors are real and close at the next exec.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <unistd.h>

#include "p3d/role.h"
#include "p3d/str.h"

static void nothing_is_by_hand(void **state)
{
    struct p3d_inherit in;
    (void)state;
    assert_int_equal(p3d_inherit_parse("", &in), 0);
    assert_int_equal(in.control_fd, -1);
    assert_int_equal(in.listen_fd, -1);
    assert_int_equal(in.lock_fd, -1);
    assert_int_equal(in.slot, 0);
}

static void all_are_taken_and_closed_at_exec(void **state)
{
    struct p3d_inherit in;
    char text[96];
    int fd[3];
    (void)state;
    for (int i = 0; i < 3; i++) {
        fd[i] = open("/dev/null", O_RDONLY);
        assert_true(fd[i] >= 3);
    }
    (void)p3d_format(text, sizeof(text), "control=%d,listen=%d,lock=%d,slot=7", fd[0], fd[1],
                     fd[2]);
    assert_int_equal(p3d_inherit_parse(text, &in), 0);
    assert_int_equal(in.control_fd, fd[0]);
    assert_int_equal(in.listen_fd, fd[1]);
    assert_int_equal(in.lock_fd, fd[2]);
    assert_int_equal(in.slot, 7);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(fcntl(fd[i], F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
        (void)close(fd[i]);
    }
}

static void everything_else_is_refused(void **state)
{
    static const char *const bad[] = {
        "control", "control=",     "control=x",        "control=1", "control=-1", "=3",
        "slot=0",  "slot=1,",      ",slot=1",          "slot=1,,",  "slot=1 ",    "slot=1,slot=1",
        "color=3", "control=9999", "slot=99999999999", "Slot=1",    "slot=+1",    "controlx=3",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct p3d_inherit in = {.slot = 42};
        assert_int_equal(p3d_inherit_parse(bad[i], &in), P3D_E_VALIDATION);
        assert_int_equal(in.slot, 42); /* untouched */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_by_hand),
        cmocka_unit_test(all_are_taken_and_closed_at_exec),
        cmocka_unit_test(everything_else_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
