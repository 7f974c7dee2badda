/* SPDX-License-Identifier: MIT
 *
 * Connections: accepting them, counting them, ending them. Guarantee: never more than
 * max_connections at a time (the rest waits in the kernel's queue or goes to another process); a
 * client that stops reading is cut off by the kernel after 30 s; a refused upload still gets to
 * read why, because its connection lingers, bounded in time, bytes and number. Each connection has
 * a record on its socket's on_close, the place for limits per address and for a sweeper of slow
 * ones. Does not: read or write requests.
 */
#include "http_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>

#define ACCEPTS_PER_TURN 16
#define USER_TIMEOUT_MS 30000
#define NO_FD_PAUSE_MS 100
#define FAREWELLS_MAX 64
#define LINGER_MS 2000
#define LINGER_BYTES (8u << 20)

struct farewell {
    struct p3d_http *http;
    struct farewell *next, *prev;
    struct p3d_watch *watch;
    struct p3d_timer timer;
    int fd;
    size_t bytes;
};

static void accept_start(struct p3d_http *h);

struct conn *p3d_conn_of(const h2o_req_t *req)
{
    return req->conn->callbacks->get_socket(req->conn)->on_close.data;
}

static void farewell_free(struct farewell *l)
{
    struct p3d_http *h = l->http;
    p3d_unwatch(&h->loop.base, l->watch);
    p3d_timer_clear(&h->loop.base, &l->timer);
    (void)close(l->fd);
    if (l->next != NULL)
        l->next->prev = l->prev;
    *(l->prev != NULL ? &l->prev->next : &h->farewells) = l->next;
    h->farewells_n--;
    free(l);
}

static void on_farewell_timer(struct p3d_timer *t)
{
    farewell_free(H2O_STRUCT_FROM_MEMBER(struct farewell, timer, t));
}

/* Throw away what the client still sends, until it has read the answer and closes. */
static void on_farewell_readable(void *priv, int events)
{
    struct farewell *l = priv;
    char sink[16384];
    (void)events;
    ssize_t n = recv(l->fd, sink, sizeof(sink), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0)
        l->bytes += (size_t)n;
    if (n <= 0 || l->bytes > LINGER_BYTES)
        farewell_free(l);
}

/* The library has closed its descriptor; ours says that nothing more comes, and reads on. */
static void farewell_start(struct p3d_http *h, int fd)
{
    struct farewell *l = p3d_alloc(sizeof(*l));
    *l =
        (struct farewell){.http = h, .fd = fd, .next = h->farewells, .timer.cb = on_farewell_timer};
    if (l->next != NULL)
        l->next->prev = l;
    h->farewells = l;
    h->farewells_n++;
    (void)shutdown(fd, SHUT_WR);
    l->watch = p3d_watch(&h->loop.base, fd, on_farewell_readable, l);
    p3d_interest(&h->loop.base, l->watch, P3D_READABLE);
    p3d_timer_set(&h->loop.base, &l->timer, LINGER_MS);
}

void p3d_conn_linger(struct conn *c)
{
    if (c->linger_fd < 0 && c->http->farewells_n < FAREWELLS_MAX)
        c->linger_fd = fcntl(h2o_socket_get_fd(c->sock), F_DUPFD_CLOEXEC, 3);
}

static void on_close(void *data)
{
    struct conn *c = data;
    struct p3d_http *h = c->http;
    c->prev->next = c->next;
    c->next->prev = c->prev;
    h->conns_n--;
    if (c->linger_fd >= 0)
        farewell_start(h, c->linger_fd);
    free(c);
    accept_start(h);
}

static void read_peer(struct conn *c)
{
    struct sockaddr_storage a = {.ss_family = AF_UNSPEC};
    const struct in6_addr *six = &((const struct sockaddr_in6 *)&a)->sin6_addr;
    (void)p3d_format(c->peer, sizeof(c->peer), "unknown");
    if (h2o_socket_getpeername(c->sock, (struct sockaddr *)&a) == 0)
        return;
    if (a.ss_family == AF_INET)
        (void)inet_ntop(AF_INET, &((const struct sockaddr_in *)&a)->sin_addr, c->peer,
                        sizeof(c->peer));
    else if (a.ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(six))
        (void)inet_ntop(AF_INET, six->s6_addr + 12, c->peer, sizeof(c->peer));
    else if (a.ss_family == AF_INET6)
        (void)inet_ntop(AF_INET6, six, c->peer, sizeof(c->peer));
}

static void begin(struct p3d_http *h, h2o_socket_t *sock)
{
    struct conn *c = p3d_alloc(sizeof(*c));
    int ms = USER_TIMEOUT_MS;
    *c = (struct conn){
        .http = h, .sock = sock, .linger_fd = -1, .next = h->conns.next, .prev = &h->conns};
    c->next->prev = c;
    c->prev->next = c;
    h->conns_n++;
    (void)setsockopt(h2o_socket_get_fd(sock), IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
    read_peer(c);
    sock->on_close.cb = on_close;
    sock->on_close.data = c;
    h2o_accept(&h->accept, sock); /* TCP_NODELAY is set already; may end the connection at once */
}

static void on_accept(h2o_socket_t *listener, const char *err)
{
    struct p3d_http *h = listener->data;
    if (err != NULL)
        return;
    for (int i = 0; i < ACCEPTS_PER_TURN && h->conns_n < h->conns_max; i++) {
        h2o_socket_t *sock = h2o_evloop_socket_accept(listener);
        if (sock != NULL) {
            begin(h, sock);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            h2o_socket_read_stop(
                listener); /* else it would stay readable, and the loop would spin */
            p3d_timer_set(&h->loop.base, &h->again, NO_FD_PAUSE_MS);
            return;
        } else if (errno != ECONNABORTED && errno != EINTR) {
            break;
        }
    }
    if (h->conns_n >= h->conns_max)
        h2o_socket_read_stop(listener);
}

static void accept_start(struct p3d_http *h)
{
    if (h->listener != NULL && h->again.slot == 0 && h->conns_n < h->conns_max &&
        !h2o_socket_is_reading(h->listener))
        h2o_socket_read_start(h->listener, on_accept);
}

static void on_again(struct p3d_timer *t)
{
    accept_start(H2O_STRUCT_FROM_MEMBER(struct p3d_http, again, t));
}

int p3d_conn_listen(struct p3d_http *h, struct p3d_error *err)
{
    int yes = 0;
    socklen_t n = sizeof(yes);
    if (getsockopt(h->o.listen_fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &n) != 0 || yes == 0)
        return p3d_fail(err, P3D_E_CONFIG, "descriptor %d is not a listening socket",
                        h->o.listen_fd);
    h->again.cb = on_again;
    h->conns_max = (size_t)h->o.cfg->server_max_connections;
    h->listener = h2o_evloop_socket_create(h->loop.ev, h->o.listen_fd, H2O_SOCKET_FLAG_DONT_READ);
    h->listener->data = h;
    accept_start(h);
    return 0;
}

void p3d_conn_stop(struct p3d_http *h)
{
    p3d_timer_clear(&h->loop.base, &h->again);
    if (h->listener != NULL)
        h2o_socket_close(h->listener);
    h->listener = NULL;
}

void p3d_conn_close_all(struct p3d_http *h)
{
    for (struct conn *c = h->conns.next; c != &h->conns; c = c->next)
        (void)shutdown(h2o_socket_get_fd(c->sock), SHUT_RDWR);
    while (h->farewells != NULL)
        farewell_free(h->farewells);
}
