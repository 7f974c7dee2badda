/* SPDX-License-Identifier: MIT
 *
 * The command of a model: its argv with "{libexec}" and "{config}" filled in, argv[0] absolute when
 * it holds a slash, and the check that it can be executed. No shell ever sees it; a bare name is
 * looked up in PATH when the job starts.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model_internal.h"

char *p3d_libexec_dir(void)
{
    char exe[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (n <= 0)
        return p3d_strdup("/usr/libexec/p3d");
    exe[n] = 0;
    char *slash = strrchr(exe, '/');
    if (slash)
        *slash = 0;
    char *beside = p3d_asprintf("%s/libexec", exe);
    struct stat st;
    if (!stat(beside, &st) && S_ISDIR(st.st_mode))
        return beside; /* the build tree */
    free(beside);
    slash = strrchr(exe, '/'); /* <prefix>/bin -> <prefix> */
    if (slash)
        *slash = 0;
    return p3d_asprintf("%s/libexec/p3d", exe);
}

static char *fill_in(const struct p3d_read *r, const char *word)
{
    static const char *const marks[] = {"{libexec}", "{config}"};
    const char *values[] = {r->libexec, r->config_dir};
    struct p3d_buf b;
    p3d_buf_init(&b, 0);
    p3d_buf_addz(&b, "");
    while (*word) {
        size_t step = 1, i;
        for (i = 0; i < 2; i++)
            if (!strncmp(word, marks[i], strlen(marks[i])))
                break;
        if (i < 2) {
            p3d_buf_addz(&b, values[i]);
            step = strlen(marks[i]);
        } else {
            p3d_buf_add(&b, word, 1);
        }
        word += step;
    }
    return b.p ? p3d_buf_take(&b) : p3d_strdup("");
}

P3D_READER(p3d_read_command)
{
    char ***dst = (char ***)(void *)((char *)obj + f->offset);
    if (y->kind != P3D_YAML_SEQUENCE || !y->n)
        return p3d_cfg_fail(at, r->err,
                            "must be a list of words, as [\"{libexec}/lettering\", \"--option\"]; "
                            "there is no shell");
    int status = p3d_read_words(r, at, y, f, obj);
    if (status)
        return status;
    for (char **word = *dst; *word; word++) {
        char *filled = fill_in(r, *word);
        free(*word);
        *word = filled;
    }
    char *program = **dst;
    if (!*program)
        return p3d_cfg_fail(at, r->err, "the program's name is empty");
    if (strchr(program, '/')) {
        **dst = p3d_path_absolute(r->config_dir, program);
        free(program);
    }
    return 0;
}

int p3d_command_check(const struct p3d_read *r, const struct p3d_cfg_at *at, char *const *command)
{
    struct stat st;
    if (!strchr(command[0], '/'))
        return 0;
    if (stat(command[0], &st))
        return p3d_cfg_fail(at, r->err, "%.300s cannot be executed: %s", command[0],
                            strerror(errno));
    if (!S_ISREG(st.st_mode))
        return p3d_cfg_fail(at, r->err, "%.300s cannot be executed: it is not a regular file",
                            command[0]);
    if (faccessat(AT_FDCWD, command[0], X_OK, AT_EACCESS))
        return p3d_cfg_fail(at, r->err, "%.300s cannot be executed: %s", command[0],
                            strerror(errno));
    return 0;
}
