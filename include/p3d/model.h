/* SPDX-License-Identifier: MIT
 *
 * Features and models as the configuration names them, and the one validator of inputs.
 *
 *   features.<feature>: {title, route, default_model, model_aliases: {alias: model}, inputs: {name: {type, required,
 *                        default, minimum, maximum, min_length, max_length, enum, description}}}
 *   models.<feature>.<model>: {command: [argv…], mode, max_workers, timeout_seconds, vram_requirement, max_attempts,
 *                        supported_inputs, supported_outputs, outputs: required|none, env: {K: V}, parameters: {name:
 *                        {type, …as inputs}}, enabled}
 * "{libexec}" in a command is the folder of the shipped models, "{config}" the configuration file's folder.
 */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "p3d/json.h"
#include "p3d/str.h"

enum p3d_input_type {
    P3D_INPUT_STRING,
    P3D_INPUT_INTEGER,
    P3D_INPUT_NUMBER,
    P3D_INPUT_BOOLEAN,
    P3D_INPUT_FILE_IMAGE,
    P3D_INPUT_FILE_MESH,
    P3D_INPUT_OBJECT,
    P3D_INPUT_ARRAY,
    P3D_INPUT__COUNT
};

/* One input or parameter of the configuration; also the source of the OpenAPI schemas. */
struct p3d_input {
    char *name, *description;
    enum p3d_input_type type;
    bool required;
    bool has_minimum, has_maximum;
    double minimum, maximum;         /* of the number */
    int64_t min_length, max_length;  /* code points, or array items; max_length -1 = none */
    json_t *fallback;                /* default value or NULL */
    json_t *choices;                 /* enum: array or NULL */
};
struct p3d_inputs {
    struct p3d_input *v;
    size_t n;
};

enum p3d_model_mode { P3D_MODE_ONESHOT, P3D_MODE_PERSISTENT };

struct p3d_model {
    char *id;
    struct p3d_feature *feature;
    char *kind;            /* "<feature>/<model>": how the queue names it; at most 120 bytes of [A-Za-z0-9_.-/] */
    char **command;        /* argv, NULL-ended, placeholders filled in */
    char **env;            /* "K=V", NULL-ended */
    enum p3d_model_mode mode;
    bool enabled, outputs_required;
    int64_t max_workers, timeout_seconds, vram_mb, max_attempts;
    char **supported_inputs, **supported_outputs;
    struct p3d_inputs parameters; /* n == 0 and !parameters_closed: anything goes to the model, which judges it */
    bool parameters_closed;
};

struct p3d_feature {
    char *name, *title, *route;  /* route NULL: only by POST /jobs */
    char *default_model;         /* id, or NULL: the first enabled one */
    json_t *aliases;             /* object alias -> model id */
    struct p3d_inputs inputs;
    struct p3d_model **models;   /* in the file's order */
    size_t models_n;
};

struct p3d_models {
    struct p3d_feature **features;
    size_t features_n;
};

struct p3d_feature *p3d_feature_find(const struct p3d_models *m, struct p3d_str name); /* NULL when absent */
/* The model of a kind ("mesh_generation/lettering"), or NULL. */
struct p3d_model *p3d_model_by_kind(const struct p3d_models *m, struct p3d_str kind);

/* The feature that a submit names. Errors: P3D_E_FEATURE_UNKNOWN with the exact text of the API. */
P3D_MUST int p3d_feature_choose(const struct p3d_models *m, struct p3d_str wanted, struct p3d_feature **ret,
                                struct p3d_error *err);
/* Choose the model for a submit. wanted: name, alias or empty (default). Only enabled models count.
 * Errors with the exact texts of the API: P3D_E_NO_MODEL, P3D_E_MODEL_UNKNOWN ("… Available models: [...]"). */
P3D_MUST int p3d_model_choose(const struct p3d_feature *f, struct p3d_str wanted, struct p3d_model **ret,
                              struct p3d_error *err);
/* The model of a job that is there already: exactly this one, no alias and no default. Errors: as the two. */
P3D_MUST int p3d_model_choose_again(const struct p3d_models *m, struct p3d_str feature, struct p3d_str model,
                                    struct p3d_model **ret, struct p3d_error *err);

/* Check `given` (object, borrowed) against the rules, fill defaults. ret: new object. Every fault is added to faults
 * with loc ["body", …prefix when not NULL…, name]; unknown names are faults unless open.
 * Errors: P3D_E_VALIDATION when there was a fault. */
P3D_MUST int p3d_inputs_check(const struct p3d_inputs *rules, const json_t *given, const char *prefix, bool open,
                              json_t **ret, struct p3d_faults *faults);
void p3d_models_free(struct p3d_models *m);
