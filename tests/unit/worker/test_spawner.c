/* SPDX-License-Identifier: MIT
 *
 * The spawner with real processes: start, end, and that nobody survives: not a double fork, not a
 * changed session, not the death of the worker. This executable is also the spawner: it is started
 * again with that word.
 */
#include "support.h"

#include <errno.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "p3d/clock.h"
#include "p3d/role.h"
#include "workers/runner/spawn_internal.h"

#define DEADLINE_MS 20000

struct run {
    struct place *place;
    struct p3d_spawner spawner;
    int log_fd, events_fd; /* our ends */
    uint32_t id;
};

static int setup(void **state)
{
    struct run *r = p3d_alloc(sizeof(*r));
    (void)place_setup(state);
    r->place = *state;
    r->log_fd = r->events_fd = -1;
    *state = r;
    assert_int_equal(p3d_spawner_start(&r->spawner, -1, NULL), 0);
    return 0;
}

static int teardown(void **state)
{
    struct run *r = *state;
    void *place = r->place;
    p3d_spawner_stop(&r->spawner, DEADLINE_MS);
    p3d_closep(&r->log_fd);
    p3d_closep(&r->events_fd);
    free(r);
    return place_teardown(&place);
}

static void start_argv(struct run *r, char **argv, int64_t file_max)
{
    char path[] = "PATH=/usr/bin:/bin", own[] = "OWN=value", *env[] = {path, own, NULL};
    int log[2], events[2], null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    p3d_closep(&r->log_fd);
    p3d_closep(&r->events_fd);
    assert_int_equal(pipe2(log, O_CLOEXEC), 0);
    assert_int_equal(pipe2(events, O_CLOEXEC), 0);
    int fds[P3D_SPAWN_FDS] = {null_fd, log[1], log[1], events[1]};
    struct p3d_spawn req = {
        .id = ++r->id, .file_max_bytes = file_max, .cwd = r->place->path, .argv = argv, .env = env};
    assert_int_equal(p3d_spawner_run(&r->spawner, &req, fds), 0);
    (void)close(null_fd);
    (void)close(log[1]);
    (void)close(events[1]);
    r->log_fd = log[0];
    r->events_fd = events[0];
}

static void start(struct run *r, const char *script)
{
    char sh[] = "sh", flag[] = "-c", *text = p3d_strdup(script), *argv[] = {sh, flag, text, NULL};
    start_argv(r, argv, 1 << 20);
    free(text);
}

static struct p3d_spawn_report wait_for(struct run *r, enum p3d_spawn_type type)
{
    struct p3d_spawn_report got;
    uint64_t until_ms = p3d_mono_ms() + DEADLINE_MS;
    for (;;) {
        int e = p3d_spawner_read(&r->spawner, &got);
        if (e == 0) {
            assert_int_equal(got.head.type, type);
            assert_int_equal(got.head.id, r->id);
            return got;
        }
        assert_int_equal(e, P3D_E_NOT_FOUND);
        assert_true(p3d_mono_ms() < until_ms);
        struct pollfd p = {.fd = r->spawner.fd, .events = POLLIN};
        (void)poll(&p, 1, 1000);
    }
}

static struct p3d_spawn_report finish(struct run *r)
{
    (void)wait_for(r, P3D_SPAWN_STARTED);
    (void)wait_for(r, P3D_SPAWN_EXITED);
    return wait_for(r, P3D_SPAWN_GONE);
}

/* All that came, until the pipe ends: nobody holds it any more. */
static char *slurp(int fd)
{
    struct p3d_buf b;
    char part[4096];
    p3d_buf_init(&b, 0);
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&p, 1, DEADLINE_MS), 1);
        ssize_t n = read(fd, part, sizeof(part));
        assert_true(n >= 0);
        if (n == 0)
            return p3d_buf_take(&b);
        p3d_buf_add(&b, part, (size_t)n);
    }
}

/* One line, for a pid: the writer lives on. */
static pid_t read_pid(int fd)
{
    char text[32];
    size_t n = 0;
    while (n < sizeof(text) - 1) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&p, 1, DEADLINE_MS), 1);
        assert_int_equal(read(fd, text + n, 1), 1);
        if (text[n] == '\n')
            break;
        n++;
    }
    int64_t pid;
    assert_int_equal(p3d_str_to_i64((struct p3d_str){text, n}, 2, INT32_MAX, &pid), 0);
    return (pid_t)pid;
}

static bool dead(pid_t pid)
{
    return kill(pid, 0) != 0 && errno == ESRCH;
}

static void surroundings(void **state)
{
    struct run *r = *state;
    static const char *const want[] = {
        "\nvalue\n0077\n0 1 2 3 4 \n", /* 4 is ls reading the folder */
        "NoNewPrivs:\t1\n",
        "SigBlk:\t0000000000000000\n",
        "SigIgn:\t0000000000000000\n",
        "\n0\nerr\nleader\n",
    };
    start(r, "pwd; echo \"$OWN\"; umask; ls /proc/self/fd | tr '\\n' ' '; echo; "
             "grep -E 'NoNewPrivs|SigIgn|SigBlk' /proc/self/status; ulimit -c; echo e >&3; "
             "echo err >&2; cut -d' ' -f6 /proc/$$/stat | grep -qx $$ && echo leader");
    struct p3d_spawn_report got = finish(r);
    assert_int_equal(got.status, 0);
    assert_true(got.max_rss_kib > 0);
    char *text = slurp(r->log_fd);
    assert_int_equal(strncmp(text, r->place->path, strlen(r->place->path)), 0);
    for (size_t i = 0; i < sizeof(want) / sizeof(*want); i++)
        assert_non_null(strstr(text, want[i]));
    free(text);
    text = slurp(r->events_fd);
    assert_string_equal(text, "e\n");
    free(text);
}

static void statuses_one_after_another(void **state)
{
    struct run *r = *state;
    start(r, "exit 3");
    assert_int_equal(finish(r).status, 3 << 8);
    start(r, "kill -SEGV $$");
    assert_int_equal(finish(r).status, SIGSEGV);
    for (int i = 0; i < 50; i++) {
        start(r, "exit 0");
        assert_int_equal(finish(r).status, 0);
    }
}

static void a_file_over_the_limit(void **state)
{
    struct run *r = *state;
    char sh[] = "sh", c[] = "-c";
    char script[] = "exec dd if=/dev/zero of=f bs=1000 count=100 2>/dev/null";
    char *argv[] = {sh, c, script, NULL};
    start_argv(r, argv, 50000);
    assert_int_equal(finish(r).status, SIGXFSZ);
    struct stat st;
    assert_int_equal(fstatat(r->place->fd, "f", &st, 0), 0);
    assert_int_equal(st.st_size, 50000);
}

static void reasons_of_a_failed_exec(void **state)
{
    struct run *r = *state;
    char absent[] = "/nonexistent/command", bare[] = "no-such-command-p3d", file[80];
    char *names[] = {absent, bare, file};
    static const int want[] = {ENOENT, ENOENT, EACCES};
    put_file(r->place->fd, "plain", "text");
    (void)p3d_format(file, sizeof(file), "%s/plain", r->place->path);
    for (size_t i = 0; i < 3; i++) {
        char *argv[] = {names[i], NULL};
        start_argv(r, argv, 1 << 20);
        struct p3d_spawn_report got = wait_for(r, P3D_SPAWN_GONE);
        assert_int_equal(got.failed_step, P3D_STEP_EXEC);
        assert_int_equal(got.failed_errno, want[i]);
    }
    assert_int_equal(fchmodat(r->place->fd, "plain", 0700, 0), 0);
    char *argv[] = {file, NULL}; /* executable without #!: no shell tries it */
    start_argv(r, argv, 1 << 20);
    assert_int_equal(wait_for(r, P3D_SPAWN_GONE).failed_errno, ENOEXEC);
    start(r, "exit 0"); /* the spawner is well */
    assert_int_equal(finish(r).status, 0);
}

static void term_reaches_the_group_kill_reaches_all(void **state)
{
    struct run *r = *state;
    start(r, "trap 'echo got it; exit 5' TERM; sleep 1000 & echo $!; wait");
    (void)wait_for(r, P3D_SPAWN_STARTED);
    pid_t sleeper = read_pid(r->log_fd);
    assert_int_equal(p3d_spawner_signal(&r->spawner, r->id, SIGTERM), 0);
    (void)wait_for(r, P3D_SPAWN_EXITED);
    assert_int_equal(wait_for(r, P3D_SPAWN_GONE).status, 5 << 8);
    assert_true(dead(sleeper));
    char *text = slurp(r->log_fd);
    assert_non_null(strstr(text, "got it"));
    free(text);

    start(r, "trap '' TERM; setsid sh -c 'trap \"\" TERM HUP; (sleep 1000 & echo $!); sleep 1001' "
             "& wait");
    (void)wait_for(r, P3D_SPAWN_STARTED);
    sleeper = read_pid(r->log_fd);
    assert_int_equal(p3d_spawner_signal(&r->spawner, r->id, SIGTERM), 0);
    assert_false(dead(sleeper));
    assert_int_equal(p3d_spawner_signal(&r->spawner, r->id, SIGKILL), 0);
    (void)wait_for(r, P3D_SPAWN_EXITED);
    assert_int_equal(wait_for(r, P3D_SPAWN_GONE).status, SIGKILL);
    assert_true(dead(sleeper));
}

static void double_forks_die_with_the_runner(void **state)
{
    struct run *r = *state;
    start(r, "setsid sh -c 'setsid sleep 1000 & echo $!' & wait; exit 0");
    (void)wait_for(r, P3D_SPAWN_STARTED);
    pid_t orphan = read_pid(r->log_fd);
    (void)wait_for(r, P3D_SPAWN_EXITED);
    assert_int_equal(wait_for(r, P3D_SPAWN_GONE).status, 0);
    assert_true(dead(orphan));
}

static void a_crowd_dies(void **state)
{
    struct run *r = *state;
    start(r,
          "f() { [ $1 -gt 0 ] && { (f $(($1-1))) & (f $(($1-1))) & setsid sleep 1000 & } ; wait; };"
          "f 5 & echo $$; wait");
    (void)wait_for(r, P3D_SPAWN_STARTED);
    (void)read_pid(r->log_fd);
    assert_int_equal(p3d_spawner_signal(&r->spawner, r->id, SIGKILL), 0);
    (void)wait_for(r, P3D_SPAWN_EXITED);
    (void)wait_for(r, P3D_SPAWN_GONE);
    free(slurp(r->log_fd)); /* at its end: nobody has it open */
}

static void all_die_when_the_worker_goes(void **state)
{
    struct run *r = *state;
    start(r, "trap '' TERM HUP; setsid sleep 1000 & echo $!; wait");
    (void)wait_for(r, P3D_SPAWN_STARTED);
    pid_t sleeper = read_pid(r->log_fd);
    p3d_spawner_stop(&r->spawner, DEADLINE_MS); /* as the kernel does when the worker is killed */
    assert_true(dead(sleeper));
    free(slurp(r->log_fd));
    assert_int_equal(p3d_spawner_start(&r->spawner, -1, NULL), 0);
}

static void when_the_spawner_is_killed_we_clean_up(void **state)
{
    struct run *r = *state;
    start(r, "setsid sleep 1000 & echo $!; wait");
    (void)wait_for(r, P3D_SPAWN_STARTED);
    pid_t sleeper = read_pid(r->log_fd);
    (void)kill(r->spawner.pid, SIGTERM); /* does not impress it */
    assert_int_equal(kill(r->spawner.pid, SIGKILL), 0);
    struct p3d_spawn_report got;
    uint64_t until_ms = p3d_mono_ms() + DEADLINE_MS;
    while (p3d_spawner_read(&r->spawner, &got) == P3D_E_NOT_FOUND && p3d_mono_ms() < until_ms) {
        struct pollfd p = {.fd = r->spawner.fd, .events = POLLIN};
        (void)poll(&p, 1, 1000);
    }
    assert_true(p3d_tree_end(DEADLINE_MS));
    assert_true(dead(sleeper));
}

static void nonsense_ends_the_conversation(void **state)
{
    struct run *r = *state;
    start(r, "sleep 1000 & echo $!; wait");
    (void)wait_for(r, P3D_SPAWN_STARTED);
    pid_t sleeper = read_pid(r->log_fd);
    assert_int_equal(write(r->spawner.fd, "nonsense", 8), 8);
    int status;
    assert_int_equal(waitpid(r->spawner.pid, &status, 0), r->spawner.pid);
    r->spawner.pid = 0;
    assert_true(WIFEXITED(status));
    assert_true(dead(sleeper));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(surroundings),
        T(statuses_one_after_another),
        T(a_file_over_the_limit),
        T(reasons_of_a_failed_exec),
        T(term_reaches_the_group_kill_reaches_all),
        T(double_forks_die_with_the_runner),
        T(a_crowd_dies),
        T(all_die_when_the_worker_goes),
        T(when_the_spawner_is_killed_we_clean_up),
        T(nonsense_ends_the_conversation),
    };
    if (argc > 1 && strcmp(argv[1], "spawner") == 0)
        return p3d_role_spawner(3);
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
