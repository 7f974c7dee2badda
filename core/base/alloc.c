/* SPDX-License-Identifier: MIT
 *
 * The allocator. Guarantee: what it returns is never NULL. When memory runs out the process ends
 * with abort(), and the supervisor starts it anew: a half-built answer is never sent and no caller
 * carries an untested error path. Does not: pool, count or trace. The memory is malloc's, so plain
 * free() returns it.
 */
#include "p3d/str.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

__attribute__((noreturn, cold)) static void out_of_memory(void)
{
    static const char words[] = "p3d: out of memory\n";
    (void)!write(STDERR_FILENO, words, sizeof(words) - 1);
    abort();
}

void *p3d_alloc(size_t n)
{
    void *p = calloc(1, n > 0 ? n : 1);
    if (p == NULL)
        out_of_memory();
    return p;
}

void *p3d_realloc(void *p, size_t n)
{
    void *moved = realloc(p, n > 0 ? n : 1);
    if (moved == NULL)
        out_of_memory();
    return moved;
}

char *p3d_strdup(const char *z)
{
    return z == NULL ? NULL : p3d_strndup(z, strlen(z));
}

char *p3d_strndup(const char *p, size_t n)
{
    if (n == SIZE_MAX)
        out_of_memory();
    char *copy = p3d_realloc(NULL, n + 1);
    if (n > 0)
        memcpy(copy, p, n);
    copy[n] = '\0';
    return copy;
}

char *p3d_asprintf(const char *fmt, ...)
{
    char *text = NULL;
    va_list ap;
    va_start(ap, fmt);
    int n = vasprintf(&text, fmt, ap);
    va_end(ap);
    if (n < 0)
        out_of_memory();
    return text;
}

void p3d_freep(void *pp)
{
    void *p;
    memcpy(&p, pp,
           sizeof(p)); /* pp is a char **, a struct x **: read it without breaking aliasing */
    free(p);
}

void p3d_closep(int *fd)
{
    if (*fd < 0)
        return;
    int saved = errno;
    (void)close(*fd);
    errno = saved;
}
