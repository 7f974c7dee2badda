/* SPDX-License-Identifier: MIT
 *
 * config.def as a table, with the names of each row: "server.port" in the file, P3D_SERVER__PORT in
 * the environment. A new setting is a row in config.def; a second spelling of one is a row in
 * p3d_cfg_aliases.
 */
#include <ctype.h>
#include <string.h>

#include "config_internal.h"

#define ROW(t, s, k, def, w, lo, hi, u, d)                                                         \
    {.type = P3D_CFG_T_##t,                                                                        \
     .section = #s,                                                                                \
     .key = #k,                                                                                    \
     .fallback = def,                                                                              \
     .words = w,                                                                                   \
     .min = lo,                                                                                    \
     .max = hi,                                                                                    \
     .unit = u,                                                                                    \
     .doc = d,                                                                                     \
     .offset = offsetof(struct p3d_config, s##_##k)},
#define P3D_CFG_BOOL(s, k, def, d) ROW(BOOL, s, k, #def, NULL, 0, 1, NULL, d)
#define P3D_CFG_INT(s, k, def, lo, hi, u, d) ROW(INT, s, k, #def, NULL, lo, hi, u, d)
#define P3D_CFG_TEXT(s, k, def, d) ROW(TEXT, s, k, def, NULL, 0, 0, NULL, d)
#define P3D_CFG_PATH(s, k, def, d) ROW(PATH, s, k, def, NULL, 0, 0, NULL, d)
#define P3D_CFG_ENUM(s, k, def, w, d) ROW(ENUM, s, k, def, w, 0, 0, NULL, d)
#define P3D_CFG_LIST(s, k, def, d) ROW(LIST, s, k, def, NULL, 0, 0, NULL, d)
#define P3D_CFG_SECRET(s, k, d) ROW(SECRET, s, k, NULL, NULL, 0, 0, NULL, d)
const struct p3d_cfg_row p3d_cfg_rows[] = {
#include "p3d/config.def"
};
const size_t p3d_cfg_rows_n = sizeof p3d_cfg_rows / sizeof *p3d_cfg_rows;

const struct p3d_cfg_alias p3d_cfg_aliases[] = {
    {"security.user_auth_enabled", "P3D_USER_AUTH_ENABLED", "user_auth_enabled"},
    {"redis.url", "P3D_REDIS_URL", NULL},
    {"security.admin_api_key", "ADMIN_API_TOKEN", NULL},
};
const size_t p3d_cfg_aliases_n = sizeof p3d_cfg_aliases / sizeof *p3d_cfg_aliases;

bool p3d_cfg_row_top(const struct p3d_cfg_row *row)
{
    return !strcmp(row->section, "top");
}

bool p3d_cfg_row_secret(const struct p3d_cfg_row *row)
{
    return row->type == P3D_CFG_T_SECRET ||
           (!strcmp(row->section, "security") && !strcmp(row->key, "api_keys"));
}

void p3d_cfg_row_name(const struct p3d_cfg_row *row, char dst[64])
{
    bool top = p3d_cfg_row_top(row);
    (void)p3d_format(dst, 64, "%s%s%s", top ? "" : row->section, top ? "" : ".", row->key);
}

void p3d_cfg_row_env(const struct p3d_cfg_row *row, char dst[64])
{
    bool top = p3d_cfg_row_top(row);
    (void)p3d_format(dst, 64, "P3D_%s%s%s", top ? "" : row->section, top ? "" : "__", row->key);
    for (char *c = dst; *c; c++)
        *c = (char)toupper((unsigned char)*c);
}

const struct p3d_cfg_row *p3d_cfg_row_find(const char *dotted)
{
    for (size_t i = 0; i < p3d_cfg_rows_n; i++) {
        char name[64];
        p3d_cfg_row_name(&p3d_cfg_rows[i], name);
        if (!strcmp(name, dotted))
            return &p3d_cfg_rows[i];
    }
    return NULL;
}
