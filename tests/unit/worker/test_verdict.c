/* SPDX-License-Identifier: MIT
 *
 * How an attempt ends: which reason stands, what an exit status means, what the error says.
 */
#include "support.h"

#include "workers/worker/attempt_internal.h"

static void init(struct p3d_attempt *a, struct place *p)
{
    *a = (struct p3d_attempt){.ran = true, .mesh = -1, .thumbnail = -1};
    a->info = json_object();
    (void)p;
    p3d_joblog_open(&a->log, -1, 1 << 20);
}

static void done(struct p3d_attempt *a)
{
    p3d_joblog_close(&a->log);
    json_decref(a->info);
    json_decref(a->spec);
    free(a->message);
    free(a->said_message);
}

static void the_strongest_reason_stands(void **state)
{
    struct place *p = *state;
    struct p3d_attempt a;
    init(&a, p);
    assert_true(p3d_attempt_decide(&a, P3D_END_RELEASE, NULL, false, P3D_STR("")));
    assert_true(p3d_attempt_decide(&a, P3D_END_FAIL, "ONE", true, P3D_STR("1")));
    assert_false(p3d_attempt_decide(&a, P3D_END_FAIL, "TWO", false, P3D_STR("2")));
    assert_false(p3d_attempt_decide(&a, P3D_END_RELEASE, NULL, false, P3D_STR("")));
    assert_string_equal(a.code, "ONE");
    assert_true(a.retry);
    a.told = true; /* it may have counted: nothing else may be said */
    assert_false(p3d_attempt_decide(&a, P3D_END_CANCEL, "C", false, P3D_STR("")));
    assert_true(p3d_attempt_decide(&a, P3D_END_DROP, NULL, false, P3D_STR("")));
    done(&a);
}

static void exit_statuses(void **state)
{
    struct place *p = *state;
    static const struct {
        int status;
        enum p3d_end end;
        const char *code, *begins;
        bool retry;
    } rows[] = {
        {0, P3D_END_COMPLETE, "", "", false},
        {3 << 8, P3D_END_FAIL, "MODEL_ERROR", "exit status 3\nlast words", false},
        {75 << 8, P3D_END_FAIL, "MODEL_ERROR", "exit status 75\n", true},
        {11, P3D_END_FAIL, "MODEL_ERROR", "killed by SIGSEGV\n", false},
        {25, P3D_END_FAIL, "OUTPUT_TOO_LARGE", "killed by SIGXFSZ\n", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct p3d_attempt a;
        init(&a, p);
        p3d_joblog_feed(&a.log, "last words\n", 11);
        a.status = rows[i].status;
        p3d_attempt_judge(&a);
        assert_int_equal(a.end, rows[i].end);
        assert_int_equal(a.retry, rows[i].retry);
        assert_string_equal(a.code, rows[i].code);
        assert_int_equal(strncmp(a.message, rows[i].begins, strlen(rows[i].begins)), 0);
        done(&a);
    }
}

static void the_runner_s_own_words_win(void **state)
{
    struct place *p = *state;
    struct p3d_attempt a;
    init(&a, p);
    a.said_error = a.said_retry = true;
    (void)p3d_format(a.said_code, sizeof(a.said_code), "OUT_OF_PAINT");
    a.said_message = p3d_strdup("no paint");
    p3d_attempt_judge(&a); /* exit 0 does not undo an error that was said */
    assert_int_equal(a.end, P3D_END_FAIL);
    assert_string_equal(a.code, "OUT_OF_PAINT");
    assert_string_equal(a.message, "no paint");
    assert_true(a.retry);
    done(&a);
}

static void messages_stay_small_and_clean(void **state)
{
    struct place *p = *state;
    struct p3d_attempt a;
    init(&a, p);
    for (int i = 0; i < 20000; i++)
        p3d_joblog_feed(&a.log, "\xff\x00\xc3", 3);
    a.status = 1 << 8;
    p3d_attempt_judge(&a);
    assert_true(strlen(a.message) <= P3D_MESSAGE_MAX);
    assert_true(p3d_utf8_valid(p3d_str_z(a.message)));
    size_t n;
    char *text = p3d_attempt_detail(&a, &n);
    json_t *o;
    assert_int_equal(p3d_json_parse_object((struct p3d_str){text, n}, &o, NULL), 0);
    assert_string_equal(json_string_value(json_object_get(json_object_get(o, "error"), "code")),
                        "MODEL_ERROR");
    json_decref(o);
    free(text);
    done(&a);
}

static void publishing_can_still_fail_it(void **state)
{
    struct place *p = *state;
    static const struct {
        int result;
        const char *code;
        bool retry;
    } rows[] = {
        {P3D_E_NOT_FOUND, "NO_OUTPUT", false},
        {P3D_E_BAD_REQUEST, "BAD_OUTPUT", false},
        {P3D_E_TOO_LARGE, "OUTPUT_TOO_LARGE", false},
        {P3D_E_IO, "IO_ERROR", true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct p3d_attempt a;
        init(&a, p);
        p3d_attempt_judge(&a);
        assert_true(a.publish_outputs && a.keep_log);
        a.result = rows[i].result;
        (void)p3d_format(a.error.detail, sizeof(a.error.detail), "why");
        p3d_attempt_judge_wrap(&a);
        assert_int_equal(a.end, P3D_END_FAIL);
        assert_string_equal(a.code, rows[i].code);
        assert_int_equal(a.retry, rows[i].retry);
        assert_string_equal(a.message, "why");
        done(&a);
    }
}

static void result_is_as_promised(void **state)
{
    struct place *p = *state;
    struct p3d_attempt a;
    init(&a, p);
    a.spec = json_pack("{s:s, s:{s:i}}", "model_id", "lettering", "model_parameters", "depth", 3);
    a.info = (json_decref(a.info), json_pack("{s:i, s:s}", "triangles", 12, "model_used", "liar"));
    (void)p3d_format(a.name, sizeof(a.name), "5-00");
    a.files_n = 1;
    a.mesh = 0;
    a.files[0] = (struct p3d_artifact){
        .name = "r.glb", .role = "mesh", .content_type = "model/gltf-binary", .size_bytes = 9};
    p3d_attempt_judge(&a);
    size_t n;
    char *text = p3d_attempt_detail(&a, &n);
    assert_string_equal(
        text, "{\"result\":{\"attempt\":\"5-00\",\"mesh\":\"r.glb\",\"files\":[{\"name\":\"r.glb\","
              "\"role\":\"mesh\",\"size_bytes\":9,\"sha256\":\"\",\"content_type\":"
              "\"model/gltf-binary\"}],\"generation_info\":{\"triangles\":12,\"model_used\":"
              "\"lettering\",\"parameters\":{\"depth\":3}}}}");
    free(text);
    done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_strongest_reason_stands, place_setup, place_teardown),
        cmocka_unit_test_setup_teardown(exit_statuses, place_setup, place_teardown),
        cmocka_unit_test_setup_teardown(the_runner_s_own_words_win, place_setup, place_teardown),
        cmocka_unit_test_setup_teardown(messages_stay_small_and_clean, place_setup, place_teardown),
        cmocka_unit_test_setup_teardown(publishing_can_still_fail_it, place_setup, place_teardown),
        cmocka_unit_test_setup_teardown(result_is_as_promised, place_setup, place_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
