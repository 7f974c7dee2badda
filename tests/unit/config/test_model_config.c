/* SPDX-License-Identifier: MIT
 *
 * core/base/model_*.c: what features and models may say, each rule seen to fail, the defaults,
 * "{config}" and the check of commands.
 */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixture.h"

#include "core/base/model_internal.h"

#define F(inputs)                                                                                  \
    "features: {f: {inputs: {" inputs "}}}\nmodels: {f: {m: {command: [/bin/true]}}}\n"
#define M(model) "features: {f: {}}\nmodels: {f: {m: {" model "}}}\n"
#define R(route) "features: {f: {route: " route "}}\n"
#define TEN "aaaaaaaaaa"

static void features_refused(void **state)
{
    (void)state;
    static const struct refused rows[] = {
        {"features: {f: 5}\n", "test.yaml:1: features.f", "must be a map"},
        {"features: {'a b': {}}\n", "test.yaml:1: features.a b", "1 to 60 characters"},
        {"features: {'': {}}\n", "test.yaml:1: features.", "1 to 60 characters"},
        {"features: {" TEN TEN TEN TEN TEN TEN "a: {}}\n",
         "test.yaml:1: features." TEN TEN TEN TEN TEN TEN "a", "1 to 60 characters"},
        {"features: {f: {titel: x}}\n", "test.yaml:1: features.f.titel",
         "unknown key; did you mean 'title'?"},
        {"features: {f: {title: {}}}\n", "test.yaml:1: features.f.title", "must be a text"},
        {R("/x"), "test.yaml:1: features.f.route", "without one at the ends"},
        {R("x/"), "test.yaml:1: features.f.route", "without one at the ends"},
        {R("x//y"), "test.yaml:1: features.f.route", "single '/'"},
        {R("X"), "test.yaml:1: features.f.route", "may hold only a-z"},
        {R("a.b"), "test.yaml:1: features.f.route", "may hold only a-z"},
        {R("users"), "test.yaml:1: features.f.route", "'users' is a route of the server's own"},
        {R("system/x"), "test.yaml:1: features.f.route", "'system'"},
        {R("jobs"), "test.yaml:1: features.f.route", "'jobs'"},
        {R("file-upload/image"), "test.yaml:1: features.f.route", "'file-upload'"},
        {R("files"), "test.yaml:1: features.f.route", "'files'"},
        {"features:\n  a: {route: x}\n  b: {route: x}\n", "test.yaml:3: features.b",
         "has the same route as a"},
        {"features: {f: {default_model: q}}\n", "test.yaml:1: features.f.default_model",
         "there is no model 'q'"},
        {"features: {f: {model_aliases: {x: q}}}\n", "test.yaml:1: features.f.model_aliases.x",
         "leads nowhere"},
        {"features: {f: {model_aliases: {x: }}}\n", "test.yaml:1: features.f.model_aliases.x",
         "leads nowhere"},
        {"features: {f: {model_aliases: {x: {}}}}\n", "test.yaml:1: features.f.model_aliases.x",
         "id of a model"},
        {"features: {f: {model_aliases: [x]}}\n", "test.yaml:1: features.f.model_aliases",
         "must be a map"},
        {"features: {f: {model_aliases: {m: m}}}\nmodels: {f: {m: {command: [x]}}}\n",
         "test.yaml:1: features.f.model_aliases.m", "is also the id of a model"},
    };
    FIXTURE_REFUSED(rows);
}

static void models_refused(void **state)
{
    (void)state;
    static const struct refused rows[] = {
        {"models: {g: {}}\n", "test.yaml:1: models.g", "there is no feature of this name"},
        {"models: 3\n", "test.yaml:1: models", "must be a map"},
        {"features: {f: {}}\nmodels: {f: [x]}\n", "test.yaml:2: models.f",
         "must be a map of models"},
        {"features: {f: {}}\nmodels: {f: {m: x}}\n", "test.yaml:2: models.f.m", "must be a map"},
        {"features: {f: {}}\nmodels: {f: {'m/n': {command: [x]}}}\n", "test.yaml:2: models.f.m/n",
         "1 to 60"},
        {M(""), "test.yaml:2: models.f.m", "has no command"},
        {M("command: "), "test.yaml:2: models.f.m", "has no command"},
        {M("command: []"), "test.yaml:2: models.f.m.command", "must be a list of words"},
        {M("command: /bin/true -x"), "test.yaml:2: models.f.m.command", "there is no shell"},
        {M("command: ['']"), "test.yaml:2: models.f.m.command", "name is empty"},
        {M("command: [/bin/true, {}]"), "test.yaml:2: models.f.m.command", "item 2 must be a text"},
        {M("command: [/nonexistent/x]"), "test.yaml:2: models.f.m.command",
         "/nonexistent/x cannot be executed: No such"},
        {M("command: [./missing]"), "test.yaml:2: models.f.m.command",
         "/missing cannot be executed"},
        {M("command: [./plain]"), "test.yaml:2: models.f.m.command", "Permission denied"},
        {M("command: [./folder]"), "test.yaml:2: models.f.m.command", "not a regular file"},
        {M("command: ['{config}/missing']"), "test.yaml:2: models.f.m.command",
         "/missing cannot be executed"},
        {M("command: [x], mode: forever"), "test.yaml:2: models.f.m.mode", "oneshot or persistent"},
        {M("command: [x], outputs: many"), "test.yaml:2: models.f.m.outputs", "required or none"},
        {M("command: [x], enabled: "), "test.yaml:2: models.f.m.enabled", "must be true or false"},
        {M("command: [x], enabled: perhaps"), "test.yaml:2: models.f.m.enabled", "not 'perhaps'"},
        {M("command: [x], max_workers: 0"), "test.yaml:2: models.f.m.max_workers",
         "enabled: false"},
        {M("command: [x], max_workers: -2"), "test.yaml:2: models.f.m.max_workers", "not '-2'"},
        {M("command: [x], timeout_seconds: 0"), "test.yaml:2: models.f.m.timeout_seconds",
         "between 1 and 604800"},
        {M("command: [x], timeout_seconds: 604801"), "test.yaml:2: models.f.m.timeout_seconds",
         "between 1"},
        {M("command: [x], max_attempts: 101"), "test.yaml:2: models.f.m.max_attempts",
         "between 1 and 100"},
        {M("command: [x], max_attempts: [1]"), "test.yaml:2: models.f.m.max_attempts",
         "between 1 and 100"},
        {M("command: [x], vram_requirement: -1"), "test.yaml:2: models.f.m.vram_requirement",
         "between 0"},
        {M("command: [x], supported_inputs: text"), "test.yaml:2: models.f.m.supported_inputs",
         "list of words"},
        {M("command: [x], env: [A]"), "test.yaml:2: models.f.m.env", "must be a map"},
        {M("command: [x], env: {1A: b}"), "test.yaml:2: models.f.m.env.1A",
         "no name for a variable"},
        {M("command: [x], env: {A=B: b}"), "test.yaml:2: models.f.m.env.A=B",
         "no name for a variable"},
        {M("command: [x], env: {P3D_X: b}"), "test.yaml:2: models.f.m.env.P3D_X",
         "runner protocol"},
        {M("command: [x], env: {A: }"), "test.yaml:2: models.f.m.env.A", "must be a text"},
        {M("command: [x], env: {A: (set)}"), "test.yaml:2: models.f.m.env.A", "only stands for"},
        {M("comand: [x]"), "test.yaml:2: models.f.m.comand", "did you mean 'command'?"},
        {M("command: [x], parameters: [a]"), "test.yaml:2: models.f.m.parameters",
         "must be a map of names"},
        {M("command: [x], parameters: {a: {type: int}}"),
         "test.yaml:2: models.f.m.parameters.a.type", "unknown type"},
    };
    fixture_write("plain", "x", 0600);
    (void)mkdir("folder", 0700);
    FIXTURE_REFUSED(rows);
}

static void inputs_refused(void **state)
{
    (void)state;
    static const struct refused rows[] = {
        {F("a: string"), "test.yaml:1: features.f.inputs.a", "must be a map with a type"},
        {F("a: {required: true}"), "test.yaml:1: features.f.inputs.a", "must be a map with a type"},
        {F("a: {type: }"), "test.yaml:1: features.f.inputs.a.type", "name of a type"},
        {F("a: {type: strin}"), "test.yaml:1: features.f.inputs.a.type",
         "unknown type; did you mean 'string'?"},
        {F("a: {type: string, requird: true}"), "test.yaml:1: features.f.inputs.a.requird",
         "did you mean 'required'?"},
        {F("'a b': {type: string}"), "test.yaml:1: features.f.inputs.a b", "1 to 60"},
        {F("user_id: {type: string}"), "test.yaml:1: features.f.inputs.user_id",
         "meaning of its own"},
        {F("model_parameters: {type: object}"), "test.yaml:1: features.f.inputs.model_parameters",
         "meaning of its own"},
        {F("a: {type: string, minimum: 1}"), "test.yaml:1: features.f.inputs.a.minimum",
         "a string has none"},
        {F("a: {type: boolean, maximum: 1}"), "test.yaml:1: features.f.inputs.a.maximum",
         "a boolean has none"},
        {F("a: {type: number, minimum: x}"), "test.yaml:1: features.f.inputs.a.minimum",
         "must be a number"},
        {F("a: {type: number, minimum: .inf}"), "test.yaml:1: features.f.inputs.a.minimum",
         "must be a number"},
        {F("a: {type: number, minimum: 1e999}"), "test.yaml:1: features.f.inputs.a.minimum",
         "must be a number"},
        {F("a: {type: number, minimum: 0x10}"), "test.yaml:1: features.f.inputs.a.minimum",
         "must be a number"},
        {F("a: {type: number, min_length: 1}"), "test.yaml:1: features.f.inputs.a.min_length",
         "a number has none"},
        {F("a: {type: object, max_length: 1}"), "test.yaml:1: features.f.inputs.a.max_length",
         "a object has none"},
        {F("a: {type: string, max_length: -1}"), "test.yaml:1: features.f.inputs.a.max_length",
         "between 0"},
        {F("a: {type: integer, minimum: 2, maximum: 1}"), "test.yaml:1: features.f.inputs.a",
         "larger than maximum"},
        {F("a: {type: string, min_length: 2, max_length: 1}"), "test.yaml:1: features.f.inputs.a",
         "larger than max_length"},
        {F("a: {type: string, required: true, default: x}"), "test.yaml:1: features.f.inputs.a",
         "say one of the two"},
        {F("a: {type: integer, maximum: 3, default: 4}"), "test.yaml:1: features.f.inputs.a",
         "less than or equal to 3"},
        {F("a: {default: abc, type: integer}"), "test.yaml:1: features.f.inputs.a",
         "should be a valid integer"},
        {F("a: {default: maybe, type: boolean}"), "test.yaml:1: features.f.inputs.a",
         "should be a valid boolean"},
        {F("a: {default: [1], type: object}"), "test.yaml:1: features.f.inputs.a",
         "should be a valid dictionary"},
        {F("a: {default: {}, type: string}"), "test.yaml:1: features.f.inputs.a",
         "should be a valid string"},
        {F("a: {default: x, type: 'file:image'}"), "test.yaml:1: features.f.inputs.a.default",
         "not for files"},
        {F("a: {type: string, max_length: 2, default: abc}"), "test.yaml:1: features.f.inputs.a",
         "at most 2 characters"},
        {F("a: {type: string, enum: [x, y], default: z}"), "test.yaml:1: features.f.inputs.a",
         "'x' or 'y'"},
        {F("a: {type: string, enum: []}"), "test.yaml:1: features.f.inputs.a.enum",
         "at least one value"},
        {F("a: {type: string, enum: x}"), "test.yaml:1: features.f.inputs.a.enum",
         "must be a list"},
        {F("a: {type: boolean, enum: [true]}"), "test.yaml:1: features.f.inputs.a.enum",
         "is only for"},
        {F("a: {type: integer, enum: [1, b]}"), "test.yaml:1: features.f.inputs.a.enum",
         "item 2: Input should be"},
        {F("a: {type: array, description: [x]}"), "test.yaml:1: features.f.inputs.a.description",
         "must be a text"},
    };
    FIXTURE_REFUSED(rows);
}

static void defaults(void **state)
{
    (void)state;
    struct p3d_config *cfg = NULL;
    struct p3d_error err = {0};
    assert_int_equal(fixture_load(MODELS, &cfg, &err), 0);
    const struct p3d_feature *f = p3d_feature_find(cfg->models, P3D_STR("f"));
    assert_string_equal(f->title, "f");
    assert_null(f->route);
    assert_null(f->default_model);
    const struct p3d_model *m = f->models[0];
    assert_string_equal(m->kind, "f/m");
    assert_ptr_equal(m->feature, f);
    assert_int_equal(m->mode, P3D_MODE_ONESHOT);
    assert_true(m->enabled && m->outputs_required && !m->parameters_closed);
    assert_int_equal(m->max_workers, 1);
    assert_int_equal(m->timeout_seconds, 3600);
    assert_int_equal(m->max_attempts, 3);
    assert_int_equal(m->vram_mb, 0);
    assert_null(m->env[0]);
    assert_null(m->supported_inputs[0]);
    p3d_config_free(cfg);
}

static void everything(void **state)
{
    (void)state;
    struct p3d_config *cfg = NULL;
    struct p3d_error err = {0};
    fixture_write("run.sh", "#!/bin/sh\n", 0700);
    int status = fixture_load(
        M("command: [./run.sh, '--x={config}/y', '{other}', '{libexec}'], mode: persistent, "
          "max_workers: -1, timeout_seconds: 5, vram_requirement: 9, max_attempts: 1, "
          "supported_inputs: [text, image], supported_outputs: [glb], outputs: none, "
          "env: {A: '1', B_2: x=y}, enabled: yes, parameters: {p: {type: boolean, default: on}}"),
        &cfg, &err);
    if (status)
        fail_msg("%s: %s", err.where, err.detail);
    const struct p3d_model *m = p3d_model_by_kind(cfg->models, P3D_STR("f/m"));
    char *run = p3d_asprintf("%s/run.sh", fixture_dir), *x = p3d_asprintf("--x=%s/y", fixture_dir);
    char *libexec = p3d_libexec_dir();
    assert_string_equal(m->command[0], run);
    assert_string_equal(m->command[1], x);
    assert_string_equal(m->command[2], "{other}");
    assert_string_equal(m->command[3], libexec);
    assert_null(m->command[4]);
    assert_int_equal(m->mode, P3D_MODE_PERSISTENT);
    assert_int_equal(m->max_workers, -1);
    assert_string_equal(m->env[0], "A=1");
    assert_string_equal(m->env[1], "B_2=x=y");
    assert_null(m->env[2]);
    assert_string_equal(m->supported_inputs[1], "image");
    assert_false(m->outputs_required);
    assert_true(m->parameters_closed);
    assert_int_equal(m->parameters.n, 1);
    assert_true(json_is_true(m->parameters.v[0].fallback));
    free(run);
    free(x);
    free(libexec);
    p3d_config_free(cfg);
}

/* A model that is off needs no program, and a bare name is looked up when the job starts. */
static void unchecked_commands(void **state)
{
    (void)state;
    static const char *const texts[] = {M("enabled: false"),
                                        M("enabled: false, command: [/nonexistent]"),
                                        M("command: [not-in-path-at-all]"),
                                        "features: {f: {}}\n",
                                        "features:\n",
                                        "features: {f: {}}\nmodels: {f: }\n",
                                        "models: {}\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct p3d_config *cfg = NULL;
        struct p3d_error err = {0};
        if (fixture_load(texts[i], &cfg, &err))
            fail_msg("%s: %s: %s", texts[i], err.where, err.detail);
        p3d_config_free(cfg);
    }
}

static void too_many(void **state)
{
    (void)state;
    struct p3d_config *cfg = NULL;
    struct p3d_error err = {0};
    struct p3d_buf b;
    p3d_buf_init(&b, 0);
    p3d_buf_addz(&b, "features: {f: {}}\nmodels:\n  f:\n");
    for (int i = 0; i < 513; i++)
        p3d_buf_addf(&b, "    m%d: {enabled: false}\n", i);
    assert_int_equal(fixture_load(b.p, &cfg, &err), P3D_E_CONFIG);
    assert_non_null(strstr(err.detail, "more than 512 models"));
    p3d_buf_done(&b);
    char *text = p3d_asprintf("features: {%1$s: {}}\nmodels: {%1$s: {%1$s: {command: [x]}}}\n",
                              TEN TEN TEN TEN TEN TEN);
    assert_int_equal(fixture_load(text, &cfg, &err), P3D_E_CONFIG);
    assert_non_null(strstr(err.detail, "together longer than 120"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(features_refused), cmocka_unit_test(models_refused),
        cmocka_unit_test(inputs_refused),   cmocka_unit_test(defaults),
        cmocka_unit_test(everything),       cmocka_unit_test(unchecked_commands),
        cmocka_unit_test(too_many),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
