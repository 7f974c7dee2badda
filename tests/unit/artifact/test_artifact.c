/* SPDX-License-Identifier: MIT
 *
 * core/artifact: the root, its id and its key, reading, removing, readiness, content types.
 */
#include "fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define JOB "root/job_001ARZ3NDEKTSV4RRFFQ69G5FAV"
#define WHERE JOB "/" ATTEMPT

static void store_id(void **state)
{
    struct fixture *f = *state;
    struct p3d_artifacts *again = NULL;
    struct p3d_error err = {0};
    struct stat st;
    assert_int_equal(strlen(p3d_artifacts_id(f->store)), 32);
    assert_int_equal(stat("root", &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(stat("root/.store-id", &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(st.st_nlink, 1);
    assert_int_equal(p3d_artifacts_open("root", &again, &err), 0);
    assert_string_equal(p3d_artifacts_id(again), p3d_artifacts_id(f->store));
    p3d_artifacts_close(again);
    assert_int_equal(p3d_artifacts_open("a/b//c/", &again, &err), 0); /* with its parents */
    assert_string_not_equal(p3d_artifacts_id(again), p3d_artifacts_id(f->store));
    p3d_artifacts_close(again);
    p3d_artifacts_close(NULL);
}

static void bad_roots(void **state)
{
    (void)state;
    static const char *const ids[] = {"", "xyz\n", "0123456789abcdef0123456789abcde\n",
                                      "0123456789ABCDEF0123456789abcdef\n",
                                      "0123456789abcdef0123456789abcdef00\n"};
    struct p3d_artifacts *store = NULL;
    struct p3d_error err = {0};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        fixture_write("root/.store-id", ids[i], strlen(ids[i]));
        assert_int_equal(p3d_artifacts_open("root", &store, &err), P3D_E_IO);
        assert_non_null(strstr(err.detail, "root/.store-id does not hold 32"));
    }
    assert_int_equal(unlink("root/.store-id"), 0);
    assert_int_equal(symlink("../x", "root/.store-id"), 0);
    assert_int_equal(p3d_artifacts_open("root", &store, &err), P3D_E_IO);
    fixture_write("file", "x", 1);
    assert_int_equal(p3d_artifacts_open("file", &store, &err), P3D_E_IO);
    assert_int_equal(p3d_artifacts_open("file/root", &store, &err), P3D_E_IO);
    assert_non_null(strstr(err.detail, "file/root cannot be opened"));
    assert_null(store);
}

static void peeked(void **state)
{
    struct fixture *f = *state;
    struct p3d_error err = {0};
    char id[P3D_ARTIFACTS_ID_SIZE] = "untouched";
    assert_int_equal(p3d_artifacts_peek("nowhere", id, &err), P3D_E_NOT_FOUND);
    assert_int_equal(access("nowhere", F_OK), -1);
    assert_int_equal(mkdir("empty", 0700), 0);
    assert_int_equal(p3d_artifacts_peek("empty", id, &err), P3D_E_NOT_FOUND);
    assert_int_equal(fixture_count("empty"), 0); /* looking makes nothing */
    fixture_write("file", "x", 1);
    assert_int_equal(p3d_artifacts_peek("file", id, &err), P3D_E_IO);
    assert_non_null(strstr(err.detail, "file cannot be opened"));
    assert_string_equal(id, "untouched");
    assert_int_equal(p3d_artifacts_peek("root", id, &err), 0);
    assert_string_equal(id, p3d_artifacts_id(f->store));
    fixture_write("root/.store-id", "xyz\n", 4);
    assert_int_equal(p3d_artifacts_peek("root", id, &err), P3D_E_IO);
    assert_non_null(strstr(err.detail, "does not hold 32"));
}

static void store_key(void **state)
{
    struct fixture *f = *state;
    struct p3d_artifacts *again = NULL, *other = NULL;
    struct p3d_error err = {0};
    struct stat st;
    static const unsigned char zeros[32];
    assert_int_equal(stat("root/.store-key", &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(st.st_size, 32);
    assert_int_equal(st.st_nlink, 1);
    assert_memory_not_equal(p3d_artifacts_key(f->store), zeros, 32);
    assert_int_equal(p3d_artifacts_open("root", &again, &err), 0);
    assert_memory_equal(p3d_artifacts_key(again), p3d_artifacts_key(f->store), 32);
    assert_int_equal(p3d_artifacts_open("other", &other, &err), 0);
    assert_memory_not_equal(p3d_artifacts_key(other), p3d_artifacts_key(f->store), 32);
    p3d_artifacts_close(again);
    p3d_artifacts_close(other);
    /* a store of a version that knew no key gets one, and keeps its id */
    assert_int_equal(unlink("root/.store-key"), 0);
    assert_int_equal(p3d_artifacts_open("root", &again, &err), 0);
    assert_string_equal(p3d_artifacts_id(again), p3d_artifacts_id(f->store));
    assert_memory_not_equal(p3d_artifacts_key(again), p3d_artifacts_key(f->store), 32);
    p3d_artifacts_close(again);
}

#define NO_KEY(words)                                                                              \
    do {                                                                                           \
        struct p3d_error no = {0};                                                                 \
        assert_int_equal(p3d_artifacts_open("root", &store, &no), P3D_E_IO);                       \
        assert_non_null(strstr(no.detail, "root/.store-key " words));                              \
        assert_null(store);                                                                        \
    } while (0)

static void bad_keys(void **state)
{
    static const char bytes[64] = "0123456789abcdef0123456789abcdef";
    static const size_t lengths[] = {0, 1, 31, 33, 39, 40, 64};
    static const mode_t modes[] = {0640, 0604, 0620, 0602, 0610, 0666};
    struct p3d_artifacts *store = NULL;
    struct p3d_error err = {0};
    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        fixture_write("root/.store-key", bytes, lengths[i]);
        NO_KEY("does not hold 32 bytes");
    }
    fixture_write("root/.store-key", bytes, 32);
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        assert_int_equal(chmod("root/.store-key", modes[i]), 0);
        NO_KEY("is a secret that others may use");
    }
    assert_int_equal(chmod("root/.store-key", 0400), 0);
    assert_int_equal(p3d_artifacts_open("root", &store, &err), 0);
    assert_memory_equal(p3d_artifacts_key(store), bytes, 32);
    p3d_artifacts_close(store);
    store = NULL;
    assert_int_equal(rename("root/.store-key", "elsewhere"), 0);
    assert_int_equal(symlink("../elsewhere", "root/.store-key"), 0);
    NO_KEY("cannot be read: it is a link");
    assert_int_equal(unlink("root/.store-key") | mkdir("root/.store-key", 0700), 0);
    NO_KEY("is not a file");
    assert_int_equal(rmdir("root/.store-key") | mkfifo("root/.store-key", 0600), 0);
    NO_KEY("is not a file");
}

static bool tell(int fd, const struct p3d_artifacts *store)
{
    unsigned char both[64];
    memcpy(both, p3d_artifacts_id(store), 32);
    memcpy(both + 32, p3d_artifacts_key(store), 32);
    return write(fd, both, sizeof both) == sizeof both;
}

/* Eight processes that start at once agree on one id and one key. */
static void one_id_for_all(void **state)
{
    (void)state;
    int pipes[2];
    pid_t pids[8];
    unsigned char first[64];
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    for (int i = 0; i < 8; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i])
            continue;
        struct p3d_artifacts *store = NULL;
        struct p3d_error err = {0};
        bool good = !p3d_artifacts_open("shared", &store, &err) && tell(pipes[1], store);
        p3d_artifacts_close(store);
        _exit(good ? 0 : 1);
    }
    for (int i = 0; i < 8; i++) {
        int status;
        unsigned char one[64];
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
        assert_int_equal(read(pipes[0], one, sizeof one), sizeof one);
        if (i)
            assert_memory_equal(one, first, sizeof first);
        else
            memcpy(first, one, sizeof first);
    }
    assert_int_equal(fixture_count("shared"), 2);
    assert_int_equal(close(pipes[0]) | close(pipes[1]), 0);
}

static void reading(void **state)
{
    struct fixture *f = *state;
    struct p3d_artifact got;
    struct p3d_error err = {0};
    int fd = -1;
    int64_t size, mtime;
    char bytes[8] = {0};
    fixture_write("job/x.glb", "hello", 5);
    fixture_write("secret", "s", 1);
    assert_int_equal(fixture_publish(f, "x.glb", &got, &err), 0);
    assert_int_equal(p3d_artifact_open(f->store, &f->job, ATTEMPT, "x.glb", &fd, &size, &mtime), 0);
    assert_int_equal(size, 5);
    assert_true(mtime > 1577836800);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(read(fd, bytes, sizeof bytes), 5);
    assert_string_equal(bytes, "hello");
    assert_int_equal(close(fd), 0);
    fd = -1;
    assert_int_equal(symlink("../../../secret", WHERE "/link"), 0);
    assert_int_equal(mkfifo(WHERE "/fifo", 0600), 0);
    assert_int_equal(mkdir(WHERE "/dir", 0700), 0);
    fixture_write(WHERE "/.tmp-1", "x", 1);
    assert_int_equal(symlink(ATTEMPT, JOB "/2-b"), 0);
    static const struct {
        const char *attempt, *name;
    } bad[] = {
        {ATTEMPT, "absent"},  {ATTEMPT, "link"},
        {ATTEMPT, "fifo"},    {ATTEMPT, "dir"},
        {ATTEMPT, ".tmp-1"},  {ATTEMPT, ""},
        {ATTEMPT, "."},       {ATTEMPT, ".."},
        {ATTEMPT, "a/b"},     {ATTEMPT, "../" ATTEMPT "/x.glb"},
        {"1-b", "x.glb"},     {"9-z", "x.glb"},
        {"", "x.glb"},        {"..", "x.glb"},
        {"../" JOB, "x.glb"}, {ATTEMPT, "x.glb/"},
        {ATTEMPT, "x.glb\n"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(
            p3d_artifact_open(f->store, &f->job, bad[i].attempt, bad[i].name, &fd, &size, &mtime),
            P3D_E_RESULT_NOT_FOUND);
    assert_int_equal(fd, -1);
    struct p3d_job_id other = {"job_0none"}, evil = {"../root"};
    assert_int_equal(p3d_artifact_open(f->store, &other, ATTEMPT, "x.glb", &fd, NULL, NULL),
                     P3D_E_RESULT_NOT_FOUND);
    assert_int_equal(p3d_artifact_open(f->store, &evil, ATTEMPT, "x.glb", &fd, NULL, NULL),
                     P3D_E_RESULT_NOT_FOUND);
}

static void removing(void **state)
{
    struct fixture *f = *state;
    struct p3d_artifact got;
    struct p3d_error err = {0};
    struct stat st;
    fixture_write("job/x.glb", "1", 1);
    fixture_write("keep", "1", 1);
    assert_int_equal(mkdir("keepdir", 0700), 0);
    fixture_write("keepdir/file", "1", 1);
    assert_int_equal(fixture_publish(f, "x.glb", &got, &err), 0);
    fixture_begin(f, "1-b");
    assert_int_equal(p3d_artifact_publish(f->store, &f->job, "1-b", f->job_dir, "x.glb", "mesh", 9,
                                          NULL, &got, &err),
                     0);
    assert_int_equal(symlink("../../../keep", WHERE "/link"), 0);
    assert_int_equal(symlink("../../../keepdir", WHERE "/dirlink"), 0);
    assert_int_equal(mkdir(WHERE "/deep", 0700) | mkdir(WHERE "/deep/er", 0700), 0);
    fixture_write(WHERE "/deep/er/file", "1", 1);
    assert_int_equal(p3d_artifact_remove(f->store, &f->job, ATTEMPT), 0);
    assert_int_equal(stat(WHERE, &st), -1);
    assert_int_equal(stat(JOB "/1-b/x.glb", &st), 0);
    assert_int_equal(p3d_artifact_remove(f->store, &f->job, ATTEMPT), 0); /* absent is fine */
    assert_int_equal(p3d_artifact_remove(f->store, &f->job, "../.."), 0); /* nothing of that name */
    assert_int_equal(p3d_artifact_remove(f->store, &f->job, NULL), 0);
    assert_int_equal(stat(JOB, &st), -1);
    assert_int_equal(p3d_artifact_remove(f->store, &f->job, NULL), 0);
    assert_int_equal(p3d_artifact_remove(f->store, &f->job, ATTEMPT), 0);
    assert_int_equal(stat("keep", &st) | stat("keepdir/file", &st), 0);
    /* a link in the place of the job's directory goes itself, not what it leads to */
    assert_int_equal(symlink("../keepdir", JOB), 0);
    assert_int_equal(p3d_artifact_remove(f->store, &f->job, "file"), 0);
    assert_int_equal(p3d_artifact_remove(f->store, &f->job, NULL), 0);
    assert_int_equal(lstat(JOB, &st), -1);
    assert_int_equal(stat("keepdir/file", &st), 0);
    assert_int_equal(fixture_count("root"), 2);
}

static void readiness(void **state)
{
    struct fixture *f = *state;
    struct p3d_error err = {0};
    assert_int_equal(p3d_artifacts_check(f->store, &err), 0);
    assert_int_equal(fixture_count("root"), 2);
    assert_int_equal(unlink("root/.store-id") | unlink("root/.store-key") | rmdir("root"), 0);
    assert_int_equal(p3d_artifacts_check(f->store, &err), P3D_E_IO);
    assert_non_null(strstr(err.detail, "no file can be made in root: No such file"));
}

static void content_types(void **state)
{
    (void)state;
    static const struct {
        const char *name, *type;
    } rows[] = {
        {"a.glb", "model/gltf-binary"},
        {"A.GLB", "model/gltf-binary"},
        {"a.gltf", "model/gltf+json"},
        {"a.obj", "application/wavefront-obj"},
        {"a.fbx", "model/fbx"},
        {"a.ply", "model/ply"},
        {"a.stl", "model/stl"},
        {"a.png", "image/png"},
        {"a.jpg", "image/jpeg"},
        {"a.jpeg", "image/jpeg"},
        {"a.webp", "image/webp"},
        {"a.bmp", "image/bmp"},
        {"a.tiff", "image/tiff"},
        {"a.json", "application/json"},
        {"a.txt", "text/plain; charset=utf-8"},
        {"a.zip", "application/zip"},
        {"a.glb.zip", "application/zip"},
        {"glb", "application/octet-stream"},
        {"a.", "application/octet-stream"},
        {"a.html", "application/octet-stream"},
        {"", "application/octet-stream"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(p3d_content_type(rows[i].name), rows[i].type);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(store_id), TEST(peeked), TEST(bad_roots), TEST(one_id_for_all), TEST(store_key),     TEST(bad_keys),
        TEST(reading),  TEST(removing),  TEST(readiness),      TEST(content_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
