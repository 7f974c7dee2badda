/* SPDX-License-Identifier: MIT
 *
 * Loading the configuration: flags > environment > file > defaults. Every source says its values at
 * its level (config_value.c settles between them), then the struct is filled, completed and checked
 * as a whole. Guarantee: on any fault nothing is returned but the words for it; there is no
 * half-read configuration.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "config_internal.h"
#include "model_internal.h"
#include "p3d/net.h"

static int read_flags(struct p3d_cfg_load *l, const struct p3d_setting *settings, size_t n,
                      struct p3d_error *err)
{
    for (size_t i = 0; i < n; i++) {
        struct p3d_cfg_at from = {.name = settings[i].from ? settings[i].from : "command line"};
        struct p3d_cfg_at at = {.up = &from, .name = settings[i].key};
        const struct p3d_cfg_row *row = p3d_cfg_row_find(settings[i].key);
        if (!row)
            return p3d_cfg_fail(&at, err, "unknown key");
        int status = p3d_cfg_set_text(l, row, P3D_CFG_FLAG, settings[i].value, l->cwd, &at, err);
        if (status)
            return status;
    }
    return 0;
}

static int read_defaults(struct p3d_cfg_load *l, struct p3d_error *err)
{
    struct p3d_cfg_at at = {.name = "default"};
    for (size_t i = 0; i < p3d_cfg_rows_n; i++) {
        const struct p3d_cfg_row *row = &p3d_cfg_rows[i];
        int status =
            p3d_cfg_set_text(l, row, P3D_CFG_DEFAULT, row->fallback, l->file_dir, &at, err);
        if (status)
            return status;
    }
    return 0;
}

/* The place where a setting's value was said, for faults that show only when all are known. */
static int fail_key(const struct p3d_config *cfg, const char *key, struct p3d_error *err,
                    const char *text)
{
    const char *source = cfg->sources[p3d_cfg_row_find(key) - p3d_cfg_rows];
    struct p3d_cfg_at from = {.name = source}, at = {.up = &from, .name = key};
    size_t a = strlen(source), b = strlen(key);
    bool said = a >= b && !strcmp(source + a - b,
                                  key); /* "config.yaml:3: security.api_keys" names it already */
    return p3d_cfg_fail(said ? &from : &at, err, "%s", text);
}

static int finish(struct p3d_config *cfg, struct p3d_error *err)
{
    if (!cfg->artifact_root)
        cfg->artifact_root = p3d_path_absolute(cfg->top_data_dir, "jobs");
    if (cfg->security_api_key_required && !cfg->security_api_keys[0])
        return fail_key(cfg, "security.api_key_required", err,
                        "is true, but security.api_keys is empty: nobody could come in");
    const char *url = cfg->server_public_url;
    if (url && strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
        return fail_key(cfg, "server.public_url", err, "must begin with http:// or https://");
    for (char **proxy = cfg->server_trusted_proxies; *proxy; proxy++) {
        struct p3d_net net;
        if (p3d_net_parse(p3d_str_z(*proxy), &net))
            return fail_key(cfg, "server.trusted_proxies", err,
                            "must be addresses or networks, like 127.0.0.1 or 10.0.0.0/8");
    }
    return 0;
}

static int read_sources(struct p3d_cfg_load *l, const char *file,
                        const struct p3d_setting *settings, size_t n, char *const *env,
                        struct p3d_error *err)
{
    int status = p3d_cfg_read_file(l, file, err);
    status = status ? status : p3d_cfg_read_env(l, env, err);
    status = status ? status : read_flags(l, settings, n, err);
    return status ? status : read_defaults(l, err);
}

static int read_models(const struct p3d_cfg_load *l, struct p3d_config *cfg, struct p3d_error *err)
{
    struct p3d_models_source source = {.name = l->file_name,
                                       .features = l->features,
                                       .models = l->models,
                                       .features_line = l->features_line,
                                       .models_line = l->models_line,
                                       .config_dir = l->file_dir};
    if (l->features || l->models)
        return p3d_models_read(&source, &cfg->models, err);
    return p3d_models_read_default(l->file_dir, &cfg->models, err);
}

static const char *config_of_env(char *const *env)
{
    for (; env && *env; env++)
        if (!strncmp(*env, "P3D_CONFIG=", 11) && (*env)[11])
            return *env + 11;
    return NULL;
}

static void load_done(struct p3d_cfg_load *l)
{
    for (size_t i = 0; i < p3d_cfg_rows_n; i++)
        p3d_cfg_value_done(&l->values[i]);
    free(l->values);
    free(l->cwd);
    free(l->file);
    free(l->file_dir);
    free(l->file_name);
    p3d_yaml_free(l->tree);
}

int p3d_config_load(const char *file, const struct p3d_setting *settings, size_t n,
                    char *const *env, struct p3d_config **ret, struct p3d_error *err)
{
    struct p3d_cfg_load l = {.values = p3d_alloc(p3d_cfg_rows_n * sizeof *l.values)};
    struct p3d_config *cfg = p3d_alloc(sizeof *cfg);
    struct p3d_cfg_at here = {.name = "working directory"};
    l.cwd = getcwd(NULL, 0);
    int status = l.cwd ? 0 : p3d_cfg_fail(&here, err, "cannot be found: %s", strerror(errno));
    status =
        status ? status : read_sources(&l, file ? file : config_of_env(env), settings, n, env, err);
    if (!status) {
        cfg->sources = p3d_alloc((p3d_cfg_rows_n + 1) * sizeof *cfg->sources);
        p3d_cfg_store(&l, cfg);
        status = finish(cfg, err);
    }
    if (!status)
        status = read_models(&l, cfg, err);
    if (!status) {
        cfg->file = l.file;
        cfg->file_dir = l.file_dir;
        l.file = l.file_dir = NULL;
        *ret = cfg;
    } else {
        p3d_config_free(cfg);
    }
    load_done(&l);
    return status;
}

static void free_field(const struct p3d_cfg_row *row, void *field)
{
    if (row->type == P3D_CFG_T_SECRET) {
        p3d_secret_done(field);
    } else if (row->type == P3D_CFG_T_LIST) {
        char **list = *(char ***)field;
        for (char **item = list; p3d_cfg_row_secret(row) && item && *item; item++)
            p3d_wipe(*item, strlen(*item));
        p3d_strv_free(list);
    } else if (row->type != P3D_CFG_T_BOOL && row->type != P3D_CFG_T_INT) {
        free(*(char **)field);
    }
}

void p3d_config_free(struct p3d_config *cfg)
{
    if (!cfg)
        return;
    for (size_t i = 0; i < p3d_cfg_rows_n; i++) {
        free_field(&p3d_cfg_rows[i], (char *)cfg + p3d_cfg_rows[i].offset);
        if (cfg->sources)
            free(cfg->sources[i]);
    }
    free(cfg->sources);
    free(cfg->file);
    free(cfg->file_dir);
    p3d_models_free(cfg->models);
    free(cfg);
}
