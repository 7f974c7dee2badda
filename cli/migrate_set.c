/* SPDX-License-Identifier: MIT
 *
 * A set of texts of any length in bounded memory: 16 bytes of the SHA-256 of each, open addressing.
 * Guarantee: texts chosen by somebody else make it neither large nor slow. Does not: give them
 * back, or take one out.
 */
#include "migrate_internal.h"

#include <string.h>

enum { CAP_FIRST = 1024 };

static const unsigned char nothing[16];

static void key_of(struct p3d_str text, unsigned char dst[16])
{
    unsigned char digest[32];
    p3d_sha256(text, digest);
    memcpy(dst, digest, 16);
    dst[15] |= 1; /* never all zero: that is a free place */
}

/* The place of key, or the free one where it would stand. */
static size_t place(const struct p3d_migrate_set *s, const unsigned char key[16])
{
    uint64_t at;
    memcpy(&at, key, sizeof(at));
    size_t i = (size_t)at & (s->cap - 1);
    while (memcmp(s->v[i], nothing, 16) != 0 && memcmp(s->v[i], key, 16) != 0)
        i = (i + 1) & (s->cap - 1);
    return i;
}

static void grow(struct p3d_migrate_set *s)
{
    struct p3d_migrate_set larger = {.n = s->n, .cap = s->cap > 0 ? 2 * s->cap : CAP_FIRST};
    larger.v = p3d_alloc(larger.cap * sizeof(*larger.v));
    for (size_t i = 0; i < s->cap; i++)
        if (memcmp(s->v[i], nothing, 16) != 0)
            memcpy(larger.v[place(&larger, s->v[i])], s->v[i], 16);
    free(s->v);
    *s = larger;
}

bool p3d_migrate_set_add(struct p3d_migrate_set *s, struct p3d_str text)
{
    unsigned char key[16];
    key_of(text, key);
    if (s->n >= s->cap / 2)
        grow(s);
    size_t i = place(s, key);
    if (memcmp(s->v[i], key, 16) == 0)
        return false;
    memcpy(s->v[i], key, 16);
    s->n++;
    return true;
}

bool p3d_migrate_set_has(const struct p3d_migrate_set *s, struct p3d_str text)
{
    unsigned char key[16];
    if (s->n == 0)
        return false;
    key_of(text, key);
    return memcmp(s->v[place(s, key)], key, 16) == 0;
}

void p3d_migrate_set_done(struct p3d_migrate_set *s)
{
    free(s->v);
    *s = (struct p3d_migrate_set){0};
}
