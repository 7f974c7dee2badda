/* SPDX-License-Identifier: MIT
 *
 * core/base/id.c: ids ascend whatever the clock does, also across a fork; only the canonical
 * spelling parses.
 */
#include "unit.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "p3d/id.h"

static void ascend(void **state)
{
    (void)state;
    static const int64_t clock_ms[] = {
        1704067200000, 1704067200000, 1704067200001, 1704067100000, 0, -5,
        1704067200002, 1704067200001};
    struct p3d_job_id before, id;
    p3d_job_id_new(0, 1704067199999, &before);
    for (size_t i = 0; i < 20000; i++) {
        p3d_job_id_new(0, clock_ms[i % COUNT(clock_ms)], &id);
        assert_int_equal(strlen(id.s), 31);
        assert_true(strcmp(p3d_job_id_ulid(&id), p3d_job_id_ulid(&before)) > 0);
        before = id;
    }
}

static void time_part(void **state)
{
    (void)state;
    struct p3d_job_id id;
    p3d_job_id_new(0, 1800000000000, &id);
    assert_memory_equal(p3d_job_id_ulid(&id), "01MCC5RM00", 10);
    p3d_job_id_new(61, INT64_MAX, &id);
    assert_memory_equal(id.s, "job_z7ZZZZZZZZZ", 15);
    assert_int_equal(p3d_job_id_shard(&id), 61);
}

static void forked(void **state)
{
    (void)state;
    struct p3d_job_id mine, theirs;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    p3d_job_id_new(0, 1000, &mine);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        p3d_job_id_new(0, 1000, &theirs);
        _exit(write(ends[1], &theirs, sizeof(theirs)) == (ssize_t)sizeof(theirs) ? 0 : 1);
    }
    assert_int_equal(read(ends[0], &theirs, sizeof(theirs)), sizeof(theirs));
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    p3d_job_id_new(0, 1000, &mine);
    assert_string_not_equal(mine.s, theirs.s);
    close(ends[0]);
    close(ends[1]);
}

static void job_parse(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "job_",
        "job_001ARZ3NDEKTSV4RRFFQ69G5FA",
        "job_001ARZ3NDEKTSV4RRFFQ69G5FAVX",
        "Job_001ARZ3NDEKTSV4RRFFQ69G5FAV",
        "job_-01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "job_081ARZ3NDEKTSV4RRFFQ69G5FAV",
        "job_001ARZ3NDEKTSV4RRFFQ69G5FAv",
        "job_001ARZ3NDEKTSV4RRFFQ69G5FAI",
        "job_001ARZ3NDEKTSV4RRFFQ69G5FAL",
        "job_001ARZ3NDEKTSV4RRFFQ69G5FAO",
        "job_001ARZ3NDEKTSV4RRFFQ69G5FAU",
        "job_001ARZ3NDEKTSV4RRFFQ69G5F/.",
        "job_001ARZ3NDEKTSV4RRFFQ69G5FA\xC3",
    };
    struct p3d_job_id id = {.s = "untouched"};
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_int_equal(p3d_job_id_parse(p3d_str_z(bad[i]), &id), P3D_E_JOB_NOT_FOUND);
    assert_int_equal(p3d_job_id_parse(P3D_STR("job_001ARZ3NDEKTSV4RRFFQ69G5FA\0"), &id),
                     P3D_E_JOB_NOT_FOUND);
    assert_string_equal(id.s, "untouched");
    assert_int_equal(p3d_job_id_parse(P3D_STR("job_A01ARZ3NDEKTSV4RRFFQ69G5FAV"), &id), 0);
    assert_string_equal(id.s, "job_A01ARZ3NDEKTSV4RRFFQ69G5FAV");
    assert_string_equal(p3d_job_id_ulid(&id), "01ARZ3NDEKTSV4RRFFQ69G5FAV");
    assert_int_equal(p3d_job_id_shard(&id), 10);
}

static void owner_parse(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "user_",
                                      "user_0123456789abcde",
                                      "user_0123456789abcdef0",
                                      "user_0123456789abcdeF",
                                      "user_0123456789abcdeg",
                                      "User_0123456789abcdef"};
    struct p3d_owner_id id = {.s = "untouched"}, other;
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_int_equal(p3d_owner_id_parse(p3d_str_z(bad[i]), &id), P3D_E_USER_NOT_FOUND);
    assert_string_equal(id.s, "untouched");
    p3d_owner_id_new(&other);
    assert_int_equal(p3d_owner_id_parse(p3d_str_z(other.s), &id), 0);
    assert_string_equal(id.s, other.s);
    p3d_owner_id_new(&other);
    assert_string_not_equal(id.s, other.s);
}

static void base62(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 62; i++)
        assert_int_equal(p3d_base62_value(p3d_base62(i)), i);
    assert_int_equal(p3d_base62(0), '0');
    assert_int_equal(p3d_base62(10), 'A');
    assert_int_equal(p3d_base62(61), 'z');
    assert_int_equal(p3d_base62_value('\0'), -1);
    assert_int_equal(p3d_base62_value('-'), -1);
    assert_int_equal(p3d_base62_value((char)0xE4), -1);
}

static void nonce(void **state)
{
    (void)state;
    char a[17], b[17];
    p3d_nonce(a);
    p3d_nonce(b);
    assert_int_equal(strspn(a, "0123456789abcdef"), 16);
    assert_int_equal(a[16], 0);
    assert_string_not_equal(a, b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* forked first: it wants the state near time 1000 */
        cmocka_unit_test(forked),      cmocka_unit_test(ascend), cmocka_unit_test(job_parse),
        cmocka_unit_test(owner_parse), cmocka_unit_test(base62), cmocka_unit_test(nonce),
        cmocka_unit_test(time_part), /* last: it moves the state to the end of time */
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
