/* SPDX-License-Identifier: MIT
 *
 * The end of a whole process tree. This process is a subreaper: whoever loses its parent below it
 * becomes its child, so "waitpid says ECHILD" is the proof that nobody is left, however they
 * forked, changed group or session. What /proc lists is only a hint for the next round. Does not:
 * touch anything that is not a descendant.
 */
#include "spawn_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "p3d/clock.h"

#define PIDS_MAX 65536 /* of one round; the next finds the rest */

struct pids {
    pid_t *v;
    size_t n, cap;
};

static void pids_add(struct pids *p, pid_t pid)
{
    if (p->n == PIDS_MAX)
        return;
    if (p->n == p->cap) {
        p->cap = p->cap == 0 ? 64 : p->cap * 2;
        p->v = p3d_realloc(p->v, p->cap * sizeof(pid_t));
    }
    p->v[p->n++] = pid;
}

/* "12 345 6 " of a children file. False when there is no such file. */
static bool read_children(int task_fd, const char *tid, struct pids *found)
{
    char path[64], text[4096];
    pid_t pid = 0;
    ssize_t n;
    (void)p3d_format(path, sizeof(path), "%s/children", tid);
    int fd P3D_CLEANUP(p3d_closep) = openat(task_fd, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    while ((n = read(fd, text, sizeof(text))) > 0) {
        for (ssize_t i = 0; i < n; i++) {
            if (text[i] >= '0' && text[i] <= '9') {
                pid = (pid_t)(pid * 10 + (text[i] - '0'));
            } else if (pid > 0) {
                pids_add(found, pid);
                pid = 0;
            }
        }
    }
    return true;
}

/* Children of all threads of pid. False when the kernel does not list them. */
static bool list_children(pid_t pid, struct pids *found)
{
    char path[64];
    bool listed = false;
    (void)p3d_format(path, sizeof(path), "/proc/%ld/task", (long)pid);
    DIR *dir = opendir(path);
    if (dir == NULL)
        return false;
    for (const struct dirent *e; (e = readdir(dir)) != NULL;)
        if (e->d_name[0] != '.' && read_children(dirfd(dir), e->d_name, found))
            listed = true;
    (void)closedir(dir);
    return listed;
}

static pid_t parent_of(pid_t pid)
{
    char path[64], text[512];
    (void)p3d_format(path, sizeof(path), "/proc/%ld/stat", (long)pid);
    int fd P3D_CLEANUP(p3d_closep) = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (n <= 0)
        return -1;
    text[n] = '\0';
    const char *behind = strrchr(text, ')'); /* the name may hold anything, also ')' */
    if (behind == NULL || strlen(behind) < 5)
        return -1;
    return (pid_t)strtol(behind + 4, NULL, 10); /* ") S ppid" */
}

/* Without children files: our direct ones; their children become ours when they die. */
static void scan_proc(pid_t self, struct pids *found)
{
    DIR *dir = opendir("/proc");
    if (dir == NULL)
        return;
    for (const struct dirent *e; (e = readdir(dir)) != NULL;) {
        int64_t pid;
        if (p3d_str_to_i64(p3d_str_z(e->d_name), 1, INT32_MAX, &pid) == 0 &&
            parent_of((pid_t)pid) == self)
            pids_add(found, (pid_t)pid);
    }
    (void)closedir(dir);
}

void p3d_tree_kill(void)
{
    struct pids found = {0};
    pid_t self = getpid();
    if (!list_children(self, &found))
        scan_proc(self, &found);
    /* Only our own children: nobody else can reap them, so their numbers cannot be a stranger's by
     * now. Theirs become ours, and are found in the next round. */
    for (size_t i = 0; i < found.n; i++)
        (void)kill(found.v[i], SIGKILL);
    free(found.v);
}

bool p3d_tree_end(unsigned for_ms)
{
    uint64_t until_ms = p3d_mono_ms() + for_ms;
    for (;;) {
        p3d_tree_kill();
        pid_t pid;
        do
            pid = waitpid(-1, NULL, WNOHANG);
        while (pid > 0 || (pid < 0 && errno == EINTR));
        if (pid < 0)
            return true;
        if (p3d_mono_ms() >= until_ms)
            return false;
        (void)poll(NULL, 0, 5);
    }
}
