/* SPDX-License-Identifier: MIT
 *
 * How much memory this process may count on: the RAM of the machine, or the smallest limit of the
 * control groups it is in (version 2 memory.max, version 1 memory.limit_in_bytes), each looked up
 * from its own group to the root. A limit that cannot be read is no limit.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "p3d/str.h"
#include "redis_internal.h"

static ssize_t read_text(const char *path, char *dst, size_t size)
{
    int fd P3D_CLEANUP(p3d_closep) = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, dst, size - 1) : -1;
    dst[n > 0 ? n : 0] = '\0';
    return n;
}

static uint64_t limit_in(const char *path)
{
    char text[64];
    int64_t bytes = 0;
    ssize_t n = read_text(path, text, sizeof(text));
    if (n < 2 || p3d_str_to_i64((struct p3d_str){text, (size_t)n - 1}, 1, INT64_MAX, &bytes) != 0)
        return UINT64_MAX; /* "max" too */
    return (uint64_t)bytes;
}

/* The smallest limit from `group` ("/a/b") up to the root of the hierarchy mounted at `mount`. */
static uint64_t smallest(const char *mount, char *group, const char *file)
{
    uint64_t least = UINT64_MAX;
    for (;;) {
        char path[1024];
        if (p3d_format(path, sizeof(path), "%s%s/%s", mount, group, file)) {
            uint64_t here = limit_in(path);
            least = here < least ? here : least;
        }
        char *slash = strrchr(group, '/');
        if (slash == NULL)
            return least;
        *slash = '\0';
    }
}

/* A line of /proc/self/cgroup: "0::/group" or "4:memory:/group". */
static uint64_t limit_of_line(char *line)
{
    char *names = strchr(line, ':');
    char *group = names != NULL ? strchr(names + 1, ':') : NULL;
    if (group == NULL)
        return UINT64_MAX;
    *group++ = '\0';
    if (strcmp(names, ":") == 0)
        return smallest("/sys/fs/cgroup", group, "memory.max");
    if (strcmp(names, ":memory") == 0)
        return smallest("/sys/fs/cgroup/memory", group, "memory.limit_in_bytes");
    return UINT64_MAX;
}

uint64_t p3d_memory_limit(void)
{
    struct sysinfo info;
    char text[4096], *save = NULL;
    uint64_t least = sysinfo(&info) == 0 ? (uint64_t)info.totalram * info.mem_unit : UINT64_MAX;

    if (read_text("/proc/self/cgroup", text, sizeof(text)) <= 0)
        return least;
    for (char *line = strtok_r(text, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        uint64_t limit = limit_of_line(line);
        least = limit < least ? limit : least;
    }
    return least;
}
