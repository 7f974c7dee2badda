/* SPDX-License-Identifier: MIT
 *
 * A worker's place on this machine: its slot, the locks, its directory, its name. Guarantee: when
 * this returns 0, no process of an earlier attempt in this slot lives (its spawner held
 * work/<slot>.lock as long as one did; strays.c ends those of a killed one) and its files are gone,
 * or the log says that they resist.
 * Started by hand, it takes the first free slot from 1000 on, which no supervisor hands out.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "p3d/clock.h"
#include "work_internal.h"

#define HAND_SLOT 1000
#define HAND_SLOTS 1000
#define OLD_SPAWNER_MS 60000 /* how long the last attempt of this slot may take to die */

static int make_dir(const char *path, struct p3d_error *err)
{
    if (mkdir(path, 0700) == 0 || errno == EEXIST)
        return 0;
    return p3d_fail(err, P3D_E_IO, "%s: %s", path, strerror(errno));
}

/* Open and flock. 0, P3D_E_BUSY somebody has it, P3D_E_IO. */
static int lock_file(const char *path, int *ret_fd)
{
    int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return P3D_E_IO;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        int why = errno;
        p3d_closep(&fd);
        return why == EWOULDBLOCK ? P3D_E_BUSY : P3D_E_IO;
    }
    *ret_fd = fd;
    return 0;
}

/* Nobody gave us a slot: take one. Its lock in run/ is held for the life of the process. */
static int find_slot(struct p3d_work *w, struct p3d_error *err)
{
    char *run P3D_CLEANUP(p3d_freep) = p3d_asprintf("%s/run", w->cfg->top_data_dir);
    int r = make_dir(run, err);
    for (int i = 0; r == 0 && i < HAND_SLOTS; i++) {
        char *path P3D_CLEANUP(p3d_freep) = p3d_asprintf("%s/work-%d.lock", run, HAND_SLOT + i);
        int locked = lock_file(path, &w->hand_fd);
        if (locked == 0) {
            w->slot = HAND_SLOT + i;
            return 0;
        }
        if (locked != P3D_E_BUSY)
            return p3d_fail(err, P3D_E_IO, "%s: %s", path, strerror(errno));
    }
    return r != 0 ? r : p3d_fail(err, P3D_E_UNAVAILABLE, "no free place for a worker");
}

/* The spawner of our predecessor holds this lock until everything below it is dead. */
static int wait_for_lock(struct p3d_work *w, struct p3d_error *err)
{
    char *path P3D_CLEANUP(p3d_freep) =
        p3d_asprintf("%s/work/%d.lock", w->cfg->top_data_dir, w->slot);
    uint64_t until_ms = p3d_mono_ms() + OLD_SPAWNER_MS;
    for (;;) {
        int r = lock_file(path, &w->lock_fd);
        if (r == 0)
            return 0;
        if (r != P3D_E_BUSY)
            return p3d_fail(err, P3D_E_IO, "%s: %s", path, strerror(errno));
        if (p3d_mono_ms() >= until_ms)
            return p3d_fail(err, P3D_E_UNAVAILABLE,
                            "%s: a process of the last attempt does not end", path);
        (void)poll(NULL, 0, 20);
    }
}

static void name_worker(struct p3d_work *w)
{
    char host[65] = "", tail[40];
    (void)gethostname(host, sizeof(host) - 1);
    for (char *c = host; *c != '\0'; c++)
        if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
              *c == '.'))
            *c = '-';
    (void)p3d_format(tail, sizeof(tail), "-%ld-%d", (long)getpid(), w->slot);
    int room = (int)(sizeof(w->id) - 1 - strlen(tail));
    (void)p3d_format(w->id, sizeof(w->id), "%.*s%s", room, host[0] != '\0' ? host : "host", tail);
}

int p3d_work_place_open(struct p3d_work *w, struct p3d_error *err)
{
    char *parent P3D_CLEANUP(p3d_freep) = p3d_asprintf("%s/work", w->cfg->top_data_dir);
    w->slot = w->in->slot;
    int r = make_dir(w->cfg->top_data_dir, err);
    if (r == 0)
        r = make_dir(parent, err);
    if (r == 0 && w->in->lock_fd < 0)
        r = find_slot(w, err);
    if (r == 0)
        r = wait_for_lock(w, err);
    if (r == 0)
        r = p3d_work_strays_end(w, parent, err);
    if (r != 0)
        return r;
    name_worker(w);
    w->dir = p3d_asprintf("%s/%d", parent, w->slot);
    r = make_dir(w->dir, err);
    if (r != 0)
        return r;
    w->dirfd = open(w->dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (w->dirfd < 0)
        return p3d_fail(err, P3D_E_IO, "%s: %s", w->dir, strerror(errno));
    if (p3d_tree_empty(w->dirfd) != 0) /* in nobody's way: every attempt has a name of its own */
        p3d_log(P3D_LOG_WARN, "work_dir_not_empty", P3D_S("path", w->dir),
                P3D_S("error", strerror(errno)));
    return 0;
}

void p3d_work_place_close(struct p3d_work *w)
{
    p3d_closep(&w->dirfd);
    p3d_closep(&w->lock_fd);
    p3d_closep(&w->hand_fd);
    free(w->dir);
}
