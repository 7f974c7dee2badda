/* SPDX-License-Identifier: MIT
 *
 * YAML into a small tree, by libyaml's events. Guarantees: one document, UTF-8, no duplicate keys,
 * no anchors, aliases or tags (so the tree is no bigger than the text), at most 32 levels, no NUL
 * in a text. What a plain scalar means (null, number, word) is judged by who reads the key, never
 * guessed here.
 */
#include <string.h>

#include <yaml.h>

#include "config_internal.h"

#define DEPTH_MAX 32

struct reader {
    yaml_parser_t parser;
    const char *name;
    struct p3d_error *err;
};

#define FAIL(r, line0, ...)                                                                        \
    p3d_cfg_fail(&(struct p3d_cfg_at){.name = (r)->name, .line = (int)(line0) + 1}, (r)->err,      \
                 __VA_ARGS__)

void p3d_yaml_free(struct p3d_yaml *y)
{
    if (!y)
        return;
    for (size_t i = 0; i < y->n; i++) {
        free(y->v[i].key);
        p3d_yaml_free(y->v[i].value);
    }
    free(y->v);
    free(y->text);
    free(y);
}

bool p3d_yaml_is_null(const struct p3d_yaml *y)
{
    static const char *const words[] = {"", "~", "null", "Null", "NULL"};
    if (y->kind != P3D_YAML_SCALAR || !y->plain)
        return false;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcmp(y->text, words[i]))
            return true;
    return false;
}

const struct p3d_yaml_item *p3d_yaml_find(const struct p3d_yaml *map, const char *key)
{
    for (size_t i = 0; map && map->kind == P3D_YAML_MAP && i < map->n; i++)
        if (!strcmp(map->v[i].key, key))
            return &map->v[i];
    return NULL;
}

/* The next event; *e is to be deleted only when this returned 0. */
static int next(struct reader *r, yaml_event_t *e)
{
    if (yaml_parser_parse(&r->parser, e))
        return 0;
    const yaml_parser_t *p = &r->parser;
    const char *problem = p->problem ? p->problem : "unknown problem";
    if (p->error == YAML_READER_ERROR) { /* the reader knows only the offset, counted from 0 */
        size_t line = p->mark.line;
        return FAIL(r, line, "is not YAML in UTF-8: %s", problem);
    }
    return FAIL(r, p->problem_mark.line, "is not YAML: %s", problem);
}

static int scalar_check(struct reader *r, const yaml_event_t *e)
{
    const char *text = (const char *)e->data.scalar.value;
    if (e->data.scalar.anchor)
        return FAIL(r, e->start_mark.line, "anchors ('&%.40s') are not supported",
                    (char *)e->data.scalar.anchor);
    if (e->data.scalar.tag)
        return FAIL(r, e->start_mark.line, "tags ('%.60s') are not supported",
                    (char *)e->data.scalar.tag);
    if (strlen(text) != e->data.scalar.length)
        return FAIL(r, e->start_mark.line, "a text holds a NUL character");
    return 0;
}

static int read_node(struct reader *r, yaml_event_t *e, unsigned depth, struct p3d_yaml **ret);

static struct p3d_yaml_item *grow(struct p3d_yaml *y)
{
    if (y->n == y->cap) {
        y->cap = y->cap ? y->cap * 2 : 8;
        y->v = p3d_realloc(y->v, y->cap * sizeof *y->v);
    }
    y->v[y->n] = (struct p3d_yaml_item){0};
    return &y->v[y->n++];
}

/* Takes the key of the event into a new item. Keys are compared pairwise: 1 MiB of them is bounded,
 * maps are small. */
static int read_key(struct reader *r, const yaml_event_t *e, struct p3d_yaml *map,
                    struct p3d_yaml_item **ret)
{
    if (e->type != YAML_SCALAR_EVENT)
        return FAIL(r, e->start_mark.line, "a key must be a plain text");
    int status = scalar_check(r, e);
    if (status)
        return status;
    const char *key = (const char *)e->data.scalar.value;
    if (map->n >= 10000)
        return FAIL(r, e->start_mark.line, "a map has more than 10,000 keys");
    if (p3d_yaml_find(map, key))
        return FAIL(r, e->start_mark.line, "key '%.100s' stands here twice", key);
    *ret = grow(map);
    (*ret)->key = p3d_strdup(key);
    (*ret)->line = (int)e->start_mark.line + 1;
    return 0;
}

/* The items of a map or sequence up to its end event. */
static int read_items(struct reader *r, struct p3d_yaml *y, yaml_event_type_t end, unsigned depth)
{
    for (;;) {
        yaml_event_t e;
        int status = next(r, &e);
        if (status)
            return status;
        bool last = e.type == end;
        struct p3d_yaml_item *item = NULL;
        if (!last && y->kind == P3D_YAML_MAP) {
            status = read_key(r, &e, y, &item);
            yaml_event_delete(&e);
            status = status ? status : next(r, &e);
            if (status)
                return status;
        } else if (!last) {
            item = grow(y);
            item->line = (int)e.start_mark.line + 1;
        }
        if (!last)
            status = read_node(r, &e, depth, &item->value);
        yaml_event_delete(&e);
        if (status || last)
            return status;
    }
}

static int container_check(struct reader *r, const yaml_event_t *e, unsigned depth)
{
    bool map = e->type == YAML_MAPPING_START_EVENT;
    const char *anchor =
        (const char *)(map ? e->data.mapping_start.anchor : e->data.sequence_start.anchor);
    const char *tag = (const char *)(map ? e->data.mapping_start.tag : e->data.sequence_start.tag);
    if (anchor)
        return FAIL(r, e->start_mark.line, "anchors ('&%.40s') are not supported", anchor);
    if (tag)
        return FAIL(r, e->start_mark.line, "tags ('%.60s') are not supported", tag);
    if (depth >= DEPTH_MAX)
        return FAIL(r, e->start_mark.line, "is nested deeper than 32 levels");
    return 0;
}

static int read_node(struct reader *r, yaml_event_t *e, unsigned depth, struct p3d_yaml **ret)
{
    if (e->type == YAML_ALIAS_EVENT)
        return FAIL(r, e->start_mark.line, "aliases ('*%.40s') are not supported",
                    (char *)e->data.alias.anchor);
    bool scalar = e->type == YAML_SCALAR_EVENT, map = e->type == YAML_MAPPING_START_EVENT;
    int status = scalar ? scalar_check(r, e) : container_check(r, e, depth);
    if (status)
        return status;
    struct p3d_yaml *y = p3d_alloc(sizeof *y);
    y->line = (int)e->start_mark.line + 1;
    *ret = y; /* linked before it is filled: on failure the root's free finds it */
    if (scalar) {
        y->text = p3d_strndup((const char *)e->data.scalar.value, e->data.scalar.length);
        y->plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
        return 0;
    }
    y->kind = map ? P3D_YAML_MAP : P3D_YAML_SEQUENCE;
    return read_items(r, y, map ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT, depth + 1);
}

static int read_document(struct reader *r, struct p3d_yaml **ret)
{
    for (unsigned documents = 0;;) {
        yaml_event_t e;
        int status = next(r, &e);
        if (status)
            return status;
        yaml_event_type_t type = e.type;
        if (type == YAML_DOCUMENT_START_EVENT && documents++)
            status = FAIL(r, e.start_mark.line, "holds more than one document");
        bool node = type == YAML_SCALAR_EVENT || type == YAML_MAPPING_START_EVENT ||
                    type == YAML_SEQUENCE_START_EVENT || type == YAML_ALIAS_EVENT;
        if (!status && node)
            status = read_node(r, &e, 0, ret);
        yaml_event_delete(&e);
        if (status || type == YAML_STREAM_END_EVENT)
            return status;
    }
}

int p3d_yaml_parse(struct p3d_str text, const char *name, struct p3d_yaml **ret,
                   struct p3d_error *err)
{
    struct reader r = {.name = name, .err = err};
    struct p3d_yaml *root = NULL;
    if (!yaml_parser_initialize(&r.parser))
        abort(); /* out of memory */
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)(text.n ? text.p : ""), text.n);
    int status = read_document(&r, &root);
    yaml_parser_delete(&r.parser);
    if (status) {
        p3d_yaml_free(root);
        return status;
    }
    *ret = root;
    return 0;
}

/* libyaml's reader refuses control characters and a few others unescaped. */
static bool printable(unsigned c)
{
    return (c >= 0x20 && c < 0x7f) ||
           (c >= 0xa0 && c != 0xfeff && c != 0xfffe && c != 0xffff && c != 0x2028 && c != 0x2029);
}

static size_t decode(const unsigned char *s, unsigned *ret)
{
    size_t n = *s < 0x80 ? 1 : *s < 0xe0 ? 2 : *s < 0xf0 ? 3 : 4;
    unsigned c = n == 1 ? *s : *s & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++)
        c = c << 6 | (s[i] & 0x3fu);
    *ret = c;
    return n;
}

void p3d_yaml_quote(struct p3d_buf *out, const char *text)
{
    p3d_buf_addz(out, "\"");
    bool valid = p3d_utf8_valid(p3d_str_z(text));
    for (const unsigned char *s = (const unsigned char *)text; *s;) {
        unsigned c = *s;
        size_t n = valid ? decode(s, &c) : 1;
        if (c == '"' || c == '\\')
            p3d_buf_addf(out, "\\%c", (int)c);
        else if (printable(c) && (valid || c < 0x80))
            p3d_buf_add(out, s, n);
        else
            p3d_buf_addf(out, c < 0x100 ? "\\x%02x" : "\\u%04x", c);
        s += n;
    }
    p3d_buf_addz(out, "\"");
}
