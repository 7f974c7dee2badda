/* SPDX-License-Identifier: MIT
 *
 * What the server says about itself: greeting, liveness, modes, features, models. Liveness asks nobody.
 * Readiness is in ready.c.
 */
#include "app_internal.h"

#include <string.h>

#include "p3d/clock.h"

/* Who may do what here. Whoever puts an open server on a network must be able to read it off its answers. */
static const char *access_text(const struct p3d_config *cfg)
{
    if (cfg->security_user_auth_enabled)
        return "Users register and log in; each sees their own jobs";
    if (cfg->security_api_key_required)
        return "Simple mode with API keys: everybody who has one of the server's API keys may do everything, with "
               "everybody's jobs and files";
    return "Simple mode, no authentication: everybody who reaches this server may do everything, with everybody's jobs "
           "and files";
}

void p3d_api_root(struct p3d_call *c)
{
    const struct p3d_config *cfg = p3d_call_app(c)->cfg;
    P3D_CLEANUP(p3d_freep) char *open = p3d_asprintf("Job server for self-hosted generative 3D. %s", access_text(cfg));
    const char *text = cfg->security_user_auth_enabled ? "Job server for self-hosted generative 3D" : open;
    p3d_reply_json(c, 200,
                   json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "name", "P3D", "version", P3D_VERSION, "description",
                             text, "docs_url", "/docs", "health_url", "/health",
                             "deployment_mode", "multi_worker"));
}

void p3d_api_health(struct p3d_call *c)
{
    double uptime = (double)(p3d_mono_ms() - p3d_call_app(c)->started_ms) / 1000.0;
    p3d_reply_json(c, 200, json_pack("{s:s, s:f, s:s, s:f}", "status", "healthy", "timestamp", p3d_wall_s(), "version",
                                     P3D_VERSION, "uptime", uptime));
}

void p3d_api_auth_status(struct p3d_call *c)
{
    const struct p3d_config *cfg = p3d_call_app(c)->cfg;
    int auth = cfg->security_user_auth_enabled, key = cfg->security_api_key_required;
    const char *mode = auth ? "authenticated" : key ? "api_key" : "simple";
    p3d_reply_json(c, 200,
                   json_pack("{s:b, s:b, s:s, s:s, s:{s:b, s:b, s:b}, s:f}", "user_auth_enabled", auth,
                             "api_key_required", auth || key, "mode", mode, "description", access_text(cfg), "features",
                             "job_isolation", auth, "user_management", auth, "role_based_access", auth, "timestamp",
                             p3d_wall_s()));
}

static json_t *model_ids(const struct p3d_feature *f)
{
    json_t *ids = json_array();
    for (size_t i = 0; i < f->models_n; i++)
        if (f->models[i]->enabled)
            (void)json_array_append_new(ids, json_string(f->models[i]->id));
    return ids;
}

void p3d_api_features(struct p3d_call *c)
{
    const struct p3d_models *m = p3d_call_app(c)->cfg->models;
    json_t *list = json_array();
    for (size_t i = 0; i < m->features_n; i++) {
        json_t *ids = model_ids(m->features[i]);
        (void)json_array_append_new(list, json_pack("{s:s, s:I, s:o}", "name", m->features[i]->name, "model_count",
                                                    (json_int_t)json_array_size(ids), "models", ids));
    }
    p3d_reply_json(c, 200,
                   json_pack("{s:o, s:I}", "features", list, "total_features", (json_int_t)m->features_n));
}

struct models {
    struct p3d_call *call;
    struct p3d_str feature; /* p == NULL: all */
};

static void say_models(const struct models *q)
{
    const struct p3d_models *m = p3d_call_app(q->call)->cfg->models;
    json_t *all = json_object();
    json_int_t models = 0;
    for (size_t i = 0; i < m->features_n; i++) {
        if (q->feature.p != NULL && !p3d_str_eq_z(q->feature, m->features[i]->name))
            continue;
        json_t *ids = model_ids(m->features[i]);
        models += (json_int_t)json_array_size(ids);
        (void)json_object_set_new(all, m->features[i]->name, ids);
    }
    json_int_t features = (json_int_t)json_object_size(all);
    p3d_reply_json(q->call, 200, json_pack("{s:o, s:I, s:I}", "available_models", all, "total_features", features,
                                           "total_models", models));
}

static void on_models(void *priv, int err, const struct p3d_answer *a)
{
    struct models *q = priv;
    struct p3d_call *c = q->call;
    (void)a;
    if (err != 0) {
        p3d_api_store_failed(c, err);
    } else if (q->feature.p != NULL && p3d_feature_find(p3d_call_app(c)->cfg->models, q->feature) == NULL) {
        char *text = p3d_asprintf("Feature '%.*s' not found", (int)q->feature.n, q->feature.p);
        p3d_reply_error(c, P3D_E_NOT_FOUND, text);
        free(text);
    } else {
        say_models(q);
    }
    p3d_call_unref(c);
}

void p3d_api_models(struct p3d_call *c)
{
    struct p3d_refusal r = {.faults = {NULL}};
    struct models *q = p3d_call_alloc(c, sizeof(*q));
    q->feature = p3d_query_text(c, "feature", 128, &r.faults);
    if (r.faults.list != NULL) {
        p3d_api_refuse(c, &r, NULL);
        return;
    }
    q->call = p3d_call_ref(c);
    p3d_api_began(c, p3d_api_check(c, p3d_call_access(c), on_models, q));
}
