/* SPDX-License-Identifier: MIT
 *
 * Waiting in a straight line for what a loop brings: for programs of the command line, which have one thing to do and
 * nobody else to serve. A server never calls this.
 */
#include "p3d/loop.h"

#include "p3d/clock.h"

/* What sets *done may run at the end of a turn, just before the sleep, which nothing would end then. */
enum { SLEEP_MAX_MS = 50 };

int p3d_poll_wait(struct p3d_poll_loop *l, const bool *done, uint64_t timeout_ms)
{
    uint64_t start = p3d_mono_ms(), gone = 0;

    while (!*done && gone < timeout_ms) {
        uint64_t rest = timeout_ms - gone;
        p3d_poll_loop_run_once(l, rest < SLEEP_MAX_MS ? (int)rest : SLEEP_MAX_MS);
        gone = p3d_mono_ms() - start;
    }
    return *done ? 0 : P3D_E_TIMEOUT;
}
