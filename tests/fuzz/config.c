/* SPDX-License-Identifier: MIT
 *
 * A configuration file and an environment, loaded as at a start. Input: the file; behind two NULs
 * variables, each ended by a NUL (P3D_…_FILE is left out, it would open files of this machine).
 * Promises: a fault names its place and says why; nothing is returned then; what is accepted can be
 * shown, as YAML that the same reader takes.
 */
#include "p3d/config.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/base/config_internal.h"
#include "fuzz.h"

#define VARIABLES 8

/* The file lives in memory; its name as long as the descriptor. */
static int make_file(struct p3d_str text, char *ret_path, size_t size)
{
    int fd = memfd_create("config.yaml", MFD_CLOEXEC);
    FUZZ_CHECK(fd >= 0 && write(fd, text.n > 0 ? text.p : "", text.n) == (ssize_t)text.n);
    FUZZ_CHECK(p3d_format(ret_path, size, "/proc/self/fd/%d", fd));
    return fd;
}

static bool allowed(const char *variable)
{
    size_t name = strcspn(variable, "=");
    return name < 5 || memcmp(variable + name - 5, "_FILE", 5) != 0;
}

/* env: VARIABLES + 1 long. */
static void split_env(struct p3d_str rest, char **env)
{
    size_t n = 0;
    while (rest.n > 0 && n < VARIABLES) {
        size_t len = strnlen(rest.p, rest.n);
        char *variable = p3d_strndup(rest.p, len);
        (void)fuzz_take(&rest, len + 1);
        if (allowed(variable))
            env[n++] = variable;
        else
            free(variable);
    }
    env[n] = NULL;
}

static void show(const struct p3d_config *cfg)
{
    struct p3d_buf out;
    struct p3d_yaml *y = NULL;
    struct p3d_error err = {0};
    p3d_buf_init(&out, 0);
    p3d_config_show(cfg, &out);
    int r = p3d_yaml_parse(p3d_buf_str(&out), "shown", &y, &err);
    if (r != 0)
        (void)fprintf(stderr, "%s: %s\n%s", err.where, err.detail, out.p);
    FUZZ_CHECK(r == 0 && y != NULL);
    p3d_yaml_free(y);
    p3d_buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *gap = size > 1 ? memmem(data, size, "\0", 2) : NULL;
    size_t n = gap != NULL ? (size_t)(gap - data) : size;
    struct p3d_str text = fuzz_text(data, n), variables = {NULL, 0};
    char path[64], *env[VARIABLES + 1];
    struct p3d_config *cfg = NULL;
    struct p3d_error err = {0};
    if (gap != NULL)
        variables = fuzz_text(gap + 2, size - n - 2);
    split_env(variables, env);
    int fd = make_file(text, path, sizeof(path));
    int r = p3d_config_load(path, NULL, 0, env, &cfg, &err);
    if (r == 0) {
        FUZZ_CHECK(cfg != NULL && cfg->models != NULL);
        show(cfg);
        p3d_config_free(cfg);
    } else {
        FUZZ_CHECK(r == P3D_E_CONFIG && err.code == r && cfg == NULL);
        FUZZ_CHECK(err.where[0] != '\0' && err.detail[0] != '\0');
    }
    (void)close(fd);
    for (char **v = env; *v != NULL; v++)
        free(*v);
    return 0;
}
