/* SPDX-License-Identifier: MIT
 *
 * Between the config_*.c and model_*.c files: the rows of config.def as a table, values on their
 * way into the struct, the tree that a YAML file becomes, and how an error says where it happened.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "p3d/config.h"
#include "p3d/err.h"
#include "p3d/str.h"

/* ---- places (config_at.c) ---- */

/* One step of the way to a value, each on the stack of who reads it: file -> "models" ->
 * "mesh_generation" -> … */
struct p3d_cfg_at {
    const struct p3d_cfg_at *up; /* NULL: this is the source itself */
    const char *name;            /* key; of the source: file name, variable, flag */
    int line;                    /* 0 = has none */
};
/* "config.yaml:12: server.port", or "P3D_SERVER__PORT: server.port". */
void p3d_cfg_where(const struct p3d_cfg_at *at, char *dst, size_t size);
/* Fills where and detail; returns P3D_E_CONFIG. */
int p3d_cfg_fail(const struct p3d_cfg_at *at, struct p3d_error *err, const char *fmt, ...)
    P3D_PRINTF(3, 4);
/* "unknown key", with the nearest of `names` when one is near. */
int p3d_cfg_fail_unknown(const struct p3d_cfg_at *at, struct p3d_error *err, const char *what,
                         const char *given, const char *(*name_of)(const void *table, size_t i),
                         const void *table, size_t n);

/* ---- YAML (config_yaml.c) ---- */

enum p3d_yaml_kind { P3D_YAML_SCALAR, P3D_YAML_SEQUENCE, P3D_YAML_MAP };
struct p3d_yaml_item {
    char *key; /* of a map; NULL in a sequence */
    int line;  /* of the key */
    struct p3d_yaml *value;
};
struct p3d_yaml {
    enum p3d_yaml_kind kind;
    int line;
    char *text; /* scalar, terminated, UTF-8, without NUL */
    bool plain; /* scalar without quotes: may mean null, a number, a boolean */
    struct p3d_yaml_item *v;
    size_t n, cap;
};
/* One document of plain YAML: no anchors, aliases, tags, duplicate keys; at most 32 levels. name:
 * for errors. *ret is NULL when the text holds nothing. Errors: P3D_E_CONFIG. */
P3D_MUST int p3d_yaml_parse(struct p3d_str text, const char *name, struct p3d_yaml **ret,
                            struct p3d_error *err);
void p3d_yaml_free(struct p3d_yaml *y);
bool p3d_yaml_is_null(const struct p3d_yaml *y); /* null, ~ or nothing, without quotes */
const struct p3d_yaml_item *p3d_yaml_find(const struct p3d_yaml *map, const char *key);
/* Text as a YAML double-quoted scalar. */
void p3d_yaml_quote(struct p3d_buf *out, const char *text);

/* ---- rows and values (config_rows.c, config_value.c) ---- */

enum p3d_cfg_type {
    P3D_CFG_T_BOOL,
    P3D_CFG_T_INT,
    P3D_CFG_T_TEXT,
    P3D_CFG_T_PATH,
    P3D_CFG_T_ENUM,
    P3D_CFG_T_LIST,
    P3D_CFG_T_SECRET
};
struct p3d_cfg_row {
    enum p3d_cfg_type type;
    const char *section, *key;
    const char *fallback; /* text of the default, NULL = null */
    const char *words;    /* ENUM: "a|b" */
    int64_t min, max;
    const char *unit, *doc;
    size_t offset; /* in struct p3d_config */
};
extern const struct p3d_cfg_row p3d_cfg_rows[];
extern const size_t p3d_cfg_rows_n;
bool p3d_cfg_row_top(const struct p3d_cfg_row *row);
bool p3d_cfg_row_secret(const struct p3d_cfg_row *row); /* never shown, not even in an error */
void p3d_cfg_row_name(const struct p3d_cfg_row *row, char dst[64]); /* "server.port" */
void p3d_cfg_row_env(const struct p3d_cfg_row *row, char dst[64]);  /* "P3D_SERVER__PORT" */
const struct p3d_cfg_row *p3d_cfg_row_find(const char *dotted);

/* The second spellings. */
struct p3d_cfg_alias {
    const char *key;  /* "security.user_auth_enabled" */
    const char *env;  /* or NULL */
    const char *file; /* top-level key, or NULL */
};
extern const struct p3d_cfg_alias p3d_cfg_aliases[];
extern const size_t p3d_cfg_aliases_n;

enum p3d_cfg_level { P3D_CFG_DEFAULT, P3D_CFG_FILE, P3D_CFG_ENV, P3D_CFG_FLAG };
struct p3d_cfg_value {
    enum p3d_cfg_level level;
    int64_t number; /* INT; BOOL as 0 or 1 */
    char *text;     /* TEXT PATH ENUM SECRET; NULL = null */
    char **list;
    char *from; /* where it was said, for show and for conflicts */
};
struct p3d_cfg_load {
    struct p3d_cfg_value *values; /* one per row */
    char *cwd, *file, *file_dir;
    char *file_name;                    /* as errors name it */
    struct p3d_yaml *tree;              /* of the file, or NULL */
    struct p3d_yaml *features, *models; /* in tree, or NULL */
    int features_line, models_line;
};

#define P3D_CFG_MASK "(set)"
/* Give row a value from text (NULL = null), at level. base: folder that a relative PATH counts
 * from. Errors: P3D_E_CONFIG bad value, or another one was said at the same level. */
P3D_MUST int p3d_cfg_set_text(struct p3d_cfg_load *l, const struct p3d_cfg_row *row,
                              enum p3d_cfg_level level, const char *text, const char *base,
                              const struct p3d_cfg_at *at, struct p3d_error *err);
/* The same for a LIST as a sequence. list: taken over, also on failure. */
P3D_MUST int p3d_cfg_set_list(struct p3d_cfg_load *l, const struct p3d_cfg_row *row,
                              enum p3d_cfg_level level, char **list, const struct p3d_cfg_at *at,
                              struct p3d_error *err);
void p3d_cfg_value_done(struct p3d_cfg_value *v);
/* Moves all values into cfg. */
void p3d_cfg_store(struct p3d_cfg_load *l, struct p3d_config *cfg);

char *p3d_path_absolute(const char *base,
                        const char *path); /* owned; "." and empty parts dropped */
void p3d_strv_free(char **v);
size_t p3d_strv_add(char ***v, size_t n, char *item); /* takes item; returns n + 1; NULL-ended */

P3D_MUST int p3d_cfg_read_file(struct p3d_cfg_load *l, const char *file, struct p3d_error *err);
P3D_MUST int p3d_cfg_read_env(struct p3d_cfg_load *l, char *const *env, struct p3d_error *err);
