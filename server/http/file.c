/* SPDX-License-Identifier: MIT
 *
 * A file as an answer, in pieces of 256 KiB. Guarantee: the loop never waits for a disk (what is
 * not in the page cache is read by a thread of a small pool), memory is one piece however big the
 * file is, a file that turns out shorter than promised breaks the connection instead of ending the
 * body early, and a client that leaves frees everything as soon as no thread reads for it any more.
 * Conditional requests and single ranges are answered here; the grammars are range.c. The bytes are
 * a stranger's: nosniff, sandbox and attachment keep a browser from running them.
 */
#include "call_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>

#define PIECE (256u << 10)
#define BUSY_RETRY_MS 5

struct sending {
    h2o_generator_t gen; /* first */
    struct p3d_task task;
    struct p3d_timer retry;
    struct p3d_call *call;
    int fd, status;
    int64_t at, left, total;
    ssize_t got;  /* of the newest read: bytes, or -errno */
    bool begun;   /* the head is out, or on its way */
    bool reading; /* a thread has `buf` */
    bool gone;    /* the request is over */
    char buf[PIECE];
};

static void pump(struct sending *s);

static void sending_free(struct sending *s)
{
    p3d_timer_clear(&s->call->http->loop.base, &s->retry);
    (void)close(s->fd);
    struct p3d_call *c = s->call;
    free(s);
    p3d_call_unref(c);
}

static void on_gone(void *arg)
{
    struct sending *s = arg;
    s->gone = true;
    if (!s->reading)
        sending_free(s);
}

/* Bytes that cannot be had. Before the head is out that is an error like others. */
static void fail(struct sending *s)
{
    if (!s->begun) {
        s->begun = true;
        s->call->headers = NULL;
        s->call->headers_end = &s->call->headers;
        p3d_reply_error(s->call, P3D_E_IO, NULL);
    } else {
        h2o_send(s->call->req, NULL, 0, H2O_SEND_STATE_ERROR);
    }
}

static void send_piece(struct sending *s)
{
    if (s->got <= 0) {
        fail(s);
        return;
    }
    if (!s->begun) {
        s->begun = true;
        if (!p3d_reply_begin(s->call, s->status, (size_t)s->total, &s->gen))
            return; /* cannot be: a request that is over would have said so through on_gone */
    }
    s->at += s->got;
    s->left -= s->got;
    h2o_iovec_t piece = h2o_iovec_init(s->buf, (size_t)s->got);
    h2o_send(s->call->req, &piece, 1,
             s->left > 0 ? H2O_SEND_STATE_IN_PROGRESS : H2O_SEND_STATE_FINAL);
}

static ssize_t read_piece(struct sending *s, int flags)
{
    size_t want = s->left < (int64_t)PIECE ? (size_t)s->left : PIECE;
    struct iovec v = {s->buf, want};
    ssize_t n;
    do
        n = preadv2(s->fd, &v, 1, s->at, flags);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

static void work(struct p3d_task *t)
{
    struct sending *s = H2O_STRUCT_FROM_MEMBER(struct sending, task, t);
    s->got = read_piece(s, 0);
}

static void done(struct p3d_task *t)
{
    struct sending *s = H2O_STRUCT_FROM_MEMBER(struct sending, task, t);
    s->reading = false;
    if (s->gone)
        sending_free(s);
    else
        send_piece(s);
}

static void on_retry(struct p3d_timer *t)
{
    pump(H2O_STRUCT_FROM_MEMBER(struct sending, retry, t));
}

static void pump(struct sending *s)
{
    struct p3d_http *h = s->call->http;
    s->got = read_piece(s, RWF_NOWAIT);
    if (s->got != -EAGAIN && s->got != -EOPNOTSUPP && s->got != -ENOSYS && s->got != -EINVAL) {
        send_piece(s);
        return;
    }
    s->reading = true;
    if (h->files != NULL && p3d_pool_run(h->files, &s->task) == 0)
        return;
    s->reading = false;
    if (h->files != NULL)
        p3d_timer_set(&h->loop.base, &s->retry, BUSY_RETRY_MS);
    else
        fail(s); /* the server ends */
}

static void proceed(h2o_generator_t *gen, h2o_req_t *req)
{
    (void)req;
    pump((struct sending *)gen);
}

static void start(struct p3d_call *c, int fd, int status, int64_t from, int64_t n)
{
    struct sending *s = p3d_alloc(sizeof(*s));
    s->gen.proceed = proceed;
    s->task.work = work;
    s->task.done = done;
    s->retry.cb = on_retry;
    s->call = p3d_call_ref(c);
    s->fd = fd;
    s->status = status;
    s->at = from;
    s->left = s->total = n;
    c->on_gone = on_gone;
    c->on_gone_arg = s;
    pump(s);
}

static void add_headers(struct p3d_call *c, const struct p3d_file_reply *f, const char *etag)
{
    char text[H2O_TIMESTR_RFC1123_LEN + 1];
    time_t at = (time_t)f->mtime_s;
    struct tm tm;
    if (etag[0] != '\0')
        p3d_reply_header(c, "etag", etag);
    if (f->mtime_s > 0 && gmtime_r(&at, &tm) != NULL && tm.tm_year < 8100) {
        h2o_time2str_rfc1123(text, &tm);
        p3d_reply_header(c, "last-modified", text);
    }
    p3d_reply_header(c, "accept-ranges", "bytes");
    p3d_reply_default(c, "content-type",
                      f->content_type != NULL ? f->content_type : "application/octet-stream");
    p3d_reply_default(c, "cache-control", "private, no-cache"); /* access may end: ask each time */
    p3d_reply_default(c, "content-security-policy", "sandbox; default-src 'none'");
    if (f->filename != NULL) {
        struct p3d_buf b;
        p3d_buf_init(&b, 8192);
        p3d_disposition(f->filename, &b);
        if (!b.full)
            p3d_reply_header(c, "content-disposition", b.p);
        p3d_buf_done(&b);
    }
}

/* RFC 9110 section 13.1.5: a validator that is not exactly ours asks for the whole. */
static bool range_wanted(const struct p3d_call *c, const char *etag)
{
    struct p3d_str condition = p3d_str_trim(p3d_call_peek(c, "if-range"));
    return !c->head && (condition.n == 0 || (etag[0] != '\0' && p3d_str_eq_z(condition, etag)));
}

static void refuse_range(struct p3d_call *c, int64_t size)
{
    char text[48];
    (void)p3d_format(text, sizeof(text), "bytes */%lld", (long long)size);
    p3d_reply_header(c, "content-range", text);
    p3d_reply_error(c, P3D_E_RANGE, NULL);
}

static void send_head_only(struct p3d_call *c, int64_t size)
{
    static h2o_generator_t none;
    if (p3d_reply_begin(c, 200, (size_t)size, &none))
        h2o_send(c->req, NULL, 0, H2O_SEND_STATE_FINAL);
}

void p3d_reply_file(struct p3d_call *c, const struct p3d_file_reply *f)
{
    P3D_CLEANUP(p3d_closep) int fd = f->fd;
    char etag[160] = "", text[80];
    int64_t from = 0, n = f->size_bytes;
    enum p3d_range range = P3D_RANGE_WHOLE;
    if (f->etag != NULL && !p3d_format(etag, sizeof(etag), "\"%s\"", f->etag))
        etag[0] = '\0';
    if (etag[0] != '\0' && p3d_etag_listed(p3d_call_peek(c, "if-none-match"), f->etag)) {
        p3d_reply_header(c, "etag", etag);
        p3d_reply_empty(c, 304);
        return;
    }
    if (range_wanted(c, etag))
        range = p3d_range_parse(p3d_call_peek(c, "range"), f->size_bytes, &from, &n);
    if (range == P3D_RANGE_BAD) {
        refuse_range(c, f->size_bytes);
        return;
    }
    add_headers(c, f, etag);
    if (range == P3D_RANGE_PART) {
        (void)p3d_format(text, sizeof(text), "bytes %lld-%lld/%lld", (long long)from,
                         (long long)(from + n - 1), (long long)f->size_bytes);
        p3d_reply_header(c, "content-range", text);
    }
    if (p3d_call_gone(c) || c->head || n == 0) {
        send_head_only(c, n);
        return;
    }
    int taken = fd;
    fd = -1;
    start(c, taken, range == P3D_RANGE_PART ? 206 : 200, from, n);
}
