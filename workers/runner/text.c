/* SPDX-License-Identifier: MIT
 *
 * Text that a runner wrote, made fit for a JSON string: the store's strict reader would refuse the
 * whole record for one NUL in it. Guarantee: the result is well-formed UTF-8, has no NUL, and is at
 * most as long as asked. Does not: remove other control bytes; JSON escapes them.
 */
#include <string.h>

#include "p3d/json.h"
#include "runner_internal.h"

json_t *p3d_text_json(struct p3d_str raw, size_t max)
{
    char *copy P3D_CLEANUP(p3d_freep) = p3d_strndup(raw.p, raw.n < max ? raw.n : max);
    size_t n = raw.n < max ? raw.n : max;
    for (size_t i = 0; i < n; i++)
        if (copy[i] == '\0')
            copy[i] = ' ';
    /* Cut between characters while it is whole, so that a cut one does not become U+FFFD. */
    struct p3d_str s = raw.n > max ? p3d_utf8_cut((struct p3d_str){raw.p, raw.n}, max) : raw;
    json_t *text = p3d_json_str((struct p3d_str){copy, s.n});
    if (json_string_length(text) <= max)
        return text;
    struct p3d_str cut =
        p3d_utf8_cut((struct p3d_str){json_string_value(text), json_string_length(text)}, max);
    json_t *shorter = p3d_json_str(cut);
    json_decref(text);
    return shorter;
}

char *p3d_text_clean(struct p3d_str raw, size_t max)
{
    json_t *text = p3d_text_json(raw, max);
    char *copy = p3d_strndup(json_string_value(text), json_string_length(text));
    json_decref(text);
    return copy;
}
