/* SPDX-License-Identifier: MIT
 *
 * The configuration file: found, read whole (at most 1 MiB), parsed, its scalar sections handed to
 * config_value.c. `features` and `models` are only noted here; model_config.c reads them. A file
 * that exists but cannot be read or understood is an error, never "no file".
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "config_internal.h"

#define FILE_MAX 1048576

static const char *const places[] = {"./config.yaml", "/etc/p3d/config.yaml"};

static int read_all(int fd, const struct p3d_cfg_at *at, struct p3d_buf *text,
                    struct p3d_error *err)
{
    for (;;) {
        char piece[16384];
        ssize_t n = read(fd, piece, sizeof piece);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return p3d_cfg_fail(at, err, "cannot be read: %s", strerror(errno));
        if (n == 0)
            return 0;
        p3d_buf_add(text, piece, (size_t)n);
        if (text->full)
            return p3d_cfg_fail(at, err, "is larger than 1 MiB");
    }
}

/* Opens what was asked for, or the first of the usual places that exists; *ret_fd -1 when there is
 * none. */
static int open_file(const char **file, int *ret_fd, struct p3d_error *err)
{
    bool asked = *file != NULL;
    for (size_t i = 0; i < (asked ? 1 : sizeof places / sizeof *places); i++) {
        const char *name = asked ? *file : places[i];
        int fd = open(name, O_RDONLY | O_CLOEXEC);
        if (fd < 0 && !asked && (errno == ENOENT || errno == ENOTDIR))
            continue;
        struct p3d_cfg_at at = {.name = name};
        if (fd < 0)
            return p3d_cfg_fail(&at, err, "cannot be opened: %s", strerror(errno));
        *file = name;
        *ret_fd = fd;
        return 0;
    }
    return 0;
}

static int read_list(struct p3d_cfg_load *l, const struct p3d_cfg_row *row,
                     const struct p3d_yaml *y, const struct p3d_cfg_at *at, struct p3d_error *err)
{
    char **list = p3d_alloc(sizeof *list);
    size_t n = 0;
    for (size_t i = 0; i < y->n; i++) {
        const struct p3d_yaml *item = y->v[i].value;
        if (item->kind != P3D_YAML_SCALAR || p3d_yaml_is_null(item)) {
            p3d_strv_free(list);
            return p3d_cfg_fail(at, err, "item %d must be a text", (int)i + 1);
        }
        n = p3d_strv_add(&list, n, p3d_strdup(item->text));
    }
    return p3d_cfg_set_list(l, row, P3D_CFG_FILE, list, at, err);
}

static int read_value(struct p3d_cfg_load *l, const struct p3d_cfg_row *row,
                      const struct p3d_yaml *y, const struct p3d_cfg_at *at, struct p3d_error *err)
{
    if (y->kind == P3D_YAML_SEQUENCE && row->type == P3D_CFG_T_LIST)
        return read_list(l, row, y, at, err);
    if (y->kind != P3D_YAML_SCALAR)
        return p3d_cfg_fail(
            at, err, row->type == P3D_CFG_T_LIST ? "must be a list" : "must be a single value");
    return p3d_cfg_set_text(l, row, P3D_CFG_FILE, p3d_yaml_is_null(y) ? NULL : y->text, l->file_dir,
                            at, err);
}

struct section {
    const char *name;
};

/* The names that may stand in a section, for "did you mean"; of another section: "". */
static const char *key_of(const void *table, size_t i)
{
    return strcmp(((const struct section *)table)->name, p3d_cfg_rows[i].section) != 0
               ? ""
               : p3d_cfg_rows[i].key;
}

static const char *top_of(const void *table, size_t i)
{
    static const char *const maps[] = {"features", "models"};
    (void)table;
    if (i < 2)
        return maps[i];
    return p3d_cfg_row_top(&p3d_cfg_rows[i - 2]) ? p3d_cfg_rows[i - 2].key
                                                 : p3d_cfg_rows[i - 2].section;
}

static int read_section(struct p3d_cfg_load *l, const char *name, const struct p3d_yaml *y,
                        const struct p3d_cfg_at *at, struct p3d_error *err)
{
    if (p3d_yaml_is_null(y))
        return 0; /* "security:" with everything in it commented out */
    if (y->kind != P3D_YAML_MAP)
        return p3d_cfg_fail(at, err, "must be a map of settings");
    for (size_t i = 0; i < y->n; i++) {
        struct p3d_cfg_at here = {at, y->v[i].key, y->v[i].line};
        char *dotted = p3d_asprintf("%s.%s", name, y->v[i].key);
        const struct p3d_cfg_row *row = p3d_cfg_row_find(dotted);
        free(dotted);
        struct section section = {name};
        int status = row ? read_value(l, row, y->v[i].value, &here, err)
                         : p3d_cfg_fail_unknown(&here, err, "key", y->v[i].key, key_of, &section,
                                                p3d_cfg_rows_n);
        if (status)
            return status;
    }
    return 0;
}

static bool is_section(const char *name)
{
    for (size_t i = 0; i < p3d_cfg_rows_n; i++)
        if (!p3d_cfg_row_top(&p3d_cfg_rows[i]) && !strcmp(p3d_cfg_rows[i].section, name))
            return true;
    return false;
}

/* The row of a top-level key: its own, or that of a second spelling. */
static const struct p3d_cfg_row *top_row(const char *key)
{
    for (size_t i = 0; i < p3d_cfg_aliases_n; i++)
        if (p3d_cfg_aliases[i].file && !strcmp(p3d_cfg_aliases[i].file, key))
            return p3d_cfg_row_find(p3d_cfg_aliases[i].key);
    const struct p3d_cfg_row *row = strchr(key, '.') ? NULL : p3d_cfg_row_find(key);
    return row;
}

static int read_top(struct p3d_cfg_load *l, const struct p3d_yaml_item *item,
                    const struct p3d_cfg_at *root, struct p3d_error *err)
{
    struct p3d_cfg_at at = {root, item->key, item->line};
    const struct p3d_cfg_row *row = top_row(item->key);
    if (row)
        return read_value(l, row, item->value, &at, err);
    if (is_section(item->key))
        return read_section(l, item->key, item->value, &at, err);
    bool features = !strcmp(item->key, "features");
    if (features || !strcmp(item->key, "models")) {
        *(features ? &l->features : &l->models) = item->value;
        *(features ? &l->features_line : &l->models_line) = item->line;
        return 0;
    }
    return p3d_cfg_fail_unknown(&at, err, "key", item->key, top_of, NULL, p3d_cfg_rows_n + 2);
}

static int read_tree(struct p3d_cfg_load *l, struct p3d_error *err)
{
    struct p3d_cfg_at root = {.name = l->file_name};
    if (!l->tree || p3d_yaml_is_null(l->tree))
        return 0;
    if (l->tree->kind != P3D_YAML_MAP)
        return p3d_cfg_fail(&root, err, "must be a map of sections, as 'server: {port: 7842}'");
    for (size_t i = 0; i < l->tree->n; i++) {
        int status = read_top(l, &l->tree->v[i], &root, err);
        if (status)
            return status;
    }
    return 0;
}

int p3d_cfg_read_file(struct p3d_cfg_load *l, const char *file, struct p3d_error *err)
{
    P3D_CLEANUP(p3d_closep) int fd = -1;
    int status = open_file(&file, &fd, err);
    if (status || fd < 0) {
        l->file_dir = p3d_strdup(l->cwd);
        return status;
    }
    l->file = p3d_path_absolute(l->cwd, file);
    char *slash = strrchr(l->file, '/');
    l->file_dir =
        slash == l->file ? p3d_strdup("/") : p3d_strndup(l->file, (size_t)(slash - l->file));
    l->file_name = p3d_strdup(!strncmp(file, "./", 2) ? file + 2 : file);
    struct p3d_cfg_at at = {.name = l->file_name};
    struct p3d_buf text;
    p3d_buf_init(&text, FILE_MAX);
    status = read_all(fd, &at, &text, err);
    if (!status)
        status = p3d_yaml_parse(p3d_buf_str(&text), l->file_name, &l->tree, err);
    if (text.p)
        p3d_wipe(text.p, text.n); /* may hold secrets */
    p3d_buf_done(&text);
    return status ? status : read_tree(l, err);
}
