/* SPDX-License-Identifier: MIT
 *
 * Precedence flag > environment > file > default, the spellings of one key, secrets in files,
 * foreign variables, and what relative paths count from.
 */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixture.h"

struct row {
    const char *yaml, *env[4];
    struct p3d_setting flag;
    const char *where, *detail; /* NULL: loads */
    int64_t port;
    bool auth;
};

static const struct row rows[] = {
    {"server: {port: 1}\n", {NULL}, {0}, NULL, NULL, 1, true},
    {"server: {port: 1}\n", {"P3D_SERVER__PORT=2"}, {0}, NULL, NULL, 2, true},
    {"server: {port: 1}\n",
     {"P3D_SERVER__PORT=2"},
     {"server.port", "3", "--port"},
     NULL,
     NULL,
     3,
     true},
    {"server: {port: 1}\n", {NULL}, {"server.port", "3", "--port"}, NULL, NULL, 3, true},
    {"server: {port: bad}\n",
     {"P3D_SERVER__PORT=2"},
     {0},
     "test.yaml:1: server.port",
     "must be",
     0,
     0},
    {"",
     {"P3D_SERVER__PORT=x"},
     {"server.port", "3", "--port"},
     "P3D_SERVER__PORT",
     "must be",
     0,
     0},
    {"", {"P3D_SERVER__PORT="}, {0}, "P3D_SERVER__PORT", "must be a whole number", 0, 0},
    {"",
     {NULL},
     {"server.port", "x", "--port"},
     "--port: server.port",
     "must be a whole number",
     0,
     0},
    {"", {NULL}, {"server.prt", "1", "--prt"}, "--prt: server.prt", "unknown key", 0, 0},
    {"user_auth_enabled: false\n", {NULL}, {0}, NULL, NULL, 7842, false},
    {"security: {user_auth_enabled: false}\n",
     {"P3D_USER_AUTH_ENABLED=yes"},
     {0},
     NULL,
     NULL,
     7842,
     true},
    {"", {"P3D_USER_AUTH_ENABLED=0"}, {0}, NULL, NULL, 7842, false},
    {"", {"P3D_SECURITY__USER_AUTH_ENABLED=False"}, {0}, NULL, NULL, 7842, false},
    {"",
     {"P3D_USER_AUTH_ENABLED=0", "P3D_SECURITY__USER_AUTH_ENABLED=off"},
     {0},
     NULL,
     NULL,
     7842,
     false},
    {"",
     {"P3D_USER_AUTH_ENABLED=0", "P3D_SECURITY__USER_AUTH_ENABLED=on"},
     {0},
     "P3D_SECURITY__USER_AUTH_ENABLED",
     "says something else about security.user_auth_enabled than P3D_USER_AUTH_ENABLED",
     0,
     0},
    {"", {"P3D_USER_AUTH_ENABLED="}, {0}, "P3D_USER_AUTH_ENABLED", "must be true or false", 0, 0},
    {"", {"P3D_USER_AUTH_ENABLED=flase"}, {0}, "P3D_USER_AUTH_ENABLED", "not 'flase'", 0, 0},
    {"",
     {"P3D_SERVER__PROT=1"},
     {0},
     "P3D_SERVER__PROT",
     "unknown variable; did you mean 'P3D_SERVER__PORT'?",
     0,
     0},
    {"", {"P3D_SERVER_PORT=1"}, {0}, "P3D_SERVER_PORT", "unknown variable", 0, 0},
    {"", {"P3D_server__port=1"}, {0}, "P3D_server__port", "unknown variable", 0, 0},
    {"", {"P3D_SERVER__PORT_FILE=x"}, {0}, "P3D_SERVER__PORT_FILE", "unknown variable", 0, 0},
    {"", {"P3D_=1"}, {0}, "P3D_", "unknown variable", 0, 0},
    {"",
     {"P3D_URL=x", "P3D_TOKEN=y", "P3D_USER_META_X=1", "P3D_EVENTS_FD=3"},
     {0},
     NULL,
     NULL,
     7842,
     true},
    {"", {"P3D_JOB_ID=x", "P3D_OUTPUT_DIR=y", "HOME=/", "P3DX=1"}, {0}, NULL, NULL, 7842, true},
    {"",
     {"P3D_REDIS_URL=unix:///a", "P3D_REDIS__URL=unix:///b"},
     {0},
     "P3D_REDIS__URL",
     "than P3D_REDIS_URL",
     0,
     0},
    {"",
     {"ADMIN_API_TOKEN=a", "P3D_SECURITY__ADMIN_API_KEY=b"},
     {0},
     "P3D_SECURITY__ADMIN_API_KEY",
     "than ADMIN_API_TOKEN",
     0,
     0},
    {"",
     {"P3D_REDIS__URL_FILE=/nonexistent/x"},
     {0},
     "P3D_REDIS__URL_FILE",
     "/nonexistent/x cannot be read: No such file",
     0,
     0},
    {"", {"P3D_REDIS__URL_FILE="}, {0}, "P3D_REDIS__URL_FILE", "must name a file", 0, 0},
    {"", {"P3D_DATA_DIR="}, {0}, "P3D_DATA_DIR", "must not be empty", 0, 0},
};

static void check(const struct row *row)
{
    char *env[5] = {0};
    for (int i = 0; i < 4; i++)
        env[i] = (char *)(uintptr_t)row->env[i];
    char *text = p3d_asprintf("%s" MODELS, row->yaml);
    fixture_write("test.yaml", text, 0600);
    free(text);
    struct p3d_config *cfg = NULL;
    struct p3d_error err = {0};
    int status = p3d_config_load("test.yaml", &row->flag, row->flag.key ? 1 : 0, env, &cfg, &err);
    if (status != (row->where ? P3D_E_CONFIG : 0))
        fail_msg("row %zu: %d %s: %s", (size_t)(row - rows), status, err.where, err.detail);
    if (status) {
        assert_string_equal(err.where, row->where);
        if (!strstr(err.detail, row->detail))
            fail_msg("row %zu: %s", (size_t)(row - rows), err.detail);
        return;
    }
    assert_int_equal(cfg->server_port, row->port);
    assert_int_equal(cfg->security_user_auth_enabled, row->auth);
    p3d_config_free(cfg);
}

static void precedence(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check(&rows[i]);
}

static void secrets(void **state)
{
    (void)state;
    static const struct {
        const char *bytes, *variable, *secret, *detail;
    } files[] = {
        {"key\n", "ADMIN_API_TOKEN_FILE=s", "key", NULL},
        {"key", "P3D_SECURITY__ADMIN_API_KEY_FILE=s", "key", NULL},
        {"key\r\nsecond\n", "P3D_SECURITY__ADMIN_API_KEY_FILE=./s", "key", NULL},
        {" k y \n", "P3D_SECURITY__ADMIN_API_KEY_FILE=s", " k y ", NULL},
        {"", "P3D_SECURITY__ADMIN_API_KEY_FILE=s", NULL, "is empty"},
        {"\nkey\n", "P3D_SECURITY__ADMIN_API_KEY_FILE=s", NULL, "is empty"},
        {"(set)\n", "P3D_SECURITY__ADMIN_API_KEY_FILE=s", NULL, "only stands for"},
    };
    fixture_write("test.yaml", MODELS, 0600);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char *env[] = {(char *)(uintptr_t)files[i].variable, NULL};
        struct p3d_config *cfg = NULL;
        struct p3d_error err = {0};
        fixture_write("s", files[i].bytes, 0600);
        int status = p3d_config_load("test.yaml", NULL, 0, env, &cfg, &err);
        if (files[i].detail) {
            assert_int_equal(status, P3D_E_CONFIG);
            assert_non_null(strstr(err.detail, files[i].detail));
            continue;
        }
        assert_int_equal(status, 0);
        assert_int_equal(cfg->security_admin_api_key.n, strlen(files[i].secret));
        assert_memory_equal(cfg->security_admin_api_key.p, files[i].secret,
                            strlen(files[i].secret));
        p3d_config_free(cfg);
    }
    char *both[] = {"ADMIN_API_TOKEN=", "P3D_REDIS_URL=unix:///x", NULL};
    struct p3d_config *cfg = NULL;
    struct p3d_error err = {0};
    assert_int_equal(p3d_config_load("test.yaml", NULL, 0, both, &cfg, &err), 0);
    assert_int_equal(cfg->security_admin_api_key.n, 0);
    assert_int_equal(cfg->redis_url.n, 9);
    p3d_config_free(cfg);
}

/* The file counts from its folder; the environment and flags from the working directory. */
static void relative_paths(void **state)
{
    (void)state;
    char *none[] = {NULL}, *env[] = {"P3D_DATA_DIR=d", "P3D_CONFIG=sub/c.yaml", NULL};
    struct p3d_setting flag = {"data_dir", "f/", "--data-dir"};
    struct p3d_config *cfg = NULL;
    struct p3d_error err = {0};
    (void)mkdir("sub", 0700);
    fixture_write("sub/c.yaml", "data_dir: ./x\nartifact: {root: ../art}\n" MODELS, 0600);
    assert_int_equal(p3d_config_load("sub/c.yaml", NULL, 0, none, &cfg, &err), 0);
    char *want = p3d_asprintf("%s/sub/x", fixture_dir),
         *art = p3d_asprintf("%s/sub/../art", fixture_dir);
    assert_string_equal(cfg->top_data_dir, want);
    assert_string_equal(cfg->artifact_root, art);
    p3d_config_free(cfg);
    free(want);
    free(art);
    assert_int_equal(p3d_config_load(NULL, NULL, 0, env, &cfg, &err),
                     0); /* P3D_CONFIG is --config */
    want = p3d_asprintf("%s/d", fixture_dir);
    assert_string_equal(cfg->top_data_dir, want);
    p3d_config_free(cfg);
    free(want);
    assert_int_equal(p3d_config_load(NULL, &flag, 1, env, &cfg, &err), 0);
    want = p3d_asprintf("%s/f", fixture_dir);
    assert_string_equal(cfg->top_data_dir, want);
    p3d_config_free(cfg);
    free(want);
}

/* Without a name: ./config.yaml, when there is one; one that cannot be read is no "none". */
static void usual_places(void **state)
{
    (void)state;
    char *none[] = {NULL};
    struct p3d_config *cfg = NULL;
    struct p3d_error err = {0};
    fixture_write("config.yaml", "server: {port: 5}\n" MODELS, 0600);
    assert_int_equal(p3d_config_load(NULL, NULL, 0, none, &cfg, &err), 0);
    assert_int_equal(cfg->server_port, 5);
    char *want = p3d_asprintf("%s/config.yaml", fixture_dir);
    assert_string_equal(cfg->file, want);
    free(want);
    p3d_config_free(cfg);
    fixture_write("config.yaml", "server: {port: x}\n" MODELS, 0600);
    assert_int_equal(p3d_config_load(NULL, NULL, 0, none, &cfg, &err), P3D_E_CONFIG);
    assert_string_equal(err.where, "config.yaml:1: server.port");
    assert_int_equal(unlink("config.yaml"), 0);
    assert_int_equal(symlink("config.yaml", "config.yaml"), 0);
    assert_int_equal(p3d_config_load(NULL, NULL, 0, none, &cfg, &err), P3D_E_CONFIG);
    assert_non_null(strstr(err.detail, "cannot be opened"));
    assert_int_equal(unlink("config.yaml"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(precedence),
        cmocka_unit_test(secrets),
        cmocka_unit_test(relative_paths),
        cmocka_unit_test(usual_places),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
