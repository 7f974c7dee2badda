/* SPDX-License-Identifier: MIT
 *
 * core/base/config_show.c, model_show.c: what is shown loads again to the same, hides secrets and
 * names the source; the shipped config.yaml, the built-in models and the defaults of config.def say
 * the same.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fixture.h"

#include "core/base/model_internal.h"

static const char *const source_dir = P3D_SOURCE_DIR; /* of the repository */

static char *show(const struct p3d_config *cfg)
{
    struct p3d_buf b;
    p3d_buf_init(&b, 0);
    p3d_config_show(cfg, &b);
    return p3d_buf_take(&b);
}

/* Without comments, which name the sources and those differ. Lines of ours have no '#' in a value.
 */
static char *bare(const char *text)
{
    struct p3d_buf b;
    p3d_buf_init(&b, 0);
    for (const char *line = text; *line;) {
        size_t n = strcspn(line, "\n"), keep = n;
        const char *hash = memmem(line, n, "  # ", 4);
        keep = hash ? (size_t)(hash - line) : n;
        if (line[0] != '#' && strncmp(line, "  # ", 4) != 0)
            p3d_buf_add(&b, line, keep);
        p3d_buf_addz(&b, "\n");
        line += n + (line[n] == '\n');
    }
    return p3d_buf_take(&b);
}

static void same_shown(const char *one_yaml, const char *other_yaml)
{
    char *yaml[] = {p3d_strdup(one_yaml), p3d_strdup(other_yaml)}, *text[2];
    for (int i = 0; i < 2; i++) {
        struct p3d_config *cfg = NULL;
        struct p3d_error err = {0};
        if (fixture_load(yaml[i], &cfg, &err))
            fail_msg("%s: %s in\n%s", err.where, err.detail, yaml[i]);
        char *shown = show(cfg);
        text[i] = bare(shown);
        free(shown);
        p3d_config_free(cfg);
        free(yaml[i]);
    }
    assert_string_equal(text[0], text[1]);
    free(text[0]);
    free(text[1]);
}

static void round_trip(void **state)
{
    (void)state;
    static const char text[] =
        "server: {host: '::1', port: 0, public_url: 'https://x/#y'}\n"
        "security: {cors_origins: ['http://a', \"q\\\"\\\\z\"]}\n"
        "data_dir: \"d\\u00fc \\u0085'x\"\n"
        "features:\n"
        "  f: {title: 'a: \"b\"', route: a/b, default_model: m, model_aliases: {x: m, 'y.1': m}, "
        "inputs: {\n"
        "    i: {type: integer, minimum: -5, maximum: 900719925474099, default: 3},\n"
        "    n: {type: number, minimum: -0.1, default: 1e-7, enum: [1e-7, 0.25]},\n"
        "    s: {type: string, max_length: 9, min_length: 1, default: '5', enum: ['5', on]},\n"
        "    o: {type: object, default: {a: [1, 'x', null, true, 1.5]}}, l: {type: array, "
        "required: true},\n"
        "    'null': {type: 'file:mesh', description: \"l1\\nl2\"}}}\n"
        "  g: {}\n"
        "models:\n"
        "  f:\n"
        "    m: {command: [/bin/true, 'a b', '{x}'], mode: persistent, max_workers: -1, "
        "supported_inputs: [text, 'a,b']}\n"
        "    off: {enabled: false, outputs: none, parameters: {}}\n";
    struct p3d_config *cfg = NULL;
    struct p3d_error err = {0};
    if (fixture_load(text, &cfg, &err))
        fail_msg("%s: %s", err.where, err.detail);
    char *shown = show(cfg);
    p3d_config_free(cfg);
    same_shown(text, shown);
    free(shown);
}

static void secrets_and_sources(void **state)
{
    (void)state;
    char *env[] = {"P3D_REDIS_URL=redis://:hunter2@h:1/0", NULL};
    struct p3d_setting flag = {"server.port", "9", "--port"};
    struct p3d_config *cfg = NULL;
    struct p3d_error err = {0};
    fixture_write("s.yaml",
                  "security: {admin_api_key: hunter3, api_keys: [hunter4]}\nfeatures: {f: {}}\n"
                  "models: {f: {m: {command: [x], env: {HF_TOKEN: hunter5}}}}\n",
                  0600);
    assert_int_equal(p3d_config_load("s.yaml", &flag, 1, env, &cfg, &err), 0);
    char *shown = show(cfg);
    assert_null(strstr(shown, "hunter"));
    assert_non_null(strstr(shown, "  url: \"(set)\"  # P3D_REDIS_URL\n"));
    assert_non_null(
        strstr(shown, "  admin_api_key: \"(set)\"  # s.yaml:1: security.admin_api_key\n"));
    assert_non_null(strstr(shown, "  api_keys: [\"(set)\"]  # s.yaml:1"));
    assert_non_null(strstr(shown, "HF_TOKEN: \"(set)\""));
    assert_non_null(strstr(shown, "  port: 9  # --port: server.port\n"));
    assert_non_null(strstr(shown, "  host: \"0.0.0.0\"  # default\n"));
    assert_non_null(strstr(shown, "# Read from: /"));
    free(shown);
    p3d_config_free(cfg);
}

/* The text of the shipped file, with a program that exists in the place of the shipped one. */
static char *with_program(const char *text)
{
    struct p3d_buf b;
    p3d_buf_init(&b, 0);
    const char *mark = "{libexec}/lettering";
    for (const char *at; (at = strstr(text, mark)); text = at + strlen(mark)) {
        p3d_buf_add(&b, text, (size_t)(at - text));
        p3d_buf_addz(&b, "/bin/true");
    }
    p3d_buf_addz(&b, text);
    return p3d_buf_take(&b);
}

static void shipped_file(void **state)
{
    (void)state;
    static char text[65536];
    char *path = p3d_asprintf("%s/config.yaml", source_dir);
    FILE *f = fopen(path, "re");
    free(path);
    assert_non_null(f);
    text[fread(text, 1, sizeof text - 1, f)] = 0;
    assert_int_equal(fclose(f), 0);
    for (size_t i = 0; i < p3d_cfg_rows_n; i++) { /* complete: every key stands in it */
        char *key = p3d_asprintf("%s%s:", p3d_cfg_row_top(&p3d_cfg_rows[i]) ? "\n" : "\n  ",
                                 p3d_cfg_rows[i].key);
        if (!strstr(text, key))
            fail_msg("config.yaml lacks %s", p3d_cfg_rows[i].key);
        free(key);
    }
    char *file = with_program(text), *builtin = with_program(p3d_models_default);
    same_shown(file, builtin);
    free(file);
    free(builtin);
}

/* Without features and models the built-in ones hold; whether their program is there depends on the
 * build. */
static void builtin(void **state)
{
    (void)state;
    struct p3d_config *cfg = NULL;
    struct p3d_error err = {0};
    if (fixture_load("server: {port: 1}\n", &cfg, &err)) {
        assert_non_null(strstr(err.where, "built-in models:"));
        assert_non_null(strstr(err.where, "models.mesh_generation.lettering.command"));
        assert_non_null(strstr(err.detail, "lettering cannot be executed"));
        return;
    }
    assert_non_null(p3d_model_by_kind(cfg->models, P3D_STR("mesh_generation/lettering")));
    p3d_config_free(cfg);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(secrets_and_sources),
        cmocka_unit_test(shipped_file),
        cmocka_unit_test(builtin),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
