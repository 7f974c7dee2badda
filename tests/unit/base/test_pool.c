/* SPDX-License-Identifier: MIT
 *
 * core/base/pool.c: work off the loop, done on it, a bounded queue, no signals, an orderly end.
 */
#include "unit.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>

#include "p3d/clock.h"
#include "p3d/loop.h"

struct job {
    struct p3d_task task;
    pthread_t worker;
    sigset_t mask;
    int worked, done;
};

static struct p3d_poll_loop *poll_loop;
static struct p3d_pool *pool;
static sem_t gate;
static int done_n, refused_n;

static int setup(void **state)
{
    (void)state;
    done_n = refused_n = 0;
    pool = NULL;
    (void)sem_init(&gate, 0, 0);
    return p3d_poll_loop_new(&poll_loop);
}

static int teardown(void **state)
{
    (void)state;
    p3d_poll_loop_free(poll_loop);
    (void)sem_destroy(&gate);
    return 0;
}

static void work(struct p3d_task *t)
{
    struct job *j = (struct job *)t;
    while (sem_wait(&gate) != 0)
        continue;
    j->worker = pthread_self();
    (void)pthread_sigmask(SIG_SETMASK, NULL, &j->mask);
    j->worked++;
}

static void done(struct p3d_task *t)
{
    ((struct job *)t)->done++;
    done_n++;
}

static void done_and_more(struct p3d_task *t)
{
    done(t);
    refused_n += p3d_pool_run(pool, t) == P3D_E_BUSY ? 1 : 0;
}

static void open_gate(int n)
{
    while (n-- > 0)
        (void)sem_post(&gate);
}

static void run_until(int n)
{
    uint64_t end_ms = p3d_mono_ms() + 10000;
    while (done_n < n && p3d_mono_ms() < end_ms)
        p3d_poll_loop_run_once(poll_loop, 100);
    assert_int_equal(done_n, n);
}

static void overflow(void **state)
{
    (void)state;
    struct job jobs[6];
    memset(jobs, 0, sizeof(jobs));
    assert_int_equal(p3d_pool_new(p3d_poll_loop_base(poll_loop), 2, 3, &pool), 0);
    for (int i = 0; i < 6; i++) { /* 2 run, 3 wait */
        jobs[i].task.work = work;
        jobs[i].task.done = done;
        assert_int_equal(p3d_pool_run(pool, &jobs[i].task), i < 5 ? 0 : P3D_E_BUSY);
    }
    assert_null(jobs[5].task.pool);
    open_gate(5);
    run_until(5);
    open_gate(1);
    assert_int_equal(p3d_pool_run(pool, &jobs[5].task), 0);
    run_until(6);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(jobs[i].worked, 1);
        assert_int_equal(jobs[i].done, 1);
        assert_false(pthread_equal(jobs[i].worker, pthread_self()));
        assert_int_equal(sigismember(&jobs[i].mask, SIGTERM), 1);
        assert_int_equal(sigismember(&jobs[i].mask, SIGCHLD), 1);
    }
    sigset_t mask;
    (void)pthread_sigmask(SIG_SETMASK, NULL, &mask);
    assert_int_equal(sigismember(&mask, SIGTERM), 0);
    p3d_pool_free(pool);
}

/* What was accepted is worked on and done, also when the pool ends first; a done callback gets
 * nothing new in. */
static void ending(void **state)
{
    (void)state;
    struct job jobs[4];
    memset(jobs, 0, sizeof(jobs));
    assert_int_equal(p3d_pool_new(p3d_poll_loop_base(poll_loop), 1, 3, &pool), 0);
    for (int i = 0; i < 4; i++) {
        jobs[i].task.work = work;
        jobs[i].task.done = done_and_more;
        assert_int_equal(p3d_pool_run(pool, &jobs[i].task), 0);
    }
    open_gate(4);
    p3d_pool_free(pool);
    assert_int_equal(done_n, 4);
    assert_int_equal(refused_n, 4);
    p3d_pool_free(NULL);
}

static void many(void **state)
{
    (void)state;
    static struct job jobs[500];
    memset(jobs, 0, sizeof(jobs));
    assert_int_equal(p3d_pool_new(p3d_poll_loop_base(poll_loop), 4, 500, &pool), 0);
    open_gate(1000);
    for (int round = 1; round <= 2; round++) { /* a task can be used again once it is done */
        for (size_t i = 0; i < COUNT(jobs); i++) {
            jobs[i].task.work = work;
            jobs[i].task.done = done;
            assert_int_equal(p3d_pool_run(pool, &jobs[i].task), 0);
        }
        run_until(round * (int)COUNT(jobs));
    }
    p3d_pool_free(pool);
    for (size_t i = 0; i < COUNT(jobs); i++)
        assert_int_equal(jobs[i].worked + jobs[i].done, 4);
}

#define ON_LOOP(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {ON_LOOP(overflow), ON_LOOP(ending), ON_LOOP(many)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
