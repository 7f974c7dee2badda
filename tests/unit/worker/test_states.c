/* SPDX-License-Identifier: MIT
 *
 * The table of a worker's life, judged as a graph: everything reachable, every state with a way
 * out.
 */
#include "support.h"
#include "workers/worker/states_internal.h"

static void every_state_is_reachable(void **state)
{
    bool seen[P3D_WORK__STATES] = {[P3D_WORK_START] = true};
    (void)state;
    for (int round = 0; round < P3D_WORK__STATES; round++)
        for (int s = 0; s < P3D_WORK__STATES; s++)
            for (int e = 0; seen[s] && e < P3D_WORK__EVENTS; e++) {
                const struct p3d_work_row *row =
                    p3d_work_row_find((enum p3d_work_state)s, (enum p3d_work_event)e);
                if (row != NULL)
                    seen[row->to] = true;
            }
    for (int s = 0; s < P3D_WORK__STATES; s++)
        assert_true(seen[s]);
}

static void a_job_can_always_be_ended(void **state)
{
    static const enum p3d_work_event ends[] = {P3D_ON_KILL, P3D_ON_END};
    (void)state;
    for (int s = P3D_WORK_PREPARING; s <= P3D_WORK_FINISHING; s++)
        for (size_t i = 0; i < 2; i++) {
            if (s == P3D_WORK_KILLING && ends[i] == P3D_ON_END)
                continue; /* that is being done */
            assert_non_null(p3d_work_row_find((enum p3d_work_state)s, ends[i]));
        }
}

static void a_runner_is_only_left_behind_dead(void **state)
{
    (void)state;
    for (int s = P3D_WORK_STARTING; s <= P3D_WORK_KILLING; s++)
        for (int e = 0; e < P3D_WORK__EVENTS; e++) {
            const struct p3d_work_row *row =
                p3d_work_row_find((enum p3d_work_state)s, (enum p3d_work_event)e);
            bool alive =
                row == NULL || (row->to >= P3D_WORK_STARTING && row->to <= P3D_WORK_KILLING);
            bool dead = e == P3D_ON_GONE || (s == P3D_WORK_STARTING && e == P3D_ON_HOPELESS);
            assert_true(alive != dead);
            if (dead)
                assert_int_equal(row->to, P3D_WORK_WRAPPING);
        }
}

static void nothing_leaves_with_a_job_in_hand_but_finishing(void **state)
{
    (void)state;
    for (int s = 0; s < P3D_WORK__STATES; s++) {
        const struct p3d_work_row *row = p3d_work_row_find((enum p3d_work_state)s, P3D_ON_LEAVE);
        bool may = !p3d_work_has_job((enum p3d_work_state)s) || s == P3D_WORK_FINISHING;
        if (s != P3D_WORK_STOPPED)
            assert_int_equal(row != NULL, may);
        if (row != NULL)
            assert_int_equal(row->to, P3D_WORK_STOPPED);
    }
}

static void stopped_is_the_end(void **state)
{
    (void)state;
    for (int e = 0; e < P3D_WORK__EVENTS; e++)
        assert_null(p3d_work_row_find(P3D_WORK_STOPPED, (enum p3d_work_event)e));
    assert_string_equal(p3d_work_state_name(P3D_WORK_KILLING), "killing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_is_reachable),
        cmocka_unit_test(a_job_can_always_be_ended),
        cmocka_unit_test(a_runner_is_only_left_behind_dead),
        cmocka_unit_test(nothing_leaves_with_a_job_in_hand_but_finishing),
        cmocka_unit_test(stopped_is_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
