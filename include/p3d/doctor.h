/* SPDX-License-Identifier: MIT
 *
 * Looking for what is wrong with the queue, and putting it right, page by page, while servers and workers go on: every
 * page is one script, so a check and its repair see one moment. Calls of the store (store.h says how they behave),
 * for the operator. A repair loses no job and lets none run twice.
 * A whole walk: _keys from cursor "0" until it answers "0" again; _members the same for each of the keys that the pages
 * name; then _wake for the kinds and _bytes.
 */
#pragma once
#include "p3d/store.h"

enum p3d_ailment {
#define P3D_AILMENT(symbol, text, repair) P3D_AILMENT_##symbol,
#include "p3d/doctor.def"
#undef P3D_AILMENT
    P3D_AILMENT__COUNT
};
struct p3d_ailment_info {
    const char *symbol, *text;
    const char *repair; /* NULL: beyond repair */
};
const struct p3d_ailment_info *p3d_ailment_info(enum p3d_ailment a);

struct p3d_finding {
    enum p3d_ailment what;
    const char *where;  /* job_…, or a key behind the prefix of its family; not to be trusted with a terminal */
    const char *detail; /* as where; "" = none */
    bool repaired;
};

/* answer.doctor of the four calls below. */
struct p3d_doctor_page {
    const char *cursor;       /* "0": the end */
    int64_t keys, jobs;       /* looked at */
    const char *const *walks; /* keys with too many members for this page */
    size_t walks_n;
    const struct p3d_finding *findings;
    size_t n;
};
struct p3d_doctor {
    bool repair;
    int64_t lease_ms; /* what a running job without a lease is given */
};
P3D_MUST int p3d_store_doctor_keys(struct p3d_store *s, const struct p3d_doctor *d, const char *cursor, p3d_store_cb *cb,
                                   void *priv);
P3D_MUST int p3d_store_doctor_members(struct p3d_store *s, const struct p3d_doctor *d, const char *cursor,
                                      const char *key, p3d_store_cb *cb, void *priv);
/* One finding or none; a worker on its way to its claim looks like one for a moment, so ask more than once.
 * max_workers: -1 = no limit, -2 = the kind is not configured here. */
P3D_MUST int p3d_store_doctor_wake(struct p3d_store *s, const struct p3d_doctor *d, const char *kind, int64_t max_workers,
                                   p3d_store_cb *cb, void *priv);
/* The sum of all files. A finding counts when two walks in a row have the same detail; the second one is given the
 * first one's as `known`, else "", and repairs. cursor "changed": begin again; "unread": a record cannot be read. */
P3D_MUST int p3d_store_doctor_bytes(struct p3d_store *s, const struct p3d_doctor *d, const char *cursor,
                                    const char *known, p3d_store_cb *cb, void *priv);

/* answer.about: nothing is written. Texts are Redis's own, "" = not known. */
struct p3d_doctor_about {
    int64_t now_ms, reaped_ms; /* of Redis; the last round of housekeeping, 0 = never */
    int64_t idle, running;     /* workers without a job, living leases */
    char version[32], policy[32], fsync[16];
    char append_only[4], append_status[8]; /* "1" or "0"; "ok" or "err" */
    char schema[24];           /* of the data; p3d_store_schema() is this program's */
    char home[40];             /* id of the artifact store */
};
P3D_MUST int p3d_store_doctor_about(struct p3d_store *s, p3d_store_cb *cb, void *priv);
const char *p3d_store_schema(void);
/* The one line in the audit that tells of a repair: `repaired`, by the operator. */
P3D_MUST int p3d_store_doctor_note(struct p3d_store *s, const char *detail, p3d_store_cb *cb, void *priv);
