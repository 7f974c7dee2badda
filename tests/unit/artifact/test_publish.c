/* SPDX-License-Identifier: MIT
 *
 * core/artifact/publish.c and beneath.c: what a job may hand in, under which name it stands there,
 * and that nothing is left or visible when it does not work out.
 */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/artifact/artifact_internal.h"

#define WHERE "root/job_001ARZ3NDEKTSV4RRFFQ69G5FAV/" ATTEMPT

static void published(void **state)
{
    struct fixture *f = *state;
    struct p3d_artifact got;
    struct p3d_error err = {0};
    struct stat st;
    assert_int_equal(mkdir("job/outputs", 0700), 0);
    fixture_write("job/outputs/result.glb", "abc", 3);
    assert_int_equal(fixture_publish(f, "outputs/result.glb", &got, &err), 0);
    assert_string_equal(got.name, "result.glb");
    assert_string_equal(got.role, "mesh");
    assert_string_equal(got.content_type, "model/gltf-binary");
    assert_int_equal(got.size_bytes, 3);
    assert_string_equal(got.sha256,
                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_int_equal(stat(WHERE "/result.glb", &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(st.st_nlink, 1);
    assert_int_equal(stat(WHERE, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(fixture_count(WHERE), 1);
    /* again, with other bytes: the name now leads to those, a reader of the old ones keeps them */
    int fd = open(WHERE "/result.glb", O_RDONLY | O_CLOEXEC);
    char old[4] = {0};
    fixture_write("job/outputs/result.glb", "", 0);
    assert_int_equal(fixture_publish(f, "./outputs//result.glb", &got, &err), 0);
    assert_int_equal(got.size_bytes, 0);
    assert_string_equal(got.sha256,
                        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_int_equal(read(fd, old, 4), 3);
    assert_string_equal(old, "abc");
    assert_int_equal(close(fd), 0);
    assert_int_equal(fixture_count(WHERE), 1);
}

static void several_pieces(void **state)
{
    struct fixture *f = *state;
    size_t n = 3 * 1048576 + 17;
    unsigned char *bytes = p3d_alloc(n);
    for (size_t i = 0; i < n; i++)
        bytes[i] = (unsigned char)(i * 7 + i / 1000);
    fixture_write("job/big.stl", bytes, n);
    struct p3d_artifact got;
    struct p3d_error err = {0};
    char want[P3D_SHA256_HEX];
    p3d_sha256_hex((struct p3d_str){(char *)bytes, n}, want);
    assert_int_equal(fixture_publish(f, "big.stl", &got, &err), 0);
    assert_int_equal(got.size_bytes, n);
    assert_string_equal(got.sha256, want);
    free(bytes);
}

static void names(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *given, *name;
    } rows[] = {
        {"a b.glb", "a_b.glb"}, {".hidden", "_hidden"}, {"gr\xc3\xbc\xc3\x9f.png", "gr____.png"},
        {"x\ny", "x_y"},        {"-rf", "-rf"},         {"a'\"<>.obj", "a____.obj"},
        {"...", "_.."},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct p3d_artifact got;
        struct p3d_error err = {0};
        char *path = p3d_asprintf("job/%s", rows[i].given);
        fixture_write(path, "x", 1);
        free(path);
        assert_int_equal(fixture_publish(f, rows[i].given, &got, &err), 0);
        assert_string_equal(got.name, rows[i].name);
    }
    char longest[256], path[300];
    memset(longest, 'a', 255);
    memcpy(longest + 251, ".glb", 5);
    (void)p3d_format(path, sizeof path, "job/%s", longest);
    fixture_write(path, "x", 1);
    struct p3d_artifact got;
    struct p3d_error err = {0};
    assert_int_equal(fixture_publish(f, longest, &got, &err), 0);
    assert_int_equal(strlen(got.name), 200);
    assert_string_equal(got.name + 195, "a.glb");
    assert_string_equal(got.content_type, "model/gltf-binary");
}

static void make_traps(void)
{
    fixture_write("secret", "root only", 9);
    fixture_write("job/plain", "x", 1);
    fixture_write("job/linked", "x", 1);
    assert_int_equal(mkdir("job/dir", 0700), 0);
    assert_int_equal(symlink("../secret", "job/link"), 0);
    assert_int_equal(symlink("plain", "job/inside"), 0);
    assert_int_equal(symlink("..", "job/up"), 0);
    assert_int_equal(symlink("dir", "job/dirlink"), 0);
    fixture_write("job/dir/file", "x", 1);
    assert_int_equal(link("job/linked", "job/linked2"), 0);
    assert_int_equal(mkfifo("job/fifo", 0600), 0);
    assert_int_equal(symlink("/proc/self/exe", "job/exe"), 0);
}

static const char *const traps[] = {
    "link",        "inside",  "up/secret", "dirlink/file", "linked",
    "linked2",     "fifo",    "dir",       "exe",          "absent",
    "dir/absent",  "plain/x", "../secret", "dir/../plain", "dir/../../secret",
    "/etc/passwd", "",        ".",         "..",           "dir/",
    "plain/",      "up",      "/",
};

static void refused(void **state)
{
    struct fixture *f = *state;
    make_traps();
    for (size_t i = 0; i < sizeof traps / sizeof *traps; i++) {
        struct p3d_artifact got = {.size_bytes = -7};
        struct p3d_error err = {0};
        int status = fixture_publish(f, traps[i], &got, &err);
        if (status != P3D_E_BAD_REQUEST || err.code != status || !err.detail[0])
            fail_msg("'%s': %d %s", traps[i], status, err.detail);
        assert_int_equal(got.size_bytes, -7);
    }
    assert_int_equal(fixture_count(WHERE), 0);
    struct p3d_artifact got;
    struct p3d_error err = {0};
    assert_int_equal(fixture_publish(f, "dir/file", &got, &err), 0);
}

/* The two ways of opening accept and refuse the same. */
static void both_walks(void **state)
{
    struct fixture *f = *state;
    make_traps();
    static const char *const good[] = {"plain", "dir/file", "./plain", "dir//file", "dir/./file"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        for (int walk = 0; walk < 2; walk++) {
            int fd =
                (walk ? p3d_open_beneath_walk : p3d_open_beneath)(f->job_dir, good[i], O_RDONLY);
            if (fd < 0)
                fail_msg("%s %d: %s", good[i], walk, strerror(errno));
            assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
            assert_int_equal(close(fd), 0);
        }
    static const char *const bad[] = {
        "link",   "inside",  "up/secret", "dirlink/file", "exe",
        "absent", "plain/x", "../secret", "dir/../plain", "/etc/passwd",
        "",       "..",      "up"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(p3d_open_beneath(f->job_dir, bad[i], O_RDONLY | O_NONBLOCK), -1);
        assert_int_equal(p3d_open_beneath_walk(f->job_dir, bad[i], O_RDONLY | O_NONBLOCK), -1);
    }
}

static void too_large(void **state)
{
    struct fixture *f = *state;
    struct p3d_artifact got;
    struct p3d_error err = {0};
    fixture_write("job/x", "12345", 5);
    fixture_begin(f, ATTEMPT);
    assert_int_equal(p3d_artifact_publish(f->store, &f->job, ATTEMPT, f->job_dir, "x", "file", 4,
                                          NULL, &got, &err),
                     P3D_E_BAD_REQUEST);
    assert_non_null(strstr(err.detail, "larger than 4 bytes"));
    assert_int_equal(p3d_artifact_publish(f->store, &f->job, ATTEMPT, f->job_dir, "x", "file", 5,
                                          NULL, &got, &err),
                     0);
}

/* /proc files say that they are empty and are not: the cap holds by what is read, not by what was
 * promised. */
static void grows_while_copied(void **state)
{
    struct fixture *f = *state;
    struct p3d_artifact got;
    struct p3d_error err = {0};
    fixture_begin(f, ATTEMPT);
    int proc = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(p3d_artifact_publish(f->store, &f->job, ATTEMPT, proc, "status", "file", 10,
                                          NULL, &got, &err),
                     P3D_E_BAD_REQUEST);
    assert_non_null(strstr(err.detail, "larger than 10 bytes"));
    assert_int_equal(fixture_count(WHERE), 0);
    assert_int_equal(close(proc), 0);
}

static void given_up(void **state)
{
    struct fixture *f = *state;
    atomic_bool abandon = true;
    struct p3d_artifact got;
    struct p3d_error err = {0};
    fixture_write("job/x", "12345", 5);
    fixture_begin(f, ATTEMPT);
    assert_int_equal(p3d_artifact_publish(f->store, &f->job, ATTEMPT, f->job_dir, "x", "file", 100,
                                          &abandon, &got, &err),
                     P3D_E_STALE);
    assert_int_equal(fixture_count(WHERE), 0);
    atomic_store(&abandon, false);
    assert_int_equal(p3d_artifact_publish(f->store, &f->job, ATTEMPT, f->job_dir, "x", "file", 100,
                                          &abandon, &got, &err),
                     0);
}

/* A write that the system refuses half-way: nothing stays, the old bytes are still there. */
static void disk_full(void **state)
{
    struct fixture *f = *state;
    struct p3d_artifact got;
    struct p3d_error err = {0};
    struct rlimit old, small;
    static char bytes[3000000];
    fixture_write("job/x.glb", "old", 3);
    assert_int_equal(fixture_publish(f, "x.glb", &got, &err), 0);
    fixture_write("job/x.glb", bytes, sizeof bytes);
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 2000000;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int status = fixture_publish(f, "x.glb", &got, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(status, P3D_E_IO);
    assert_non_null(strstr(err.detail, "File too large"));
    assert_int_equal(fixture_count(WHERE), 1);
    struct stat st;
    assert_int_equal(stat(WHERE "/x.glb", &st), 0);
    assert_int_equal(st.st_size, 3);
}

/* Somebody put something else where our directories belong. */
static void target_in_the_way(void **state)
{
    struct fixture *f = *state;
    struct p3d_artifact got;
    struct p3d_error err = {0};
    fixture_write("job/x", "1", 1);
    assert_int_equal(mkdir("elsewhere", 0700), 0);
    assert_int_equal(symlink("../elsewhere", "root/job_001ARZ3NDEKTSV4RRFFQ69G5FAV"), 0);
    assert_int_equal(fixture_publish(f, "x", &got, &err), P3D_E_IO);
    assert_int_equal(fixture_count("elsewhere"), 0);
    static const char *const attempts[] = {"../x", "", ".", "a/b", ".x"};
    for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++)
        assert_int_equal(p3d_artifact_publish(f->store, &f->job, attempts[i], f->job_dir, "x",
                                              "file", 9, NULL, &got, &err),
                         P3D_E_BAD_REQUEST);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(published),
        TEST(several_pieces),
        TEST(names),
        TEST(refused),
        TEST(both_walks),
        TEST(too_large),
        TEST(grows_while_copied),
        TEST(given_up),
        TEST(disk_full),
        TEST(target_in_the_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
