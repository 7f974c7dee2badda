/* SPDX-License-Identifier: MIT
 *
 * Reading a job's texts: which result it has, which files, under which attempt.
 * Guarantee: a name or a digest that leaves here has the form it must have, whatever the record says; the artifact
 * store checks names once more. Does not: open anything.
 */
#include "job_json_internal.h"

#include <string.h>

#include "p3d/artifact.h"
#include "p3d/crypto.h"
#include "p3d/json.h"

int p3d_job_view_init(struct p3d_job_view *v, const struct p3d_job *job)
{
    struct p3d_error e;
    *v = (struct p3d_job_view){.job = job};
    if (p3d_json_parse_object(job->spec, &v->spec, &e) != 0)
        return P3D_E_CORRUPT;
    if (job->detail.n == 0)
        v->detail = json_object();
    else if (p3d_json_parse_object(job->detail, &v->detail, &e) != 0)
        return P3D_E_CORRUPT;
    const json_t *result = json_object_get(v->detail, "result");
    v->result = job->state == P3D_JOB_COMPLETED && json_is_object(result) ? result : NULL;
    return 0;
}

void p3d_job_view_done(struct p3d_job_view *v)
{
    json_decref(v->spec);
    json_decref(v->detail);
    *v = (struct p3d_job_view){.job = NULL};
}

const char *p3d_job_attempt(const struct p3d_job_view *v)
{
    struct p3d_str s = p3d_json_get_str(v->result, "attempt");
    return s.n > 0 && s.n < P3D_ATTEMPT_SIZE ? s.p : NULL;
}

static bool is_digest(struct p3d_str s)
{
    return s.n == P3D_SHA256_HEX - 1 && strspn(s.p, "0123456789abcdef") == s.n;
}

static bool is_name(struct p3d_str s)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    return s.n > 0 && s.n <= 200 && s.p[0] != '.' && strspn(s.p, allowed) == s.n;
}

/* One entry of result.files. */
static int read_file(const json_t *entry, struct p3d_result_file *ret)
{
    struct p3d_str name = p3d_json_get_str(entry, "name"), role = p3d_json_get_str(entry, "role"),
                   sha256 = p3d_json_get_str(entry, "sha256");
    int64_t size = json_integer_value(json_object_get(entry, "size_bytes"));
    if (!is_name(name) || size < 0)
        return P3D_E_RESULT_NOT_FOUND;
    *ret = (struct p3d_result_file){.name = name.p,
                                    .role = role.n > 0 ? role.p : "file",
                                    .sha256 = is_digest(sha256) ? sha256.p : NULL,
                                    .size_bytes = size};
    return 0;
}

int p3d_job_file(const struct p3d_job_view *v, struct p3d_str name, struct p3d_result_file *ret)
{
    size_t i;
    json_t *entry;
    json_array_foreach(json_object_get(v->result, "files"), i, entry)
    {
        if (name.n > 0 && p3d_str_eq(p3d_json_get_str(entry, "name"), name))
            return read_file(entry, ret);
    }
    return P3D_E_RESULT_NOT_FOUND;
}

int p3d_job_thumbnail(const struct p3d_job_view *v, struct p3d_result_file *ret)
{
    return p3d_job_file(v, p3d_json_get_str(v->result, "thumbnail"), ret);
}

/* The one that the result names, else the first that is no picture of another: a model may make something that is no
 * mesh, and its user wants it all the same. */
int p3d_job_mesh(const struct p3d_job_view *v, struct p3d_result_file *ret)
{
    struct p3d_str mesh = p3d_json_get_str(v->result, "mesh");
    size_t i;
    json_t *entry;
    if (mesh.n > 0)
        return p3d_job_file(v, mesh, ret);
    json_array_foreach(json_object_get(v->result, "files"), i, entry)
    {
        struct p3d_result_file f;
        if (read_file(entry, &f) == 0 && strcmp(f.role, "thumbnail") != 0) {
            *ret = f;
            return 0;
        }
    }
    return P3D_E_RESULT_NOT_FOUND;
}

const char *p3d_file_extension(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot != NULL && dot != name ? dot + 1 : "";
}
