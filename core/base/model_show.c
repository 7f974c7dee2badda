/* SPDX-License-Identifier: MIT
 *
 * `features` and `models` as YAML that loads again to the same. The values of a model's `env` are
 * masked: there may be an operator's key among them.
 */
#include <string.h>

#include "model_internal.h"

static void show_json(struct p3d_buf *out, const json_t *v)
{
    const char *key, *comma = "";
    json_t *item;
    size_t i;
    if (json_is_string(v)) {
        p3d_yaml_quote(out, json_string_value(v));
    } else if (json_is_object(v)) {
        p3d_buf_addz(out, "{");
        json_object_foreach((json_t *)(uintptr_t)v, key, item)
        {
            p3d_buf_addz(out, comma);
            p3d_yaml_quote(out, key);
            p3d_buf_addz(out, ": ");
            show_json(out, item);
            comma = ", ";
        }
        p3d_buf_addz(out, "}");
    } else if (json_is_array(v)) {
        p3d_buf_addz(out, "[");
        json_array_foreach(v, i, item)
        {
            p3d_buf_addz(out, i ? ", " : "");
            show_json(out, item);
        }
        p3d_buf_addz(out, "]");
    } else {
        char *text = p3d_json_dump(v, NULL);
        p3d_buf_addz(out, text);
        free(text);
    }
}

static void show_text(struct p3d_buf *out, const char *key, const char *text)
{
    if (!text)
        return;
    p3d_buf_addz(out, key);
    p3d_yaml_quote(out, text);
    p3d_buf_addz(out, "\n");
}

static void show_words(struct p3d_buf *out, const char *key, char *const *words)
{
    p3d_buf_addf(out, "%s[", key);
    for (size_t i = 0; words[i]; i++) {
        p3d_buf_addz(out, i ? ", " : "");
        p3d_yaml_quote(out, words[i]);
    }
    p3d_buf_addz(out, "]\n");
}

static void show_input(struct p3d_buf *out, const struct p3d_input *in)
{
    p3d_buf_addf(out, "{type: \"%s\", required: %s", p3d_input_type_names[in->type],
                 in->required ? "true" : "false");
    if (in->has_minimum)
        p3d_buf_addf(out, ", minimum: %.17g", in->minimum);
    if (in->has_maximum)
        p3d_buf_addf(out, ", maximum: %.17g", in->maximum);
    if (in->min_length)
        p3d_buf_addf(out, ", min_length: %lld", (long long)in->min_length);
    if (in->max_length >= 0)
        p3d_buf_addf(out, ", max_length: %lld", (long long)in->max_length);
    if (in->choices) {
        p3d_buf_addz(out, ", enum: ");
        show_json(out, in->choices);
    }
    if (in->fallback) {
        p3d_buf_addz(out, ", default: ");
        show_json(out, in->fallback);
    }
    if (in->description) {
        p3d_buf_addz(out, ", description: ");
        p3d_yaml_quote(out, in->description);
    }
    p3d_buf_addz(out, "}\n");
}

static void show_inputs(struct p3d_buf *out, const char *indent, const char *key,
                        const struct p3d_inputs *in)
{
    p3d_buf_addf(out, "%s%s:%s\n", indent, key, in->n ? "" : " {}");
    for (size_t i = 0; i < in->n; i++) {
        p3d_buf_addf(out, "%s  ", indent);
        p3d_yaml_quote(out, in->v[i].name);
        p3d_buf_addz(out, ": ");
        show_input(out, &in->v[i]);
    }
}

static void show_feature(struct p3d_buf *out, const struct p3d_feature *f)
{
    p3d_buf_addz(out, "  ");
    p3d_yaml_quote(out, f->name);
    p3d_buf_addz(out, ":\n");
    show_text(out, "    title: ", f->title);
    show_text(out, "    route: ", f->route);
    show_text(out, "    default_model: ", f->default_model);
    p3d_buf_addz(out, "    model_aliases: ");
    show_json(out, f->aliases);
    p3d_buf_addz(out, "\n");
    show_inputs(out, "    ", "inputs", &f->inputs);
}

static void show_env(struct p3d_buf *out, char *const *env)
{
    p3d_buf_addz(out, "      env: {");
    for (size_t i = 0; env[i]; i++)
        p3d_buf_addf(out, "%s%.*s: \"" P3D_CFG_MASK "\"", i ? ", " : "", (int)strcspn(env[i], "="),
                     env[i]);
    p3d_buf_addz(out, "}\n");
}

static void show_model(struct p3d_buf *out, const struct p3d_model *m)
{
    p3d_buf_addz(out, "    ");
    p3d_yaml_quote(out, m->id);
    p3d_buf_addz(out, ":\n");
    if (m->command[0])
        show_words(out, "      command: ", m->command);
    p3d_buf_addf(
        out,
        "      mode: %s\n      enabled: %s\n      outputs: %s\n      max_workers: %lld\n"
        "      timeout_seconds: %lld\n      max_attempts: %lld\n      vram_requirement: %lld\n",
        m->mode == P3D_MODE_ONESHOT ? "oneshot" : "persistent", m->enabled ? "true" : "false",
        m->outputs_required ? "required" : "none", (long long)m->max_workers,
        (long long)m->timeout_seconds, (long long)m->max_attempts, (long long)m->vram_mb);
    show_words(out, "      supported_inputs: ", m->supported_inputs);
    show_words(out, "      supported_outputs: ", m->supported_outputs);
    show_env(out, m->env);
    if (m->parameters_closed)
        show_inputs(out, "      ", "parameters", &m->parameters);
}

void p3d_models_show(const struct p3d_models *m, struct p3d_buf *out)
{
    p3d_buf_addf(out, "\nfeatures:%s\n", m->features_n ? "" : " {}");
    for (size_t i = 0; i < m->features_n; i++)
        show_feature(out, m->features[i]);
    p3d_buf_addf(out, "\nmodels:%s\n", m->features_n ? "" : " {}");
    for (size_t i = 0; i < m->features_n; i++) {
        p3d_buf_addz(out, "  ");
        p3d_yaml_quote(out, m->features[i]->name);
        p3d_buf_addf(out, ":%s\n", m->features[i]->models_n ? "" : " {}");
        for (size_t k = 0; k < m->features[i]->models_n; k++)
            show_model(out, m->features[i]->models[k]);
    }
}
