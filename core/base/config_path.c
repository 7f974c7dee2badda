/* SPDX-License-Identifier: MIT
 *
 * Paths and lists of texts, as the configuration needs them. Paths are made absolute by their text
 * alone: links are not followed, so a mounted `config.yaml` link counts from the folder where the
 * operator sees it.
 */
#include <string.h>

#include "config_internal.h"

static void add_parts(struct p3d_buf *b, const char *path)
{
    while (*path) {
        size_t n = strcspn(path, "/");
        if (n && !(n == 1 && path[0] == '.')) {
            p3d_buf_addz(b, "/");
            p3d_buf_add(b, path, n);
        }
        path += n + (path[n] == '/');
    }
}

char *p3d_path_absolute(const char *base, const char *path)
{
    struct p3d_buf b;
    p3d_buf_init(&b, 0);
    if (path[0] != '/')
        add_parts(&b, base);
    add_parts(&b, path);
    if (!b.n)
        p3d_buf_addz(&b, "/");
    return p3d_buf_take(&b);
}

void p3d_strv_free(char **v)
{
    for (char **item = v; item && *item; item++)
        free(*item);
    free(v);
}

size_t p3d_strv_add(char ***v, size_t n, char *item)
{
    *v = p3d_realloc(*v, (n + 2) * sizeof **v);
    (*v)[n] = item;
    (*v)[n + 1] = NULL;
    return n + 1;
}
