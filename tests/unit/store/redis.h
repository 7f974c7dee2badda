/* SPDX-License-Identifier: MIT
 *
 * A redis-server of a test's own, on a unix socket in a temporary folder, with a loop and a configuration to reach it.
 */
#pragma once
#include <sys/types.h>

#include "core/store/conn_parts_internal.h"
#include "p3d/config.h"

struct world {
    char dir[512];   /* the folder of the socket */
    char root[64];   /* what is removed at the end */
    pid_t redis;     /* 0 = none runs */
    const char *extra; /* further lines of its configuration */
    struct p3d_poll_loop *poll;
    struct p3d_loop *loop;
    struct p3d_config cfg;

    struct p3d_conn *conn;
    int ups, downs;
};

int world_setup(void **state);
int world_teardown(void **state);
void world_url(struct world *w, const char *url);
/* Make a long folder below, for sockets that no sockaddr_un can name. */
void world_deepen(struct world *w);
void redis_start(struct world *w);
void redis_kill(struct world *w); /* -9 */

/* A connection that counts its ups and downs. */
void conn_open(struct world *w, uint64_t timeout_ms, size_t max_inflight, bool no_scripts);
void conn_close(struct world *w);
void until_up(struct world *w, int ups);     /* ups so far */
void until_down(struct world *w, int downs);
void until(struct world *w, const int *counter, int n);

/* What became of calls. */
struct tally {
    int n, ok, down, other;
    long long integer; /* of the last reply */
    char text[4096];   /* the same */
};
void count(void *priv, int err, const redisReply *reply);
int call(struct world *w, struct tally *t, const char *words); /* separated by single spaces */
