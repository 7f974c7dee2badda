/* SPDX-License-Identifier: MIT
 *
 * The text of a token, and of the identifiers that come in URLs. Promises: an accepted token has
 * the right length and prefix, and none that differs from it by one character is accepted; an
 * accepted id is exactly the text that was read.
 */
#include <string.h>

#include "p3d/crypto.h"
#include "p3d/id.h"

#include "fuzz.h"

static void check_token(struct p3d_str text)
{
    unsigned shard = 99;
    char changed[P3D_TOKEN_LEN];
    int r = p3d_token_check(text, &shard);
    FUZZ_CHECK(r == 0 || (r == P3D_E_TOKEN_INVALID && shard == 99));
    if (r != 0)
        return;
    FUZZ_CHECK(text.n == P3D_TOKEN_LEN && p3d_str_starts(text, "p3d_") && shard < 62);
    for (size_t i = 0; i < text.n; i++) {
        memcpy(changed, text.p, text.n);
        changed[i] = changed[i] == 'x' ? 'y' : 'x';
        FUZZ_CHECK(p3d_token_check((struct p3d_str){changed, text.n}, &shard) != 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct p3d_str text = fuzz_text(data, size);
    struct p3d_job_id job;
    struct p3d_owner_id owner;
    check_token(text);
    if (p3d_job_id_parse(text, &job) == 0)
        FUZZ_CHECK(p3d_str_eq_z(text, job.s) && p3d_job_id_shard(&job) < 62 &&
                   strlen(p3d_job_id_ulid(&job)) == P3D_ULID_LEN);
    if (p3d_owner_id_parse(text, &owner) == 0)
        FUZZ_CHECK(p3d_str_eq_z(text, owner.s));
    return 0;
}
