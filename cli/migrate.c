/* SPDX-License-Identifier: MIT
 *
 * `p3d migrate`: users, tokens, jobs and results of a 3DAIGC server. Guarantee: the old Redis is
 * only read; running it again takes up where it ended, and changes nothing that is here already;
 * every record is taken, counted as here already, or named with the reason. Does not: delete
 * anything, here or there. Ctrl-C lets what is under way end.
 */
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "migrate_job_internal.h"
#include "p3d/clock.h"
#include "p3d/json.h"
#include "verbs_internal.h"

enum {
    OPEN_MAX = 256,
    OPEN_BYTES_MAX = 64 << 20,
    SOURCE_TIMEOUT_MS = 10000,
    THREADS_MIN = 4, /* copying waits for the disk more than it computes */
    THREADS_MAX = 64,
    PREFIX_MAX = 200,
    TURN_MS = 50
};

static const int stop_signals[] = {SIGINT, SIGTERM, SIGHUP};
enum { STOP_SIGNALS = sizeof(stop_signals) / sizeof(*stop_signals) };

static void signals_of(sigset_t *set)
{
    (void)sigemptyset(set);
    for (int i = 0; i < STOP_SIGNALS; i++)
        (void)sigaddset(set, stop_signals[i]);
}

/* They are blocked all the time, so what has come is pending. */
static bool signal_came(void)
{
    sigset_t pending;
    if (sigpending(&pending) != 0)
        return false;
    for (int i = 0; i < STOP_SIGNALS; i++)
        if (sigismember(&pending, stop_signals[i]) == 1)
            return true;
    return false;
}

bool p3d_migrate_over(struct p3d_migrate *m)
{
    m->stopped = m->stopped || signal_came();
    bool over = m->err != 0 || m->stopped;
    atomic_store_explicit(&m->quit, over, memory_order_relaxed);
    return over;
}

bool p3d_migrate_begin(struct p3d_migrate *m, size_t bytes)
{
    while (m->open_n > 0 && (m->open_n >= m->open_max || m->open_bytes + bytes > OPEN_BYTES_MAX) &&
           !p3d_migrate_over(m)) {
        p3d_poll_loop_run_once(m->loop, TURN_MS);
        p3d_migrate_progress(m);
    }
    if (p3d_migrate_over(m))
        return false;
    p3d_migrate_progress(m);
    m->open_n++;
    m->open_bytes += bytes;
    return true;
}

void p3d_migrate_end(struct p3d_migrate *m, size_t bytes)
{
    m->open_n--;
    m->open_bytes -= bytes;
    m->class_done++;
}

void p3d_migrate_drain(struct p3d_migrate *m)
{
    while (m->open_n > 0) {
        (void)p3d_migrate_over(m); /* what has not begun to be hashed will not be */
        p3d_poll_loop_run_once(m->loop, TURN_MS);
        p3d_migrate_progress(m);
    }
}

bool p3d_migrate_fatal(struct p3d_migrate *m, int err)
{
    if (err != P3D_E_STORE_DOWN && err != P3D_E_STORE_FULL)
        return false;
    if (m->err == 0)
        (void)p3d_format(m->why, sizeof(m->why), "%s", p3d_err_text(err));
    m->err = err;
    return true;
}

static int usage(const char *text)
{
    (void)fprintf(stderr, "p3d migrate: %s (p3d migrate --help shows what it takes)\n", text);
    return P3D_EXIT_USAGE;
}

static int read_options(struct p3d_migrate *m, const struct p3d_options *o)
{
    const char *prefix = o->value[P3D_OPT_PREFIX] != NULL ? o->value[P3D_OPT_PREFIX] : "3daigc";
    size_t n = strlen(prefix);
    if (o->value[P3D_OPT_FROM] == NULL)
        return usage("--from URL is missing");
    if (n == 0 || n > PREFIX_MAX)
        return usage("--prefix: 1 to 200 characters");
    m->prefix = p3d_asprintf("%s%s", prefix, prefix[n - 1] == ':' ? "" : ":");
    m->dry_run = o->value[P3D_OPT_DRY_RUN] != NULL;
    m->json = o->value[P3D_OPT_JSON] != NULL;
    m->terminal = isatty(STDERR_FILENO) == 1;
    m->not_taken = json_array();
    m->notes = json_array();
    return o->value[P3D_OPT_FILES] != NULL ? p3d_migrate_files_open(m, o->value[P3D_OPT_FILES]) : 0;
}

/* A dry run must not make the embedded Redis's folder; where there is none, nothing is here. */
static bool nothing_here(const struct p3d_config *cfg)
{
    struct stat st;
    char *path P3D_CLEANUP(p3d_freep) = p3d_asprintf("%s/redis", cfg->top_data_dir);
    return cfg->redis_url.n == 0 && stat(path, &st) != 0;
}

struct person {
    char s[64];
};

static struct person person_of(uid_t uid)
{
    struct person who;
    const struct passwd *p = getpwuid(uid);
    if (p != NULL)
        (void)p3d_format(who.s, sizeof(who.s), "%.40s (uid %u)", p->pw_name, (unsigned)uid);
    else
        (void)p3d_format(who.s, sizeof(who.s), "uid %u", (unsigned)uid);
    return who;
}

/* Files of another user there, root's say, are files that the service cannot read. */
static bool is_anothers(const char *root)
{
    struct stat st;
    if (stat(root, &st) != 0 || st.st_uid == geteuid())
        return false;
    const struct person owner = person_of(st.st_uid), self = person_of(geteuid());
    (void)fprintf(stderr,
                  "The artifact store %s belongs to %s; what %s writes there could not be read: "
                  "run it as %s\n",
                  root, owner.s, self.s, owner.s);
    return true;
}

static int open_target(struct p3d_migrate *m)
{
    struct p3d_session *s = &m->session;
    struct p3d_error err = {0};
    struct p3d_reply r = {.take = NULL};
    int rc = 0;
    const char *root = s->cfg->artifact_root;
    if (!m->dry_run && is_anothers(root)) /* before a Redis of ours is started */
        return P3D_EXIT_REFUSED;
    if (!m->dry_run || !nothing_here(s->cfg))
        rc = p3d_session_connect(s);
    else if (p3d_poll_loop_new(&s->loop) != 0)
        rc = P3D_EXIT_UNAVAILABLE;
    m->loop = s->loop;
    if (rc != 0 || s->store == NULL)
        return rc;
    m->store = p3d_session_store(s);
    if (m->dry_run) /* the check would note the artifact store in a new Redis */
        return p3d_session_wait(s, p3d_store_ping(m->store, p3d_session_answer, &r), &r);
    if (p3d_artifacts_open(root, &m->artifacts, &err) != 0) {
        (void)fprintf(stderr, "%s\n", err.detail);
        return P3D_EXIT_REFUSED;
    }
    int refused = p3d_session_try(
        s, p3d_store_check(m->store, p3d_artifacts_id(m->artifacts), &err, p3d_session_answer, &r),
        &r);
    if (refused == P3D_E_CONFIG) {
        (void)fprintf(stderr, "%s\n", err.detail);
        return P3D_EXIT_REFUSED;
    }
    return p3d_session_say(s, refused);
}

static int open_source(struct p3d_migrate *m, const char *url)
{
    struct p3d_error err = {0};
    int rc = p3d_foreign_open(m->loop, p3d_str_z(url), SOURCE_TIMEOUT_MS, &m->source, &err);
    if (rc == 0)
        return 0;
    (void)fprintf(stderr, rc == P3D_E_CONFIG ? "--from: %s\n" : "%s\n", err.detail);
    return rc == P3D_E_CONFIG ? P3D_EXIT_REFUSED : P3D_EXIT_UNAVAILABLE;
}

static int open_pool(struct p3d_migrate *m)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned threads = cores < THREADS_MIN   ? THREADS_MIN
                       : cores > THREADS_MAX ? THREADS_MAX
                                             : (unsigned)cores;
    size_t half = (size_t)m->session.cfg->redis_max_inflight / 2;
    m->open_max = half < OPEN_MAX ? half : OPEN_MAX;
    if (p3d_pool_new(p3d_poll_loop_base(m->loop), threads, OPEN_MAX, &m->pool) == 0)
        return 0;
    (void)fprintf(stderr, "threads: %m\n");
    return P3D_EXIT_UNAVAILABLE;
}

static int bring(struct p3d_migrate *m)
{
    p3d_migrate_users(m);
    p3d_migrate_tokens(m);
    p3d_migrate_jobs(m);
    p3d_migrate_quiet(m);
    if (m->err == 0 && !m->stopped && m->seen == 0) {
        (void)fprintf(stderr, "There is nothing of 3DAIGC under the prefix %s in that Redis.\n",
                      m->prefix);
        const json_t *first =
            json_array_get(m->notes, 0); /* a key of another type, no right to read */
        if (first != NULL)
            (void)fprintf(stderr, "%s: %s\n", p3d_json_get_str(first, "id").p,
                          p3d_json_get_str(first, "reason").p);
        return P3D_EXIT_REFUSED;
    }
    p3d_migrate_report(m);
    if (m->err == 0 && !m->stopped)
        return P3D_EXIT_OK;
    (void)fprintf(stderr, "%s. What was brought so far stays; the same command goes on.\n",
                  m->err != 0 ? m->why : "Stopped");
    return m->err != 0 ? P3D_EXIT_UNAVAILABLE : P3D_EXIT_REFUSED;
}

static void done(struct p3d_migrate *m)
{
    p3d_pool_free(m->pool);
    p3d_foreign_close(m->source);
    p3d_artifacts_close(m->artifacts);
    p3d_session_close(&m->session);
    p3d_migrate_set_done(&m->users);
    p3d_migrate_set_done(&m->names);
    p3d_migrate_set_done(&m->kinds);
    p3d_migrate_set_done(&m->unread);
    json_decref(m->not_taken);
    json_decref(m->notes);
    p3d_closep(&m->files_fd);
    free(m->files);
    free(m->files_real);
    free(m->prefix);
}

int p3d_migrate(struct p3d_options *o)
{
    struct p3d_migrate m = {.files_fd = -1};
    sigset_t stops, before;
    signals_of(&stops);
    (void)sigprocmask(SIG_BLOCK, &stops, &before);
    int rc = read_options(&m, o);
    if (rc == 0)
        rc = p3d_session_configure(o, &m.session);
    if (rc == 0)
        rc = open_target(&m);
    if (rc == 0)
        rc = open_source(&m, o->value[P3D_OPT_FROM]);
    if (rc == 0)
        rc = open_pool(&m);
    if (rc == 0)
        rc = bring(&m);
    done(&m);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    return rc;
}
