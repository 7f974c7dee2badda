/* SPDX-License-Identifier: MIT
 *
 * Locks that end with their process, pid files that are whole or absent, and holders that are who
 * they say.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "p3d/str.h"
#include "workers/supervisor/rundir_internal.h"

struct place {
    char dir[64];
    struct p3d_rundir d;
};

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int setup(void **state)
{
    struct place *p = p3d_alloc(sizeof(*p));
    char data[96];
    struct p3d_error err;
    (void)p3d_format(p->dir, sizeof(p->dir), "/tmp/p3d-rundir-XXXXXX");
    if (mkdtemp(p->dir) == NULL)
        return -1;
    (void)p3d_format(data, sizeof(data), "%s/a/b/data", p->dir);
    *state = p;
    return p3d_rundir_open(data, &p->d, &err);
}

static int teardown(void **state)
{
    struct place *p = *state;
    p3d_rundir_close(&p->d);
    (void)nftw(p->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(p);
    return 0;
}

static void folders_are_private(void **state)
{
    struct place *p = *state;
    struct stat st;
    assert_int_equal(fstat(p->d.data_fd, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(fstat(p->d.run_fd, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
}

static void a_file_in_the_way_is_said(void **state)
{
    struct place *p = *state;
    struct p3d_rundir d;
    struct p3d_error err;
    char path[96];
    (void)p3d_format(path, sizeof(path), "%s/file", p->dir);
    (void)close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    assert_int_equal(p3d_rundir_open(path, &d, &err), P3D_E_CONFIG);
    assert_non_null(strstr(err.detail, path));
}

static void a_lock_is_held_until_its_last_copy_closes(void **state)
{
    struct place *p = *state;
    int first = -1, second = -1;
    assert_int_equal(p3d_lock_take(&p->d, "x.lock", &first), 0);
    assert_int_equal(p3d_lock_take(&p->d, "x.lock", &second), P3D_E_BUSY);
    assert_int_equal(second, -1);
    int copy = fcntl(first, F_DUPFD_CLOEXEC, 3);
    (void)close(first);
    assert_int_equal(p3d_lock_take(&p->d, "x.lock", &second), P3D_E_BUSY);
    (void)close(copy);
    assert_int_equal(p3d_lock_take(&p->d, "x.lock", &second), 0);
    (void)close(second);
}

static void pid_files(void **state)
{
    static const char *const bad[] = {"", "12", "x\n", "-1\n", "0\n", "12 \n", "99999999999999\n"};
    struct place *p = *state;
    assert_int_equal(p3d_pidfile_read(&p->d, "none"), 0);
    assert_int_equal(p3d_pidfile_write(&p->d, "w", 1234), 0);
    assert_int_equal(p3d_pidfile_read(&p->d, "w"), 1234);
    assert_int_equal(p3d_pidfile_write(&p->d, "w", 7), 0);
    assert_int_equal(p3d_pidfile_read(&p->d, "w"), 7);
    p3d_pidfile_remove(&p->d, "w");
    assert_int_equal(p3d_pidfile_read(&p->d, "w"), 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        int fd = openat(p->d.run_fd, "bad.pid", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        assert_int_equal(write(fd, bad[i], strlen(bad[i])), (ssize_t)strlen(bad[i]));
        (void)close(fd);
        assert_int_equal(p3d_pidfile_read(&p->d, "bad"), 0);
    }
}

static void a_holder_must_have_the_lock_open(void **state)
{
    struct place *p = *state;
    int lock = -1, ready[2];
    char c;
    assert_int_equal(p3d_lock_holder(&p->d, "w"), -1); /* neither file is there */
    assert_int_equal(p3d_lock_take(&p->d, "w.lock", &lock), 0);
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    pid_t with = fork();
    if (with == 0) {
        (void)pause();
        _exit(0);
    }
    pid_t without = fork();
    if (without == 0) {
        (void)close(lock);
        (void)!write(ready[1], "", 1);
        (void)pause();
        _exit(0);
    }
    assert_int_equal(read(ready[0], &c, 1), 1);

    assert_int_equal(p3d_pidfile_write(&p->d, "w", without), 0);
    assert_int_equal(p3d_lock_holder(&p->d, "w"), -1);
    assert_int_equal(p3d_pidfile_write(&p->d, "w", with), 0);
    int fd = p3d_lock_holder(&p->d, "w");
    assert_true(fd >= 0);
    (void)close(fd);
    (void)kill(with, SIGKILL);
    (void)kill(without, SIGKILL);
    assert_int_equal(waitpid(with, NULL, 0), with);
    assert_int_equal(waitpid(without, NULL, 0), without);
    assert_int_equal(p3d_lock_holder(&p->d, "w"), -1);
    (void)close(lock);
    (void)close(ready[0]);
    (void)close(ready[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(folders_are_private, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_in_the_way_is_said, setup, teardown),
        cmocka_unit_test_setup_teardown(a_lock_is_held_until_its_last_copy_closes, setup, teardown),
        cmocka_unit_test_setup_teardown(pid_files, setup, teardown),
        cmocka_unit_test_setup_teardown(a_holder_must_have_the_lock_open, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
