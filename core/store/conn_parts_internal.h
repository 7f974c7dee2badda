/* SPDX-License-Identifier: MIT
 *
 * The parts of a connection, for conn*.c and script.c only:
 *   conn_socket.c  from an address to a connected socket (p3d_dial_*)
 *   conn_wire.c    bytes out once per turn, bytes in to replies (p3d_wire_*)
 *   conn_call.c    the commands that wait for their answer, and their deadlines (p3d_call_*)
 *   conn.c         the phases: connect, greet, up, lost, again
 * Of hiredis only the reply parser is used: sockets, output and waiting are ours, so a server that sends what nobody
 * asked for is an error and not an assertion, and there is no second owner of the descriptor.
 */
#pragma once
#include <sys/socket.h>

#include "conn_internal.h"

/* The struct that `member` at `p` is embedded in. */
#define P3D_OWNER(p, type, member) ((type *)(void *)((char *)(p)-offsetof(type, member)))

/* ---- conn_socket.c ---- */
enum { P3D_DIAL_ADDRESSES = 8 };

/* One attempt at a time. Owner fills the first four. cb: a connected socket (owned by the callee), or -1 and why. */
struct p3d_dial {
    struct p3d_loop *loop;
    const struct p3d_redis_url *url;
    uint64_t timeout_ms; /* of one address */
    void (*cb)(struct p3d_dial *d, int fd, const char *error);

    int fd;              /* being connected */
    struct p3d_watch *watch;
    struct p3d_timer timer;
    struct sockaddr_storage addr[P3D_DIAL_ADDRESSES];
    socklen_t addr_len[P3D_DIAL_ADDRESSES];
    size_t n, next;
    struct p3d_pool *pool; /* made for the first name that needs DNS */
    struct p3d_task lookup;
    int lookup_rc;         /* of getaddrinfo */
    bool closing;
    char error[160];
};
void p3d_dial_start(struct p3d_dial *d); /* cb may run before it returns */
void p3d_dial_done(struct p3d_dial *d);  /* no cb any more */

/* ---- the connection ---- */
enum p3d_conn_phase {
    P3D_CONN_DOWN,     /* the retry timer is set */
    P3D_CONN_DIALING,
    P3D_CONN_GREETING, /* AUTH … SCRIPT LOAD are under way */
    P3D_CONN_UP,
    P3D_CONN_CLOSED,   /* freed when the last callback returned */
};

enum { P3D_GREETINGS_MAX = 3 + P3D_SCRIPT__COUNT };

struct p3d_conn {
    struct p3d_loop *loop;
    struct p3d_redis_url url;
    uint64_t timeout_ms;
    size_t max_inflight;
    bool no_scripts;
    bool loading;               /* the scripts are under way: the second half of the greeting */
    void (*on_state)(void *priv, bool up);
    bool (*on_push)(void *priv, const redisReply *reply);
    void *priv;

    enum p3d_conn_phase phase; /* written by conn.c only */
    unsigned depth;            /* callbacks of ours on the stack */
    struct p3d_dial dial;
    struct p3d_timer retry;
    uint64_t backoff_ms, up_at_ms;
    const char *greeting[P3D_GREETINGS_MAX]; /* what was sent, in order */
    size_t greetings, greeted;
    char last_error[256];

    int fd;                    /* -1 = not connected */
    struct p3d_watch *watch;
    redisReader *reader;
#if HIREDIS_MAJOR < 1
    redisReplyObjectFunctions functions; /* the reader's, with an array maker that has a cap */
    void *(*create_array)(const redisReadTask *task, int n);
#endif
    struct p3d_buf out;        /* sent up to `sent` */
    size_t sent;
    bool blocked;              /* the socket is full, write interest is set */
    bool secret;               /* the password is in out: wipe when it is sent */
    bool moved;                /* READONLY was answered: this is not the primary (any more) */
    struct p3d_turn flush;

    struct p3d_call *first, *last;
    size_t inflight, held;     /* number of them, bytes they keep */
    uint64_t alarm_ms;         /* not later than the oldest deadline, 0 = timer not set */
    struct p3d_timer alarm;
};

/* ---- conn.c ---- */
void p3d_conn_enter(struct p3d_conn *c); /* around everything that may call back */
void p3d_conn_leave(struct p3d_conn *c); /* c may be gone */
/* Lose the connection: waiting commands are answered, a new one is made later. Within enter/leave. */
void p3d_conn_lose(struct p3d_conn *c, const char *fmt, ...) P3D_PRINTF(2, 3);

/* ---- conn_wire.c ---- */
void p3d_wire_open(struct p3d_conn *c, int fd);
void p3d_wire_close(struct p3d_conn *c);
void p3d_wire_flush(struct p3d_conn *c);
bool p3d_wire_read(struct p3d_conn *c); /* false: nothing more there now, or lost */
void p3d_wire_on_turn(struct p3d_turn *t);

/* ---- conn_call.c ---- */
struct p3d_argv {
    const struct p3d_str *v;
    size_t n;
};
enum { P3D_NO_SCRIPT = -1 };
/* Queue a command whose arguments are the parts one behind the other. For a script the parts behind the first are
 * kept until it is answered. Errors: P3D_E_BUSY too many bytes wait. */
P3D_MUST int p3d_call_send(struct p3d_conn *c, const struct p3d_argv *parts, size_t n, int script, uint64_t timeout_ms,
                           p3d_conn_cb *cb, void *priv);
/* As p3d_conn_call: connected, and not too many? */
P3D_MUST int p3d_call_allowed(const struct p3d_conn *c);
void p3d_call_answer(struct p3d_conn *c, const redisReply *reply); /* the oldest one's */
void p3d_call_fail_all(struct p3d_conn *c);                        /* P3D_E_STORE_DOWN */
void p3d_call_on_alarm(struct p3d_timer *t);

/* The error that a plain reply means; see p3d_conn_cb. */
int p3d_reply_err(const redisReply *r);
bool p3d_reply_is(const redisReply *r, const char *word); /* an error reply that begins with word */

/* ---- script.c ---- */
/* The error that the reply of a script means: its first element, or P3D_E_CORRUPT. */
int p3d_script_err(const redisReply *r);
extern const struct p3d_script_info p3d_script_table[P3D_SCRIPT__COUNT]; /* generated, see embed.cmake */
