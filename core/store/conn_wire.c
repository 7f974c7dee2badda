/* SPDX-License-Identifier: MIT
 *
 * Bytes of a connection: what a turn of the loop queued leaves in one send(2); what arrives becomes replies. A full
 * socket is waited for with write interest. No signal is raised by a peer that is gone. It knows nothing of what the
 * replies mean (conn_call.c) or of when to connect (conn.c).
 */
#include "conn_parts_internal.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum {
    OUT_KEEP = 1 << 20,     /* a larger output buffer is given back once it is empty */
    OUT_FIRST = 4096,       /* from the start: what holds the password is never moved by realloc */
    READ_BYTES = 64 << 10,
    READ_ROUNDS = 16,       /* of one event: 1 MiB, then the other descriptors have their turn */
    REPLY_MAX = 256 << 20,  /* unparsed bytes of one reply */
    ELEMENTS_MAX = 1 << 20, /* of one array; the longest answer of a script has some thousands */
};

static void reset_out(struct p3d_conn *c)
{
    static const char zeros[OUT_FIRST];

    if (c->secret)
        p3d_wipe(c->out.p, c->out.cap);
    c->secret = false;
    if (!c->out.p || c->out.cap > OUT_KEEP) {
        p3d_buf_done(&c->out);
        p3d_buf_init(&c->out, 0);
        p3d_buf_add(&c->out, zeros, sizeof zeros);
    }
    c->out.n = 0;
    c->sent = 0;
}

static void want(struct p3d_conn *c, bool blocked)
{
    if (c->blocked != blocked)
        p3d_interest(c->loop, c->watch, P3D_READABLE | (blocked ? P3D_WRITABLE : 0));
    c->blocked = blocked;
}

void p3d_wire_flush(struct p3d_conn *c)
{
    while (c->fd >= 0 && c->sent < c->out.n) {
        ssize_t n = send(c->fd, c->out.p + c->sent, c->out.n - c->sent, MSG_NOSIGNAL);
        if (n >= 0) {
            c->sent += (size_t)n;
        } else if (errno == EAGAIN) {
            want(c, true);
            if (c->sent > c->out.n / 2 && !c->secret) {
                p3d_buf_cut(&c->out, c->sent);
                c->sent = 0;
            }
            return;
        } else if (errno != EINTR) {
            p3d_conn_lose(c, "send: %s", strerror(errno));
            return;
        }
    }
    if (c->fd >= 0) {
        want(c, false);
        reset_out(c);
    }
}

/* Hand every complete reply to the command that waits for it. */
static void parse(struct p3d_conn *c)
{
    while (c->fd >= 0) {
        void *reply = NULL;
        if (redisReaderGetReply(c->reader, &reply) != REDIS_OK) {
            p3d_conn_lose(c, "protocol: %s", c->reader->errstr);
            return;
        }
        if (!reply)
            break;
        p3d_call_answer(c, reply);
        freeReplyObject(reply);
    }
    if (c->fd >= 0 && c->reader->len > REPLY_MAX)
        p3d_conn_lose(c, "protocol: a reply of more than %d bytes", REPLY_MAX);
    else if (c->fd >= 0 && c->moved)
        p3d_conn_lose(c, "READONLY: this server is a replica (now)");
}

bool p3d_wire_read(struct p3d_conn *c)
{
    char buf[READ_BYTES];
    ssize_t n = 0;

    for (int i = 0; i < READ_ROUNDS && c->fd >= 0; i++) {
        n = recv(c->fd, buf, sizeof buf, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return false;
        if (n <= 0) {
            p3d_conn_lose(c, "%s", n ? strerror(errno) : "closed by the server");
            return false;
        }
        if (redisReaderFeed(c->reader, buf, (size_t)n) != REDIS_OK) {
            p3d_conn_lose(c, "protocol: %s", c->reader->errstr);
            return false;
        }
        parse(c);
        if ((size_t)n < sizeof buf)
            return false;
    }
    return c->fd >= 0;
}

static void on_event(void *priv, int events)
{
    struct p3d_conn *c = priv;

    p3d_conn_enter(c);
    if (events & P3D_WRITABLE && c->blocked)
        p3d_wire_flush(c);
    if (events & P3D_READABLE)
        (void)p3d_wire_read(c);
    p3d_conn_leave(c);
}

void p3d_wire_on_turn(struct p3d_turn *t)
{
    struct p3d_conn *c = P3D_OWNER(t, struct p3d_conn, flush);

    p3d_conn_enter(c);
    if (!c->blocked)
        p3d_wire_flush(c);
    p3d_conn_leave(c);
}

/* The reader allocates what a header announces, before a byte of it has come. */
#if HIREDIS_MAJOR >= 1
static void cap_elements(struct p3d_conn *c)
{
    c->reader->maxelements = ELEMENTS_MAX;
}
#else
static void *create_array(const redisReadTask *task, int n)
{
    const struct p3d_conn *c = task->privdata;
    return n <= ELEMENTS_MAX ? c->create_array(task, n) : NULL; /* NULL: the reader gives up */
}

static void cap_elements(struct p3d_conn *c)
{
    c->functions = *c->reader->fn;
    c->create_array = c->functions.createArray;
    c->functions.createArray = create_array;
    c->reader->fn = &c->functions;
    c->reader->privdata = c;
}
#endif

void p3d_wire_open(struct p3d_conn *c, int fd)
{
    c->fd = fd;
    c->blocked = c->moved = false;
    reset_out(c);
    c->reader = redisReaderCreate();
    if (!c->reader)
        abort(); /* out of memory, as everywhere */
    c->reader->maxbuf = OUT_KEEP;
    cap_elements(c);
    c->watch = p3d_watch(c->loop, fd, on_event, c);
    p3d_interest(c->loop, c->watch, P3D_READABLE);
}

void p3d_wire_close(struct p3d_conn *c)
{
    if (c->fd < 0)
        return;
    p3d_unwatch(c->loop, c->watch);
    c->watch = NULL;
    close(c->fd);
    c->fd = -1;
    redisReaderFree(c->reader);
    c->reader = NULL;
    reset_out(c);
}
