/* SPDX-License-Identifier: MIT
 *
 * Result files of the old server. Guarantee: only regular files beneath the folder of --files are
 * copied, never through a link, whatever the old record says (p3d_artifact_publish opens them); a
 * job whose file is not there is brought without it, and that is counted.
 */
#include "migrate_job_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/openat2.h>

#include "p3d/json.h"

enum { PATH_BYTES = 4000 };

int p3d_migrate_files_open(struct p3d_migrate *m, const char *dir)
{
    m->files_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    m->files_real = m->files_fd >= 0 ? realpath(dir, NULL) : NULL;
    if (m->files_real == NULL) {
        (void)fprintf(stderr, "--files %s: %s\n", dir, strerror(errno));
        return P3D_EXIT_REFUSED;
    }
    m->files = p3d_strdup(dir);
    for (size_t n = strlen(m->files); n > 1 && m->files[n - 1] == '/'; n--)
        m->files[n - 1] = '\0';
    return 0;
}

/* What stands behind `dir` and a slash, or NULL. */
static const char *behind(const char *path, const char *dir)
{
    size_t n = strlen(dir);
    if (strncmp(path, dir, n) != 0)
        return NULL;
    if (n > 1 && path[n] != '/')
        return NULL;
    return path + n;
}

/* A foretaste of what publishing will say; nothing depends on it. */
static bool is_there(int dirfd, const char *path)
{
    struct open_how how = {.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    struct stat st;
    P3D_CLEANUP(p3d_closep) int fd = (int)syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
    if (fd < 0 && errno != ENOSYS && errno != EPERM)
        return false;
    int rc = fd >= 0 ? fstat(fd, &st) : fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW);
    return rc == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1;
}

/* "outputs/x.glb" with --files …/outputs: the old server stood one folder higher. */
static const char *without_last(const struct p3d_migrate *m, const char *path)
{
    const char *last = strrchr(m->files_real, '/') + 1;
    size_t n = strlen(last);
    if (n == 0 || strncmp(path, last, n) != 0 || path[n] != '/' || is_there(m->files_fd, path))
        return path;
    return path + n + strspn(path + n, "/");
}

/* Beneath the folder, or NULL. */
static char *beneath(const struct p3d_migrate *m, struct p3d_str text)
{
    const char *rest = text.p;
    if (text.n == 0 || text.n > PATH_BYTES || strlen(text.p) != text.n)
        return NULL;
    if (text.p[0] == '/') {
        rest = m->files[0] == '/' ? behind(text.p, m->files) : NULL;
        if (rest == NULL)
            rest = behind(text.p, m->files_real);
        if (rest == NULL)
            return NULL;
    }
    rest += strspn(rest, "/");
    while (rest[0] == '.' && rest[1] == '/')
        rest += 1 + strspn(rest + 1, "/");
    if (text.p[0] != '/')
        rest = without_last(m, rest);
    return *rest != '\0' ? p3d_strdup(rest) : NULL;
}

static struct p3d_str first_of(const json_t *result, const char *const *keys)
{
    for (; *keys != NULL; keys++) {
        struct p3d_str s = p3d_json_get_str(result, *keys);
        if (s.n > 0)
            return s;
    }
    return (struct p3d_str){NULL, 0};
}

/* "/api/v1/…" and "http://…" are no paths of files. */
static bool is_url(struct p3d_str s)
{
    return p3d_str_starts(s, "/api/") || (s.n > 0 && memmem(s.p, s.n, "://", 3) != NULL);
}

void p3d_migrate_files_named(struct p3d_migrate_job *j, const json_t *result)
{
    static const char *const meshes[] = {"output_mesh_path", "mesh_path", "output_path",
                                         "file_path", NULL};
    static const char *const pictures[] = {"thumbnail_path", "thumbnail_url", NULL};
    struct p3d_str mesh = first_of(result, meshes), picture = first_of(result, pictures);
    if (j->m->files == NULL)
        return;
    j->mesh_path = beneath(j->m, mesh);
    if (!is_url(picture))
        j->thumbnail_path = beneath(j->m, picture);
}

static void copy(struct p3d_migrate_job *j, const char *path, const char *role,
                 struct p3d_artifact *ret)
{
    struct p3d_error err = {0};
    struct p3d_migrate *m = j->m;
    if (path == NULL || j->copied != 0)
        return;
    int rc = p3d_artifact_begin(m->artifacts, &j->in.job.id, j->attempt, &err);
    if (rc == 0)
        rc = p3d_artifact_publish(m->artifacts, &j->in.job.id, j->attempt, m->files_fd, path, role,
                                  m->session.cfg->workers_max_output_bytes, &m->quit, ret, &err);
    if (rc == 0)
        return;
    ret->name[0] = '\0';
    (void)p3d_format(j->why, sizeof(j->why), "%s", err.detail);
    if (rc != P3D_E_BAD_REQUEST)
        j->copied = rc;
}

/* The picture first: should both have one name, the mesh is what stays. */
void p3d_migrate_files_copy(struct p3d_task *job)
{
    struct p3d_migrate_job *j = (struct p3d_migrate_job *)job;
    copy(j, j->thumbnail_path, "thumbnail", &j->thumbnail);
    copy(j, j->mesh_path, "mesh", &j->mesh);
    if (strcmp(j->thumbnail.name, j->mesh.name) == 0)
        j->thumbnail.name[0] = '\0';
    if (j->mesh.name[0] == '\0' && j->thumbnail.name[0] == '\0')
        P3D_IGNORE(p3d_artifact_remove(j->m->artifacts, &j->in.job.id, j->attempt));
}

static void look(const struct p3d_migrate_job *j, const char *path, struct p3d_artifact *ret)
{
    if (path != NULL && is_there(j->m->files_fd, path))
        (void)p3d_format(ret->name, sizeof(ret->name), "there");
}

void p3d_migrate_files_look(struct p3d_migrate_job *j)
{
    look(j, j->mesh_path, &j->mesh);
    look(j, j->thumbnail_path, &j->thumbnail);
}
