/* SPDX-License-Identifier: MIT
 *
 * Records of jobs as bytes: what the scripts write is read, anything else is P3D_E_CORRUPT and never a crash.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/store/store_internal.h"

#define ULID "01ARZ3NDEKTSV4RRFFQ69G5FAV"
#define HEAD                                                             \
    "3" "1" "7" "003" "002" "005" "001" "1" "0" "02500" "0000000042"     \
    "001700000000123" "0123456789abcdef" "001700000000000" "001700000001000" "000000000000000" \
    "user_00112233445566aa" "00000007" "00000002" "000001000" "0000000042"        \
    "000000000000700" "001700000009999"
static const char RECORD[] = HEAD "{\"a\":1}{}";

static void a_record_is_read(void **state)
{
    (void)state;
    struct p3d_job job;
    assert_int_equal(p3d_record_parse(P3D_STR(ULID), P3D_STR(RECORD), false, &job), 0);
    assert_string_equal(job.id.s, "job_0" ULID);
    assert_string_equal(job.owner.s, "user_00112233445566aa");
    assert_int_equal(job.state, P3D_JOB_PROCESSING);
    assert_int_equal(job.priority, 7);
    assert_int_equal(job.attempt, 2);
    assert_int_equal(job.max_attempts, 5);
    assert_int_equal(job.losses, 1);
    assert_int_equal(job.progress, 2500);
    assert_int_equal(job.rev, 42);
    assert_int_equal(job.fence, 1700000000123);
    assert_string_equal(job.nonce, "0123456789abcdef");
    assert_int_equal(job.created_ms, 1700000000000);
    assert_int_equal(job.started_ms, 1700000001000);
    assert_int_equal(job.ended_ms, 0);
    assert_true(p3d_str_eq(job.spec, P3D_STR("{\"a\":1}")));
    assert_true(p3d_str_eq(job.detail, P3D_STR("{}")));
}

static void no_owner_is_a_dash(void **state)
{
    (void)state;
    struct p3d_job job;
    char record[sizeof RECORD];
    memcpy(record, RECORD, sizeof record);
    memset(record + 108, ' ', 21);
    record[108] = '-';
    assert_int_equal(p3d_record_parse(P3D_STR(ULID), p3d_str_z(record), false, &job), 0);
    assert_int_equal(job.owner.s[0], 0);
}

/* Every shorter piece, and every byte of the head turned into nonsense. */
static void broken_records_are_refused(void **state)
{
    (void)state;
    struct p3d_job job;
    char record[sizeof RECORD];
    for (size_t n = 0; n < sizeof RECORD - 1; n++)
        assert_int_equal(p3d_record_parse(P3D_STR(ULID), (struct p3d_str){RECORD, n}, false, &job), P3D_E_CORRUPT);
    for (size_t i = 0; i < sizeof HEAD - 1; i++) {
        bool nonce = i >= 47 && i < 63, free_digit = (i >= 3 && i < 6) || i == 15 || i == 16 || (i >= 145 && i < 164);
        if (nonce || free_digit) /* not read here */
            continue;
        memcpy(record, RECORD, sizeof record);
        record[i] = '\xff';
        assert_int_equal(p3d_record_parse(P3D_STR(ULID), p3d_str_z(record), false, &job), P3D_E_CORRUPT);
    }
    assert_int_equal(p3d_record_parse(P3D_STR("01ARZ"), P3D_STR(RECORD), false, &job), P3D_E_CORRUPT);
}

static void states_have_names(void **state)
{
    (void)state;
    for (int i = 0; i < P3D_JOB__COUNT; i++)
        assert_int_equal(p3d_job_state_find(p3d_str_z(p3d_job_state_name((enum p3d_job_state)i))), i);
    assert_int_equal(p3d_job_state_find(P3D_STR("done")), -1);
    assert_false(p3d_job_state_final(P3D_JOB_PROCESSING));
    assert_true(p3d_job_state_final(P3D_JOB_CANCELLED));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_is_read),
        cmocka_unit_test(no_owner_is_a_dash),
        cmocka_unit_test(broken_records_are_refused),
        cmocka_unit_test(states_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
