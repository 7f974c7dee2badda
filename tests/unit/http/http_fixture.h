/* SPDX-License-Identifier: MIT
 *
 * A real server on a loopback port in a thread of its own, and a client that speaks raw bytes: what
 * a test of the HTTP side needs. The client waits with deadlines, never by sleeping.
 */
#pragma once
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "p3d/config.h"
#include "p3d/http.h"
#include "p3d/loop.h"
#include "p3d/signing.h"

#define WAIT_MS 10000 /* deadline of everything that must happen */
#define BIG_FILE (50 << 20)

struct p3d_app {
    struct p3d_config cfg;
    struct p3d_signing signing;
    bool legacy_tokens;
    struct p3d_http *http;
    pthread_t thread;
    int port;
    int file_fd, big_fd;
    atomic_bool stop, drain, idle, release;
    atomic_int cells;    /* alive */
    atomic_int requests; /* reported */
    atomic_int last_status;
    atomic_int gone_seen;
};

extern struct p3d_app app;
int server_start(const struct p3d_route *routes, size_t n);
int server_stop(void);
/* The routes that most tests use. */
extern const struct p3d_route test_routes[];
extern const size_t test_routes_n;
void on_hello(struct p3d_call *c);

struct answer {
    int status;
    char *text; /* head and body, terminated */
    char *body; /* inside text */
    size_t head_n, body_n;
};

int dial(void);
void send_all(int fd, const void *p, size_t n);
void send_text(int fd, const char *text);
/* One answer; body by Content-Length, none when head_only. status 0: the connection ended before
 * one was complete. */
struct answer receive(int fd, bool head_only);
void answer_done(struct answer *a);
bool ended(int fd); /* the server closes within the deadline */
const char *header(const struct answer *a, const char *lower_name, char *dst,
                   size_t size); /* NULL: absent */
/* One request on a connection of its own. */
struct answer ask(const char *request);
struct answer askf(const char *fmt, ...) P3D_PRINTF(1, 2);
/* The whole of a request without a body: its status, `says` in its body (NULL: any), and that a 401
 * names the scheme. headers: each with its \r\n. */
void expect(const char *method, const char *headers, const char *target, int status,
            const char *says);
void get(const char *headers, const char *target, int status, const char *says); /* with GET */
/* The envelope is there, with this wire code. */
void assert_envelope(const struct answer *a, int status, const char *wire);
bool wait_for(const atomic_int *what, int value);
