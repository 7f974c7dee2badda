/* SPDX-License-Identifier: MIT
 *
 * See redis.h. The server dies with the test, whatever happens to it.
 */
#include "redis.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <fcntl.h>
#include <ftw.h>

#include <cmocka.h>

enum { PATIENCE_MS = 20000 };

int world_setup(void **state)
{
    struct world *w = p3d_alloc(sizeof *w);

    (void)p3d_format(w->root, sizeof w->root, "/tmp/p3d-conn-XXXXXX");
    assert_non_null(mkdtemp(w->root));
    (void)p3d_format(w->dir, sizeof w->dir, "%s", w->root);
    assert_int_equal(p3d_poll_loop_new(&w->poll), 0);
    w->loop = p3d_poll_loop_base(w->poll);
    w->extra = "";
    w->cfg.redis_timeout_ms = 5000;
    w->cfg.top_data_dir = p3d_strdup("/nonexistent");
    char *url = p3d_asprintf("unix://%s/r.sock", w->dir);
    world_url(w, url);
    free(url);
    *state = w;
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *f)
{
    (void)st, (void)flag, (void)f;
    return remove(path);
}

int world_teardown(void **state)
{
    struct world *w = *state;

    if (!w)
        return 0;
    conn_close(w);
    redis_kill(w);
    p3d_poll_loop_free(w->poll);
    p3d_secret_done(&w->cfg.redis_url);
    free(w->cfg.top_data_dir);
    (void)nftw(w->root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(w);
    return 0;
}

void world_url(struct world *w, const char *url)
{
    p3d_secret_set(&w->cfg.redis_url, p3d_str_z(url));
}

void world_deepen(struct world *w)
{
    char name[121];

    memset(name, 'd', sizeof name - 1);
    name[sizeof name - 1] = 0;
    (void)p3d_format(w->dir, sizeof w->dir, "%s/%s", w->root, name);
    assert_int_equal(mkdir(w->dir, 0700), 0);
    char *url = p3d_asprintf("unix://%s/r.sock", w->dir);
    world_url(w, url);
    free(url);
}

/* The name of the socket is relative: the server stands in its folder and may be of any depth. */
void redis_start(struct world *w)
{
    char conf[600];

    (void)p3d_format(conf, sizeof conf, "%s/r.conf", w->dir);
    FILE *f = fopen(conf, "we");
    assert_non_null(f);
    (void)fprintf(f, "port 0\nunixsocket r.sock\nsave \"\"\nappendonly no\nlogfile redis.log\n%s\n", w->extra);
    assert_int_equal(fclose(f), 0);

    pid_t parent = getpid();
    w->redis = fork();
    assert_true(w->redis >= 0);
    if (!w->redis) {
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent || chdir(w->dir))
            _exit(127);
        execlp("redis-server", "redis-server", "r.conf", (char *)NULL);
        _exit(127);
    }
}

void redis_kill(struct world *w)
{
    if (!w->redis)
        return;
    (void)kill(w->redis, SIGKILL);
    (void)waitpid(w->redis, NULL, 0);
    w->redis = 0;
}

static void on_state(void *priv, bool up)
{
    struct world *w = priv;
    if (up)
        w->ups++;
    else
        w->downs++;
}

void conn_open(struct world *w, uint64_t timeout_ms, size_t max_inflight, bool no_scripts)
{
    const struct p3d_conn_options o = {
        .cfg = &w->cfg,
        .timeout_ms = timeout_ms,
        .max_inflight = max_inflight,
        .no_scripts = no_scripts,
        .on_state = on_state,
        .priv = w,
    };
    struct p3d_error err = {0};
    if (p3d_conn_open(w->loop, &o, &w->conn, &err))
        fail_msg("%s", err.detail);
}

void conn_close(struct world *w)
{
    p3d_conn_close(w->conn);
    w->conn = NULL;
}

static void on_late(struct p3d_timer *t)
{
    (void)t;
}

void until(struct world *w, const int *counter, int n)
{
    struct p3d_timer late = {.cb = on_late};

    p3d_timer_set(w->loop, &late, PATIENCE_MS);
    while (*counter < n && late.slot)
        p3d_poll_loop_run_once(w->poll, 50); /* the counter may move just before a sleep */
    bool in_time = late.slot;
    p3d_timer_clear(w->loop, &late);
    if (!in_time)
        fail_msg("waited for %d, have %d; %s", n, *counter, w->conn ? p3d_conn_last_error(w->conn) : "");
}

void until_up(struct world *w, int ups)
{
    until(w, &w->ups, ups);
    assert_true(p3d_conn_up(w->conn));
}

void until_down(struct world *w, int downs)
{
    until(w, &w->downs, downs);
    assert_false(p3d_conn_up(w->conn));
}

void count(void *priv, int err, const redisReply *reply)
{
    struct tally *t = priv;

    assert_int_equal(err == P3D_E_STORE_DOWN && !reply, !reply);
    t->n++;
    if (!err)
        t->ok++;
    else if (err == P3D_E_STORE_DOWN)
        t->down++;
    else
        t->other++;
    t->integer = reply ? reply->integer : 0;
    t->text[0] = 0;
    if (reply && reply->str)
        (void)p3d_format(t->text, sizeof t->text, "%s", reply->str);
}

int call(struct world *w, struct tally *t, const char *words)
{
    struct p3d_str argv[8];
    size_t n = 0;

    for (const char *p = words; n < 8; p++) {
        size_t len = strcspn(p, " ");
        argv[n++] = (struct p3d_str){p, len};
        p += len;
        if (!*p)
            break;
    }
    return p3d_conn_call(w->conn, argv, n, 0, count, t);
}
