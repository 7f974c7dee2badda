/* SPDX-License-Identifier: MIT
 *
 * Times out of queries. Promises: what is read can be written in both forms, fits, and is read back
 * to the same millisecond (the form without a fraction: to the same second).
 */
#include <string.h>

#include "p3d/clock.h"

#include "fuzz.h"

static int64_t again(int64_t ms, enum p3d_time_form form)
{
    char text[P3D_TIME_SIZE];
    int64_t back = 0;
    memset(text, 'x', sizeof(text));
    p3d_time_format(ms, form, text);
    FUZZ_CHECK(memchr(text, 0, sizeof(text)) != NULL);
    FUZZ_CHECK(p3d_time_parse(p3d_str_z(text), &back) == 0);
    return back;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t ms = 7, raw = 0;
    int r = p3d_time_parse(fuzz_text(data, size), &ms);
    FUZZ_CHECK(r == 0 || (r == P3D_E_VALIDATION && ms == 7));
    if (r == 0) {
        int64_t zulu = again(ms, P3D_TIME_ZULU);
        FUZZ_CHECK(again(ms, P3D_TIME_NAIVE) == ms);
        FUZZ_CHECK(zulu <= ms && ms - zulu < 1000);
    }
    memcpy(&raw, data, size < sizeof(raw) ? size : sizeof(raw));
    (void)again(raw, P3D_TIME_NAIVE); /* any number: the nearest time that can be written */
    return 0;
}
