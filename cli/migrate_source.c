/* SPDX-License-Identifier: MIT
 *
 * Walking through the old Redis. Guarantee: a key that is of another type than it should be, or may
 * not be read, is reported once, and the rest is read all the same; a connection that is lost ends
 * the migration with where and why. Does not: judge what the pages hold.
 */
#include "migrate_internal.h"

#include <string.h>

static char *full_name(const struct p3d_migrate *m, const char *name)
{
    return p3d_asprintf("%s%s", m->prefix, name);
}

/* A pattern that the prefix is a plain part of, whatever is in it. */
static char *pattern(const struct p3d_migrate *m, const char *name)
{
    char *out = p3d_alloc(2 * strlen(m->prefix) + strlen(name) + 1);
    size_t n = 0;
    for (const char *c = m->prefix; *c != '\0'; c++) {
        if (strchr("*?[]^\\", *c) != NULL)
            out[n++] = '\\';
        out[n++] = *c;
    }
    memcpy(out + n, name, strlen(name) + 1);
    return out;
}

bool p3d_migrate_failed(struct p3d_migrate *m, int err)
{
    if (err == 0)
        return false;
    m->err = P3D_E_STORE_DOWN;
    (void)p3d_format(m->why, sizeof(m->why), "The Redis that is read was lost: %s",
                     p3d_foreign_error(m->source));
    return true;
}

void p3d_migrate_unread(struct p3d_migrate *m, struct p3d_str key)
{
    if (p3d_migrate_set_add(&m->unread, key))
        p3d_migrate_note(m, "key", key, p3d_foreign_error(m->source));
}

bool p3d_migrate_walk(struct p3d_migrate *m, enum p3d_foreign_kind kind, const char *name,
                      bool (*page)(struct p3d_migrate *m, const struct p3d_foreign_page *p,
                                   void *priv),
                      void *priv)
{
    char *of P3D_CLEANUP(p3d_freep) =
        kind == P3D_FOREIGN_KEYS ? pattern(m, name) : full_name(m, name);
    struct p3d_foreign_walk walk = {.ended = false};
    struct p3d_foreign_page found = {.n = 0};
    bool on = true;
    while (on && !walk.ended && (on = !p3d_migrate_over(m))) {
        p3d_migrate_progress(m);
        int err = p3d_foreign_next(m->source, kind, p3d_str_z(of), &walk, &found);
        if (err == P3D_E_CORRUPT) {
            p3d_migrate_unread(m, p3d_str_z(of));
            break;
        }
        on = !p3d_migrate_failed(m, err) && page(m, &found, priv);
    }
    p3d_foreign_page_done(&found);
    return on;
}

int64_t p3d_migrate_total(struct p3d_migrate *m, enum p3d_foreign_kind kind, const char *name)
{
    char *key P3D_CLEANUP(p3d_freep) = full_name(m, name);
    int64_t n = 0;
    int err = p3d_migrate_over(m) ? 0 : p3d_foreign_count(m->source, kind, p3d_str_z(key), &n);
    if (err == P3D_E_CORRUPT)
        p3d_migrate_unread(m, p3d_str_z(key));
    else
        (void)p3d_migrate_failed(m, err);
    return n;
}
