/* SPDX-License-Identifier: MIT
 *
 * What an operator wants to know of the Redis, the artifact store and the processes, beside what is wrong with the queue.
 * Nothing is made or written by looking, here or there; data of another schema is not judged at all.
 */
#include <stdio.h>
#include <string.h>

#include "doctor_internal.h"
#include "p3d/artifact.h"

enum { LATE_MS = 30000 }; /* a round of housekeeping is due every second */

static int take_about(void *about, const struct p3d_answer *a)
{
    *(struct p3d_doctor_about *)about = *a->about;
    return 0;
}

static void say_age(char *dst, size_t size, int64_t ms)
{
    static const struct {
        int64_t ms;
        const char *unit;
    } units[] = {{86400000, "days"}, {3600000, "h"}, {60000, "min"}, {1000, "s"}};
    size_t i = 0;
    while (i + 1 < sizeof(units) / sizeof(*units) && ms < 2 * units[i].ms)
        i++;
    (void)p3d_format(dst, size, "%lld %s", (long long)(ms / units[i].ms), units[i].unit);
}

static void note_redis(struct p3d_checkup *c, const struct p3d_doctor_about *a)
{
    bool kept = strcmp(a->append_only, "1") == 0;
    p3d_checkup_note(c, "Redis %s, %s%s%s, maxmemory-policy %s, schema %s", a->version,
                     kept ? "append-only file" : "no append-only file", kept && a->fsync[0] != '\0' ? ", appendfsync " : "",
                     kept ? a->fsync : "", a->policy, a->schema[0] != '\0' ? a->schema : "none: nothing is here yet");
    if (!kept)
        p3d_checkup_note(c, "if this Redis stops, everything since its last snapshot is lost: set appendonly yes");
    else if (strcmp(a->fsync, "no") == 0)
        p3d_checkup_note(c, "if this machine stops, what Redis took in the last half minute is lost: set appendfsync everysec");
    if (kept && strcmp(a->append_status, "ok") != 0)
        p3d_checkup_note(c, "the last write of the append-only file failed: is the disk full?");
    if (strcmp(a->policy, "noeviction") != 0)
        p3d_checkup_note(c, "Redis may throw jobs away when its memory is full: set maxmemory-policy noeviction");
}

static void note_processes(struct p3d_checkup *c, const struct p3d_doctor_about *a)
{
    int64_t ago_ms = a->now_ms - a->reaped_ms;
    char age[32];
    p3d_checkup_note(c, "workers: %lld idle, %lld with a job", (long long)a->idle, (long long)a->running);
    say_age(age, sizeof(age), ago_ms);
    if (a->reaped_ms == 0)
        p3d_checkup_note(c, "the housekeeping has never run: is a server or a worker running?");
    else if (ago_ms > LATE_MS)
        p3d_checkup_note(c, "the housekeeping last ran %s ago: is a server or a worker running?", age);
}

static void note_home(struct p3d_checkup *c, const struct p3d_doctor_about *a)
{
    const char *root = c->session.cfg->artifact_root;
    struct p3d_error why = {0};
    char id[P3D_ARTIFACTS_ID_SIZE];
    int err = p3d_artifacts_peek(root, id, &why);
    if (err == 0 && a->home[0] != '\0' && strcmp(id, a->home) != 0)
        p3d_checkup_note(c, "the artifact store %s is not the one that this Redis knows", root);
    else if (err == P3D_E_NOT_FOUND && a->home[0] != '\0')
        p3d_checkup_note(c, "there is no artifact store at %s, and this Redis knows one", root);
    else if (err != 0 && err != P3D_E_NOT_FOUND)
        p3d_checkup_note(c, "%s", why.detail);
}

int p3d_checkup_about(struct p3d_checkup *c)
{
    struct p3d_doctor_about about = {0};
    struct p3d_reply r = {.take = take_about, .priv = &about};
    int called = p3d_store_doctor_about(p3d_session_store(&c->session), p3d_session_answer, &r);
    int rc = p3d_session_say(&c->session, p3d_session_try(&c->session, called, &r));
    if (rc != 0)
        return rc;
    if (about.schema[0] != '\0' && strcmp(about.schema, p3d_store_schema()) != 0) {
        (void)fprintf(stderr, "the data in Redis has schema %s, this program works with %s\n", about.schema,
                      p3d_store_schema());
        return P3D_EXIT_REFUSED;
    }
    note_redis(c, &about);
    note_processes(c, &about);
    note_home(c, &about);
    return 0;
}
