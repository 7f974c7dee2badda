/* SPDX-License-Identifier: MIT
 *
 * The life of a worker as rows (states.c): in this state, on this event, do that, be then in that state. A pair without
 * a row means that the event does not matter there. Pure data; worker.c runs it.
 */
#pragma once
#include <stdbool.h>

enum p3d_work_state {
    P3D_WORK_START,     /* waiting for the store and its check */
    P3D_WORK_CLAIMING,  /* asked the store for a job, or waiting to ask again */
    P3D_WORK_IDLE,      /* there was none: waiting for the wake-up */
    P3D_WORK_PREPARING, /* the helper makes the attempt's directory */
    P3D_WORK_STARTING,  /* the spawner was asked */
    P3D_WORK_RUNNING,
    P3D_WORK_KILLING,   /* SIGTERM or SIGKILL is out, until nobody lives */
    P3D_WORK_WRAPPING,  /* the helper publishes, then removes the directory; or takes back what was published */
    P3D_WORK_FINISHING, /* the outcome is told to the store */
    P3D_WORK_STOPPED,
    P3D_WORK__STATES
};

enum p3d_work_event {
    P3D_ON_CHECKED,     /* the store is the right one */
    P3D_ON_JOB,         /* a job is leased to us */
    P3D_ON_UNWANTED,    /* the same, but we are draining */
    P3D_ON_NOTHING,     /* no job */
    P3D_ON_WAKE,        /* there may be one */
    P3D_ON_PREPARED,
    P3D_ON_HOPELESS,    /* prepared or not, the end is decided: nothing will be started */
    P3D_ON_STARTED,
    P3D_ON_END,         /* end this attempt, politely */
    P3D_ON_KILL,        /* end it now */
    P3D_ON_GONE,        /* no process of the attempt lives */
    P3D_ON_WRAPPED,
    P3D_ON_FINISHED,    /* the attempt is over for us */
    P3D_ON_LEAVE,       /* draining and nothing in hand */
    P3D_WORK__EVENTS
};

enum p3d_work_do {
    P3D_DO_NOTHING,
    P3D_DO_CLAIM,    /* ask for a job */
    P3D_DO_WAIT,     /* ask for a wake-up */
    P3D_DO_PREPARE,
    P3D_DO_SPAWN,
    P3D_DO_CONFIRM,  /* first heartbeat */
    P3D_DO_TERM,
    P3D_DO_KILL,
    P3D_DO_ABANDON,  /* tell the helper */
    P3D_DO_WRAP,
    P3D_DO_FINISH,
    P3D_DO_STOP,
    P3D_WORK__DOS
};

struct p3d_work_row {
    enum p3d_work_state from;
    enum p3d_work_event on;
    enum p3d_work_do act;
    enum p3d_work_state to;
};

/* NULL: the event does not matter in this state. */
const struct p3d_work_row *p3d_work_row_find(enum p3d_work_state from, enum p3d_work_event on);
const char *p3d_work_state_name(enum p3d_work_state s);
bool p3d_work_has_job(enum p3d_work_state s); /* an attempt is in hand: heartbeats go on */
