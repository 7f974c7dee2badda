/* SPDX-License-Identifier: MIT
 *
 * The log of one attempt: stdout and stderr in the order they came, in one file with a cap, and its
 * last bytes in memory for the error message. Guarantee: it takes bytes for ever and never fails
 * the job: over the cap, or when the disk refuses, it says so once in the file (if it can) and
 * keeps only the tail. Does not: interpret a byte.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runner_internal.h"

void p3d_joblog_open(struct p3d_joblog *l, int fd, int64_t max_bytes)
{
    *l = (struct p3d_joblog){.fd = fd, .max = max_bytes};
    p3d_buf_init(&l->tail, 0);
}

static void write_all(struct p3d_joblog *l, const char *p, size_t n)
{
    while (n > 0 && l->fd >= 0) {
        ssize_t r = write(l->fd, p, n);
        if (r < 0 && errno == EINTR)
            continue;
        if (r <= 0) { /* the disk is full: the tail must do */
            p3d_closep(&l->fd);
            l->fd = -1;
            return;
        }
        p += r;
        n -= (size_t)r;
        l->size += r;
    }
}

static void keep_tail(struct p3d_joblog *l, const char *p, size_t n)
{
    if (n > P3D_JOBLOG_TAIL) {
        p += n - P3D_JOBLOG_TAIL;
        n = P3D_JOBLOG_TAIL;
    }
    p3d_buf_add(&l->tail, p, n);
    if (l->tail.n > (size_t)2 * P3D_JOBLOG_TAIL)
        p3d_buf_cut(&l->tail, l->tail.n - P3D_JOBLOG_TAIL);
}

void p3d_joblog_feed(struct p3d_joblog *l, const char *p, size_t n)
{
    static const char mark[] = "\n[log truncated]\n";
    keep_tail(l, p, n);
    if (l->truncated)
        return;
    int64_t room = l->max - l->size;
    if ((int64_t)n <= room) {
        write_all(l, p, n);
        return;
    }
    write_all(l, p, room > 0 ? (size_t)room : 0);
    l->truncated = true;
    write_all(l, mark, sizeof(mark) - 1);
}

void p3d_joblog_note(struct p3d_joblog *l, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (n < 0)
        return;
    struct p3d_buf line;
    p3d_buf_init(&line, 0);
    p3d_buf_addf(&line, "[p3d: %s]\n", text);
    write_all(l, line.p, line.n);
    p3d_buf_done(&line);
}

struct p3d_str p3d_joblog_tail(const struct p3d_joblog *l, unsigned lines)
{
    struct p3d_str s = p3d_buf_str(&l->tail);
    while (s.n > 0 && (s.p[s.n - 1] == '\n' || s.p[s.n - 1] == '\r'))
        s.n--;
    size_t at = s.n;
    while (at > 0) {
        if (s.p[at - 1] == '\n' && --lines == 0)
            break;
        at--;
    }
    return (struct p3d_str){s.p + (s.p != NULL ? at : 0), s.n - at};
}

void p3d_joblog_close(struct p3d_joblog *l)
{
    p3d_closep(&l->fd);
    l->fd = -1;
    p3d_buf_done(&l->tail);
}
