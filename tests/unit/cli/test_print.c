/* SPDX-License-Identifier: MIT
 *
 * Text for a terminal: nothing in it moves the cursor, whatever the store holds.
 */
#include "cli/print_internal.h"

#include <string.h>

#include "p3d/clock.h"
#include "tests/unit/base/unit.h"

static void control_characters(void **state)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"", ""},
        {"ann", "ann"},
        {"\xc3\xa4nn \xf0\x9f\x90\x88", "\xc3\xa4nn \xf0\x9f\x90\x88"},
        {"a\x1b[2Jb\r\n\t\x7f", "a?[2Jb????"},
        {"a\xc2\x9b" "1mb", "a?1mb"}, /* C1 */
        {"a\xc2\xa0" "b", "a\xc2\xa0" "b"},
        {"\xc2\x80\xc2\x9f", "??"},
        {"a\xff" "b", "?"}, /* no text at all */
    };
    char dst[64];
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_ptr_equal(p3d_print_safe(cases[i].in, dst, sizeof(dst)), dst);
        assert_string_equal(dst, cases[i].out);
    }
}

static void cut_at_a_character(void **state)
{
    char dst[4];
    (void)state;
    assert_string_equal(p3d_print_safe("abcdef", dst, sizeof(dst)), "abc");
    assert_string_equal(p3d_print_safe("ab\xc3\xa4", dst, sizeof(dst)), "ab");
    assert_string_equal(p3d_print_safe("a\xc2\x9b", dst, sizeof(dst)), "a?");
    assert_string_equal(p3d_print_safe("a", dst, 1), "");
}

static void times(void **state)
{
    char dst[P3D_TIME_SIZE];
    (void)state;
    assert_string_equal(p3d_print_time(0, dst), "never");
    assert_string_equal(p3d_print_time(1704067200999, dst), "2024-01-01T00:00:00Z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(control_characters),
        cmocka_unit_test(cut_at_a_character),
        cmocka_unit_test(times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
