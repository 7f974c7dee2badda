/* SPDX-License-Identifier: MIT
 *
 * The memory that Redis gets its share of: never more than the machine has.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/sysinfo.h>

#include "workers/supervisor/redis_internal.h"

static void between_something_and_all(void **state)
{
    struct sysinfo info;
    (void)state;
    assert_int_equal(sysinfo(&info), 0);
    uint64_t limit = p3d_memory_limit();
    assert_true(limit > 1 << 20);
    assert_true(limit <= (uint64_t)info.totalram * info.mem_unit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(between_something_and_all)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
