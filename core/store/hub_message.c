/* SPDX-License-Identifier: MIT
 *
 * What is published about a job or an account (lua/work.lua: tell), out of its text. Guarantee: what comes out has ids
 * that are ids and a state of the table, and belongs to the channel it came by; all else is refused. It trusts nobody:
 * whoever may publish on this Redis may write anything.
 */
#include "hub_internal.h"

#include <string.h>

/* The next word; single spaces stand between them, nothing at the ends. */
static struct p3d_str word(struct p3d_str *rest)
{
    const char *space = rest->n ? memchr(rest->p, ' ', rest->n) : NULL;
    struct p3d_str w = {rest->p, space ? (size_t)(space - rest->p) : rest->n};
    size_t past = w.n + (space ? 1 : 0);

    rest->p += past;
    rest->n -= past;
    return w;
}

static int owner(struct p3d_str text, struct p3d_owner_id *ret)
{
    if (p3d_str_eq_z(text, "-"))
        return 0; /* empty as it is */
    return p3d_owner_id_parse(text, ret) ? P3D_E_CORRUPT : 0;
}

static int job_id(struct p3d_str ulid, struct p3d_job_id *ret)
{
    char id[sizeof ret->s];
    if (ulid.n != P3D_ULID_LEN || !p3d_format(id, sizeof id, "job_0%.*s", (int)ulid.n, ulid.p))
        return P3D_E_CORRUPT;
    return p3d_job_id_parse(p3d_str_z(id), ret) ? P3D_E_CORRUPT : 0;
}

int p3d_message_parse(struct p3d_str text, struct p3d_message *ret)
{
    struct p3d_message m = {.is_account = false};
    const size_t all = text.n;
    struct p3d_str first = word(&text), second = word(&text), third = word(&text);
    int64_t rev, state;

    if (p3d_str_eq_z(first, "account")) {
        m.is_account = true;
        if (first.n + 1 + second.n != all || p3d_owner_id_parse(second, &m.account))
            return P3D_E_CORRUPT;
        *ret = m;
        return 0;
    }
    if (job_id(first, &m.job.id) || owner(second, &m.job.owner) || p3d_str_to_i64(third, 0, INT64_MAX, &rev) ||
        text.n != 1 || p3d_str_to_i64(text, 0, P3D_JOB__COUNT - 1, &state))
        return P3D_E_CORRUPT;
    m.job.rev = (uint64_t)rev;
    m.job.state = (enum p3d_job_state)state;
    *ret = m;
    return 0;
}

bool p3d_message_fits(const struct p3d_message *m, const char *key)
{
    const char *of = m->is_account ? m->account.s : m->job.owner.s;
    return !key[0] || !strcmp(of[0] ? of : "-", key);
}
