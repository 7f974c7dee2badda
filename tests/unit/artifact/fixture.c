/* SPDX-License-Identifier: MIT
 *
 * See fixture.h.
 */
#include "fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int fixture_setup(void **state)
{
    struct fixture *f = p3d_alloc(sizeof *f);
    struct p3d_error err = {0};
    *state = f;
    (void)p3d_format(f->dir, sizeof f->dir, "/tmp/p3d-unit-XXXXXX");
    if (!mkdtemp(f->dir) || chdir(f->dir) || mkdir("job", 0700))
        return -1;
    f->job_dir = open("job", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    (void)p3d_format(f->job.s, sizeof f->job.s, "job_001ARZ3NDEKTSV4RRFFQ69G5FAV");
    return f->job_dir < 0 ? -1 : p3d_artifacts_open("root", &f->store, &err);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

int fixture_teardown(void **state)
{
    struct fixture *f = *state;
    p3d_artifacts_close(f->store);
    p3d_closep(&f->job_dir);
    int status = chdir("/") || nftw(f->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(f);
    return status;
}

void fixture_write(const char *name, const void *bytes, size_t n)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, n), n);
    assert_int_equal(close(fd), 0);
}

size_t fixture_count(const char *dir)
{
    DIR *d = opendir(dir);
    size_t n = 0;
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));)
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    assert_int_equal(closedir(d), 0);
    return n;
}

void fixture_begin(struct fixture *f, const char *attempt)
{
    struct p3d_error err;
    assert_int_equal(p3d_artifact_begin(f->store, &f->job, attempt, &err), 0);
}

int fixture_publish(struct fixture *f, const char *path, struct p3d_artifact *ret,
                    struct p3d_error *err)
{
    int status = p3d_artifact_begin(f->store, &f->job, ATTEMPT, err);
    return status != 0 ? status
                       : p3d_artifact_publish(f->store, &f->job, ATTEMPT, f->job_dir, path, "mesh", 1 << 24, NULL, ret, err);
}
