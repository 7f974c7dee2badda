/* SPDX-License-Identifier: MIT
 *
 * core/base/config.c, config_file.c, config_value.c: every row of config.def has a good default,
 * takes a value and refuses a bad one; the file's faults are said with file, line and key.
 */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixture.h"

#include "core/base/config_internal.h"

static void defaults(void **state)
{
    (void)state;
    struct p3d_config *cfg;
    struct p3d_error err;
    assert_int_equal(fixture_load(MODELS, &cfg, &err), 0);
    assert_string_equal(cfg->server_host, "0.0.0.0");
    assert_int_equal(cfg->server_port, 7842);
    assert_null(cfg->server_public_url);
    assert_int_equal(cfg->redis_url.n, 0);
    assert_true(cfg->security_user_auth_enabled);
    assert_false(cfg->security_api_key_required);
    assert_null(cfg->security_api_keys[0]);
    assert_string_equal(cfg->security_cors_origins[0], "*");
    assert_null(cfg->security_cors_origins[1]);
    assert_int_equal(cfg->limits_max_queued_jobs, 100000);
    assert_int_equal(cfg->workers_max_output_bytes, INT64_C(10737418240));
    char *data = p3d_asprintf("%s/data", fixture_dir),
         *jobs = p3d_asprintf("%s/data/jobs", fixture_dir);
    assert_string_equal(cfg->top_data_dir, data);
    assert_string_equal(cfg->artifact_root, jobs);
    assert_string_equal(cfg->file_dir, fixture_dir);
    for (size_t i = 0; i < p3d_cfg_rows_n; i++)
        assert_string_equal(cfg->sources[i], "default");
    free(data);
    free(jobs);
    p3d_config_free(cfg);
    p3d_config_free(NULL);
}

/* Made from the table: a good and a bad text for each row. */
static void every_row(void **state)
{
    (void)state;
    static const char *const good[] = {[P3D_CFG_T_BOOL] = "off",
                                       [P3D_CFG_T_TEXT] = "https://x",
                                       [P3D_CFG_T_PATH] = "x/y",
                                       [P3D_CFG_T_LIST] = "[10.0.0.1, '::1']",
                                       [P3D_CFG_T_SECRET] = "abc"};
    static const char *const bad[] = {
        [P3D_CFG_T_BOOL] = "maybe", [P3D_CFG_T_INT] = "abc",   [P3D_CFG_T_TEXT] = "{a: 1}",
        [P3D_CFG_T_PATH] = "[a]",   [P3D_CFG_T_ENUM] = "none", [P3D_CFG_T_LIST] = "{a: 1}",
        [P3D_CFG_T_SECRET] = "[a]"};
    for (size_t i = 0; i < p3d_cfg_rows_n; i++) {
        const struct p3d_cfg_row *row = &p3d_cfg_rows[i];
        const char *top = p3d_cfg_row_top(row) ? NULL : row->section;
        char name[64], number[32];
        p3d_cfg_row_name(row, name);
        (void)p3d_format(number, sizeof number, "%lld", (long long)row->max);
        const char *value = row->type == P3D_CFG_T_INT    ? number
                            : row->type == P3D_CFG_T_ENUM ? row->fallback
                                                          : good[row->type];
        char *text = p3d_asprintf("%s%s%s: %s\n" MODELS, top ? top : "", top ? ":\n  " : "",
                                  row->key, value);
        struct p3d_config *cfg = NULL;
        struct p3d_error err = {0};
        if (fixture_load(text, &cfg, &err))
            fail_msg("%s: %s: %s", text, err.where, err.detail);
        char *where = p3d_asprintf("test.yaml:%d: %s", top ? 2 : 1, name);
        assert_string_equal(cfg->sources[i], where);
        p3d_config_free(cfg);
        free(text);
        text = p3d_asprintf("%s%s%s: %s\n" MODELS, top ? top : "", top ? ":\n  " : "", row->key,
                            bad[row->type]);
        assert_int_equal(fixture_load(text, &cfg, &err), P3D_E_CONFIG);
        assert_string_equal(err.where, where);
        free(text);
        free(where);
    }
}

static void refused(void **state)
{
    (void)state;
    static const struct refused rows[] = {
        {"server:\n  port: abc\n", "test.yaml:2: server.port",
         "must be a whole number between 0 and 65535, not 'abc'"},
        {"server: {port: 65536}\n", "test.yaml:1: server.port", "not '65536'"},
        {"server: {port: -1}\n", "test.yaml:1: server.port", "not '-1'"},
        {"server: {port: 1.5}\n", "test.yaml:1: server.port", "not '1.5'"},
        {"server: {port: }\n", "test.yaml:1: server.port", "null is not allowed here"},
        {"server: {port: ''}\n", "test.yaml:1: server.port", "must be a whole number"},
        {"server: {host: null}\n", "test.yaml:1: server.host", "null is not allowed here"},
        {"server: {host: ''}\n", "test.yaml:1: server.host", "must not be empty"},
        {"server: {host: \"a\\nb\"}\n", "test.yaml:1: server.host", "control characters"},
        {"server: {prot: 1}\n", "test.yaml:1: server.prot", "unknown key; did you mean 'port'?"},
        {"server: {zzzzzz: 1}\n", "test.yaml:1: server.zzzzzz", "unknown key"},
        {"server: 5\n", "test.yaml:1: server", "must be a map of settings"},
        {"sever: {port: 1}\n", "test.yaml:1: sever", "unknown key; did you mean 'server'?"},
        {"server.port: 1\n", "test.yaml:1: server.port", "unknown key"},
        {"top: {data_dir: x}\n", "test.yaml:1: top", "unknown key"},
        {"port: 1\n", "test.yaml:1: port", "unknown key"},
        {"- a\n", "test.yaml", "must be a map of sections"},
        {"hello\n", "test.yaml", "must be a map of sections"},
        {"server: {port: 1}\nserver: {port: 2}\n", "test.yaml:2", "key 'server' stands here twice"},
        {"security: {user_auth_enabled: }\n", "test.yaml:1: security.user_auth_enabled",
         "null is not allowed"},
        {"security: {user_auth_enabled: ''}\n", "test.yaml:1: security.user_auth_enabled",
         "must be true or false"},
        {"security: {user_auth_enabled: maybe}\n", "test.yaml:1: security.user_auth_enabled",
         "not 'maybe'"},
        {"user_auth_enabled: 2\n", "test.yaml:1: user_auth_enabled",
         "must be true or false, not '2'"},
        {"user_auth_enabled: false\nsecurity: {user_auth_enabled: true}\n",
         "test.yaml:2: security.user_auth_enabled",
         "says something else about security.user_auth_enabled than test.yaml:1: "
         "user_auth_enabled"},
        {"security: {api_key_required: true}\n", "test.yaml:1: security.api_key_required",
         "api_keys is empty"},
        {"security: {api_keys: [a, '']}\n", "test.yaml:1: security.api_keys",
         "item 2 must not be empty"},
        {"security: {api_keys: [a, {}]}\n", "test.yaml:1: security.api_keys",
         "item 2 must be a text"},
        {"security: {api_keys: ['(set)']}\n", "test.yaml:1: security.api_keys",
         "only stands for a secret"},
        {"security: {admin_api_key: '(set)'}\n", "test.yaml:1: security.admin_api_key",
         "only stands for a secret"},
        {"logging: {level: loud}\n", "test.yaml:1: logging.level",
         "must be one of debug, info, warn, error, not 'loud'"},
        {"logging: {level: inf}\n", "test.yaml:1: logging.level", "not 'inf'"},
        {"server: {trusted_proxies: [10.0.0.1, nginx]}\n", "test.yaml:1: server.trusted_proxies",
         "must be addresses or networks, like 127.0.0.1 or 10.0.0.0/8"},
        {"server: {public_url: ftp://x}\n", "test.yaml:1: server.public_url",
         "must begin with http:// or https://"},
        {"features: 5\n", "test.yaml:1: features", "must be a map"},
        {"\xff", "test.yaml:1", "UTF-8"},
    };
    FIXTURE_REFUSED(rows);
}

static void secrets_stay_secret(void **state)
{
    (void)state;
    struct p3d_config *cfg = NULL;
    struct p3d_error err = {0};
    char *text = p3d_alloc(1200);
    memset(text, 'x', 1100);
    char *yaml = p3d_asprintf("security: {admin_api_key: \"hunter2%s\"}\n", text);
    assert_int_equal(fixture_load(yaml, &cfg, &err), P3D_E_CONFIG);
    assert_null(strstr(err.detail, "hunter2"));
    assert_non_null(strstr(err.detail, "1,024"));
    free(yaml);
    free(text);
    assert_int_equal(fixture_load("security: {admin_api_key: k1}\n" MODELS, &cfg, &err), 0);
    assert_int_equal(cfg->security_admin_api_key.n, 2);
    assert_memory_equal(cfg->security_admin_api_key.p, "k1", 2);
    p3d_config_free(cfg);
}

static void good_files(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "# only a comment\n",
        "---\n",
        "{}\n",
        "server:\n",
        "server: {}\nworkers: null\n",
        "user_auth_enabled: no\nsecurity: {user_auth_enabled: OFF}\n",
        "redis: {url: null}\n",
        "redis: {url: }\n",
        "security: {cors_origins: 'http://a, http://b'}\n",
        "security: {cors_origins: []}\n",
        "security: {api_key_required: true, api_keys: [k]}\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char *text =
            p3d_asprintf("%s%s", texts[i], strstr(texts[i], "{}\n") == texts[i] ? "" : MODELS);
        struct p3d_config *cfg = NULL;
        struct p3d_error err = {0};
        int status = fixture_load(text, &cfg, &err);
        if (status && !strstr(err.where, "built-in models"))
            fail_msg("%s: %s: %s", text, err.where, err.detail);
        p3d_config_free(cfg);
        free(text);
    }
}

static void file_faults(void **state)
{
    (void)state;
    struct p3d_config *cfg = NULL;
    struct p3d_error err = {0};
    char *none[] = {NULL};
    assert_int_equal(p3d_config_load("absent.yaml", NULL, 0, none, &cfg, &err), P3D_E_CONFIG);
    assert_string_equal(err.where, "absent.yaml");
    assert_non_null(strstr(err.detail, "No such file"));
    assert_int_equal(p3d_config_load("/", NULL, 0, none, &cfg, &err), P3D_E_CONFIG);
    assert_non_null(strstr(err.detail, "cannot be read"));
    char *big = p3d_alloc(1048578);
    memset(big, '\n', 1048577);
    assert_int_equal(fixture_load(big, &cfg, &err), P3D_E_CONFIG);
    assert_non_null(strstr(err.detail, "larger than 1 MiB"));
    big[1048576] = 0;
    memcpy(big, MODELS, strlen(MODELS));
    assert_int_equal(fixture_load(big, &cfg, &err), 0);
    p3d_config_free(cfg);
    free(big);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(every_row),
        cmocka_unit_test(refused),
        cmocka_unit_test(good_files),
        cmocka_unit_test(secrets_stay_secret),
        cmocka_unit_test(file_faults),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
