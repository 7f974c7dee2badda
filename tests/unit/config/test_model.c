/* SPDX-License-Identifier: MIT
 *
 * core/base/model.c: finding, and choosing the model of a submit with the exact texts of the API.
 */
#include <string.h>

#include "fixture.h"

static const char text[] = "features:\n"
                           "  f: {default_model: b, model_aliases: {other: a, off: c}}\n"
                           "  g: {default_model: c}\n"
                           "  none: {}\n"
                           "  off: {}\n"
                           "models:\n"
                           "  f: {a: {command: [x]}, b: {command: [x]}, c: {enabled: false}}\n"
                           "  g: {c: {enabled: false}, d: {command: [x]}}\n"
                           "  off: {x: {enabled: false}}\n";

static void choose(void **state)
{
    (void)state;
    static const struct {
        const char *feature, *wanted, *kind;
        int code;
        const char *detail;
    } rows[] = {
        {"f", "", "f/b", 0, NULL},
        {"f", "a", "f/a", 0, NULL},
        {"f", "other", "f/a", 0, NULL},
        {"g", "", "g/d", 0, NULL}, /* its default is off */
        {"f", "c", NULL, P3D_E_MODEL_UNKNOWN,
         "Model 'c' is not available for feature 'f'. Available models: ['a', 'b']"},
        {"f", "off", NULL, P3D_E_MODEL_UNKNOWN,
         "Model 'off' is not available for feature 'f'. Available models: ['a', 'b']"},
        {"f", "A", NULL, P3D_E_MODEL_UNKNOWN,
         "Model 'A' is not available for feature 'f'. Available models: ['a', 'b']"},
        {"g", "zz", NULL, P3D_E_MODEL_UNKNOWN,
         "Model 'zz' is not available for feature 'g'. Available models: ['d']"},
        {"none", "", NULL, P3D_E_NO_MODEL,
         "No models available for feature 'none'. Please check if models are registered."},
        {"off", "x", NULL, P3D_E_NO_MODEL,
         "No models available for feature 'off'. Please check if models are registered."},
    };
    struct p3d_config *cfg = NULL;
    struct p3d_error err = {0};
    assert_int_equal(fixture_load(text, &cfg, &err), 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct p3d_model *m = NULL;
        const struct p3d_feature *f = p3d_feature_find(cfg->models, p3d_str_z(rows[i].feature));
        assert_non_null(f);
        assert_int_equal(p3d_model_choose(f, p3d_str_z(rows[i].wanted), &m, &err), rows[i].code);
        if (rows[i].kind)
            assert_string_equal(m->kind, rows[i].kind);
        else
            assert_string_equal(err.detail, rows[i].detail);
    }
    char *longest = p3d_alloc(5000);
    memset(longest, 'x', 4999);
    struct p3d_model *m = NULL;
    assert_int_equal(p3d_model_choose(cfg->models->features[0], p3d_str_z(longest), &m, &err),
                     P3D_E_MODEL_UNKNOWN);
    assert_non_null(strstr(err.detail, "Available models: ['a', 'b']"));
    free(longest);
    p3d_config_free(cfg);
}

static void find(void **state)
{
    (void)state;
    struct p3d_config *cfg = NULL;
    struct p3d_error err = {0};
    assert_int_equal(fixture_load(text, &cfg, &err), 0);
    assert_non_null(p3d_feature_find(cfg->models, P3D_STR("f")));
    assert_null(p3d_feature_find(cfg->models, P3D_STR("F")));
    assert_null(p3d_feature_find(cfg->models, P3D_STR("")));
    assert_string_equal(p3d_model_by_kind(cfg->models, P3D_STR("g/d"))->id, "d");
    assert_non_null(p3d_model_by_kind(cfg->models, P3D_STR("f/c"))); /* also those that are off */
    assert_null(p3d_model_by_kind(cfg->models, P3D_STR("f/d")));
    assert_null(p3d_model_by_kind(cfg->models, P3D_STR("")));
    p3d_config_free(cfg);
    p3d_models_free(NULL);
}

static void choose_again(void **state)
{
    static const struct {
        const char *feature, *model, *detail;
        int code;
    } rows[] = {
        {"f", "a", NULL, 0},
        {"g", "d", NULL, 0},
        {"f", "other", "Model 'other' is not available for feature 'f'. Available models: ['a', 'b']",
         P3D_E_MODEL_UNKNOWN},
        {"f", "c", "Model 'c' is not available for feature 'f'. Available models: ['a', 'b']", P3D_E_MODEL_UNKNOWN},
        {"f", "", "Model '' is not available for feature 'f'. Available models: ['a', 'b']", P3D_E_MODEL_UNKNOWN},
        {"off", "x", "No models available for feature 'off'. Please check if models are registered.", P3D_E_NO_MODEL},
        {"zz", "a", "Feature 'zz' is not available. Available features: ['f', 'g', 'none', 'off']",
         P3D_E_FEATURE_UNKNOWN},
        {"", "", "Feature '' is not available. Available features: ['f', 'g', 'none', 'off']", P3D_E_FEATURE_UNKNOWN},
    };
    struct p3d_config *cfg = NULL;
    struct p3d_error err = {0};
    (void)state;
    assert_int_equal(fixture_load(text, &cfg, &err), 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct p3d_model *m = NULL;
        struct p3d_str feature = p3d_str_z(rows[i].feature), model = p3d_str_z(rows[i].model);
        assert_int_equal(p3d_model_choose_again(cfg->models, feature, model, &m, &err), rows[i].code);
        if (rows[i].code == 0)
            assert_string_equal(m->id, rows[i].model);
        else
            assert_string_equal(err.detail, rows[i].detail);
    }
    p3d_config_free(cfg);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(choose), cmocka_unit_test(choose_again), cmocka_unit_test(find)};
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
