/* SPDX-License-Identifier: MIT
 *
 * The environment of a runner: exactly what the protocol names.
 */
#include "support.h"

static const char *find(char **env, const char *name)
{
    size_t n = strlen(name);
    const char *found = NULL;
    for (; *env != NULL; env++) {
        if (strncmp(*env, name, n) == 0 && (*env)[n] == '=') {
            assert_null(found); /* every name once */
            found = *env + n + 1;
        }
    }
    return found;
}

static size_t count(char **env)
{
    size_t n = 0;
    while (env[n] != NULL)
        n++;
    return n;
}

static void it_is_built_from_nothing(void **state)
{
    struct p3d_runner_env e = {
        .dir = "/w/1", .job_id = "job_0X", .feature = "f", .model = "m", .attempt = 2};
    (void)state;
    (void)setenv("P3D_TEST_SECRET", "s3cret", 1);
    char **env = p3d_runner_env_new(&e);
    assert_int_equal(count(env), 12);
    assert_null(find(env, "P3D_TEST_SECRET"));
    assert_string_equal(find(env, "HOME"), "/w/1");
    assert_string_equal(find(env, "TMPDIR"), "/w/1/tmp");
    assert_string_equal(find(env, "P3D_INPUT"), "/w/1/input.json");
    assert_string_equal(find(env, "P3D_OUTPUT_DIR"), "/w/1/outputs");
    assert_string_equal(find(env, "P3D_EVENTS_FD"), "3");
    assert_string_equal(find(env, "P3D_JOB_ID"), "job_0X");
    assert_string_equal(find(env, "P3D_ATTEMPT"), "2");
    assert_string_equal(find(env, "P3D_FEATURE"), "f");
    assert_string_equal(find(env, "P3D_MODEL"), "m");
    assert_string_equal(find(env, "CUDA_VISIBLE_DEVICES"), "");
    assert_string_equal(find(env, "LANG"), "C.UTF-8");
    p3d_runner_env_free(env);
    p3d_runner_env_free(NULL);
}

static void metadata_cannot_break_out(void **state)
{
    json_t *meta = json_object();
    char *large = p3d_alloc(10000);
    (void)state;
    memset(large, 'v', 9999);
    (void)json_object_set_new(meta, "scene", json_string("a=b\nPATH=/evil"));
    (void)json_object_set_new(meta, "Mixed_1", json_string("x"));
    (void)json_object_set_new(meta, "bad-key", json_string("x"));
    (void)json_object_set_new(meta, "a=b", json_string("x"));
    (void)json_object_set_new(meta, "", json_string("x"));
    (void)json_object_set_new(meta, "number", json_integer(5));
    (void)json_object_set_new(meta, "large", json_string(large));
    (void)json_object_set_new(meta, "nul", json_stringn("a\0b", 3));
    struct p3d_runner_env e = {
        .dir = "/", .job_id = "", .feature = "", .model = "", .metadata = meta};
    char **env = p3d_runner_env_new(&e);
    assert_int_equal(count(env), 14);
    assert_string_equal(find(env, "P3D_USER_META_SCENE"), "a=b\nPATH=/evil");
    assert_string_equal(find(env, "P3D_USER_META_MIXED_1"), "x");
    assert_string_not_equal(find(env, "PATH"), "/evil");
    p3d_runner_env_free(env);
    json_decref(meta);
    free(large);
}

static void much_metadata_stays_small(void **state)
{
    json_t *meta = json_object();
    char value[4001] = "", key[16];
    (void)state;
    memset(value, 'v', 4000);
    for (int i = 0; i < 1000; i++) {
        (void)p3d_format(key, sizeof(key), "k%d", i);
        (void)json_object_set_new(meta, key, json_string(value));
    }
    struct p3d_runner_env e = {
        .dir = "/", .job_id = "", .feature = "", .model = "", .metadata = meta};
    char **env = p3d_runner_env_new(&e);
    assert_true(count(env) > 12 && count(env) < 24);
    p3d_runner_env_free(env);
    json_decref(meta);
}

static void the_model_has_the_last_word(void **state)
{
    char path[] = "PATH=/opt/bin", gpu[] = "CUDA_VISIBLE_DEVICES=1",
         own[] = "OWN=", junk[] = "junk";
    char *own_env[] = {path, gpu, own, junk, NULL};
    struct p3d_runner_env e = {
        .dir = "/", .job_id = "", .feature = "", .model = "", .model_env = own_env};
    (void)state;
    char **env = p3d_runner_env_new(&e);
    assert_int_equal(count(env), 13);
    assert_string_equal(find(env, "PATH"), "/opt/bin");
    assert_string_equal(find(env, "CUDA_VISIBLE_DEVICES"), "1");
    assert_string_equal(find(env, "OWN"), "");
    p3d_runner_env_free(env);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_built_from_nothing),
        cmocka_unit_test(metadata_cannot_break_out),
        cmocka_unit_test(much_metadata_stays_small),
        cmocka_unit_test(the_model_has_the_last_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
