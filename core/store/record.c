/* SPDX-License-Identifier: MIT
 *
 * Job records as Redis holds them: a head of fixed width, the spec, the detail. The layout's other half is
 * lua/work.lua (head_format); docs/redis-schema.md draws it. A change needs a new version digit in the first byte.
 */
#include <string.h>

#include "store_internal.h"

enum { HEAD = 194 };

/* Where a number of the head stands (0-based) and which member it fills. */
struct field {
    size_t at, width, offset, size;
};
#define F(at, width, member) {at, width, offsetof(struct p3d_job, member), sizeof(((struct p3d_job *)0)->member)}
static const struct field FIELDS[] = {
    F(1, 1, state),       F(2, 1, priority),     F(6, 3, attempt),     F(9, 3, max_attempts), F(12, 3, losses),
    F(17, 5, progress),   F(22, 10, rev),        F(32, 15, fence),     F(63, 15, created_ms), F(78, 15, started_ms),
    F(93, 15, ended_ms),  F(164, 15, files_bytes), F(179, 15, expires_ms),
};
#undef F

static int number(struct p3d_str rec, size_t at, size_t width, int64_t *ret)
{
    int64_t n = 0;
    for (size_t i = at; i < at + width; i++) {
        if (rec.p[i] < '0' || rec.p[i] > '9')
            return P3D_E_CORRUPT;
        n = n * 10 + (rec.p[i] - '0');
    }
    *ret = n;
    return 0;
}

static int fields(struct p3d_str rec, struct p3d_job *job)
{
    for (size_t i = 0; i < sizeof FIELDS / sizeof FIELDS[0]; i++) {
        int64_t n;
        if (number(rec, FIELDS[i].at, FIELDS[i].width, &n))
            return P3D_E_CORRUPT;
        char *dst = (char *)job + FIELDS[i].offset;
        if (FIELDS[i].size == sizeof(int64_t)) {
            memcpy(dst, &n, sizeof n);
        } else {
            unsigned u = (unsigned)n;
            memcpy(dst, &u, sizeof u);
        }
    }
    return job->state < P3D_JOB__COUNT ? 0 : P3D_E_CORRUPT;
}

static int owner(struct p3d_str rec, struct p3d_job *job)
{
    struct p3d_str o = p3d_str_trim((struct p3d_str){rec.p + 108, 21});
    if (p3d_str_eq_z(o, "-"))
        return 0;
    return p3d_owner_id_parse(o, &job->owner) ? P3D_E_CORRUPT : 0;
}

int p3d_record_parse(struct p3d_str ulid, struct p3d_str rec, bool head_only, struct p3d_job *ret)
{
    struct p3d_job job = {.eta_ms = -1};
    char id[sizeof job.id.s];
    int64_t spec = 0, detail = 0;
    if (ulid.n != P3D_ULID_LEN || !p3d_format(id, sizeof id, "job_0%.*s", (int)ulid.n, ulid.p) ||
        p3d_job_id_parse(p3d_str_z(id), &job.id))
        return P3D_E_CORRUPT;
    if (rec.n < HEAD || rec.p[0] != '3' || fields(rec, &job) || owner(rec, &job))
        return P3D_E_CORRUPT;
    memcpy(job.nonce, rec.p + 47, 16);
    job.cancelling = rec.p[16] == '1' && job.state == P3D_JOB_PROCESSING;
    if (!head_only) {
        if (number(rec, 129, 8, &spec) || number(rec, 137, 8, &detail) || rec.n != HEAD + (size_t)(spec + detail))
            return P3D_E_CORRUPT;
        job.spec = (struct p3d_str){rec.p + HEAD, (size_t)spec};
        job.detail = (struct p3d_str){rec.p + HEAD + spec, (size_t)detail};
    }
    *ret = job;
    return 0;
}

static const struct {
    const char *name;
    bool final;
} STATES[] = {
#define P3D_JOB_STATE(sym, num, text, fin) [num] = {text, fin},
#include "p3d/job_state.def"
#undef P3D_JOB_STATE
};

const char *p3d_job_state_name(enum p3d_job_state s)
{
    return STATES[s].name;
}

bool p3d_job_state_final(enum p3d_job_state s)
{
    return STATES[s].final;
}

int p3d_job_state_find(struct p3d_str name)
{
    for (int i = 0; i < P3D_JOB__COUNT; i++)
        if (p3d_str_eq_z(name, STATES[i].name))
            return i;
    return -1;
}
