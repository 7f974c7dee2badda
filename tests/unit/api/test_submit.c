/* SPDX-License-Identifier: MIT
 *
 * A submit's body against a configuration: what becomes the job's spec, and every way in which it is refused.
 */
#include "server/api/submit_internal.h"

#include <sys/mman.h>
#include <unistd.h>

#include "fake_call.h"
#include "p3d/config.h"

static const char yaml[] = "features:\n"
                           "  mesh_generation:\n"
                           "    title: Mesh generation\n"
                           "    route: mesh-generation\n"
                           "    default_model: lettering\n"
                           "    model_aliases: {trellis: lettering}\n"
                           "    inputs:\n"
                           "      prompt: {type: string, required: true, max_length: 20}\n"
                           "models:\n"
                           "  mesh_generation:\n"
                           "    lettering:\n"
                           "      command: [\"/bin/true\"]\n"
                           "      timeout_seconds: 120\n"
                           "      max_attempts: 2\n"
                           "      supported_inputs: [text]\n"
                           "      supported_outputs: [glb, stl]\n"
                           "      parameters:\n"
                           "        depth: {type: number, minimum: 0, default: 0.5}\n";

static struct p3d_config *cfg;

static int open_config(void **state)
{
    char path[64];
    struct p3d_error e = {.code = 0};
    char *env[] = {NULL};
    (void)state;
    P3D_CLEANUP(p3d_closep) int fd = memfd_create("config", MFD_CLOEXEC);
    (void)p3d_format(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (fd < 0 || write(fd, yaml, sizeof(yaml) - 1) != (ssize_t)sizeof(yaml) - 1)
        return -1;
    int err = p3d_config_load(path, NULL, 0, env, &cfg, &e);
    if (err != 0)
        print_message("%s: %s\n", e.where, e.detail);
    return err;
}

static int close_config(void **state)
{
    (void)state;
    p3d_config_free(cfg);
    return 0;
}

static int read_body(bool flat, const char *text, struct p3d_submission *s, struct p3d_refusal *r)
{
    struct p3d_error e;
    json_t *body;
    assert_int_equal(p3d_json_parse(p3d_str_z(text), &body, &e), 0);
    int err = flat ? p3d_submission_read_flat(cfg->models->features[0], body, s, r)
                   : p3d_submission_read(cfg->models, body, s, r);
    json_decref(body);
    return err;
}

static void expect_spec(bool flat, const char *text, const char *spec, unsigned priority, int64_t attempts)
{
    struct p3d_submission s = {.spec = NULL};
    struct p3d_refusal r = {.faults = {NULL}};
    assert_int_equal(read_body(flat, text, &s, &r), 0);
    char *got = p3d_json_dump(s.spec, NULL);
    assert_string_equal(got, spec);
    assert_int_equal(s.priority, priority);
    assert_int_equal(s.max_attempts, attempts);
    free(got);
    p3d_submission_done(&s);
}

#define HEAD "{\"feature\":\"mesh_generation\",\"model_id\":\"lettering\",\"model_preference\":"

static void good(void **state)
{
    (void)state;
    expect_spec(true, "{\"prompt\":\"P3D\"}",
                HEAD "null,\"inputs\":{\"prompt\":\"P3D\"},\"metadata\":{},\"timeout_seconds\":120,"
                     "\"model_parameters\":{\"depth\":0.5}}",
                5, 2);
    expect_spec(true, "{\"prompt\":\"P3D\",\"model_preference\":\"trellis\",\"output_format\":\"stl\","
                      "\"model_parameters\":{\"depth\":1}}",
                HEAD "\"trellis\",\"inputs\":{\"prompt\":\"P3D\"},\"metadata\":{},\"timeout_seconds\":120,"
                     "\"output_format\":\"stl\",\"model_parameters\":{\"depth\":1}}",
                5, 2);
    expect_spec(false, "{\"feature\":\"mesh_generation\",\"model\":\"lettering\",\"inputs\":{\"prompt\":\"P3D\","
                       "\"output_format\":\"glb\"},\"priority\":9,\"metadata\":{\"a\":[1]},\"timeout_seconds\":7,"
                       "\"max_attempts\":100}",
                HEAD "\"lettering\",\"inputs\":{\"prompt\":\"P3D\"},\"metadata\":{\"a\":[1]},\"timeout_seconds\":7,"
                     "\"output_format\":\"glb\",\"model_parameters\":{\"depth\":0.5}}",
                9, 100);
}

static void faults(void **state)
{
    static const struct {
        bool flat;
        const char *body, *fault;
    } rows[] = {
        {true, "{}", "missing body.prompt"},
        {true, "{\"prompt\":7}", "string_type body.prompt"},
        {true, "{\"prompt\":\"x\",\"user_id\":\"u\"}", "extra_forbidden body.user_id"},
        {true, "{\"prompt\":\"x\",\"priority\":3}", "extra_forbidden body.priority"},
        {true, "{\"prompt\":\"x\",\"model_preference\":3}", "string_type body.model_preference"},
        {true, "{\"prompt\":\"x\",\"output_format\":\"fbx\"}", "value_error body.output_format"},
        {true, "{\"prompt\":\"x\",\"model_parameters\":[]}", "dict_type body.model_parameters"},
        {true, "{\"prompt\":\"x\",\"model_parameters\":{\"depth\":-1}}",
         "greater_than_equal body.model_parameters.depth"},
        {true, "{\"prompt\":\"x\",\"model_parameters\":{\"none\":1}}", "extra_forbidden body.model_parameters.none"},
        {false, "{\"feature\":\"mesh_generation\"}", "missing body.inputs"},
        {false, "{\"inputs\":{}}", "missing body.feature"},
        {false, "{\"feature\":\"mesh_generation\",\"inputs\":{}}", "missing body.inputs.prompt"},
        {false, "{\"feature\":\"mesh_generation\",\"inputs\":{\"prompt\":\"x\",\"model_preference\":\"trellis\"}}",
         "extra_forbidden body.inputs.model_preference"},
        {false, "{\"feature\":\"mesh_generation\",\"inputs\":{\"prompt\":\"x\"},\"priority\":10}",
         "less_than_equal body.priority"},
        {false, "{\"feature\":\"mesh_generation\",\"inputs\":{\"prompt\":\"x\"},\"timeout_seconds\":0}",
         "greater_than_equal body.timeout_seconds"},
        {false, "{\"feature\":\"mesh_generation\",\"inputs\":{\"prompt\":\"x\"},\"max_attempts\":101}",
         "less_than_equal body.max_attempts"},
        {false, "{\"feature\":\"mesh_generation\",\"inputs\":{\"prompt\":\"x\"},\"webhook_url\":\"http://a\"}",
         "not_supported body.webhook_url"},
        {false, "{\"feature\":\"mesh_generation\",\"inputs\":{\"prompt\":\"x\"},\"run_at\":true}",
         "datetime_parsing body.run_at"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct p3d_submission s = {.spec = NULL};
        struct p3d_refusal r = {.faults = {NULL}};
        assert_int_equal(read_body(rows[i].flat, rows[i].body, &s, &r), P3D_E_VALIDATION);
        assert_string_equal(fault(&r.faults, 0), rows[i].fault);
        assert_null(s.spec);
        p3d_faults_done(&r.faults);
    }
}

static void domain(void **state)
{
    struct p3d_submission s = {.spec = NULL};
    struct p3d_refusal r = {.faults = {NULL}};
    (void)state;
    assert_int_equal(read_body(false, "{\"feature\":\"x\",\"inputs\":{}}", &s, &r), P3D_E_FEATURE_UNKNOWN);
    assert_string_equal(r.error.detail, "Feature 'x' is not available. Available features: ['mesh_generation']");
    assert_int_equal(read_body(true, "{\"prompt\":\"x\",\"model_preference\":\"gpt\"}", &s, &r), P3D_E_MODEL_UNKNOWN);
    assert_string_equal(r.error.detail,
                        "Model 'gpt' is not available for feature 'mesh_generation'. Available models: ['lettering']");
    assert_int_equal(r.error.code, P3D_E_MODEL_UNKNOWN);
    assert_null(r.faults.list);
}

static void big_metadata(void **state)
{
    static const char head[] = "{\"feature\":\"mesh_generation\",\"inputs\":{\"prompt\":\"x\"},\"metadata\":{\"a\":\"";
    struct p3d_submission s = {.spec = NULL};
    struct p3d_refusal r = {.faults = {NULL}};
    struct p3d_buf b;
    (void)state;
    p3d_buf_init(&b, 0);
    p3d_buf_addz(&b, head);
    for (size_t i = 0; i < 16384 - 8; i++) /* {"a":"…"} is 8 bytes longer */
        p3d_buf_addz(&b, "z");
    p3d_buf_addz(&b, "\"}}");
    assert_int_equal(read_body(false, b.p, &s, &r), 0);
    p3d_submission_done(&s);
    p3d_buf_done(&b);
    p3d_buf_addz(&b, head);
    for (size_t i = 0; i < 16384 - 7; i++)
        p3d_buf_addz(&b, "z");
    p3d_buf_addz(&b, "\"}}");
    assert_int_equal(read_body(false, b.p, &s, &r), P3D_E_VALIDATION);
    assert_string_equal(fault(&r.faults, 0), "too_long body.metadata");
    p3d_faults_done(&r.faults);
    p3d_buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good),
        cmocka_unit_test(faults),
        cmocka_unit_test(domain),
        cmocka_unit_test(big_metadata),
    };
    return cmocka_run_group_tests(tests, open_config, close_config);
}
