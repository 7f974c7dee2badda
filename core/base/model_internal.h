/* SPDX-License-Identifier: MIT
 *
 * Between config.c, model_*.c and inputs.c: reading `features` and `models` by tables of fields,
 * and judging one value.
 */
#pragma once
#include "p3d/model.h"

#include "config_internal.h"

struct p3d_models_source {
    const char *name;                         /* for errors: the file, or "built-in" */
    const struct p3d_yaml *features, *models; /* either may be NULL */
    int features_line, models_line;
    const char *config_dir; /* "{config}" */
};
/* Errors: P3D_E_CONFIG. */
P3D_MUST int p3d_models_read(const struct p3d_models_source *source, struct p3d_models **ret,
                             struct p3d_error *err);
/* What holds when the configuration has neither `features` nor `models`: the shipped ones
 * (model_default.c). */
P3D_MUST int p3d_models_read_default(const char *config_dir, struct p3d_models **ret,
                                     struct p3d_error *err);
extern const char p3d_models_default[]; /* YAML text */

/* `features` and `models` of the configuration as YAML; values of `env` masked. (model_show.c) */
void p3d_models_show(const struct p3d_models *m, struct p3d_buf *out);

/* ---- maps by table (model_read.c) ---- */

struct p3d_read {
    char *libexec;
    const char *config_dir;
    struct p3d_error *err;
};
struct p3d_field {
    const char *key;
    /* Reads y, never null except for a boolean, into obj at f->offset. */
    int (*read)(const struct p3d_read *r, const struct p3d_cfg_at *at, const struct p3d_yaml *y,
                const struct p3d_field *f, void *obj);
    size_t offset;
    int64_t min, max;
};
/* Every key of map y goes to its field; unknown ones are refused; null means "not said". */
P3D_MUST int p3d_read_map(const struct p3d_read *r, const struct p3d_cfg_at *at,
                          const struct p3d_yaml *y, const struct p3d_field *fields, size_t n,
                          void *obj);
#define P3D_READER(name)                                                                           \
    int name(const struct p3d_read *r, const struct p3d_cfg_at *at, const struct p3d_yaml *y,      \
             const struct p3d_field *f, void *obj)
P3D_READER(p3d_read_text);   /* char *, not empty, at most f->max bytes */
P3D_READER(p3d_read_int);    /* int64_t in min..max */
P3D_READER(p3d_read_bool);   /* bool */
P3D_READER(p3d_read_words);  /* char **: a sequence of texts */
P3D_READER(p3d_read_inputs); /* struct p3d_inputs (model_input.c) */
/* A name of a feature, model, input: [A-Za-z0-9_.-]{1,60}. */
P3D_MUST int p3d_read_name(const struct p3d_read *r, const struct p3d_cfg_at *at, const char *name);
/* A node as JSON, its plain scalars judged by the YAML core schema. */
json_t *p3d_read_json(const struct p3d_yaml *y);
bool p3d_text_number(const char *text, double *ret); /* finite decimal number, whole text */

/* ---- commands (model_command.c) ---- */

P3D_READER(p3d_read_command); /* char **, "{libexec}" and "{config}" filled in */
/* argv[0] with a slash is an executable file. */
P3D_MUST int p3d_command_check(const struct p3d_read *r, const struct p3d_cfg_at *at,
                               char *const *command);
/* Folder of the shipped models: <folder of this program>/libexec when there is one, else
 * …/../libexec/p3d. Owned. */
char *p3d_libexec_dir(void);

/* ---- one value (inputs.c) ---- */

struct p3d_input_fault {
    const char *type;
    char msg[400];
};
extern const char *const p3d_input_type_names[P3D_INPUT__COUNT];
/* ret: new reference, normalised (3.0 for an integer becomes 3). False: fault is filled. */
bool p3d_input_check_value(const struct p3d_input *rule, const json_t *given, json_t **ret,
                           struct p3d_input_fault *fault);
