/* SPDX-License-Identifier: MIT
 *
 * Configuration: flag > environment > file > default, from one table (config.def). An unknown key, a bad value, a file
 * that does not parse, two spellings of one key that disagree: the load fails and says file, line and key.
 * Lifetime: process; read-only after loading.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "p3d/crypto.h"
#include "p3d/err.h"
#include "p3d/str.h"

struct p3d_models;

struct p3d_config {
#define P3D_CFG_BOOL(section, key, ...) bool section##_##key;
#define P3D_CFG_INT(section, key, ...) int64_t section##_##key;
#define P3D_CFG_TEXT(section, key, ...) char *section##_##key;
#define P3D_CFG_PATH(section, key, ...) char *section##_##key;
#define P3D_CFG_ENUM(section, key, ...) char *section##_##key;
#define P3D_CFG_LIST(section, key, ...) char **section##_##key;
#define P3D_CFG_SECRET(section, key, ...) struct p3d_secret section##_##key;
#include "p3d/config.def"
#undef P3D_CFG_BOOL
#undef P3D_CFG_INT
#undef P3D_CFG_TEXT
#undef P3D_CFG_PATH
#undef P3D_CFG_ENUM
#undef P3D_CFG_LIST
#undef P3D_CFG_SECRET
    char *file;                /* absolute path of what was read, or NULL: defaults only */
    char *file_dir;            /* its folder; relative paths count from here (without a file: the working directory) */
    char **sources;            /* for each row of config.def, in its order: where the value was said; for show */
    struct p3d_models *models; /* features and models, see model.h; never NULL */
};

/* A setting from the command line: key "server.port" or "data_dir", value as text; from "--port". */
struct p3d_setting {
    const char *key, *value, *from;
};

/* Load. What is there when left out is filled in: artifact_root is never NULL. file: --config, or NULL for ./config.yaml, then /etc/p3d/config.yaml, then defaults. env: as environ(7).
 * Also checked: no models of an enabled feature missing its command, aliases that lead nowhere, api_key_required
 * without api_keys. Spellings of user_auth_enabled: P3D_SECURITY__USER_AUTH_ENABLED, P3D_USER_AUTH_ENABLED, file
 * security.user_auth_enabled, file top-level user_auth_enabled. P3D_CONFIG = --config. P3D_REDIS_URL = P3D_REDIS__URL; ADMIN_API_TOKEN =
 * P3D_SECURITY__ADMIN_API_KEY. Secrets also as P3D_<SECTION>__<KEY>_FILE (first line of that file).
 * Unknown P3D_* variables are refused, except P3D_URL, P3D_TOKEN and the runner protocol's (P3D_JOB_ID, …).
 * Relative paths in the file count from its folder, flags and environment from the working directory.
 * ret: owned, p3d_config_free(). Errors: P3D_E_CONFIG, err->where "config.yaml:12: server.port" (or the variable or
 * flag), err->detail what is wrong and what would be right. Blocks (reads files). */
P3D_MUST int p3d_config_load(const char *file, const struct p3d_setting *settings, size_t n, char *const *env,
                             struct p3d_config **ret, struct p3d_error *err);
void p3d_config_free(struct p3d_config *cfg);

/* Every key with its value, where it came from and its doc, as YAML text; secrets as "(set)" or null. */
void p3d_config_show(const struct p3d_config *cfg, struct p3d_buf *out);
