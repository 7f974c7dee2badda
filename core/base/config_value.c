/* SPDX-License-Identifier: MIT
 *
 * One setting's way from text to the struct: judged by the type of its row, compared with what was
 * said before at the same level (two spellings that disagree stop the start), kept until all
 * sources are read, then stored. A secret's bytes never reach an error text, and are wiped when the
 * value goes.
 */
#include <string.h>

#include "config_internal.h"

#define SHOWN 60 /* bytes of a bad value that an error repeats */

static void wipe_free(char *z)
{
    if (z)
        p3d_wipe(z, strlen(z));
    free(z);
}

void p3d_cfg_value_done(struct p3d_cfg_value *v)
{
    wipe_free(v->text);
    for (char **item = v->list; item && *item; item++)
        wipe_free(*item);
    free(v->list);
    free(v->from);
    *v = (struct p3d_cfg_value){0};
}

static bool nullable(const struct p3d_cfg_row *row)
{
    return row->type == P3D_CFG_T_SECRET ||
           ((row->type == P3D_CFG_T_TEXT || row->type == P3D_CFG_T_PATH) && !row->fallback);
}

/* What is wrong with a text of TEXT, PATH, SECRET or a LIST item, or NULL. */
static const char *text_problem(const struct p3d_cfg_row *row, const char *text)
{
    if (!*text)
        return "must not be empty";
    if (!p3d_utf8_valid(p3d_str_z(text)))
        return "must be UTF-8 text";
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return "must not hold control characters";
    if (p3d_cfg_row_secret(row) && !strcmp(text, P3D_CFG_MASK))
        return "is '" P3D_CFG_MASK
               "', which only stands for a secret that is not shown; give the secret itself";
    if (strlen(text) > (row->type == P3D_CFG_T_SECRET ? P3D_SECRET_MAX : 4000))
        return row->type == P3D_CFG_T_SECRET ? "is longer than 1,024 bytes"
                                             : "is longer than 4,000 bytes";
    return NULL;
}

struct parse {
    const struct p3d_cfg_row *row;
    const char *text; /* not NULL */
    const char *base;
    const struct p3d_cfg_at *at;
    struct p3d_error *err;
};

static int parse_bool(const struct parse *p, struct p3d_cfg_value *v)
{
    bool b;
    if (p3d_str_to_bool(p3d_str_z(p->text), &b))
        return p3d_cfg_fail(p->at, p->err, "must be true or false, not '%.*s'",
                            (int)p3d_utf8_cut(p3d_str_z(p->text), SHOWN).n, p->text);
    v->number = b;
    return 0;
}

static int parse_int(const struct parse *p, struct p3d_cfg_value *v)
{
    if (p3d_str_to_i64(p3d_str_z(p->text), p->row->min, p->row->max, &v->number))
        return p3d_cfg_fail(p->at, p->err,
                            "must be a whole number between %lld and %lld, not '%.*s'",
                            (long long)p->row->min, (long long)p->row->max,
                            (int)p3d_utf8_cut(p3d_str_z(p->text), SHOWN).n, p->text);
    return 0;
}

static int parse_text(const struct parse *p, struct p3d_cfg_value *v)
{
    const char *problem = text_problem(p->row, p->text);
    if (problem)
        return p3d_cfg_fail(p->at, p->err, "%s", problem);
    v->text =
        p->row->type == P3D_CFG_T_PATH ? p3d_path_absolute(p->base, p->text) : p3d_strdup(p->text);
    return 0;
}

static int parse_enum(const struct parse *p, struct p3d_cfg_value *v)
{
    struct p3d_buf words;
    p3d_buf_init(&words, 0);
    for (const char *w = p->row->words; *w; w += *w == '|') {
        size_t n = strcspn(w, "|");
        if (n == strlen(p->text) && !memcmp(w, p->text, n))
            v->text = p3d_strdup(p->text);
        p3d_buf_addz(&words, words.n ? ", " : "");
        p3d_buf_add(&words, w, n);
        w += n;
    }
    int status = v->text ? 0
                         : p3d_cfg_fail(p->at, p->err, "must be one of %s, not '%.*s'", words.p,
                                        (int)p3d_utf8_cut(p3d_str_z(p->text), SHOWN).n, p->text);
    p3d_buf_done(&words);
    return status;
}

static int check_list(const struct parse *p, char **list)
{
    for (char **item = list; *item; item++) {
        const char *problem = text_problem(p->row, *item);
        if (problem)
            return p3d_cfg_fail(p->at, p->err, "item %d %s", (int)(item - list) + 1, problem);
    }
    return 0;
}

/* "a, b,c"; an empty text is the empty list. */
static int parse_list(const struct parse *p, struct p3d_cfg_value *v)
{
    size_t n = 0;
    v->list = p3d_alloc(sizeof *v->list);
    struct p3d_str rest = p3d_str_z(p->text);
    while (p3d_str_trim(rest).n || n) {
        const char *comma = memchr(rest.p, ',', rest.n);
        struct p3d_str part =
            p3d_str_trim((struct p3d_str){rest.p, comma ? (size_t)(comma - rest.p) : rest.n});
        n = p3d_strv_add(&v->list, n, p3d_strndup(part.p, part.n));
        if (!comma)
            break;
        rest = (struct p3d_str){comma + 1, rest.n - (size_t)(comma + 1 - rest.p)};
    }
    return check_list(p, v->list);
}

static int (*const parsers[])(const struct parse *, struct p3d_cfg_value *) = {
    [P3D_CFG_T_BOOL] = parse_bool,   [P3D_CFG_T_INT] = parse_int,   [P3D_CFG_T_TEXT] = parse_text,
    [P3D_CFG_T_PATH] = parse_text,   [P3D_CFG_T_ENUM] = parse_enum, [P3D_CFG_T_LIST] = parse_list,
    [P3D_CFG_T_SECRET] = parse_text,
};

static bool same_text(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

static bool same(const struct p3d_cfg_value *a, const struct p3d_cfg_value *b)
{
    if (a->number != b->number || !same_text(a->text, b->text) || !a->list != !b->list)
        return false;
    size_t i = 0;
    for (; a->list && a->list[i] && b->list[i]; i++)
        if (strcmp(a->list[i], b->list[i]) != 0)
            return false;
    return !a->list || (!a->list[i] && !b->list[i]);
}

/* The judged value replaces one of a lower level, agrees with one of its own, gives way to a higher
 * one. Takes v. */
static int settle(struct p3d_cfg_load *l, const struct p3d_cfg_row *row, struct p3d_cfg_value *v,
                  const struct p3d_cfg_at *at, struct p3d_error *err)
{
    struct p3d_cfg_value *old = &l->values[row - p3d_cfg_rows];
    int status = 0;
    if (old->from && old->level == v->level && v->level != P3D_CFG_DEFAULT && !same(old, v)) {
        char name[64];
        p3d_cfg_row_name(row, name);
        status =
            p3d_cfg_fail(at, err, "says something else about %s than %s; remove one of the two",
                         name, old->from);
    } else if (!old->from || v->level > old->level) {
        char where[160];
        p3d_cfg_where(at, where, sizeof where);
        p3d_cfg_value_done(old);
        *old = *v;
        old->from = p3d_strdup(where);
        return 0;
    }
    p3d_cfg_value_done(v);
    return status;
}

int p3d_cfg_set_text(struct p3d_cfg_load *l, const struct p3d_cfg_row *row,
                     enum p3d_cfg_level level, const char *text, const char *base,
                     const struct p3d_cfg_at *at, struct p3d_error *err)
{
    struct p3d_cfg_value v = {.level = level};
    struct parse p = {row, text, base, at, err};
    int status = 0;
    if (text && !*text && nullable(row))
        p.text = NULL;
    if (!p.text && !nullable(row))
        status = p3d_cfg_fail(at, err, "must have a value; null is not allowed here");
    else if (p.text)
        status = parsers[row->type](&p, &v);
    if (status) {
        p3d_cfg_value_done(&v);
        return status;
    }
    return settle(l, row, &v, at, err);
}

int p3d_cfg_set_list(struct p3d_cfg_load *l, const struct p3d_cfg_row *row,
                     enum p3d_cfg_level level, char **list, const struct p3d_cfg_at *at,
                     struct p3d_error *err)
{
    struct p3d_cfg_value v = {.level = level, .list = list};
    struct parse p = {row, NULL, NULL, at, err};
    int status = check_list(&p, list);
    if (status) {
        p3d_cfg_value_done(&v);
        return status;
    }
    return settle(l, row, &v, at, err);
}

void p3d_cfg_store(struct p3d_cfg_load *l, struct p3d_config *cfg)
{
    for (size_t i = 0; i < p3d_cfg_rows_n; i++) {
        const struct p3d_cfg_row *row = &p3d_cfg_rows[i];
        struct p3d_cfg_value *v = &l->values[i];
        void *field = (char *)cfg + row->offset;
        if (row->type == P3D_CFG_T_BOOL)
            *(bool *)field = v->number != 0;
        else if (row->type == P3D_CFG_T_INT)
            *(int64_t *)field = v->number;
        else if (row->type == P3D_CFG_T_LIST)
            *(char ***)field = v->list;
        else if (row->type != P3D_CFG_T_SECRET)
            *(char **)field = v->text;
        else if (v->text)
            p3d_secret_set(field, p3d_str_z(v->text));
        cfg->sources[i] = v->from;
        v->from = NULL;
        v->list = NULL;
        if (row->type != P3D_CFG_T_SECRET)
            v->text = NULL;
    }
}
