/* SPDX-License-Identifier: MIT
 *
 * `p3d config show`: every setting with its value, where it was said and what it does, as YAML that
 * loads again. Secrets appear as "(set)" or null, and the loader refuses that word for a secret, so
 * a shown file can never give a server a known key.
 */
#include <string.h>

#include "config_internal.h"
#include "model_internal.h"

static void show_list(struct p3d_buf *out, char *const *list, bool secret)
{
    p3d_buf_addz(out, "[");
    for (size_t i = 0; list[i]; i++) {
        p3d_buf_addz(out, i ? ", " : "");
        p3d_yaml_quote(out, secret ? P3D_CFG_MASK : list[i]);
    }
    p3d_buf_addz(out, "]");
}

static void show_value(struct p3d_buf *out, const struct p3d_cfg_row *row, const void *field)
{
    const char *text = NULL;
    if (row->type == P3D_CFG_T_BOOL) {
        p3d_buf_addz(out, *(const bool *)field ? "true" : "false");
        return;
    }
    if (row->type == P3D_CFG_T_INT) {
        p3d_buf_addf(out, "%lld", (long long)*(const int64_t *)field);
        return;
    }
    if (row->type == P3D_CFG_T_LIST) {
        show_list(out, *(char **const *)field, p3d_cfg_row_secret(row));
        return;
    }
    if (row->type == P3D_CFG_T_SECRET)
        text = ((const struct p3d_secret *)field)->n ? P3D_CFG_MASK : NULL;
    else
        text = *(char *const *)field;
    if (text)
        p3d_yaml_quote(out, text);
    else
        p3d_buf_addz(out, "null");
}

/* A source may hold any byte of a file's name; in a comment it stays on its line. */
static void show_source(struct p3d_buf *out, const char *source)
{
    for (; source && *source; source++) {
        char c = (unsigned char)*source < 0x20 || (unsigned char)*source >= 0x7f ? '?' : *source;
        p3d_buf_add(out, &c, 1);
    }
}

static void show_row(struct p3d_buf *out, const struct p3d_config *cfg, size_t i)
{
    const struct p3d_cfg_row *row = &p3d_cfg_rows[i];
    const char *indent = p3d_cfg_row_top(row) ? "" : "  ";
    p3d_buf_addf(out, "%s# %s", indent, row->doc);
    if (row->type == P3D_CFG_T_INT)
        p3d_buf_addf(out, " (%lld to %lld %s)", (long long)row->min, (long long)row->max,
                     row->unit);
    if (row->words)
        p3d_buf_addf(out, " (%s)", row->words);
    p3d_buf_addf(out, "\n%s%s: ", indent, row->key);
    show_value(out, row, (const char *)cfg + row->offset);
    p3d_buf_addz(out, "  # ");
    show_source(out, cfg->sources[i]);
    p3d_buf_addz(out, "\n");
}

/* A section's rows need not stand together in config.def: a YAML map must. */
static void show_section(struct p3d_buf *out, const struct p3d_config *cfg, size_t first)
{
    const char *section = p3d_cfg_rows[first].section;
    for (size_t i = 0; i < first; i++)
        if (!strcmp(p3d_cfg_rows[i].section, section))
            return;
    p3d_buf_addz(out, "\n");
    if (!p3d_cfg_row_top(&p3d_cfg_rows[first]))
        p3d_buf_addf(out, "%s:\n", section);
    for (size_t i = first; i < p3d_cfg_rows_n; i++)
        if (!strcmp(p3d_cfg_rows[i].section, section))
            show_row(out, cfg, i);
}

void p3d_config_show(const struct p3d_config *cfg, struct p3d_buf *out)
{
    p3d_buf_addz(out, "# Read from: ");
    if (cfg->file)
        show_source(out, cfg->file);
    else
        p3d_buf_addz(out, "no file, defaults only");
    p3d_buf_addz(out, "\n");
    for (size_t i = 0; i < p3d_cfg_rows_n; i++)
        show_section(out, cfg, i);
    p3d_models_show(cfg->models, out);
}
