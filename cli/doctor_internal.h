/* SPDX-License-Identifier: MIT
 *
 * Between the files of `p3d doctor`: the walk (doctor.c), what is said of this Redis (doctor_notes.c), and what the
 * operator sees (doctor_report.c).
 */
#pragma once
#include "session_internal.h"
#include "p3d/doctor.h"
#include "p3d/json.h"

enum { P3D_CHECKUP_CURSOR = 192, P3D_CHECKUP_LISTED = 1000 };

struct p3d_checkup {
    struct p3d_session session;
    struct p3d_doctor mode;
    bool json, terminal;
    bool stopped, line_open;
    int err;                 /* P3D_E_*: what ended the walk */
    uint64_t said_ms;        /* progress, monotonic */
    int64_t keys, jobs, problems, repaired;
    json_t *listed, *notes;  /* arrays; the first P3D_CHECKUP_LISTED problems */

    /* The page that was read last. */
    char cursor[P3D_CHECKUP_CURSOR];
    json_t *walks;           /* array of keys */
    bool hold;               /* its findings are not told but kept: they may only look like problems */
    json_t *held;            /* array of problems */
    json_t *kinds;           /* array of those with ready owners */
};

/* ---- doctor_report.c ---- */
json_t *p3d_checkup_problem(const struct p3d_finding *f);
/* Counts it, lists it, and without --json prints it. Takes the reference. */
void p3d_checkup_tell(struct p3d_checkup *c, json_t *problem);
void p3d_checkup_note(struct p3d_checkup *c, const char *fmt, ...) P3D_PRINTF(2, 3);
void p3d_checkup_progress(struct p3d_checkup *c);
void p3d_checkup_report(struct p3d_checkup *c);

/* ---- doctor_notes.c ---- */
/* Returns 0 or an exit status: this is not data that can be judged, or Redis is away. */
int p3d_checkup_about(struct p3d_checkup *c);
