/* SPDX-License-Identifier: MIT
 *
 * Changes of jobs as they happen, over a subscribed connection of its own. State-based: an event says that a job has
 * reached a revision, whoever needs more reads the record; after a loss `ready` comes again. Subscribed are only
 * the owners that somebody listens to.
 */
#pragma once
#include "p3d/store.h"

struct p3d_hub;
struct p3d_listener;

struct p3d_event_of_job {
    struct p3d_job_id id;
    struct p3d_owner_id owner; /* empty: none */
    uint64_t rev;
    enum p3d_job_state state;
};
struct p3d_hub_callbacks {
    void (*event)(void *priv, const struct p3d_event_of_job *e);
    void (*ready)(void *priv); /* subscribed now, also again after a loss: what happened before is to be read */
    void (*account)(void *priv, const struct p3d_owner_id *owner); /* suspended, deleted, token revoked, limits: look again */
};

/* Connects when the first listener comes. Errors: P3D_E_CONFIG as p3d_store_open. */
P3D_MUST int p3d_hub_open(struct p3d_loop *l, const struct p3d_config *cfg, struct p3d_hub **ret, struct p3d_error *err);
void p3d_hub_close(struct p3d_hub *h); /* no listener is called any more; they are freed by their owners. NULL is fine */
/* owner NULL: all jobs. Callbacks on the loop; `ready` comes once the subscription stands (at once if it does), never
 * from within this call. A callback may end any listener, its own too. cb must live as long as the listener. */
struct p3d_listener *p3d_hub_listen(struct p3d_hub *h, const struct p3d_owner_id *owner,
                                    const struct p3d_hub_callbacks *cb, void *priv);
void p3d_hub_unlisten(struct p3d_listener *x); /* NULL is fine */
size_t p3d_hub_listeners(const struct p3d_hub *h);
