/* SPDX-License-Identifier: MIT
 *
 * See session_internal.h. Guarantees: what cannot be reached is named without its password; a Redis
 * that was started for the call is stopped again, also when Ctrl-C comes in between. Does not:
 * retry a call (whether a change was made is then not known, and the operator is told so).
 */
#include "session_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "p3d/loop.h"
#include "p3d/role.h"

enum { CONNECT_MS = 5000, LOCK_WAIT_MS = 20, LOCK_TRIES = 50 };

int p3d_session_configure(const struct p3d_options *o, struct p3d_session *s)
{
    s->who = (struct p3d_access){.kind = P3D_ACCESS_SYSTEM, .admin = true, .address = "local"};
    return p3d_options_config(o, &s->cfg);
}

/* Ctrl-C must not leave a redis-server behind that nobody watches. */
static void hold_signals(struct p3d_session *s)
{
    sigset_t stops;
    (void)sigemptyset(&stops);
    (void)sigaddset(&stops, SIGINT);
    (void)sigaddset(&stops, SIGTERM);
    (void)sigaddset(&stops, SIGHUP);
    (void)sigaddset(&stops, SIGQUIT);
    s->held = sigprocmask(SIG_BLOCK, &stops, &s->before) == 0;
}

static void let_signals(struct p3d_session *s)
{
    if (s->held)
        (void)sigprocmask(SIG_SETMASK, &s->before, NULL);
    s->held = false;
}

/* The Redis of one call is no home for another: it would be stopped under it. So where nothing
 * runs, calls go one after the other. Where that cannot be had (a file system without locks), they
 * do not.
 */
static void lock_folder(struct p3d_session *s)
{
    (void)mkdir(s->cfg->top_data_dir, 0700); /* the first call of all */
    int fd = open(s->cfg->top_data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    int rc = flock(fd, LOCK_EX | LOCK_NB);
    for (int i = 0; rc != 0 && errno == EWOULDBLOCK && i < LOCK_TRIES; i++) {
        (void)poll(NULL, 0, LOCK_WAIT_MS);
        rc = flock(fd, LOCK_EX | LOCK_NB);
    }
    if (rc != 0 && errno == EWOULDBLOCK) {
        (void)fprintf(stderr, "waiting for another p3d that works on %s\n", s->cfg->top_data_dir);
        P3D_IGNORE(flock(fd, LOCK_EX));
    }
    s->lock_fd = fd;
    s->locked = true;
}

static void unlock_folder(struct p3d_session *s)
{
    if (s->locked)
        (void)close(s->lock_fd);
    s->locked = false;
}

/* A Redis of ours, started as root say, would leave files behind that the service cannot write any
 * more. One that runs already (it holds run/redis.lock) is fine, whosever it is. */
static bool is_anothers(const struct p3d_session *s, uid_t *ret_owner)
{
    struct stat st;
    if (!s->locked || fstatat(s->lock_fd, "redis", &st, AT_SYMLINK_NOFOLLOW) != 0 ||
        st.st_uid == geteuid())
        return false;
    int fd = openat(s->lock_fd, "run/redis.lock", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    bool runs = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    p3d_closep(&fd);
    *ret_owner = st.st_uid;
    return !runs;
}

static int start_redis(struct p3d_session *s)
{
    struct p3d_error err = {0};
    uid_t owner;
    if (s->cfg->redis_url.n > 0)
        return 0;
    lock_folder(s);
    if (is_anothers(s, &owner)) {
        (void)fprintf(stderr,
                      "%s belongs to user %u and nothing runs there: run this as that user, or "
                      "while `p3d up` runs\n",
                      s->cfg->top_data_dir, (unsigned)owner);
        return P3D_EXIT_REFUSED;
    }
    hold_signals(s);
    if (p3d_embedded_redis_start(s->cfg, &s->redis_pid, &err) != 0) {
        (void)fprintf(stderr, "Redis cannot be reached at unix://%s/run/redis.sock: %s\n",
                      s->cfg->top_data_dir, err.detail);
        return P3D_EXIT_UNAVAILABLE;
    }
    if (s->redis_pid == 0) { /* of a `p3d up`: nothing to take down */
        let_signals(s);
        unlock_folder(s);
    }
    return 0;
}

int p3d_session_connect(struct p3d_session *s)
{
    struct p3d_error why = {0};
    int rc = start_redis(s);
    if (rc != 0)
        return rc;
    if (p3d_poll_loop_new(&s->loop) != 0) {
        (void)fprintf(stderr, "the event loop: %m\n");
        return P3D_EXIT_UNAVAILABLE;
    }
    if (p3d_store_open(p3d_poll_loop_base(s->loop), s->cfg, NULL, NULL, &s->store, &why) != 0) {
        (void)fprintf(stderr, "redis.url: %s\n", why.detail);
        return P3D_EXIT_REFUSED;
    }
    return 0;
}

int p3d_session_open(const struct p3d_options *o, struct p3d_session *s)
{
    int rc = p3d_session_configure(o, s);
    return rc != 0 ? rc : p3d_session_connect(s);
}

void p3d_session_close(struct p3d_session *s)
{
    p3d_store_close(s->store);
    p3d_poll_loop_free(s->loop);
    if (s->redis_pid != 0)
        p3d_embedded_redis_stop(s->cfg, s->redis_pid);
    let_signals(s);
    unlock_folder(s);
    p3d_config_free(s->cfg);
    *s = (struct p3d_session){0};
}

struct p3d_store *p3d_session_store(struct p3d_session *s)
{
    uint64_t end = p3d_mono_ms() + CONNECT_MS;
    /* A turn first: while somebody was asked for a password the connection may have been lost. */
    p3d_poll_loop_run_once(s->loop, 0);
    while (!p3d_store_up(s->store) && p3d_mono_ms() < end)
        p3d_poll_loop_run_once(s->loop, 100);
    return s->store;
}

void p3d_session_answer(void *reply, int err, const struct p3d_answer *a)
{
    struct p3d_reply *r = reply;
    r->done = true;
    r->err = err == 0 && r->take != NULL ? r->take(r->priv, a) : err;
}

int p3d_session_try(struct p3d_session *s, int called, struct p3d_reply *r)
{
    r->err = called;
    if (called != 0)
        return called;
    /* The store answers in any case, with an error when time is up. */
    int err = p3d_poll_wait(s->loop, &r->done, UINT64_MAX);
    return err != 0 ? err : r->err;
}

int p3d_session_wait(struct p3d_session *s, int called, struct p3d_reply *r)
{
    int err = p3d_session_try(s, called, r);
    if (called == 0 && err == P3D_E_STORE_DOWN)
        (void)fputs("no answer came: whether anything was changed is not known\n", stderr);
    return p3d_session_say(s, err);
}

/* The address without user and password: behind the last '@' of the part between "//" and the next
 * '/'. */
static void say_unreachable(const struct p3d_config *cfg)
{
    const char *url = (const char *)cfg->redis_url.p;
    if (cfg->redis_url.n == 0) {
        (void)fprintf(stderr, "Redis cannot be reached at unix://%s/run/redis.sock\n",
                      cfg->top_data_dir);
        return;
    }
    struct p3d_str all = {url, cfg->redis_url.n};
    const char *slashes = memmem(all.p, all.n, "//", 2);
    const char *start = slashes != NULL ? slashes + 2 : all.p;
    const char *at = memrchr(start, '@', (size_t)(all.p + all.n - start));
    const char *rest = at != NULL ? at + 1 : start;
    (void)fprintf(stderr, "Redis cannot be reached at %.*s%.*s\n", (int)(start - all.p), all.p,
                  (int)(all.p + all.n - rest), rest);
}

int p3d_session_say(const struct p3d_session *s, int err)
{
    const struct p3d_err_info *info = p3d_err_info(err);
    if (err == 0)
        return P3D_EXIT_OK;
    if (err == P3D_E_STORE_DOWN)
        say_unreachable(s->cfg);
    else
        (void)fprintf(stderr, "%s\n", p3d_err_text(err));
    return info->status == 503 ? P3D_EXIT_UNAVAILABLE : P3D_EXIT_REFUSED;
}
