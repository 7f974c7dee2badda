/* SPDX-License-Identifier: MIT
 *
 * See fixture.h.
 */
#include "fixture.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char fixture_dir[64];

int fixture_setup(void **state)
{
    (void)state;
    (void)p3d_format(fixture_dir, sizeof fixture_dir, "/tmp/p3d-unit-XXXXXX");
    if (!mkdtemp(fixture_dir))
        return -1;
    return chdir(fixture_dir);
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
    (void)state;
    if (chdir("/"))
        return -1;
    return nftw(fixture_dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void fixture_write(const char *name, const char *text, unsigned mode)
{
    (void)unlink(name);
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);
}

int fixture_load(const char *text, struct p3d_config **ret, struct p3d_error *err)
{
    char *none[] = {NULL};
    fixture_write("test.yaml", text, 0600);
    return p3d_config_load("test.yaml", NULL, 0, none, ret, err);
}

void fixture_refused(const struct refused *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct p3d_config *cfg = NULL;
        struct p3d_error err = {0};
        int status = fixture_load(rows[i].text, &cfg, &err);
        if (status != P3D_E_CONFIG || strcmp(err.where, rows[i].where) != 0 ||
            !strstr(err.detail, rows[i].detail))
            fail_msg("row %zu:\n%s\nwanted %s: %s\ngot %d %s: %s", i, rows[i].text, rows[i].where,
                     rows[i].detail, status, err.where, err.detail);
        assert_int_equal(err.code, P3D_E_CONFIG);
        assert_null(cfg);
    }
}
