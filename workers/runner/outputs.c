/* SPDX-License-Identifier: MIT
 *
 * Which files of an attempt are its result. Guarantee: every path that leaves here is relative,
 * begins with outputs/, has no "..", leads over no link to a regular file with one name and an
 * allowed size, and no two have the same last part. All of it is decided after the last process of
 * the attempt is gone, so nothing changes under the checks. Does not: copy (p3d_artifact_publish
 * does, and checks again).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runner_internal.h"

#define PATH_BYTES_MAX 1024
#define FOLDER "outputs/"

void p3d_outputs_init(struct p3d_outputs *o)
{
    *o = (struct p3d_outputs){.mesh = -1, .thumbnail = -1};
}

void p3d_outputs_done(struct p3d_outputs *o)
{
    for (size_t i = 0; i < o->n; i++)
        free(o->v[i].path);
    free(o->thumb_path);
    p3d_outputs_init(o);
}

/* As announced, but relative when it was beneath dir; "./" in front goes. Judged later. */
static char *shorten(const char *dir, struct p3d_str path)
{
    size_t dir_n = strlen(dir);
    if (p3d_str_starts(path, dir) && path.n > dir_n && path.p[dir_n] == '/')
        path = (struct p3d_str){path.p + dir_n + 1, path.n - dir_n - 1};
    while (p3d_str_starts(path, "./"))
        path = (struct p3d_str){path.p + 2, path.n - 2};
    return p3d_strndup(path.p, path.n <= PATH_BYTES_MAX ? path.n : PATH_BYTES_MAX + 1);
}

static bool role_fits(struct p3d_str role)
{
    for (size_t i = 0; i < role.n; i++)
        if ((role.p[i] < 'a' || role.p[i] > 'z') && role.p[i] != '_' &&
            (role.p[i] < '0' || role.p[i] > '9'))
            return false;
    return role.n > 0 && role.n <= 32;
}

static struct p3d_output *add(struct p3d_outputs *o, char *path, const char *role)
{
    for (size_t i = 0; i < o->n; i++) {
        if (strcmp(o->v[i].path, path) == 0) { /* said twice: the first word counts */
            free(path);
            return &o->v[i];
        }
    }
    if (o->n == P3D_OUTPUTS_MAX) {
        o->overflow = true;
        free(path);
        return NULL;
    }
    struct p3d_output *out = &o->v[o->n++];
    *out = (struct p3d_output){.path = path};
    (void)p3d_format(out->role, sizeof(out->role), "%s", role);
    return out;
}

void p3d_outputs_announce(struct p3d_outputs *o, const char *dir, struct p3d_str path,
                          struct p3d_str role)
{
    struct p3d_output *out = add(o, shorten(dir, path), "file");
    if (out == NULL || out->role_given || !role_fits(role))
        return;
    (void)p3d_format(out->role, sizeof(out->role), "%.*s", (int)role.n, role.p);
    out->role_given = true;
}

void p3d_outputs_thumbnail(struct p3d_outputs *o, const char *dir, struct p3d_str path)
{
    free(o->thumb_path);
    o->thumb_path = shorten(dir, path);
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static bool has_extension(const char *path, const char *ext)
{
    size_t n = strlen(path), ext_n = strlen(ext);
    return n > ext_n && p3d_str_ieq_z((struct p3d_str){path + n - ext_n, ext_n}, ext);
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct p3d_output *)a)->path, ((const struct p3d_output *)b)->path);
}

/* Nothing was announced: what lies directly in outputs/, in the order of the names. */
static int list_folder(struct p3d_outputs *o, int dirfd, struct p3d_error *err)
{
    int fd = openat(dirfd, "outputs", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (dir == NULL) {
        p3d_closep(&fd);
        return p3d_fail(err, P3D_E_BAD_REQUEST, "the outputs folder cannot be read");
    }
    for (const struct dirent *e; (e = readdir(dir)) != NULL;) {
        struct stat st;
        if (e->d_name[0] == '.' || fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
            S_ISDIR(st.st_mode))
            continue;
        /* Links, FIFOs and the like are taken along, to be refused by name. */
        (void)add(o, p3d_asprintf(FOLDER "%s", e->d_name), "file");
    }
    (void)closedir(dir);
    qsort(o->v, o->n, sizeof(o->v[0]), by_path);
    return 0;
}

/* Open the last part's status without following anything. err is filled when it is not to be had.
 */
static int look(int dirfd, const char *path, struct stat *ret, struct p3d_error *err)
{
    size_t n = strlen(path), at = 0;
    int here = -1, r = 0;
    if (n > PATH_BYTES_MAX || strncmp(path, FOLDER, strlen(FOLDER)) != 0 ||
        !p3d_utf8_valid(p3d_str_z(path)))
        return p3d_fail(err, P3D_E_BAD_REQUEST, "'%.200s' is not below outputs/", path);
    while (r == 0) {
        char part[256];
        size_t part_n = strcspn(path + at, "/");
        bool last = path[at + part_n] == '\0';
        int parent = here >= 0 ? here : dirfd;
        if (part_n == 0 || part_n >= sizeof(part) || path[at] == '.') {
            r = p3d_fail(err, P3D_E_BAD_REQUEST, "'%.200s' is not a plain path", path);
            break;
        }
        memcpy(part, path + at, part_n);
        part[part_n] = '\0';
        if (last) {
            if (fstatat(parent, part, ret, AT_SYMLINK_NOFOLLOW) != 0)
                r = p3d_fail(err, P3D_E_BAD_REQUEST, "'%.200s' does not exist", path);
            break;
        }
        int next = openat(parent, part, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (next < 0)
            r = p3d_fail(err, P3D_E_BAD_REQUEST, "'%.200s': '%.200s' is not a folder", path, part);
        p3d_closep(&here);
        here = next;
        at += part_n + 1;
    }
    p3d_closep(&here);
    return r;
}

static int judge(int dirfd, const char *path, int64_t max_bytes, struct p3d_error *err)
{
    struct stat st;
    int r = look(dirfd, path, &st, err);
    if (r != 0)
        return r;
    if (S_ISLNK(st.st_mode))
        return p3d_fail(err, P3D_E_BAD_REQUEST, "'%.200s' is a symbolic link", path);
    if (!S_ISREG(st.st_mode))
        return p3d_fail(err, P3D_E_BAD_REQUEST, "'%.200s' is not a regular file", path);
    if (st.st_nlink != 1)
        return p3d_fail(err, P3D_E_BAD_REQUEST, "'%.200s' has another name elsewhere", path);
    if (st.st_size > max_bytes)
        return p3d_fail(err, P3D_E_TOO_LARGE, "'%.200s' has %lld bytes, more than %lld", path,
                        (long long)st.st_size, (long long)max_bytes);
    return 0;
}

static int judge_all(const struct p3d_outputs *o, int dirfd, int64_t max_bytes,
                     struct p3d_error *err)
{
    if (o->overflow)
        return p3d_fail(err, P3D_E_BAD_REQUEST, "more than %d files", P3D_OUTPUTS_MAX);
    for (size_t i = 0; i < o->n; i++) {
        int r = judge(dirfd, o->v[i].path, max_bytes, err);
        if (r != 0)
            return r;
        for (size_t j = 0; j < i; j++)
            if (strcmp(last_part(o->v[i].path), last_part(o->v[j].path)) == 0)
                return p3d_fail(err, P3D_E_BAD_REQUEST, "two files are named '%.200s'",
                                last_part(o->v[i].path));
    }
    return 0;
}

/* The first with the role; else, among those without a role of their own, the first .glb, mesh-like
 * one, or one. */
static int find_mesh(const struct p3d_outputs *o)
{
    static const char *const likely[] = {".glb", ".gltf", ".obj", ".ply", ".stl", ".fbx", ".usdz"};
    for (size_t i = 0; i < o->n; i++)
        if (strcmp(o->v[i].role, "mesh") == 0)
            return (int)i;
    for (size_t k = 0; k < sizeof(likely) / sizeof(*likely); k++)
        for (size_t i = 0; i < o->n; i++)
            if (!o->v[i].role_given && has_extension(o->v[i].path, likely[k]))
                return (int)i;
    for (size_t i = 0; i < o->n; i++)
        if (!o->v[i].role_given)
            return (int)i;
    return -1;
}

static void mark(struct p3d_outputs *o, int at, const char *role)
{
    if (at >= 0 && !o->v[at].role_given) {
        (void)p3d_format(o->v[at].role, sizeof(o->v[at].role), "%s", role);
        o->v[at].role_given = true;
    }
}

int p3d_outputs_collect(struct p3d_outputs *o, int dirfd, bool required, int64_t max_bytes,
                        struct p3d_error *err)
{
    bool announced = o->n > 0 || o->overflow;
    int r = announced ? 0 : list_folder(o, dirfd, err);
    if (r != 0)
        return r;
    if (o->thumb_path != NULL) {
        struct p3d_output *out = add(o, p3d_strdup(o->thumb_path), "thumbnail");
        if (out != NULL) {
            o->thumbnail = (int)(out - o->v);
            mark(o, o->thumbnail, "thumbnail");
        }
    }
    if (required && o->n == (o->thumbnail >= 0 ? 1U : 0U) && !o->overflow)
        return p3d_fail(err, P3D_E_NOT_FOUND, "the command left no file in outputs/");
    r = judge_all(o, dirfd, max_bytes, err);
    if (r != 0)
        return r;
    o->mesh = find_mesh(o);
    mark(o, o->mesh, "mesh");
    return 0;
}
