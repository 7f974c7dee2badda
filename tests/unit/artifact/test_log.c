/* SPDX-License-Identifier: MIT
 *
 * The log of an attempt in the store, what goes with older attempts, and removing whole jobs on a pool.
 */
#include "fixture.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "p3d/loop.h"

static void make_log(struct fixture *f, const char *attempt, const char *text)
{
    int fd = -1;
    fixture_begin(f, attempt);
    assert_int_equal(p3d_artifact_log_create(f->store, &f->job, attempt, &fd), 0);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_true(fcntl(fd, F_GETFL) & O_APPEND);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    (void)close(fd);
}

static void is_written_and_read(void **state)
{
    struct fixture *f = *state;
    int fd = -1;
    int64_t size = -1;
    char text[8] = "";
    assert_int_equal(p3d_artifact_log(f->store, &f->job, ATTEMPT, &fd, &size), P3D_E_RESULT_NOT_FOUND);
    make_log(f, ATTEMPT, "one\n");
    assert_int_equal(p3d_artifact_log(f->store, &f->job, ATTEMPT, &fd, &size), 0);
    assert_int_equal(size, 4);
    assert_int_equal(read(fd, text, sizeof text), 4);
    assert_string_equal(text, "one\n");
    (void)close(fd);
    assert_int_equal(p3d_artifact_log_create(f->store, &f->job, ATTEMPT, &fd), P3D_E_IO); /* never twice */
    /* no name of an artifact leads to it */
    assert_int_equal(p3d_artifact_open(f->store, &f->job, ATTEMPT, ".log", &fd, NULL, NULL), P3D_E_RESULT_NOT_FOUND);
}

static void bad_names_and_links_lead_nowhere(void **state)
{
    struct fixture *f = *state;
    struct p3d_job_id up = {".."};
    int fd = -1;
    int64_t size;
    assert_int_equal(p3d_artifact_log_create(f->store, &up, ATTEMPT, &fd), P3D_E_IO);
    assert_int_equal(p3d_artifact_log_create(f->store, &f->job, "../x", &fd), P3D_E_IO);
    assert_int_equal(p3d_artifact_log(f->store, &f->job, "../x", &fd, &size), P3D_E_RESULT_NOT_FOUND);
    make_log(f, ATTEMPT, "");
    fixture_write("secret", "x", 1);
    char path[100];
    (void)p3d_format(path, sizeof path, "root/%s/1-a/.log", f->job.s);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("../../../secret", path), 0);
    assert_int_equal(p3d_artifact_log(f->store, &f->job, ATTEMPT, &fd, &size), P3D_E_RESULT_NOT_FOUND);
    assert_int_equal(p3d_artifact_log_create(f->store, &f->job, ATTEMPT, &fd), P3D_E_IO);
    assert_int_equal(fd, -1);
}

/* By the number: a late one of an old fence must not remove what a newer one has made. */
static void older_attempts_go(void **state)
{
    struct fixture *f = *state;
    struct p3d_artifact a;
    struct p3d_error err;
    char dir[100];
    fixture_write("job/r.glb", "x", 1);
    make_log(f, "9-b", "nine");
    assert_int_equal(p3d_artifact_publish(f->store, &f->job, "9-b", f->job_dir, "r.glb", "mesh", 10, NULL, &a, &err), 0);
    make_log(f, "10-a", "ten");
    (void)p3d_format(dir, sizeof dir, "root/%s", f->job.s);
    assert_int_equal(fixture_count(dir), 1);
    make_log(f, "10-c", "the same number: not older");
    make_log(f, "2-z", "late");
    assert_int_equal(fixture_count(dir), 3);
    char odd[120];
    (void)p3d_format(odd, sizeof odd, "%s/odd", dir);
    assert_int_equal(mkdir(odd, 0700), 0);
    make_log(f, "11-a", "");
    assert_int_equal(fixture_count(dir), 2); /* 11-a and what has no number */
}

static void clear_leaves_the_log(void **state)
{
    struct fixture *f = *state;
    struct p3d_artifact a;
    struct p3d_error err;
    int fd = -1;
    int64_t size;
    assert_int_equal(p3d_artifact_clear(f->store, &f->job, ATTEMPT), 0); /* absent is fine */
    assert_int_equal(p3d_artifact_clear(f->store, &f->job, "../x"), 0);
    fixture_write("job/r.glb", "x", 1);
    make_log(f, ATTEMPT, "kept");
    assert_int_equal(fixture_publish(f, "r.glb", &a, &err), 0);
    assert_int_equal(p3d_artifact_clear(f->store, &f->job, ATTEMPT), 0);
    assert_int_equal(p3d_artifact_open(f->store, &f->job, ATTEMPT, "r.glb", &fd, NULL, NULL), P3D_E_RESULT_NOT_FOUND);
    assert_int_equal(p3d_artifact_log(f->store, &f->job, ATTEMPT, &fd, &size), 0);
    (void)close(fd);
    assert_int_equal(p3d_artifact_remove(f->store, &f->job, ATTEMPT), 0);
    assert_int_equal(p3d_artifact_log(f->store, &f->job, ATTEMPT, &fd, &size), P3D_E_RESULT_NOT_FOUND);
}

struct house {
    struct p3d_purge *purge;
    int removed, failed;
    bool again; /* name the same job from the callback */
};

static void on_removed(void *priv, const struct p3d_job_id *id, int err)
{
    struct house *h = priv;
    h->removed++;
    h->failed += err != 0;
    if (h->again)
        p3d_purge_add(h->purge, id);
}

static void name_job(struct p3d_job_id *id, int i)
{
    (void)p3d_format(id->s, sizeof id->s, "job_001ARZ3NDEKTSV4RRFFQ69G5%03d", i);
}

static void purges_beside_the_loop(void **state)
{
    struct fixture *f = *state;
    struct p3d_poll_loop *poll;
    struct p3d_pool *pool;
    struct house h = {.removed = 0};
    assert_int_equal(p3d_poll_loop_new(&poll), 0);
    assert_int_equal(p3d_pool_new(p3d_poll_loop_base(poll), 1, 0, &pool), 0);
    h.purge = p3d_purge_new(f->store, pool, on_removed, &h);
    size_t empty = fixture_count("root");
    for (int i = 0; i < 20; i++) {
        name_job(&f->job, i);
        make_log(f, ATTEMPT, "x");
    }
    assert_int_equal(fixture_count("root"), empty + 20);
    for (int i = 0; i < 300; i++) { /* more than there is room for, each twice, many absent */
        name_job(&f->job, i);
        p3d_purge_add(h.purge, &f->job);
        p3d_purge_add(h.purge, &f->job);
    }
    for (int i = 0; i < 1000 && h.removed < 257; i++)
        p3d_poll_loop_run_once(poll, 10);
    assert_in_range(h.removed, 257, 264); /* 256 waiting behind the first batch */
    assert_int_equal(h.failed, 0);
    assert_int_equal(fixture_count("root"), empty);

    h.again = true; /* for ever; the pool's end ends it */
    p3d_purge_add(h.purge, &f->job);
    p3d_poll_loop_run_once(poll, 10);
    p3d_pool_free(pool);
    p3d_purge_free(h.purge);
    p3d_purge_free(NULL);
    p3d_poll_loop_free(poll);
}

#define STORE(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE(is_written_and_read), STORE(bad_names_and_links_lead_nowhere), STORE(older_attempts_go),
        STORE(clear_leaves_the_log), STORE(purges_beside_the_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
