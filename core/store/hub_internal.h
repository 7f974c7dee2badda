/* SPDX-License-Identifier: MIT
 *
 * Between hub.c (who listens, and the connection) and hub_message.c (what a message says).
 */
#pragma once
#include "conn_internal.h"
#include "p3d/hub.h"

/* A subscription: all listeners of one owner, or of all jobs. Lives while it has a listener. */
struct p3d_channel {
    struct p3d_hub *hub;
    struct p3d_channel *next;  /* in its bucket */
    char key[24];              /* "" = all jobs, "-" = those without an owner, else the owner */
    struct p3d_listener *first;
    struct p3d_subscribing *asked; /* SUBSCRIBE is under way */
    bool stands;
};

struct p3d_listener {
    struct p3d_channel *channel;  /* NULL: the hub is closed */
    const struct p3d_hub_callbacks *cb;
    void *priv;
    struct p3d_listener *next, **at;             /* in its channel */
    struct p3d_listener *fresh_next, **fresh_at; /* among those that are to be told `ready`; NULL: is none */
    bool told;                    /* `ready`, of the subscription that stands */
};

/* One walk over the listeners of a channel, any of which may end meanwhile. */
struct p3d_walk {
    struct p3d_listener *next;
    struct p3d_walk *outer;
};

struct p3d_hub {
    struct p3d_loop *loop;
    const struct p3d_config *cfg;
    struct p3d_conn *conn;       /* NULL: nobody has listened for a while */
    struct p3d_channel **bucket; /* buckets: a power of two, at least as many as channels */
    size_t buckets, channels, listeners;
    struct p3d_listener *fresh, *telling; /* whose `ready` is to come; is coming */
    struct p3d_turn tell;        /* `ready` for the fresh ones */
    struct p3d_timer beat;       /* PING */
    struct p3d_timer linger;     /* until the connection is closed */
    struct p3d_walk *walks;
    unsigned depth;              /* callbacks on the stack */
    bool closed;                 /* freed when the last of them returns */
    uint64_t bad;                /* messages that made no sense */
};

/* What was published. Exactly one of the two. */
struct p3d_message {
    bool is_account;
    struct p3d_event_of_job job;
    struct p3d_owner_id account;
};
/* "<ULID> <owner or -> <revision> <state digit>" or "account <owner>". Errors: P3D_E_CORRUPT, ret untouched. */
P3D_MUST int p3d_message_parse(struct p3d_str text, struct p3d_message *ret);
/* Does this message belong to a channel of that key? */
bool p3d_message_fits(const struct p3d_message *m, const char *key);
