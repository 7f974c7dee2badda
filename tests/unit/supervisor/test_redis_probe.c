/* SPDX-License-Identifier: MIT
 *
 * Asking redis-server on its socket, against one that answers what a hostile or a broken one could.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "p3d/clock.h"
#include "p3d/str.h"
#include "workers/supervisor/redis_internal.h"

struct place {
    char dir[64];
    struct p3d_rundir d;
    int listener;
};

static int setup(void **state)
{
    struct place *p = p3d_alloc(sizeof(*p));
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    struct p3d_error err;
    (void)p3d_format(p->dir, sizeof(p->dir), "/tmp/p3d-probe-XXXXXX");
    if (mkdtemp(p->dir) == NULL || p3d_rundir_open(p->dir, &p->d, &err) != 0)
        return -1;
    (void)p3d_format(a.sun_path, sizeof(a.sun_path), "%s/run/redis.sock", p->dir);
    p->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(p->listener, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(p->listener, 8) != 0)
        return -1;
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    static const char *const made[] = {"run/redis.sock", "run", "redis", ""};
    struct place *p = *state;
    (void)close(p->listener);
    p3d_rundir_close(&p->d);
    for (size_t i = 0; i < sizeof(made) / sizeof(*made); i++) {
        char path[96];
        (void)p3d_format(path, sizeof(path), "%s/%s", p->dir, made[i]);
        (void)remove(path);
    }
    free(p);
    return 0;
}

/* A child that answers one client with these bytes (NULL: nothing) and keeps the connection. */
static int probe(struct place *p, const char *answer, int timeout_ms, struct p3d_redis_answer *ret,
                 int *ret_pidfd, struct p3d_error *err)
{
    pid_t pid = fork();
    if (pid == 0) {
        char question[1024];
        int c = accept(p->listener, NULL, NULL);
        (void)!read(c, question, sizeof(question));
        if (answer != NULL)
            (void)!write(c, answer, strlen(answer));
        (void)pause();
        _exit(0);
    }
    int rc = p3d_redis_probe(&p->d, timeout_ms, ret, ret_pidfd, err);
    (void)kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    return rc;
}

static char *answer_of(const char *ping, const char *dir, const char *info)
{
    return p3d_asprintf("%s\r\n*2\r\n$3\r\ndir\r\n$%zu\r\n%s\r\n$%zu\r\n%s\r\n", ping, strlen(dir),
                        dir, strlen(info), info);
}

static void ours_answers(void **state)
{
    struct place *p = *state;
    struct p3d_redis_answer a;
    struct p3d_error err = {0};
    char dir[80];
    int pidfd = -1;
    (void)p3d_format(dir, sizeof(dir), "%s/../%s/redis", p->dir, strrchr(p->dir, '/') + 1);
    char *text P3D_CLEANUP(p3d_freep) = answer_of("+PONG", dir, "loading:0\r\n");
    assert_int_equal(probe(p, text, 2000, &a, &pidfd, &err), 0);
    assert_int_equal(a.pid, getpid()); /* who called listen(2) */
    assert_true(pidfd >= 0);
    (void)close(pidfd);
}

static void loading_is_said_with_its_progress(void **state)
{
    struct place *p = *state;
    struct p3d_redis_answer a;
    struct p3d_error err = {0};
    char dir[80];
    int pidfd = -1;
    (void)p3d_format(dir, sizeof(dir), "%s/redis", p->dir);
    char *text P3D_CLEANUP(p3d_freep) =
        answer_of("-LOADING Redis is loading the dataset in memory", dir,
                  "loading:1\r\nloading_loaded_perc:42.17\r\n");
    assert_int_equal(probe(p, text, 2000, &a, &pidfd, &err), P3D_E_BUSY);
    assert_int_equal(a.loaded, 42);
    assert_int_equal(pidfd, -1);
}

static void another_folder_is_not_ours(void **state)
{
    struct place *p = *state;
    struct p3d_redis_answer a;
    struct p3d_error err = {0};
    char *text P3D_CLEANUP(p3d_freep) = answer_of("+PONG", "/tmp", "");
    assert_int_equal(probe(p, text, 2000, &a, NULL, &err), P3D_E_CORRUPT);
    assert_non_null(strstr(err.detail, "/tmp"));
}

static void nonsense_is_refused(void **state)
{
    static const char *const bad[] = {
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        "+PONG\r\n*99999999\r\n",
        "+PONG\r\n*-1\r\n",
        "+PONG\r\n*2\r\n$3\r\ndir\r\n$-1\r\n",
        "$99999999999\r\n",
        "\r\n\r\n\r\n",
        "+PONG\r\n*2\r\n*2\r\n",
    };
    struct place *p = *state;
    struct p3d_redis_answer a;
    struct p3d_error err = {0};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_int_equal(probe(p, bad[i], 2000, &a, NULL, &err), P3D_E_CORRUPT);
}

static void silence_ends(void **state)
{
    struct place *p = *state;
    struct p3d_redis_answer a;
    struct p3d_error err = {0};
    uint64_t start = p3d_mono_ms();
    assert_int_equal(probe(p, NULL, 100, &a, NULL, &err), P3D_E_UNAVAILABLE);
    assert_int_equal(probe(p, "+PONG\r\n*2\r\n$3\r\ndir\r\n$10\r\nab", 100, &a, NULL, &err),
                     P3D_E_UNAVAILABLE);
    assert_true(p3d_mono_ms() - start < 5000);
}

static void nobody_there(void **state)
{
    struct place *p = *state;
    struct p3d_redis_answer a;
    struct p3d_error err = {0};
    (void)close(p->listener);
    p->listener = -1;
    assert_int_equal(p3d_redis_probe(&p->d, 1000, &a, NULL, &err), P3D_E_UNAVAILABLE);
    assert_int_equal(a.pid, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ours_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(loading_is_said_with_its_progress, setup, teardown),
        cmocka_unit_test_setup_teardown(another_folder_is_not_ours, setup, teardown),
        cmocka_unit_test_setup_teardown(nonsense_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(silence_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_there, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
