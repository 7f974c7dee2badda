/* SPDX-License-Identifier: MIT
 *
 * core/base/err.c: every row is complete and found by its name; strange numbers are INTERNAL.
 */
#include "unit.h"

#include <limits.h>
#include <string.h>

#include "p3d/err.h"

static void rows(void **state)
{
    (void)state;
    for (int code = -1; code >= -(int)P3D_ERR_ROW__COUNT; code--) {
        const struct p3d_err_info *info = p3d_err_info(code);
        assert_true(info->status >= 400 && info->status < 600);
        assert_true(strlen(info->wire) > 0 && strlen(info->message) > 0);
        assert_int_equal(p3d_err_find(info->symbol, strlen(info->symbol)), code);
    }
    assert_string_equal(p3d_err_info(P3D_E_JOB_NOT_FOUND)->symbol, "JOB_NOT_FOUND");
    assert_string_equal(p3d_err_info(P3D_E_JOB_NOT_FOUND)->wire, "NOT_FOUND");
    assert_string_equal(p3d_err_info(P3D_E_JOB_NOT_FOUND)->message, "Resource not found");
    assert_string_equal(p3d_err_info(P3D_E_JOB_NOT_FOUND)->detail, "Job not found");
    assert_int_equal(p3d_err_info(P3D_E_JOB_NOT_FOUND)->status, 404);
    assert_false(p3d_err_info(P3D_E_JOB_NOT_FOUND)->retryable);
    assert_true(p3d_err_info(P3D_E_STORE_DOWN)->retryable);
}

static void strangers(void **state)
{
    (void)state;
    const int codes[] = {0, 1, INT_MAX, INT_MIN, -1 - (int)P3D_ERR_ROW__COUNT};
    for (size_t i = 0; i < COUNT(codes); i++)
        assert_ptr_equal(p3d_err_info(codes[i]), p3d_err_info(P3D_E_INTERNAL));
    assert_int_equal(p3d_err_find("NO_SUCH", 7), P3D_E_INTERNAL);
    assert_int_equal(p3d_err_find("JOB_NOT_FOUND", 3), P3D_E_INTERNAL);
    assert_int_equal(p3d_err_find("", 0), P3D_E_INTERNAL);
}

static void filling(void **state)
{
    (void)state;
    struct p3d_error err;
    memset(&err, 'x', sizeof(err));
    assert_int_equal(p3d_fail(&err, P3D_E_IO, "no %s", "disk"), P3D_E_IO);
    assert_int_equal(err.code, P3D_E_IO);
    assert_string_equal(err.where, "");
    assert_string_equal(err.detail, "no disk");
    (void)p3d_fail(&err, P3D_E_IO, "copy: %s", err.detail);
    assert_string_equal(err.detail, "copy: no disk");
    assert_int_equal(p3d_fail(NULL, P3D_E_BUSY, "x"), P3D_E_BUSY);
    (void)p3d_fail(&err, P3D_E_IO, "%600d\xC3\xA4", 1);
    assert_int_equal(strlen(err.detail), sizeof(err.detail) - 1);
    (void)p3d_fail(&err, P3D_E_IO, "%510d\xC3\xA4", 1);
    assert_int_equal(strlen(err.detail), 510);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows),
        cmocka_unit_test(strangers),
        cmocka_unit_test(filling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
