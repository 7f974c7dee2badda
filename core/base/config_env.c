/* SPDX-License-Identifier: MIT
 *
 * Settings from the environment: P3D_<SECTION>__<KEY>, the second spellings, and <SPELLING>_FILE
 * for secrets. A P3D_* name that means nothing stops the start: it is a typing mistake in something
 * the operator relies on.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "config_internal.h"

/* Not settings of the server: the client's, the runner protocol's, and --config. */
static const char *const foreign[] = {"P3D_URL",       "P3D_TOKEN", "P3D_JOB_ID", "P3D_ATTEMPT",
                                      "P3D_FEATURE",   "P3D_MODEL", "P3D_INPUT",  "P3D_OUTPUT_DIR",
                                      "P3D_EVENTS_FD", "P3D_CONFIG"};
#define FOREIGN_PREFIX "P3D_USER_META_"

static bool is_foreign(const char *name)
{
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
        if (!strcmp(name, foreign[i]))
            return true;
    return !strncmp(name, FOREIGN_PREFIX, sizeof FOREIGN_PREFIX - 1);
}

static const struct p3d_cfg_row *row_of(const char *name)
{
    for (size_t i = 0; i < p3d_cfg_aliases_n; i++)
        if (p3d_cfg_aliases[i].env && !strcmp(p3d_cfg_aliases[i].env, name))
            return p3d_cfg_row_find(p3d_cfg_aliases[i].key);
    for (size_t i = 0; i < p3d_cfg_rows_n; i++) {
        char env[64];
        p3d_cfg_row_env(&p3d_cfg_rows[i], env);
        if (!strcmp(env, name))
            return &p3d_cfg_rows[i];
    }
    return NULL;
}

static const char *name_of(const void *table, size_t i)
{
    p3d_cfg_row_env(&p3d_cfg_rows[i], (char *)(uintptr_t)table);
    return table;
}

/* A secret that stands in a file: its first line. */
static int read_secret(struct p3d_cfg_load *l, const struct p3d_cfg_row *row, const char *path,
                       const struct p3d_cfg_at *at, struct p3d_error *err)
{
    char *full = p3d_path_absolute(l->cwd, path);
    P3D_CLEANUP(p3d_closep) int fd = open(full, O_RDONLY | O_CLOEXEC);
    char text[P3D_SECRET_MAX + 2];
    size_t n = 0;
    ssize_t got = -1;
    while (fd >= 0 && n < sizeof text - 1) {
        got = read(fd, text + n, sizeof text - 1 - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        n += (size_t)got;
    }
    int status = fd < 0 || got < 0
                     ? p3d_cfg_fail(at, err, "%.300s cannot be read: %s", full, strerror(errno))
                     : 0;
    char *end = memchr(text, '\n', n);
    n = end ? (size_t)(end - text) : n;
    n -= n && text[n - 1] == '\r';
    text[n] = 0;
    if (!status && !n)
        status = p3d_cfg_fail(at, err, "the first line of %.300s is empty", full);
    else if (!status && strlen(text) != n)
        status = p3d_cfg_fail(at, err, "the first line of %.300s holds a NUL character", full);
    if (!status)
        status = p3d_cfg_set_text(l, row, P3D_CFG_ENV, text, l->cwd, at, err);
    p3d_wipe(text, sizeof text);
    free(full);
    return status;
}

static int read_variable(struct p3d_cfg_load *l, const char *name, const char *value,
                         struct p3d_error *err)
{
    struct p3d_cfg_at at = {.name = name};
    const struct p3d_cfg_row *row = row_of(name);
    if (row)
        return p3d_cfg_set_text(l, row, P3D_CFG_ENV, value, l->cwd, &at, err);
    size_t n = strlen(name);
    if (n > 5 && !strcmp(name + n - 5, "_FILE")) {
        char *bare = p3d_strndup(name, n - 5);
        row = row_of(bare);
        free(bare);
        if (row && row->type == P3D_CFG_T_SECRET)
            return *value ? read_secret(l, row, value, &at, err)
                          : p3d_cfg_fail(&at, err, "must name a file");
    }
    if (strncmp(name, "P3D_", 4) != 0 || is_foreign(name))
        return 0;
    char nearest[64];
    return p3d_cfg_fail_unknown(&at, err, "variable", name, name_of, nearest, p3d_cfg_rows_n);
}

int p3d_cfg_read_env(struct p3d_cfg_load *l, char *const *env, struct p3d_error *err)
{
    for (; env && *env; env++) {
        const char *equals = strchr(*env, '=');
        if (!equals || (strncmp(*env, "P3D_", 4) != 0 && strncmp(*env, "ADMIN_API_TOKEN", 15) != 0))
            continue;
        char *name = p3d_strndup(*env, (size_t)(equals - *env));
        int status = read_variable(l, name, equals + 1, err);
        free(name);
        if (status)
            return status;
    }
    return 0;
}
