/* SPDX-License-Identifier: MIT
 *
 * A job record as Redis returns it. Input: a line with the ULID, then the record. Promises: a
 * record that is read has a state of the table, ids that are ids, and a spec and a detail that lie
 * inside it; the head alone reads the same head; anything else is P3D_E_CORRUPT and leaves the
 * result alone.
 */
#include <string.h>

#include "core/store/store_internal.h"
#include "fuzz.h"

static void inside(struct p3d_str part, struct p3d_str whole)
{
    FUZZ_CHECK(part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

static void check_job(const struct p3d_job *job)
{
    struct p3d_job_id id;
    struct p3d_owner_id owner;
    FUZZ_CHECK((unsigned)job->state < P3D_JOB__COUNT && p3d_job_state_name(job->state) != NULL);
    FUZZ_CHECK(p3d_job_id_parse(p3d_str_z(job->id.s), &id) == 0);
    FUZZ_CHECK(job->owner.s[0] == '\0' || p3d_owner_id_parse(p3d_str_z(job->owner.s), &owner) == 0);
    FUZZ_CHECK(job->created_ms >= 0 && job->started_ms >= 0 && job->ended_ms >= 0);
    FUZZ_CHECK(job->priority <= 9 && job->progress <= 99999 && job->nonce[16] == '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct p3d_str rest = fuzz_text(data, size), ulid = fuzz_line(&rest);
    struct p3d_job whole, head;
    memset(&whole, 0x5a, sizeof(whole));
    int r = p3d_record_parse(ulid, rest, false, &whole);
    int r_head = p3d_record_parse(ulid, rest, true, &head);
    FUZZ_CHECK(r == 0 || r == P3D_E_CORRUPT);
    if (r_head == 0) {
        FUZZ_CHECK(head.spec.n == 0 && head.detail.n == 0);
        check_job(&head);
    }
    if (r != 0) {
        FUZZ_CHECK(((unsigned char *)&whole)[0] == 0x5a); /* untouched */
        return 0;
    }
    FUZZ_CHECK(r_head == 0 && head.fence == whole.fence && head.rev == whole.rev);
    check_job(&whole);
    inside(whole.spec, rest);
    inside(whole.detail, rest);
    return 0;
}
