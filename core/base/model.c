/* SPDX-License-Identifier: MIT
 *
 * Looking up features and models, and choosing the model of a submit. Only enabled models count; a
 * default model that is switched off gives way to the first enabled one, a model that was asked for
 * by name never does.
 */
#include <string.h>

#include "p3d/model.h"

struct p3d_feature *p3d_feature_find(const struct p3d_models *m, struct p3d_str name)
{
    for (size_t i = 0; i < m->features_n; i++)
        if (p3d_str_eq_z(name, m->features[i]->name))
            return m->features[i];
    return NULL;
}

struct p3d_model *p3d_model_by_kind(const struct p3d_models *m, struct p3d_str kind)
{
    for (size_t i = 0; i < m->features_n; i++)
        for (size_t k = 0; k < m->features[i]->models_n; k++)
            if (p3d_str_eq_z(kind, m->features[i]->models[k]->kind))
                return m->features[i]->models[k];
    return NULL;
}

static struct p3d_model *find_enabled(const struct p3d_feature *f, struct p3d_str id)
{
    for (size_t i = 0; i < f->models_n; i++)
        if (f->models[i]->enabled && p3d_str_eq_z(id, f->models[i]->id))
            return f->models[i];
    return NULL;
}

static struct p3d_model *find_alias(const struct p3d_feature *f, struct p3d_str name)
{
    const char *alias;
    json_t *id;
    json_object_foreach(f->aliases, alias, id) if (p3d_str_eq_z(name, alias)) return find_enabled(
        f, p3d_str_z(json_string_value(id)));
    return NULL;
}

static struct p3d_model *first_enabled(const struct p3d_feature *f)
{
    for (size_t i = 0; i < f->models_n; i++)
        if (f->models[i]->enabled)
            return f->models[i];
    return NULL;
}

/* "Available models: ['lettering', 'relief']" */
static int fail_unknown(const struct p3d_feature *f, struct p3d_str wanted, struct p3d_error *err)
{
    struct p3d_buf list;
    p3d_buf_init(&list, 0);
    for (size_t i = 0; i < f->models_n; i++)
        if (f->models[i]->enabled)
            p3d_buf_addf(&list, "%s'%s'", list.n ? ", " : "", f->models[i]->id);
    struct p3d_str name = p3d_utf8_cut(wanted, 100), ids = p3d_utf8_cut(p3d_buf_str(&list), 240);
    int status =
        p3d_fail(err, P3D_E_MODEL_UNKNOWN,
                 "Model '%.*s' is not available for feature '%s'. Available models: [%.*s]",
                 (int)name.n, name.n ? name.p : "", f->name, (int)ids.n, ids.n ? ids.p : "");
    p3d_buf_done(&list);
    return status;
}

int p3d_model_choose(const struct p3d_feature *f, struct p3d_str wanted, struct p3d_model **ret,
                     struct p3d_error *err)
{
    struct p3d_model *m = first_enabled(f);
    if (!m)
        return p3d_fail(
            err, P3D_E_NO_MODEL,
            "No models available for feature '%s'. Please check if models are registered.",
            f->name);
    if (wanted.n) {
        m = find_enabled(f, wanted);
        m = m ? m : find_alias(f, wanted);
        if (!m)
            return fail_unknown(f, wanted, err);
    } else if (f->default_model) {
        struct p3d_model *usual = find_enabled(f, p3d_str_z(f->default_model));
        m = usual ? usual : m;
    }
    *ret = m;
    return 0;
}

int p3d_feature_choose(const struct p3d_models *m, struct p3d_str wanted, struct p3d_feature **ret,
                       struct p3d_error *err)
{
    struct p3d_feature *f = p3d_feature_find(m, wanted);
    struct p3d_buf list;
    if (f) {
        *ret = f;
        return 0;
    }
    p3d_buf_init(&list, 0);
    for (size_t i = 0; i < m->features_n; i++)
        p3d_buf_addf(&list, "%s'%s'", i ? ", " : "", m->features[i]->name);
    struct p3d_str name = p3d_utf8_cut(wanted, 100), names = p3d_utf8_cut(p3d_buf_str(&list), 300);
    int code = p3d_fail(err, P3D_E_FEATURE_UNKNOWN,
                        "Feature '%.*s' is not available. Available features: [%.*s]", (int)name.n,
                        name.n ? name.p : "", (int)names.n, names.n ? names.p : "");
    p3d_buf_done(&list);
    return code;
}

int p3d_model_choose_again(const struct p3d_models *m, struct p3d_str feature, struct p3d_str model,
                           struct p3d_model **ret, struct p3d_error *err)
{
    struct p3d_feature *f = NULL;
    struct p3d_model *usual, *same;
    int code = p3d_feature_choose(m, feature, &f, err);
    if (code == 0)
        code = p3d_model_choose(f, P3D_STR(""), &usual, err); /* is there any? */
    if (code != 0)
        return code;
    same = find_enabled(f, model);
    if (!same)
        return fail_unknown(f, model, err);
    *ret = same;
    return 0;
}

static void words_free(char **v)
{
    for (char **word = v; word && *word; word++)
        free(*word);
    free(v);
}

static void inputs_free(struct p3d_inputs *in)
{
    for (size_t i = 0; i < in->n; i++) {
        free(in->v[i].name);
        free(in->v[i].description);
        json_decref(in->v[i].fallback);
        json_decref(in->v[i].choices);
    }
    free(in->v);
}

static void model_free(struct p3d_model *m)
{
    for (char **pair = m->env; pair && *pair; pair++)
        explicit_bzero(*pair, strlen(*pair)); /* an operator's key for a model may be among them */
    words_free(m->env);
    words_free(m->command);
    words_free(m->supported_inputs);
    words_free(m->supported_outputs);
    inputs_free(&m->parameters);
    free(m->id);
    free(m->kind);
    free(m);
}

void p3d_models_free(struct p3d_models *m)
{
    for (size_t i = 0; m && i < m->features_n; i++) {
        struct p3d_feature *f = m->features[i];
        for (size_t k = 0; k < f->models_n; k++)
            model_free(f->models[k]);
        free(f->models);
        inputs_free(&f->inputs);
        json_decref(f->aliases);
        free(f->name);
        free(f->title);
        free(f->route);
        free(f->default_model);
        free(f);
    }
    if (m)
        free(m->features);
    free(m);
}
