/* SPDX-License-Identifier: MIT
 *
 * The directories of an attempt: made once, before it; never by a late one of a job that was deleted.
 */
#include "fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void makes_and_makes_again(void **state)
{
    struct fixture *f = *state;
    struct p3d_error err = {0};
    struct stat st;
    char dir[120];
    fixture_begin(f, ATTEMPT);
    (void)p3d_format(dir, sizeof dir, "root/%s/%s", f->job.s, ATTEMPT);
    assert_int_equal(stat(dir, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    fixture_begin(f, ATTEMPT);
    static const char *const bad[] = {"../x", "", ".", "a/b", ".x"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(p3d_artifact_begin(f->store, &f->job, bad[i], &err), P3D_E_BAD_REQUEST);
    fixture_write("root/job_x", "x", 1);
    struct p3d_job_id file = {"job_x"};
    assert_int_equal(p3d_artifact_begin(f->store, &file, ATTEMPT, &err), P3D_E_IO);
    assert_string_equal(err.detail, "the attempt's directory cannot be made: Not a directory");
}

static void a_deleted_job_is_not_made_again(void **state)
{
    struct fixture *f = *state;
    struct p3d_artifact got;
    struct p3d_error err = {0};
    int fd = -1;
    size_t none = fixture_count("root");
    fixture_write("job/x.glb", "1", 1);
    fixture_begin(f, ATTEMPT);
    assert_int_equal(p3d_artifact_remove(f->store, &f->job, NULL), 0);
    assert_int_equal(p3d_artifact_publish(f->store, &f->job, ATTEMPT, f->job_dir, "x.glb", "mesh", 9, NULL, &got, &err),
                     P3D_E_IO);
    assert_int_equal(p3d_artifact_log_create(f->store, &f->job, ATTEMPT, &fd), P3D_E_IO);
    assert_int_equal(fixture_count("root"), none);
}

static void the_last_attempt_takes_the_jobs_directory_along(void **state)
{
    struct fixture *f = *state;
    size_t none = fixture_count("root");
    fixture_begin(f, "1-a");
    fixture_begin(f, "1-b");
    assert_int_equal(p3d_artifact_remove(f->store, &f->job, "1-a"), 0);
    assert_int_equal(fixture_count("root"), none + 1);
    assert_int_equal(p3d_artifact_remove(f->store, &f->job, "1-b"), 0);
    assert_int_equal(fixture_count("root"), none);
}

struct other {
    struct fixture *f;
    atomic_bool stop;
    int rounds;
};

static void *come_and_go(void *arg)
{
    struct other *o = arg;
    struct p3d_error err;
    while (!atomic_load(&o->stop)) {
        if (p3d_artifact_begin(o->f->store, &o->f->job, "5-other", &err) == 0 &&
            p3d_artifact_remove(o->f->store, &o->f->job, "5-other") == 0)
            o->rounds++;
    }
    return NULL;
}

/* Another attempt's removal may take the directory away between our two steps. */
static void begins_beside_one_that_goes(void **state)
{
    struct fixture *f = *state;
    struct other o = {.f = f};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, come_and_go, &o), 0);
    for (int i = 0; i < 2000; i++) {
        fixture_begin(f, "5-a");
        assert_int_equal(p3d_artifact_remove(f->store, &f->job, "5-a"), 0);
    }
    atomic_store(&o.stop, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(o.rounds > 0);
}

#define STORE(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE(makes_and_makes_again),
        STORE(a_deleted_job_is_not_made_again),
        STORE(the_last_attempt_takes_the_jobs_directory_along),
        STORE(begins_beside_one_that_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
