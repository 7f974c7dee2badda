/* SPDX-License-Identifier: MIT
 *
 * The table of a worker's life. Guarantee: every state with a job has a way out for "end", "kill"
 * and the end of its own step, and every way leads through WRAPPING, so a directory never stays
 * behind. To add a step: a state, its rows, its action in worker.c; the unit test checks
 * reachability and the ways out.
 */
#include "states_internal.h"

#include <stddef.h>

#define ROW(f, e, a, t)                                                                            \
    {                                                                                              \
        P3D_WORK_##f, P3D_ON_##e, P3D_DO_##a, P3D_WORK_##t                                         \
    }

static const struct p3d_work_row rows[] = {
    ROW(START, CHECKED, CLAIM, CLAIMING),
    ROW(START, LEAVE, STOP, STOPPED),

    ROW(CLAIMING, JOB, PREPARE, PREPARING),
    ROW(CLAIMING, UNWANTED, FINISH, FINISHING),
    ROW(CLAIMING, NOTHING, WAIT, IDLE),
    ROW(CLAIMING, LEAVE, STOP, STOPPED),

    ROW(IDLE, WAKE, CLAIM, CLAIMING),
    ROW(IDLE, LEAVE, STOP, STOPPED),

    ROW(PREPARING, PREPARED, SPAWN, STARTING),
    ROW(PREPARING, HOPELESS, WRAP, WRAPPING),
    ROW(PREPARING, END, ABANDON, PREPARING),
    ROW(PREPARING, KILL, ABANDON, PREPARING),

    ROW(STARTING, STARTED, CONFIRM, RUNNING),
    ROW(STARTING, HOPELESS, WRAP, WRAPPING),
    ROW(STARTING, GONE, WRAP, WRAPPING),
    ROW(STARTING, END, TERM, KILLING),
    ROW(STARTING, KILL, KILL, KILLING),

    ROW(RUNNING, GONE, WRAP, WRAPPING),
    ROW(RUNNING, END, TERM, KILLING),
    ROW(RUNNING, KILL, KILL, KILLING),

    ROW(KILLING, GONE, WRAP, WRAPPING),
    ROW(KILLING, KILL, KILL, KILLING),

    ROW(WRAPPING, WRAPPED, FINISH, FINISHING),
    ROW(WRAPPING, END, ABANDON, WRAPPING),
    ROW(WRAPPING, KILL, ABANDON, WRAPPING),

    ROW(FINISHING, FINISHED, CLAIM, CLAIMING),
    ROW(FINISHING, JOB, PREPARE, PREPARING),
    ROW(FINISHING, UNWANTED, FINISH, FINISHING),
    ROW(FINISHING, END, WRAP, WRAPPING),
    ROW(FINISHING, KILL, WRAP, WRAPPING),
    ROW(FINISHING, LEAVE, STOP, STOPPED),
};

const struct p3d_work_row *p3d_work_row_find(enum p3d_work_state from, enum p3d_work_event on)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (rows[i].from == from && rows[i].on == on)
            return &rows[i];
    return NULL;
}

static const char *const names[P3D_WORK__STATES] = {
    [P3D_WORK_START] = "start",         [P3D_WORK_CLAIMING] = "claiming",
    [P3D_WORK_IDLE] = "idle",           [P3D_WORK_PREPARING] = "preparing",
    [P3D_WORK_STARTING] = "starting",   [P3D_WORK_RUNNING] = "running",
    [P3D_WORK_KILLING] = "killing",     [P3D_WORK_WRAPPING] = "wrapping",
    [P3D_WORK_FINISHING] = "finishing", [P3D_WORK_STOPPED] = "stopped",
};

const char *p3d_work_state_name(enum p3d_work_state s)
{
    return names[s];
}

bool p3d_work_has_job(enum p3d_work_state s)
{
    return s >= P3D_WORK_PREPARING && s <= P3D_WORK_FINISHING;
}
