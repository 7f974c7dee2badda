/* SPDX-License-Identifier: MIT
 *
 * One question to the redis-server on run/redis.sock, blocking with a deadline: does it answer, and
 * is it the one of this data_dir? Used only while nothing else depends on it (start, adoption); the
 * clients of the job store have their own connections. The socket is reached through the folder's
 * descriptor, so the length of data_dir does not matter. Every byte it sends is judged.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "p3d/clock.h"
#include "p3d/str.h"
#include "redis_internal.h"

enum { REPLY_MAX = 65536, ARRAY_MAX = 16 };

/* PING is refused while loading, the other two are not. */
static const char question[] = "*1\r\n$4\r\nPING\r\n"
                               "*3\r\n$6\r\nCONFIG\r\n$3\r\nGET\r\n$3\r\ndir\r\n"
                               "*2\r\n$4\r\nINFO\r\n$11\r\npersistence\r\n";
enum { PING_REPLY, DIR_REPLY, INFO_REPLY, REPLIES };

/* The next line without its end; false when it is not whole yet. */
static bool take_line(struct p3d_str *rest, struct p3d_str *ret)
{
    const char *end = rest->n > 1 ? memmem(rest->p, rest->n, "\r\n", 2) : NULL;
    if (end == NULL)
        return false;
    *ret = (struct p3d_str){rest->p, (size_t)(end - rest->p)};
    *rest = (struct p3d_str){end + 2, rest->n - ret->n - 2};
    return true;
}

enum take { TAKE_MORE, TAKE_OK, TAKE_BAD };

/* One reply that is no array: its text, with the type in front for "+" and "-". */
static enum take take_simple(struct p3d_str *rest, struct p3d_str *ret)
{
    struct p3d_str line;
    int64_t n;
    if (!take_line(rest, &line))
        return rest->n > 0 && memchr("+-:$", *rest->p, 4) == NULL ? TAKE_BAD : TAKE_MORE;
    if (line.n == 0 || memchr("+-:$", *line.p, 4) == NULL)
        return TAKE_BAD;
    *ret = line;
    if (*line.p != '$')
        return TAKE_OK;
    if (p3d_str_to_i64((struct p3d_str){line.p + 1, line.n - 1}, 0, REPLY_MAX, &n) != 0)
        return TAKE_BAD;
    if (rest->n < (size_t)n + 2)
        return TAKE_MORE;
    *ret = (struct p3d_str){rest->p, (size_t)n};
    *rest = (struct p3d_str){rest->p + n + 2, rest->n - (size_t)n - 2};
    return TAKE_OK;
}

/* One reply; of an array the last element. */
static enum take take_reply(struct p3d_str *rest, struct p3d_str *ret)
{
    struct p3d_str line;
    int64_t n;
    if (rest->n == 0)
        return TAKE_MORE;
    if (*rest->p != '*')
        return take_simple(rest, ret);
    if (!take_line(rest, &line))
        return TAKE_MORE;
    if (p3d_str_to_i64((struct p3d_str){line.p + 1, line.n - 1}, 1, ARRAY_MAX, &n) != 0)
        return TAKE_BAD;
    enum take t = TAKE_OK;
    for (; n > 0 && t == TAKE_OK; n--)
        t = take_simple(rest, ret);
    return t;
}

static int parse(struct p3d_str all, struct p3d_str replies[REPLIES])
{
    for (int i = 0; i < REPLIES; i++) {
        enum take t = take_reply(&all, &replies[i]);
        if (t != TAKE_OK)
            return t == TAKE_BAD ? P3D_E_CORRUPT : P3D_E_BUSY;
    }
    return 0;
}

static int dial(const struct p3d_rundir *d)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    (void)p3d_format(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/redis.sock", d->run_fd);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
        return fd;
    p3d_closep(&fd);
    return -1;
}

/* Send the question, wait for the answer. */
static int talk(int fd, int timeout_ms, struct p3d_buf *in, struct p3d_str replies[REPLIES])
{
    uint64_t end = p3d_mono_ms() + (uint64_t)timeout_ms;
    if (send(fd, question, sizeof(question) - 1, MSG_NOSIGNAL) != (ssize_t)sizeof(question) - 1)
        return P3D_E_UNAVAILABLE;
    for (;;) {
        char part[4096];
        struct pollfd p = {.fd = fd, .events = POLLIN};
        uint64_t now = p3d_mono_ms();
        if (now >= end || poll(&p, 1, (int)(end - now)) == 0)
            return P3D_E_UNAVAILABLE;
        ssize_t n = read(fd, part, sizeof(part));
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n <= 0)
            return P3D_E_UNAVAILABLE;
        p3d_buf_add(in, part, (size_t)n);
        int rc = in->full ? P3D_E_CORRUPT : parse(p3d_buf_str(in), replies);
        if (rc != P3D_E_BUSY)
            return rc;
    }
}

/* By device and inode: the text may go through links. */
static bool is_our_dir(const struct p3d_rundir *d, struct p3d_str dir)
{
    struct stat theirs, ours;
    char *path P3D_CLEANUP(p3d_freep) = p3d_strndup(dir.p, dir.n);
    return stat(path, &theirs) == 0 && fstat(d->redis_fd, &ours) == 0 &&
           theirs.st_dev == ours.st_dev && theirs.st_ino == ours.st_ino;
}

static int loaded_percent(struct p3d_str info)
{
    static const char key[] = "loading_loaded_perc:";
    const char *at = memmem(info.p, info.n, key, sizeof(key) - 1);
    int percent = 0;
    for (at = at != NULL ? at + sizeof(key) - 1 : NULL;
         at != NULL && at < info.p + info.n && *at >= '0' && *at <= '9' && percent < 100; at++)
        percent = percent * 10 + (*at - '0');
    return percent <= 100 ? percent : 100;
}

static int judge(const struct p3d_rundir *d, const struct p3d_str replies[REPLIES],
                 struct p3d_redis_answer *ret, struct p3d_error *err)
{
    struct p3d_str ping = replies[PING_REPLY];
    if (!is_our_dir(d, replies[DIR_REPLY]))
        return p3d_fail(err, P3D_E_CORRUPT,
                        "process %d on run/redis.sock keeps its data in another folder: %.*s",
                        (int)ret->pid, (int)replies[DIR_REPLY].n, replies[DIR_REPLY].p);
    ret->loaded = loaded_percent(replies[INFO_REPLY]);
    if (p3d_str_eq_z(ping, "+PONG"))
        return 0;
    if (p3d_str_starts(ping, "-LOADING"))
        return p3d_fail(err, P3D_E_BUSY, "redis-server %d is loading its data (%d %%)",
                        (int)ret->pid, ret->loaded);
    return p3d_fail(err, P3D_E_UNAVAILABLE, "redis-server %d answers: %.*s", (int)ret->pid,
                    (int)ping.n, ping.p);
}

int p3d_redis_probe(const struct p3d_rundir *d, int timeout_ms, struct p3d_redis_answer *ret,
                    int *ret_pidfd, struct p3d_error *err)
{
    struct p3d_str replies[REPLIES] = {{0}};
    struct ucred who = {0};
    socklen_t n = sizeof(who);
    struct p3d_buf in;

    *ret = (struct p3d_redis_answer){0};
    int fd P3D_CLEANUP(p3d_closep) = dial(d);
    if (fd < 0)
        return p3d_fail(err, P3D_E_UNAVAILABLE, "run/redis.sock: %s", strerror(errno));
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) == 0)
        ret->pid = who.pid;
    /* Opened before it answers: what answers afterwards is alive, so the number was not reused. */
    int pidfd = ret_pidfd != NULL && who.pid > 0 ? pidfd_open(who.pid, 0) : -1;
    p3d_buf_init(&in, REPLY_MAX);
    int rc = talk(fd, timeout_ms, &in, replies);
    if (rc == 0)
        rc = judge(d, replies, ret, err);
    else
        (void)p3d_fail(err, rc,
                       rc == P3D_E_CORRUPT ? "process %d on run/redis.sock is no redis-server"
                                           : "process %d on run/redis.sock does not answer",
                       (int)ret->pid);
    p3d_buf_done(&in);
    if (rc == 0 && ret_pidfd != NULL)
        *ret_pidfd = pidfd;
    else
        p3d_closep(&pidfd);
    return rc;
}
