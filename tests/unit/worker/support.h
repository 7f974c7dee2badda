/* SPDX-License-Identifier: MIT
 *
 * What the tests of this folder share: cmocka with its includes in order, and a directory that goes
 * with the test.
 */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "workers/runner/runner_internal.h"

struct place {
    char path[64];
    int fd;
};

static inline int place_setup(void **state)
{
    struct place *p = p3d_alloc(sizeof(*p));
    (void)p3d_format(p->path, sizeof(p->path), "/tmp/p3d-test-XXXXXX");
    assert_non_null(mkdtemp(p->path));
    p->fd = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(p->fd >= 0);
    *state = p;
    return 0;
}

static inline int place_teardown(void **state)
{
    struct place *p = *state;
    int r = p3d_tree_remove(AT_FDCWD, p->path);
    (void)close(p->fd);
    free(p);
    return r;
}

static inline void put_file(int dirfd, const char *name, const char *text)
{
    int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    (void)close(fd);
}
