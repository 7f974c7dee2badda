/* SPDX-License-Identifier: MIT */
/* Reading and checking the parameters.
 *
 * One table: a row says the name, the function that reads it, the range and the help text; the
 * messages and --help come from it. A parameter that is not in the table is an error, so that a
 * typing mistake never passes silently. Values arrive as JSON both from the runner and from
 * --param. Whether the font exists is font.c's business; here only its name is checked.
 * A new parameter is a field in params.h and a row here. */
#include "params.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

struct rule {
    const char *name;
    int (*read)(const struct rule *rule, json_t *value, struct let_params *params,
                struct let_error *err);
    size_t offset;     /* of the field, for read_number */
    double low, high;  /* for read_number, inclusive */
    const char *range; /* for people */
    const char *help;
};

static int bad(const struct rule *rule, json_t *value, struct let_error *err)
{
    char given[64] = "a value of another type";

    if (json_is_number(value))
        (void)snprintf(given, sizeof(given), "%.10g", json_number_value(value));
    else if (json_is_string(value))
        (void)snprintf(given, sizeof(given), "\"%.40s\"", json_string_value(value));
    else if (json_is_boolean(value))
        (void)snprintf(given, sizeof(given), "%s", json_is_true(value) ? "true" : "false");
    return let_fail(err, LET_BAD_PARAMETER, "parameter \"%s\" must be %s, not %s", rule->name,
                    rule->range, given);
}

static int read_number(const struct rule *rule, json_t *value, struct let_params *params,
                       struct let_error *err)
{
    double number = json_number_value(value);

    if (!json_is_number(value) || !(number >= rule->low && number <= rule->high))
        return bad(rule, value, err);
    memcpy((char *)params + rule->offset, &number, sizeof(number));
    return 0;
}

static int read_smooth(const struct rule *rule, json_t *value, struct let_params *params,
                       struct let_error *err)
{
    if (!json_is_boolean(value))
        return bad(rule, value, err);
    params->smooth = json_is_true(value);
    return 0;
}

static int read_align(const struct rule *rule, json_t *value, struct let_params *params,
                      struct let_error *err)
{
    static const char *const words[] = {"left", "center", "right"};

    for (int i = 0; i < 3; i++)
        if (json_is_string(value) && !strcmp(json_string_value(value), words[i])) {
            params->align = (enum let_align)i;
            return 0;
        }
    return bad(rule, value, err);
}

static int hex(char c)
{
    const char *digits = "0123456789abcdef0123456789ABCDEF";
    const char *at = c ? strchr(digits, c) : NULL;

    return at ? (int)((at - digits) % 16) : -1;
}

/* IEC 61966-2-1; glTF wants linear factors */
static double linear(double srgb)
{
    return srgb <= 0.04045 ? srgb / 12.92 : pow((srgb + 0.055) / 1.055, 2.4);
}

static int read_color(const struct rule *rule, json_t *value, struct let_params *params,
                      struct let_error *err)
{
    const char *text = json_string_value(value);

    if (!text || json_string_length(value) != 7 || text[0] != '#')
        return bad(rule, value, err);
    for (int i = 0; i < 3; i++) {
        int high = hex(text[1 + 2 * i]), low = hex(text[2 + 2 * i]);

        if (high < 0 || low < 0)
            return bad(rule, value, err);
        params->color[i] = linear((high * 16 + low) / 255.0);
    }
    return 0;
}

static int read_font(const struct rule *rule, json_t *value, struct let_params *params,
                     struct let_error *err)
{
    const char *name = json_string_value(value);
    size_t length = json_string_length(value);

    if (!name || !length || length >= sizeof(params->font) || strlen(name) != length ||
        name[0] == '.' || strchr(name, '/'))
        return bad(rule, value, err);
    memcpy(params->font, name, length + 1);
    return 0;
}

#define NUMBER(name, low, high, range, help)                                                       \
    {                                                                                              \
#name, read_number, offsetof(struct let_params, name), low, high, range, help              \
    }

static const struct rule rules[] = {
    NUMBER(depth, 0.0005, 10, "a number from 0.0005 to 10", "metres front to back (0.02)"),
    NUMBER(height, 0.001, 100, "a number from 0.001 to 100",
           "metres, height of a capital letter (0.1)"),
    NUMBER(bevel, 0, 5, "a number from 0 to 5 and less than half of depth",
           "metres, width of the bevel, 0 for none (0.002, less for small letters)"),
    NUMBER(metallic, 0, 1, "a number from 0 to 1", "of the material (0)"),
    NUMBER(roughness, 0, 1, "a number from 0 to 1", "of the material (0.4)"),
    NUMBER(line_spacing, 0.5, 5, "a number from 0.5 to 5", "times the font's own (1)"),
    {"color", read_color, 0, 0, 0, "a colour like \"#d98c2b\"", "of the material, sRGB (#e0912f)"},
    {"colour", read_color, 0, 0, 0, "a colour like \"#d98c2b\"", "the same as color"},
    {"smooth", read_smooth, 0, 0, 0, "true or false", "smooth normals along curves (true)"},
    {"font", read_font, 0, 0, 0, "the bare file name of a font in the font directory",
     "file name in the font directory (DejaVuSans-Bold.ttf)"},
    {"align", read_align, 0, 0, 0, "\"left\", \"center\" or \"right\"", "of the lines (center)"},
};

#define RULES (sizeof(rules) / sizeof(rules[0]))

static int read_one(const char *name, json_t *value, struct let_params *params,
                    struct let_error *err)
{
    for (size_t i = 0; i < RULES; i++)
        if (!strcmp(rules[i].name, name))
            return rules[i].read(&rules[i], value, params, err);
    return let_fail(err, LET_BAD_PARAMETER, "parameter \"%.60s\" is not known", name);
}

int let_params_read(json_t *object, struct let_params *ret_params, struct let_error *err)
{
    struct let_params params = {
        .depth = 0.02,
        .height = 0.1,
        .bevel = -1,
        .metallic = 0,
        .roughness = 0.4,
        .line_spacing = 1,
        .color = {linear(0xe0 / 255.0), linear(0x91 / 255.0), linear(0x2f / 255.0)},
        .smooth = true,
        .align = LET_CENTER,
        .font = "DejaVuSans-Bold.ttf"};
    const char *name;
    json_t *value;

    if (object && !json_is_object(object) && !json_is_null(object))
        return let_fail(err, LET_BAD_INPUT, "\"parameters\" must be an object");
    json_object_foreach(object, name, value)
    {
        int status = read_one(name, value, &params, err);

        if (status)
            return status;
    }
    if (json_object_get(object, "color") && json_object_get(object, "colour"))
        return let_fail(err, LET_BAD_PARAMETER,
                        "parameters \"color\" and \"colour\" are the same: give one");
    if (params.bevel >= params.depth / 2)
        return let_fail(err, LET_BAD_PARAMETER,
                        "parameter \"bevel\" (%.10g) must be less than half of \"depth\" (%.10g)",
                        params.bevel, params.depth);
    if (params.bevel < 0)
        params.bevel = fmin(0.002, fmin(params.depth / 5, params.height / 25));
    *ret_params = params;
    return 0;
}

void let_params_help(FILE *out)
{
    for (size_t i = 0; i < RULES; i++)
        (void)fprintf(out, "  %-13s %s\n", rules[i].name, rules[i].help);
}
