/* SPDX-License-Identifier: MIT
 *
 * The environment of a runner, built from nothing: what the protocol names, the job's own metadata,
 * the model's env. Guarantee: no variable of the worker passes; every name is there once, the
 * model's word is the last; metadata cannot set any name but P3D_USER_META_*, and stays small
 * enough for execve. Does not: quote; values are bytes without NUL.
 */
#include <string.h>

#include "runner_internal.h"

#define META_VALUE_MAX 4096 /* bytes; a longer one is left out */
#define META_TOTAL_MAX 32768
#define META_KEY_MAX 64

struct list {
    char **v;
    size_t n, cap;
};

/* Takes text ("K=V") over; one of the same name is replaced. */
static void put(struct list *l, char *text)
{
    size_t name_n = strcspn(text, "=") + 1;
    for (size_t i = 0; i < l->n; i++) {
        if (strncmp(l->v[i], text, name_n) == 0) {
            free(l->v[i]);
            l->v[i] = text;
            return;
        }
    }
    if (l->n + 1 >= l->cap) {
        l->cap = l->cap == 0 ? 32 : l->cap * 2;
        l->v = p3d_realloc(l->v, l->cap * sizeof(char *));
    }
    l->v[l->n++] = text;
    l->v[l->n] = NULL;
}

static char upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - ('a' - 'A')) : c;
}

static bool is_word(char c)
{
    return (c >= '0' && c <= '9') || (upper(c) >= 'A' && upper(c) <= 'Z') || c == '_';
}

/* KEY in upper case, or false when it cannot be part of a name. */
static bool meta_name(const char *key, char dst[META_KEY_MAX + 1])
{
    size_t n = strlen(key);
    if (n == 0 || n > META_KEY_MAX)
        return false;
    for (size_t i = 0; i <= n; i++) {
        if (i < n && !is_word(key[i]))
            return false;
        dst[i] = upper(key[i]);
    }
    return true;
}

static void put_metadata(struct list *l, const json_t *metadata)
{
    size_t total = 0;
    const char *key;
    json_t *value;
    json_t *object = (json_t *)(uintptr_t)metadata; /* the macro wants it; nothing is changed */
    json_object_foreach(object, key, value)
    {
        char name[META_KEY_MAX + 1];
        size_t n = json_string_length(value); /* 0 when it is no string */
        if (!json_is_string(value) || !meta_name(key, name))
            continue;
        if (n > META_VALUE_MAX || n != strlen(json_string_value(value)))
            continue;
        if ((total += n + strlen(name)) > META_TOTAL_MAX)
            break;
        put(l, p3d_asprintf("P3D_USER_META_%s=%s", name, json_string_value(value)));
    }
}

char **p3d_runner_env_new(const struct p3d_runner_env *e)
{
    struct list l = {0};
    put(&l, p3d_strdup("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"));
    put(&l, p3d_asprintf("HOME=%s", e->dir));
    put(&l, p3d_strdup("LANG=C.UTF-8"));
    put(&l, p3d_asprintf("TMPDIR=%s/tmp", e->dir));
    put(&l, p3d_asprintf("P3D_JOB_ID=%s", e->job_id));
    put(&l, p3d_asprintf("P3D_ATTEMPT=%u", e->attempt));
    put(&l, p3d_asprintf("P3D_FEATURE=%s", e->feature));
    put(&l, p3d_asprintf("P3D_MODEL=%s", e->model));
    put(&l, p3d_asprintf("P3D_INPUT=%s/input.json", e->dir));
    put(&l, p3d_asprintf("P3D_OUTPUT_DIR=%s/outputs", e->dir));
    put(&l, p3d_strdup("P3D_EVENTS_FD=3"));
    put(&l, p3d_strdup("CUDA_VISIBLE_DEVICES="));
    put_metadata(&l, e->metadata);
    for (char *const *at = e->model_env; at != NULL && *at != NULL; at++)
        if (strchr(*at, '=') != NULL)
            put(&l, p3d_strdup(*at));
    return l.v;
}

void p3d_runner_env_free(char **env)
{
    for (char **at = env; at != NULL && *at != NULL; at++)
        free(*at);
    free(env);
}
