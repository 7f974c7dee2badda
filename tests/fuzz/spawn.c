/* SPDX-License-Identifier: MIT
 *
 * The RUN message of a worker to its spawner. Promises: what is decoded has an argv[0] and vectors
 * that end with NULL, ready for execve; encoded again it is the same message; words exist for every
 * step that a report could name.
 */
#include <string.h>

#include "workers/runner/spawn_internal.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct p3d_str message = fuzz_text(data, size);
    struct p3d_spawn s;
    struct p3d_buf again;
    FUZZ_CHECK(p3d_spawn_step_words(size > 0 ? (int8_t)data[0] : 0)[0] != '\0');
    int r = p3d_spawn_decode(message, &s);
    FUZZ_CHECK(r == 0 || r == P3D_E_VALIDATION);
    if (r != 0)
        return 0;
    FUZZ_CHECK(s.argv[0] != NULL && s.cwd != NULL && s.file_max_bytes >= 0);
    p3d_buf_init(&again, 0);
    r = p3d_spawn_encode(&s, &again);
    FUZZ_CHECK(r == 0 || (r == P3D_E_TOO_LARGE && size > P3D_SPAWN_MAX_BYTES / 2));
    FUZZ_CHECK(r != 0 || p3d_str_eq(p3d_buf_str(&again), message));
    p3d_buf_done(&again);
    p3d_spawn_done(&s);
    return 0;
}
