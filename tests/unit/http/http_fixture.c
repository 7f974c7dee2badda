/* SPDX-License-Identifier: MIT
 *
 * See http_fixture.h. The server's thread touches the app only through atomics while it runs.
 */
#include "http_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "p3d/clock.h"

struct p3d_app app;

struct later {
    struct p3d_timer timer;
    struct p3d_call *call;
};

static void on_cell_end(void *arg)
{
    (void)arg;
    atomic_fetch_sub(&app.cells, 1);
}

static void watch_cell(struct p3d_call *c)
{
    atomic_fetch_add(&app.cells, 1);
    p3d_call_defer(c, on_cell_end, NULL);
}

static void reply_word(struct p3d_call *c, const char *word)
{
    json_t *o = json_object();
    (void)json_object_set_new(o, "word", json_string(word));
    p3d_reply_json(c, 200, o);
}

void on_hello(struct p3d_call *c)
{
    reply_word(c, p3d_call_route(c)->name);
}

static void on_param(struct p3d_call *c)
{
    struct p3d_str q = {NULL, 0};
    bool there = p3d_call_query(c, "q", &q);
    json_t *o = json_object();
    (void)json_object_set_new(o, "id", p3d_json_str(p3d_call_param(c, 0)));
    (void)json_object_set_new(o, "q",
                              !there        ? json_null()
                              : q.p == NULL ? json_false()
                                            : p3d_json_str(q));
    (void)json_object_set_new(o, "base", json_string(p3d_call_base_url(c)));
    (void)json_object_set_new(o, "client", json_string(p3d_call_client(c)));
    (void)json_object_set_new(o, "scope", json_integer(p3d_call_access(c)->scope));
    (void)json_object_set_new(o, "kind", json_integer(p3d_call_access(c)->kind));
    (void)json_object_set_new(o, "user", json_string(p3d_call_access(c)->url_user.s));
    (void)json_object_set_new(o, "expires", json_integer(p3d_call_access(c)->url_expires_s));
    (void)json_object_set_new(o, "address", json_string(p3d_call_access(c)->address));
    (void)json_object_set_new(o, "hash", json_string(p3d_call_access(c)->token_hash));
    p3d_reply_json(c, 200, o);
}

static void on_echo(struct p3d_call *c)
{
    json_t *o = json_object();
    (void)json_object_set_new(o, "length", json_integer((json_int_t)p3d_call_body(c).n));
    p3d_reply_json(c, 200, o);
}

static void on_drop(struct p3d_call *c)
{
    watch_cell(c);
}

static void on_faults(struct p3d_call *c)
{
    struct p3d_faults f = {NULL};
    p3d_faults_add(&f, "missing", "Field required", "body", "email", NULL);
    p3d_reply_faults(c, &f);
}

/* Held until the test says go; then answered, whether the client is there or not. */
static void on_turn(struct p3d_timer *t)
{
    struct later *l = (struct later *)t;
    if (!atomic_load(&app.release)) {
        p3d_timer_set(p3d_http_loop(app.http), t, 2);
        return;
    }
    if (p3d_call_gone(l->call))
        atomic_fetch_add(&app.gone_seen, 1);
    reply_word(l->call, "later");
    p3d_call_unref(l->call);
}

static void on_later(struct p3d_call *c)
{
    struct later *l = p3d_call_alloc(c, sizeof(*l));
    watch_cell(c);
    l->timer.cb = on_turn;
    l->call = p3d_call_ref(c);
    p3d_timer_set(p3d_http_loop(app.http), &l->timer, 2);
}

static void reply_file(struct p3d_call *c, int fd, int64_t size)
{
    watch_cell(c);
    p3d_reply_file(c, &(struct p3d_file_reply){.fd = dup(fd),
                                               .size_bytes = size,
                                               .mtime_s = 1704067200,
                                               .content_type = "model/gltf-binary",
                                               .etag = "0123abcd",
                                               .filename = "r\xc3\xa9sult \"1\".glb"});
}

static void on_file(struct p3d_call *c)
{
    reply_file(c, app.file_fd, 1000);
}

static void on_big(struct p3d_call *c)
{
    reply_file(c, app.big_fd, BIG_FILE);
}

static void on_short(struct p3d_call *c)
{
    reply_file(c, app.file_fd, 5000); /* 1000 are there */
}

#define R(m, p, cr, mo, bo, h)                                                                     \
    {                                                                                              \
        .method = P3D_##m, .pattern = (p), .credential = P3D_CRED_##cr,                            \
        .scope = P3D_SCOPE_JOBS_READ, .mode = P3D_MODE_##mo, .body = P3D_BODY_##bo,                \
        .handler = on_##h, .name = #h, .doc = ""                                                   \
    }
const struct p3d_route test_routes[] = {
    R(GET, "/", PUBLIC, ANY, NONE, hello),
    R(GET, "/hello", PUBLIC, ANY, NONE, hello),
    R(POST, "/hello", PUBLIC, ANY, JSON, hello),
    R(GET, "/jobs/{id}", PUBLIC, ANY, NONE, param),
    R(DELETE, "/jobs/{id}", TOKEN, ANY, NONE, param),
    R(GET, "/jobs/history", PUBLIC, ANY, NONE, hello),
    R(GET, "/token/{id}", TOKEN, ANY, NONE, param),
    R(GET, "/account/{id}", TOKEN, AUTH, NONE, param),
    R(GET, "/admin/x/{id}", ADMIN, ANY, NONE, param),
    R(GET, "/url/{id}", URL, ANY, NONE, param),
    R(DELETE, "/url/{id}", URL, ANY, NONE, param),
    R(POST, "/echo", PUBLIC, ANY, JSON, echo),
    R(POST, "/submit", PUBLIC, ANY, SUBMIT, echo),
    R(POST, "/secret", TOKEN, ANY, JSON, echo),
    R(GET, "/drop", PUBLIC, ANY, NONE, drop),
    R(POST, "/faults", PUBLIC, ANY, JSON, faults),
    R(GET, "/later", PUBLIC, ANY, NONE, later),
    R(GET, "/file", PUBLIC, ANY, NONE, file),
    R(GET, "/big", PUBLIC, ANY, NONE, big),
    R(GET, "/short", PUBLIC, ANY, NONE, short),
};
const size_t test_routes_n = sizeof(test_routes) / sizeof(test_routes[0]);

static void on_request(struct p3d_app *a, const struct p3d_call *c, int status, double seconds,
                       int64_t bytes)
{
    assert_true(seconds >= 0 && bytes >= 0 && p3d_call_route(c) != NULL);
    atomic_store(&a->last_status, status);
    atomic_fetch_add(&a->requests, 1);
}

static void *serve(void *arg)
{
    (void)arg;
    bool draining = false;
    while (!atomic_load(&app.stop)) {
        p3d_http_run_once(app.http, 20);
        if (atomic_load(&app.drain) && !draining) {
            draining = true;
            p3d_http_drain(app.http);
        }
        atomic_store(&app.idle, p3d_http_idle(app.http));
    }
    p3d_http_free(app.http);
    return NULL;
}

/* The small file is on a disk and the big one in memory: reads that need not wait, and those that
 * the kernel may refuse to do without waiting. */
static int make_file(size_t n)
{
    static char block[65536];
    int fd = n < BIG_FILE ? open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)
                          : memfd_create("test", MFD_CLOEXEC);
    for (size_t i = 0; i < sizeof(block); i++)
        block[i] = (char)('a' + i % 26);
    for (size_t done = 0; done < n; done += sizeof(block))
        assert_true(write(fd, block, n - done < sizeof(block) ? n - done : sizeof(block)) > 0);
    return fd;
}

int server_start(const struct p3d_route *routes, size_t n)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    struct p3d_error err = {.code = 0};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(fd, 64), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    app.port = ntohs(a.sin_port);
    app.file_fd = make_file(1000);
    app.big_fd = make_file(BIG_FILE);
    if (app.cfg.server_max_connections == 0)
        app.cfg.server_max_connections = 100;
    app.cfg.server_max_body_bytes = 1 << 20;
    app.cfg.server_max_submit_body_bytes = 4 << 20;
    assert_int_equal(p3d_http_new(&app.http, &err), 0);
    struct p3d_http_options o = {.cfg = &app.cfg,
                                 .app = &app,
                                 .routes = routes,
                                 .routes_n = n,
                                 .signing = &app.signing,
                                 .legacy_tokens = &app.legacy_tokens,
                                 .listen_fd = fd,
                                 .on_request = on_request};
    int r = p3d_http_start(app.http, &o, &err);
    if (r != 0) {
        print_error("%s\n", err.detail);
        return r;
    }
    return pthread_create(&app.thread, NULL, serve, NULL);
}

int server_stop(void)
{
    atomic_store(&app.stop, true);
    int r = pthread_join(app.thread, NULL);
    (void)close(app.file_fd);
    (void)close(app.big_fd);
    int left = atomic_load(&app.cells);
    memset(&app, 0, sizeof(app));
    return r != 0 || left != 0; /* every cell died */
}

int dial(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)app.port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    return fd;
}

void send_all(int fd, const void *p, size_t n)
{
    const char *at = p;
    while (n > 0) {
        ssize_t w = send(fd, at, n, MSG_NOSIGNAL);
        if (w < 0)
            return; /* the server may have enough: the answer tells */
        at += w;
        n -= (size_t)w;
    }
}

void send_text(int fd, const char *text)
{
    send_all(fd, text, strlen(text));
}

/* Bytes read, 0 at the end, -1 on a reset; fails the test at the deadline. */
static ssize_t read_some(int fd, char *dst, size_t n)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    if (poll(&p, 1, WAIT_MS) != 1)
        fail_msg("no answer within %d ms", WAIT_MS);
    return recv(fd, dst, n, 0);
}

static size_t length_of(const char *head)
{
    const char *at = strcasestr(head, "\r\ncontent-length:");
    return at != NULL ? (size_t)strtoull(at + 17, NULL, 10) : 0;
}

struct answer receive(int fd, bool head_only)
{
    struct p3d_buf b;
    char ch;
    struct answer a = {.status = 0};
    p3d_buf_init(&b, 0);
    /* The head byte by byte, so that nothing of the next answer is taken. */
    while (b.n < 4 || memcmp(b.p + b.n - 4, "\r\n\r\n", 4) != 0) {
        if (read_some(fd, &ch, 1) <= 0)
            goto out;
        p3d_buf_add(&b, &ch, 1);
    }
    a.head_n = b.n;
    size_t want = head_only ? 0 : length_of(b.p);
    while (b.n < a.head_n + want) {
        char block[65536];
        size_t left = a.head_n + want - b.n;
        ssize_t n = read_some(fd, block, left < sizeof(block) ? left : sizeof(block));
        if (n <= 0)
            goto out;
        p3d_buf_add(&b, block, (size_t)n);
    }
    (void)sscanf(b.p, "HTTP/1.1 %d", &a.status);
out:
    a.body_n = b.n - (a.head_n < b.n ? a.head_n : b.n);
    a.text = b.p != NULL ? p3d_buf_take(&b) : p3d_strdup("");
    a.body = a.text + a.head_n;
    return a;
}

void answer_done(struct answer *a)
{
    free(a->text);
    a->text = NULL;
}

bool ended(int fd)
{
    char ch;
    return read_some(fd, &ch, 1) <= 0;
}

const char *header(const struct answer *a, const char *lower_name, char *dst, size_t size)
{
    size_t n = strlen(lower_name);
    for (const char *line = strstr(a->text, "\r\n"); line != NULL && line + 4 < a->text + a->head_n;
         line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, lower_name, n) != 0 || line[2 + n] != ':')
            continue;
        const char *value = line + 2 + n + 1 + strspn(line + 2 + n + 1, " ");
        (void)p3d_format(dst, size, "%.*s", (int)strcspn(value, "\r"), value);
        return dst;
    }
    return NULL;
}

struct answer ask(const char *request)
{
    int fd = dial();
    send_text(fd, request);
    struct answer a = receive(fd, strncmp(request, "HEAD ", 5) == 0);
    (void)close(fd);
    return a;
}

struct answer askf(const char *fmt, ...)
{
    char *text = NULL;
    va_list ap;
    va_start(ap, fmt);
    assert_true(vasprintf(&text, fmt, ap) > 0);
    va_end(ap);
    struct answer a = ask(text);
    free(text);
    return a;
}

void expect(const char *method, const char *headers, const char *target, int status,
            const char *says)
{
    struct answer a = askf("%s %s HTTP/1.1\r\nHost: a\r\n%s\r\n", method, target, headers);
    char text[64] = "";
    if (a.status != status || (says != NULL && strstr(a.body, says) == NULL))
        print_error("%s %s %s: %s\n", method, target, headers, a.text);
    assert_int_equal(a.status, status);
    assert_true(says == NULL || strstr(a.body, says) != NULL);
    if (status == 401) {
        assert_non_null(header(&a, "www-authenticate", text, sizeof(text)));
        assert_string_equal(text, "Bearer");
    }
    answer_done(&a);
}

void get(const char *headers, const char *target, int status, const char *says)
{
    expect("GET", headers, target, status, says);
}

void assert_envelope(const struct answer *a, int status, const char *wire)
{
    char text[256];
    json_t *o = NULL;
    if (a->status != status)
        print_error("%s\n", a->text);
    assert_int_equal(a->status, status);
    assert_string_equal(header(a, "content-type", text, sizeof(text)), "application/json");
    assert_non_null(header(a, "x-request-id", text, sizeof(text)));
    assert_non_null(header(a, "x-process-time", text, sizeof(text)));
    assert_int_equal(p3d_json_parse_object((struct p3d_str){a->body, a->body_n}, &o, NULL), 0);
    assert_string_equal(json_string_value(json_object_get(o, "error")), wire);
    assert_true(json_is_string(json_object_get(o, "message")));
    assert_non_null(json_object_get(o, "detail"));
    json_decref(o);
}

bool wait_for(const atomic_int *what, int value)
{
    uint64_t until_ms = p3d_mono_ms() + WAIT_MS;
    while (atomic_load(what) != value && p3d_mono_ms() < until_ms)
        (void)poll(NULL, 0, 1);
    return atomic_load(what) == value;
}

/* The library keeps freed blocks for reuse in a list of the thread, which ends before the process
 * here. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:h2o_mem_alloc_recycle\n";
}
