/* SPDX-License-Identifier: MIT
 *
 * What another system wrote down, made fit to be shown: to the operator's terminal, and in the
 * answers of this one. Guarantee: no control character reaches the terminal; no folder of the old
 * machine and no content of a file gets into a job. Texts that a person wrote (prompts) stay as
 * they are, also with slashes in them.
 */
#include "migrate_internal.h"

#include <string.h>

#include "p3d/json.h"

enum { SHOWN_MAX = 80, TEXT_MAX = 65536, DROPPED_MAX = 16 };

void p3d_migrate_shown(struct p3d_str s, char dst[P3D_SHOWN_SIZE])
{
    struct p3d_str cut = s.n > SHOWN_MAX ? (struct p3d_str){s.p, SHOWN_MAX} : s;
    bool text = p3d_utf8_valid(s);
    if (text)
        cut = p3d_utf8_cut(s, SHOWN_MAX);
    size_t n = 0;
    for (size_t i = 0; i < cut.n;) {
        size_t control = text || (unsigned char)cut.p[i] < 0x80 ? p3d_utf8_control(cut, i) : 1;
        dst[n++] = control > 0 ? '?' : cut.p[i];
        i += control > 0 ? control : 1;
    }
    (void)p3d_format(dst + n, P3D_SHOWN_SIZE - n, "%s", cut.n < s.n ? "…" : "");
}

static bool ends(const char *key, const char *tail)
{
    size_t n = strlen(key), t = strlen(tail);
    return n >= t && strcasecmp(key + n - t, tail) == 0;
}

static bool any_end(const char *key, const char *const *tails)
{
    for (; *tails != NULL; tails++)
        if (ends(key, *tails))
            return true;
    return false;
}

/* Ends a path inside of a sentence. */
static bool ends_path(char c)
{
    return (unsigned char)c <= ' ' || strchr("\"'`,;<>()[]{}|", c) != NULL;
}

static bool begins_path(struct p3d_str s, size_t i)
{
    bool first = i == 0 || ends_path(s.p[i - 1]) || s.p[i - 1] == '=' || s.p[i - 1] == ':';
    bool url = i > 0 && s.p[i - 1] == ':' && i + 2 < s.n && s.p[i + 1] == '/' && s.p[i + 2] != '/';
    bool drive = i + 2 < s.n && s.p[i + 1] == ':' && (s.p[i + 2] == '\\' || s.p[i + 2] == '/') &&
                 ((s.p[i] >= 'A' && s.p[i] <= 'Z') || (s.p[i] >= 'a' && s.p[i] <= 'z'));
    return first && !url && (s.p[i] == '/' || s.p[i] == '~' || drive);
}

char *p3d_migrate_clean_text(struct p3d_str s)
{
    char *out = p3d_alloc(s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n;) {
        size_t end = i, last = i;
        bool path = begins_path(s, i);
        for (; path && end < s.n && !ends_path(s.p[end]); end++)
            if (s.p[end] == '/' || s.p[end] == '\\')
                last = end + 1;
        if (path && last > i + 1) {
            memcpy(out + n, s.p + last, end - last);
            n += end - last;
            i = end;
        } else {
            out[n++] = s.p[i++];
        }
    }
    return out;
}

static void drop(json_t *dropped, const char *key)
{
    char shown[P3D_SHOWN_SIZE];
    if (dropped == NULL || json_array_size(dropped) >= DROPPED_MAX)
        return;
    p3d_migrate_shown(p3d_str_z(key), shown);
    (void)json_array_append_new(dropped, p3d_json_str(p3d_str_z(shown)));
}

static struct p3d_str last_part(struct p3d_str s)
{
    for (size_t i = s.n; i > 0; i--)
        if (s.p[i - 1] == '/' || s.p[i - 1] == '\\')
            return (struct p3d_str){s.p + i, s.n - i};
    return s;
}

static json_t *clean_string(const json_t *v, const char *key, json_t *dropped)
{
    static const char *const contents[] = {"base64", NULL};
    static const char *const paths[] = {"path",   "paths",     "_file", "_dir",
                                        "folder", "directory", NULL};
    static const char *const prose[] = {"prompt", NULL};
    struct p3d_str s = {json_string_value(v), json_string_length(v)};
    if (any_end(key, contents) || s.n > TEXT_MAX || p3d_str_starts(s, "data:")) {
        drop(dropped, key);
        return json_null();
    }
    if (any_end(key, paths))
        return p3d_json_str(last_part(s));
    if (any_end(key, prose))
        return p3d_json_str(s);
    char *text P3D_CLEANUP(p3d_freep) = p3d_migrate_clean_text(s);
    return p3d_json_str(p3d_str_z(text));
}

json_t *p3d_migrate_clean(const json_t *v, const char *key, json_t *dropped)
{
    if (json_is_string(v))
        return clean_string(v, key, dropped);
    if (json_is_object(v)) {
        json_t *out = json_object(), *value;
        const char *name;
        /* The macro wants one that can be changed; it changes nothing. */
        json_object_foreach((json_t *)(uintptr_t)v, name, value)(void)
            json_object_set_new(out, name, p3d_migrate_clean(value, name, dropped));
        return out;
    }
    if (json_is_array(v)) {
        json_t *out = json_array(), *value;
        size_t i;
        json_array_foreach(v, i, value)(void)
            json_array_append_new(out, p3d_migrate_clean(value, key, dropped));
        return out;
    }
    return json_deep_copy(v);
}
