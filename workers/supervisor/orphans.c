/* SPDX-License-Identifier: MIT
 *
 * The last net: `p3d up` is the subreaper of everything below it, so what a dead worker and its
 * dead spawner leave behind becomes our child. A spawner that lost its worker cleans up by itself
 * and is given time for that. Anything else is ours because its spawner is dead: nobody but us will
 * ever end it, so it is killed at once, child by child, until none is left: before the lease of its
 * attempt can end. Children that were there before us (a shell that executed us had them) are never
 * touched.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "p3d/clock.h"
#include "p3d/log.h"
#include "p3d/str.h"
#include "supervisor_internal.h"

enum { PATIENCE_MS = 3000, ROUND_MS = 50 };

/* From /proc/PID/stat: "PID (name, any bytes) S PPID …". 0 when it is gone. */
static pid_t parent_of(const char *pid_text, char *ret_state)
{
    char path[64], text[512];
    if (!p3d_format(path, sizeof(path), "/proc/%s/stat", pid_text))
        return 0;
    int fd P3D_CLEANUP(p3d_closep) = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
    if (n <= 0)
        return 0;
    text[n] = '\0';
    const char *p = strrchr(text, ')');
    if (p == NULL || strlen(p) < 5)
        return 0;
    *ret_state = p[2];
    struct p3d_str number = {p + 4, strcspn(p + 4, " ")};
    int64_t parent = 0;
    return p3d_str_to_i64(number, 0, 1 << 30, &parent) == 0 ? (pid_t)parent : 0;
}

/* Calls fn for every living child of ours. */
static void each_child(void (*fn)(struct p3d_supervisor *s, pid_t pid, size_t *n),
                       struct p3d_supervisor *s, size_t *n)
{
    DIR *dir = opendir("/proc");
    pid_t self = getpid();
    if (dir == NULL)
        return;
    for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        int64_t pid;
        char state = ' ';
        if (isdigit((unsigned char)e->d_name[0]) && parent_of(e->d_name, &state) == self &&
            state != 'Z' && p3d_str_to_i64(p3d_str_z(e->d_name), 1, 1 << 30, &pid) == 0)
            fn(s, (pid_t)pid, n);
    }
    (void)closedir(dir);
}

static void note_stranger(struct p3d_supervisor *s, pid_t pid, size_t *n)
{
    s->strangers = p3d_realloc(s->strangers, (*n + 1) * sizeof(*s->strangers));
    s->strangers[(*n)++] = pid;
}

void p3d_orphans_init(struct p3d_supervisor *s)
{
    each_child(note_stranger, s, &s->strangers_n);
}

static bool is_orphan(const struct p3d_supervisor *s, pid_t pid)
{
    if (s->redis.pid == pid)
        return false;
    for (size_t i = 0; i < s->roles_n; i++)
        if (s->roles[i].pid == pid)
            return false;
    for (size_t i = 0; i < s->strangers_n; i++)
        if (s->strangers[i] == pid)
            return false;
    return true;
}

/* By its command line: a runner that dresses up as one gains no more than the patience. */
static bool is_spawner(pid_t pid)
{
    static const char args[] = "p3d\0spawner"; /* its NUL counts */
    char path[64], text[sizeof(args)];
    (void)p3d_format(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
    int fd P3D_CLEANUP(p3d_closep) = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && read(fd, text, sizeof(text)) == (ssize_t)sizeof(text) &&
           memcmp(text, args, sizeof(args)) == 0;
}

static void count_orphan(struct p3d_supervisor *s, pid_t pid, size_t *n)
{
    *n += is_orphan(s, pid);
}

static void kill_orphan(struct p3d_supervisor *s, pid_t pid, size_t *n)
{
    uint64_t since_ms = p3d_mono_ms() - s->orphans_since_ms;
    if (!is_orphan(s, pid) || (since_ms < PATIENCE_MS && is_spawner(pid)))
        return;
    p3d_log(P3D_LOG_WARN, "orphan_killed", P3D_I("child", pid), P3D_I("after_ms", since_ms));
    (void)kill(pid, SIGKILL); /* our child, not reaped: the number is its own */
    ++*n;
}

bool p3d_orphans_settled(struct p3d_supervisor *s)
{
    size_t n = 0;
    each_child(count_orphan, s, &n);
    if (n == 0) {
        s->orphans_since_ms = 0;
        return true;
    }
    if (s->orphans_since_ms == 0)
        s->orphans_since_ms = p3d_mono_ms();
    each_child(kill_orphan, s, &n);
    return false;
}

static void on_round(struct p3d_timer *timer)
{
    p3d_orphans_end((struct p3d_supervisor *)(void *)((char *)timer -
                                                      offsetof(struct p3d_supervisor, orphans_at)));
}

void p3d_orphans_end(struct p3d_supervisor *s)
{
    s->orphans_at.cb = on_round;
    if (!p3d_orphans_settled(s))
        p3d_timer_set(s->loop, &s->orphans_at, ROUND_MS);
}

void p3d_orphans_reaped(struct p3d_supervisor *s, pid_t pid)
{
    for (size_t i = 0; i < s->strangers_n; i++)
        if (s->strangers[i] == pid)
            s->strangers[i] = s->strangers[--s->strangers_n];
    p3d_log(P3D_LOG_DEBUG, "orphan_reaped", P3D_I("child", pid));
}
