/* SPDX-License-Identifier: MIT
 *
 * `features` and `models` out of the configuration. Guarantee: what comes out is whole and points
 * nowhere wrong; every model has a feature, every alias a model, every enabled model a command that
 * can be executed, every route one feature. A new key is a row in one of the two tables and a field
 * in model.h.
 */
#include <ctype.h>
#include <string.h>

#include "model_internal.h"

#define KIND_MAX 120
#define KINDS_MAX 512 /* what the store numbers */

/* ---- features ---- */

/* First parts of paths below /api/v1 that are the server's own. */
static const char *const own_routes[] = {"users", "system", "jobs", "file-upload", "files"};

static P3D_READER(read_route)
{
    int status = p3d_read_text(r, at, y, f, obj);
    if (status)
        return status;
    const char *route = y->text;
    size_t n = strlen(route);
    for (size_t i = 0; i < n; i++)
        if (!islower((unsigned char)route[i]) && !isdigit((unsigned char)route[i]) &&
            !strchr("-/", route[i]))
            return p3d_cfg_fail(at, r->err, "may hold only a-z 0-9 - and /");
    if (route[0] == '/' || route[n - 1] == '/' || strstr(route, "//"))
        return p3d_cfg_fail(at, r->err,
                            "must be parts joined by single '/', without one at the ends");
    size_t first = strcspn(route, "/");
    for (size_t i = 0; i < sizeof own_routes / sizeof *own_routes; i++)
        if (strlen(own_routes[i]) == first && !memcmp(route, own_routes[i], first))
            return p3d_cfg_fail(at, r->err, "'%s' is a route of the server's own", own_routes[i]);
    return 0;
}

static P3D_READER(read_aliases)
{
    struct p3d_feature *feature = obj;
    (void)f;
    if (y->kind != P3D_YAML_MAP)
        return p3d_cfg_fail(at, r->err, "must be a map from alias to model");
    feature->aliases = json_object();
    for (size_t i = 0; i < y->n; i++) {
        struct p3d_cfg_at here = {at, y->v[i].key, y->v[i].line};
        int status = p3d_read_name(r, &here, y->v[i].key);
        if (status)
            return status;
        if (y->v[i].value->kind != P3D_YAML_SCALAR)
            return p3d_cfg_fail(&here, r->err, "must be the id of a model");
        (void)json_object_set_new(feature->aliases, y->v[i].key,
                                  p3d_json_str(p3d_str_z(y->v[i].value->text)));
    }
    return 0;
}

#define FEATURE(member) offsetof(struct p3d_feature, member)
static const struct p3d_field feature_fields[] = {
    {"title", p3d_read_text, FEATURE(title), 0, 200},
    {"route", read_route, FEATURE(route), 0, 200},
    {"default_model", p3d_read_text, FEATURE(default_model), 0, 60},
    {"model_aliases", read_aliases, 0, 0, 0},
    {"inputs", p3d_read_inputs, FEATURE(inputs), 0, 1},
};

static int read_feature(const struct p3d_read *r, const struct p3d_cfg_at *at,
                        const struct p3d_yaml *y, struct p3d_models *m)
{
    struct p3d_feature *f = p3d_alloc(sizeof *f);
    m->features[m->features_n++] = f;
    f->name = p3d_strdup(at->name);
    int status = p3d_read_name(r, at, at->name);
    status = status ? status
                    : p3d_read_map(r, at, y, feature_fields,
                                   sizeof feature_fields / sizeof *feature_fields, f);
    if (status)
        return status;
    if (!f->title)
        f->title = p3d_strdup(f->name);
    if (!f->aliases)
        f->aliases = json_object();
    for (size_t i = 0; f->route && i + 1 < m->features_n; i++)
        if (m->features[i]->route && !strcmp(m->features[i]->route, f->route))
            return p3d_cfg_fail(at, r->err, "has the same route as %s", m->features[i]->name);
    return 0;
}

/* ---- models ---- */

static P3D_READER(read_mode)
{
    struct p3d_model *m = obj;
    (void)f;
    const char *text = y->kind == P3D_YAML_SCALAR ? y->text : "";
    if (strcmp(text, "oneshot") != 0 && strcmp(text, "persistent") != 0)
        return p3d_cfg_fail(at, r->err, "must be oneshot or persistent");
    m->mode = text[0] == 'o' ? P3D_MODE_ONESHOT : P3D_MODE_PERSISTENT;
    return 0;
}

static P3D_READER(read_outputs)
{
    struct p3d_model *m = obj;
    (void)f;
    const char *text = y->kind == P3D_YAML_SCALAR ? y->text : "";
    if (strcmp(text, "required") != 0 && strcmp(text, "none") != 0)
        return p3d_cfg_fail(at, r->err, "must be required or none");
    m->outputs_required = text[0] == 'r';
    return 0;
}

static P3D_READER(read_max_workers)
{
    int status = p3d_read_int(r, at, y, f, obj);
    if (!status && !((struct p3d_model *)obj)->max_workers)
        return p3d_cfg_fail(
            at, r->err,
            "must be -1 (no limit) or at least 1; to switch a model off say enabled: false");
    return status;
}

static bool env_name(const char *name)
{
    bool good = *name && !isdigit((unsigned char)*name);
    for (; good && *name; name++)
        good = isalnum((unsigned char)*name) || *name == '_';
    return good;
}

static P3D_READER(read_env)
{
    struct p3d_model *m = obj;
    size_t n = 0;
    (void)f;
    if (y->kind != P3D_YAML_MAP)
        return p3d_cfg_fail(at, r->err, "must be a map from variable to text");
    for (size_t i = 0; i < y->n; i++) {
        struct p3d_cfg_at here = {at, y->v[i].key, y->v[i].line};
        const struct p3d_yaml *value = y->v[i].value;
        if (!env_name(y->v[i].key))
            return p3d_cfg_fail(&here, r->err, "is no name for a variable");
        if (!strncmp(y->v[i].key, "P3D_", 4))
            return p3d_cfg_fail(&here, r->err,
                                "names that begin with P3D_ belong to the runner protocol");
        if (value->kind != P3D_YAML_SCALAR || p3d_yaml_is_null(value))
            return p3d_cfg_fail(&here, r->err, "must be a text");
        if (!strcmp(value->text, P3D_CFG_MASK))
            return p3d_cfg_fail(&here, r->err,
                                "is '" P3D_CFG_MASK
                                "', which only stands for a text that is not shown");
        n = p3d_strv_add(&m->env, n, p3d_asprintf("%s=%s", y->v[i].key, value->text));
    }
    return 0;
}

static P3D_READER(read_parameters)
{
    ((struct p3d_model *)obj)->parameters_closed = true;
    return p3d_read_inputs(r, at, y, f, obj);
}

#define MODEL(member) offsetof(struct p3d_model, member)
static const struct p3d_field model_fields[] = {
    {"command", p3d_read_command, MODEL(command), 0, 0},
    {"mode", read_mode, 0, 0, 0},
    {"enabled", p3d_read_bool, MODEL(enabled), 0, 0},
    {"outputs", read_outputs, 0, 0, 0},
    {"max_workers", read_max_workers, MODEL(max_workers), -1, 100000},
    {"timeout_seconds", p3d_read_int, MODEL(timeout_seconds), 1, 604800},
    {"vram_requirement", p3d_read_int, MODEL(vram_mb), 0, 16777216},
    {"max_attempts", p3d_read_int, MODEL(max_attempts), 1, 100},
    {"supported_inputs", p3d_read_words, MODEL(supported_inputs), 0, 0},
    {"supported_outputs", p3d_read_words, MODEL(supported_outputs), 0, 0},
    {"env", read_env, 0, 0, 0},
    {"parameters", read_parameters, MODEL(parameters), 0, 0},
};

static int check_command(const struct p3d_read *r, const struct p3d_cfg_at *at,
                         const struct p3d_yaml *y, const struct p3d_model *m)
{
    const struct p3d_yaml_item *item = p3d_yaml_find(y, "command");
    if (!m->enabled)
        return 0;
    if (!item || !m->command[0])
        return p3d_cfg_fail(at, r->err, "has no command; give one or say enabled: false");
    struct p3d_cfg_at here = {at, "command", item->line};
    return p3d_command_check(r, &here, m->command);
}

static int read_model(const struct p3d_read *r, const struct p3d_cfg_at *at,
                      const struct p3d_yaml *y, struct p3d_feature *feature)
{
    struct p3d_model *m = p3d_alloc(sizeof *m);
    feature->models[feature->models_n++] = m;
    *m = (struct p3d_model){.feature = feature,
                            .enabled = true,
                            .outputs_required = true,
                            .max_workers = 1,
                            .timeout_seconds = 3600,
                            .max_attempts = 3};
    m->id = p3d_strdup(at->name);
    m->kind = p3d_asprintf("%s/%s", feature->name, m->id);
    int status = p3d_read_name(r, at, at->name);
    if (!status && strlen(m->kind) > KIND_MAX)
        status = p3d_cfg_fail(at, r->err,
                              "feature and model name are together longer than %d bytes", KIND_MAX);
    status = status ? status
                    : p3d_read_map(r, at, y, model_fields,
                                   sizeof model_fields / sizeof *model_fields, m);
    char ***lists[] = {&m->command, &m->env, &m->supported_inputs, &m->supported_outputs};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        if (!*lists[i])
            *lists[i] = p3d_alloc(sizeof **lists[i]);
    return status ? status : check_command(r, at, y, m);
}

static int read_models_of(const struct p3d_read *r, const struct p3d_cfg_at *at,
                          const struct p3d_yaml *y, struct p3d_models *m)
{
    struct p3d_feature *f = p3d_feature_find(m, p3d_str_z(at->name));
    if (!f)
        return p3d_cfg_fail(at, r->err, "there is no feature of this name in features");
    if (p3d_yaml_is_null(y))
        return 0;
    if (y->kind != P3D_YAML_MAP)
        return p3d_cfg_fail(at, r->err, "must be a map of models");
    f->models = p3d_alloc(y->n * sizeof *f->models);
    for (size_t i = 0; i < y->n; i++) {
        struct p3d_cfg_at here = {at, y->v[i].key, y->v[i].line};
        int status = read_model(r, &here, y->v[i].value, f);
        if (status)
            return status;
    }
    return 0;
}

/* ---- what joins them ---- */

static bool has_model(const struct p3d_feature *f, const char *id)
{
    for (size_t i = 0; i < f->models_n; i++)
        if (!strcmp(f->models[i]->id, id))
            return true;
    return false;
}

static int check_links(const struct p3d_read *r, const struct p3d_cfg_at *at,
                       const struct p3d_yaml *y, const struct p3d_feature *f)
{
    const struct p3d_yaml_item *key = p3d_yaml_find(y, "default_model");
    struct p3d_cfg_at here = {at, "default_model", key ? key->line : 0};
    if (f->default_model && !has_model(f, f->default_model))
        return p3d_cfg_fail(&here, r->err, "there is no model '%s' in models.%s", f->default_model,
                            f->name);
    key = p3d_yaml_find(y, "model_aliases");
    struct p3d_cfg_at aliases = {at, "model_aliases", key ? key->line : 0};
    for (size_t i = 0; key && key->value->kind == P3D_YAML_MAP && i < key->value->n; i++) {
        const struct p3d_yaml_item *alias = &key->value->v[i];
        struct p3d_cfg_at place = {&aliases, alias->key, alias->line};
        if (!has_model(f, alias->value->text))
            return p3d_cfg_fail(&place, r->err,
                                "leads nowhere: there is no model '%.60s' in models.%s",
                                alias->value->text, f->name);
        if (has_model(f, alias->key))
            return p3d_cfg_fail(&place, r->err, "is also the id of a model in models.%s", f->name);
    }
    return 0;
}

/* Calls `each` for every item of a map that may be absent or null. */
static int each_item(const struct p3d_read *r, const struct p3d_cfg_at *at,
                     const struct p3d_yaml *y, struct p3d_models *m,
                     int (*each)(const struct p3d_read *, const struct p3d_cfg_at *,
                                 const struct p3d_yaml *, struct p3d_models *))
{
    if (!y || p3d_yaml_is_null(y))
        return 0;
    if (y->kind != P3D_YAML_MAP)
        return p3d_cfg_fail(at, r->err, "must be a map of features");
    for (size_t i = 0; i < y->n; i++) {
        struct p3d_cfg_at here = {at, y->v[i].key, y->v[i].line};
        int status = each(r, &here, y->v[i].value, m);
        if (status)
            return status;
    }
    return 0;
}

static int check_feature(const struct p3d_read *r, const struct p3d_cfg_at *at,
                         const struct p3d_yaml *y, struct p3d_models *m)
{
    return check_links(r, at, y, p3d_feature_find(m, p3d_str_z(at->name)));
}

int p3d_models_read(const struct p3d_models_source *source, struct p3d_models **ret,
                    struct p3d_error *err)
{
    struct p3d_cfg_at root = {.name = source->name};
    struct p3d_cfg_at features = {&root, "features", source->features_line};
    struct p3d_cfg_at models = {&root, "models", source->models_line};
    struct p3d_read r = {
        .libexec = p3d_libexec_dir(), .config_dir = source->config_dir, .err = err};
    struct p3d_models *m = p3d_alloc(sizeof *m);
    size_t kinds = 0;
    m->features = p3d_alloc((source->features ? source->features->n : 0) * sizeof *m->features);
    int status = each_item(&r, &features, source->features, m, read_feature);
    status = status ? status : each_item(&r, &models, source->models, m, read_models_of);
    status = status ? status : each_item(&r, &features, source->features, m, check_feature);
    for (size_t i = 0; i < m->features_n; i++)
        kinds += m->features[i]->models_n;
    if (!status && kinds > KINDS_MAX)
        status = p3d_cfg_fail(&models, err, "there are more than %d models", KINDS_MAX);
    free(r.libexec);
    if (status)
        p3d_models_free(m);
    else
        *ret = m;
    return status;
}
