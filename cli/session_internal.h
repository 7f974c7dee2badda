/* SPDX-License-Identifier: MIT
 *
 * A verb's conversation with the store: configuration, Redis (the embedded one is started for the call when it does not
 * run), connection, then calls one after the other, each run to its end.
 *
 *     struct p3d_session s = {0};
 *     struct p3d_reply r = {.take = take, .priv = &what};
 *     int rc = p3d_session_open(o, &s);
 *     if (rc == 0)
 *         rc = p3d_session_wait(&s, p3d_store_audit(p3d_session_store(&s), &s.who, …, p3d_session_answer, &r), &r);
 *     p3d_session_close(&s);
 *
 * What returns an exit status has said on stderr what is wrong.
 */
#pragma once
#include <signal.h>

#include "options_internal.h"
#include "p3d/accounts.h"

struct p3d_poll_loop;

/* Zero-initialised it is closed. Call: lives as long as the verb runs. */
struct p3d_session {
    struct p3d_config *cfg;  /* owned */
    struct p3d_access who;   /* the operator */
    struct p3d_poll_loop *loop;
    struct p3d_store *store;
    int redis_pid;           /* of the Redis that runs for this call only, or 0 */
    bool held, locked;       /* until it is down again: stop signals wait, and so does another call */
    sigset_t before;
    int lock_fd;             /* the data folder, flocked, when locked */
};

/* Configuration only. Returns 0 or an exit status. */
int p3d_session_configure(const struct p3d_options *o, struct p3d_session *s);
/* Then Redis and the store; blocks until Redis is loaded, does not wait for the connection. 0 or an exit status. */
int p3d_session_connect(struct p3d_session *s);
int p3d_session_open(const struct p3d_options *o, struct p3d_session *s); /* both */
void p3d_session_close(struct p3d_session *s);

/* For one call: waits for the connection, at most 5 s (a call without one answers P3D_E_STORE_DOWN). */
struct p3d_store *p3d_session_store(struct p3d_session *s);

/* One call's answer. take (may be NULL) copies what is wanted out of it and returns 0 or a P3D_E_*. */
struct p3d_reply {
    int (*take)(void *priv, const struct p3d_answer *a);
    void *priv;

    bool done;
    int err;
};
void p3d_session_answer(void *reply, int err, const struct p3d_answer *a); /* the callback of the call */
/* called: what the call returned. Returns 0 or an exit status; the error is left in r->err. */
int p3d_session_wait(struct p3d_session *s, int called, struct p3d_reply *r);
/* The same without words, for errors that the verb says itself. Returns 0 or P3D_E_*. */
int p3d_session_try(struct p3d_session *s, int called, struct p3d_reply *r);
int p3d_session_say(const struct p3d_session *s, int err); /* words and exit status of a P3D_E_*, or 0 */
