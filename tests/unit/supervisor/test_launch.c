/* SPDX-License-Identifier: MIT
 *
 * A launched child: its own session, default signals, only the descriptors that were named; an exec
 * that fails.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "p3d/str.h"
#include "workers/supervisor/launch_internal.h"

/* Run a shell script as a child; what it wrote. */
static void run(const char *script, int keep, char *dst, size_t size)
{
    const char *const argv[] = {"sh", "-c", script, NULL};
    const char *const envp[] = {"PATH=/usr/bin:/bin", NULL};
    struct p3d_error err = {0};
    pid_t pid = 0;
    int out[2], status;
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    const struct p3d_launch l = {.path = "/bin/sh",
                                 .argv = (char *const *)(uintptr_t)argv,
                                 .envp = (char *const *)(uintptr_t)envp,
                                 .keep = &keep,
                                 .keep_n = keep >= 0,
                                 .output_fd = out[1],
                                 .dir_fd = -1};
    assert_int_equal(p3d_launch(&l, &pid, &err), 0);
    (void)close(out[1]);
    size_t n = 0;
    ssize_t r;
    while (n + 1 < size && (r = read(out[0], dst + n, size - 1 - n)) > 0)
        n += (size_t)r;
    dst[n] = '\0';
    (void)close(out[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void own_session_and_default_signals(void **state)
{
    char text[4096], wanted[64];
    sigset_t set, before;
    (void)state;
    (void)signal(SIGPIPE, SIG_IGN);
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &set, &before);
    run("echo pid=$$; cut -d' ' -f6 /proc/$$/stat; exec grep -E '^Sig(Blk|Ign)' /proc/self/status",
        -1, text, sizeof(text));
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    (void)signal(SIGPIPE, SIG_DFL);
    long pid = strtol(text + strlen("pid="), NULL, 10);
    (void)p3d_format(wanted, sizeof(wanted), "pid=%ld\n%ld\n", pid, pid);
    assert_non_null(strstr(text, wanted)); /* session = pid */
    assert_non_null(strstr(text, "SigBlk:\t0000000000000000"));
    assert_non_null(strstr(text, "SigIgn:\t0000000000000000"));
}

static void only_named_descriptors(void **state)
{
    char text[4096], wanted[32];
    (void)state;
    int leaked = open("/dev/null", O_RDONLY); /* without CLOEXEC on purpose */
    int kept = open("/dev/null", O_RDONLY | O_CLOEXEC);
    run("ls /proc/$$/fd; readlink /proc/$$/fd/0", kept, text, sizeof(text));
    (void)p3d_format(wanted, sizeof(wanted), "0\n1\n2\n%d\n/dev/null\n", kept);
    /* the shell may keep one of its own from 10 on */
    char *own = strstr(text, "10\n");
    if (own != NULL && kept != 10)
        memmove(own, own + 3, strlen(own + 3) + 1);
    assert_string_equal(text, wanted);
    (void)close(leaked);
    (void)close(kept);
}

static void a_failed_exec_is_an_error(void **state)
{
    const char *const argv[] = {"nothing", NULL};
    struct p3d_error err = {0};
    pid_t pid = 77;
    (void)state;
    const struct p3d_launch l = {.path = "/nonexistent/nothing",
                                 .argv = (char *const *)(uintptr_t)argv,
                                 .envp = environ,
                                 .output_fd = 2,
                                 .dir_fd = -1};
    assert_int_equal(p3d_launch(&l, &pid, &err), P3D_E_IO);
    assert_non_null(strstr(err.detail, "nothing"));
    assert_non_null(strstr(err.detail, "No such file"));
    assert_int_equal(pid, 77);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nobody is left */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_session_and_default_signals),
        cmocka_unit_test(only_named_descriptors),
        cmocka_unit_test(a_failed_exec_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
