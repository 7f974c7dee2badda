/* SPDX-License-Identifier: MIT
 *
 * The job object of the API: every key in every state, and nothing that the record should not have said.
 */
#include "server/api/job_json_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "p3d/clock.h"
#include "p3d/json.h"

#define BASE "http://h:1"
#define JOBS "/api/v1/system/jobs/job_001ARZ3NDEKTSV4RRFFQ69G5FAV/"
#define NOW INT64_C(1700000000000)
#define EXPIRES INT64_C(1700003600)
#define SPEC                                                                                                  \
    "{\"feature\":\"mesh_generation\",\"model_id\":\"lettering\",\"model_preference\":\"trellis\","           \
    "\"inputs\":{\"prompt\":\"a cat\"},\"metadata\":{\"k\":1},\"timeout_seconds\":120}"
#define DIGEST "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define RESULT                                                                                                \
    "{\"progress_message\":\"done\",\"result\":{\"attempt\":\"17-00ff\",\"mesh\":\"result.glb\","             \
    "\"thumbnail\":\"thumb.png\",\"files\":["                                                                 \
    "{\"name\":\"result.glb\",\"role\":\"mesh\",\"size_bytes\":2097152,\"sha256\":\"" DIGEST "\"},"           \
    "{\"name\":\"thumb.png\",\"role\":\"thumbnail\",\"size_bytes\":10,\"sha256\":\"no digest\"},"             \
    "{\"name\":\"../evil\",\"role\":\"file\",\"size_bytes\":1}],"                                             \
    "\"generation_info\":{\"vertices\":8}}}"

static struct p3d_job a_job(enum p3d_job_state state, const char *detail)
{
    struct p3d_job j = {.state = state,
                        .priority = 5,
                        .progress = 4000,
                        .attempt = 1,
                        .max_attempts = 3,
                        .created_ms = 1704067200000,
                        .eta_ms = -1,
                        .spec = p3d_str_z(SPEC),
                        .detail = p3d_str_z(detail)};
    memcpy(j.id.s, "job_001ARZ3NDEKTSV4RRFFQ69G5FAV", 32);
    return j;
}

static const struct p3d_signing no_keys;
static const struct p3d_links unsigned_links = {.base = BASE, .signing = &no_keys, .now_ms = NOW, .expires_s = EXPIRES};

static json_t *json_with(const struct p3d_job *j, const struct p3d_links *l)
{
    struct p3d_job_view v;
    assert_int_equal(p3d_job_view_init(&v, j), 0);
    json_t *o = p3d_job_json(&v, l);
    p3d_job_view_done(&v);
    return o;
}

static json_t *json_of(const struct p3d_job *j)
{
    return json_with(j, &unsigned_links);
}

static const char *text(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s != NULL ? s : "(none)";
}

static void queued(void **state)
{
    static const char *const always[] = {
        "job_id",       "feature",    "model_preference", "model_id",     "status",    "priority", "progress",
        "progress_message", "inputs", "metadata",         "user_id",      "attempt",   "max_attempts", "created_at",
        "started_at",   "completed_at", "failed_at",      "processing_time", "error",  "result"};
    struct p3d_job j = a_job(P3D_JOB_QUEUED, "");
    j.progress = 0;
    j.queue_position = 2;
    json_t *o = json_of(&j);
    (void)state;
    for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
        assert_non_null(json_object_get(o, always[i]));
    assert_string_equal(text(o, "status"), "queued");
    assert_string_equal(text(o, "model_preference"), "trellis");
    assert_string_equal(text(o, "created_at"), "2024-01-01T00:00:00");
    assert_string_equal(text(json_object_get(o, "inputs"), "prompt"), "a cat");
    assert_true(json_is_null(json_object_get(o, "user_id")));
    assert_true(json_is_null(json_object_get(o, "error")));
    assert_true(json_is_null(json_object_get(o, "result")));
    assert_int_equal(json_integer_value(json_object_get(o, "queue_position")), 2);
    assert_null(json_object_get(o, "eta_seconds"));
    assert_null(json_object_get(o, "mesh_url"));
    assert_int_equal(json_object_size(o), sizeof(always) / sizeof(always[0]) + 1);
    json_decref(o);
}

static void completed(void **state)
{
    struct p3d_job j = a_job(P3D_JOB_COMPLETED, RESULT);
    (void)state;
    j.started_ms = j.created_ms + 500;
    j.ended_ms = j.created_ms + 1750;
    json_t *o = json_of(&j), *r = json_object_get(o, "result"), *info = json_object_get(r, "mesh_file_info");
    const char *mesh = BASE "/api/v1/system/jobs/job_001ARZ3NDEKTSV4RRFFQ69G5FAV/download";
    assert_true(json_real_value(json_object_get(o, "progress")) > 0.999);
    assert_true(json_real_value(json_object_get(o, "processing_time")) > 1.2499);
    assert_string_equal(text(o, "completed_at"), "2024-01-01T00:00:01.750000");
    assert_true(json_is_null(json_object_get(o, "failed_at")));
    assert_string_equal(text(o, "mesh_url"), mesh);
    assert_string_equal(text(r, "mesh_url"), mesh);
    assert_string_equal(text(o, "output_mesh_path"), "result.glb");
    assert_string_equal(text(r, "thumbnail_url"),
                        BASE "/api/v1/system/jobs/job_001ARZ3NDEKTSV4RRFFQ69G5FAV/thumbnail");
    assert_string_equal(text(info, "content_type"), "model/gltf-binary");
    assert_string_equal(text(info, "file_extension"), "glb");
    assert_int_equal(json_integer_value(json_object_get(info, "file_size_bytes")), 2097152);
    /* a name that is none of ours is no file */
    assert_int_equal(json_array_size(json_object_get(r, "files")), 2);
    assert_string_equal(text(json_array_get(json_object_get(r, "files"), 0), "sha256"), DIGEST);
    assert_true(json_is_null(json_object_get(json_array_get(json_object_get(r, "files"), 1), "sha256")));
    assert_string_equal(text(json_object_get(r, "generation_info"), "model_used"), "lettering");
    assert_non_null(json_object_get(json_object_get(r, "generation_info"), "vertices"));
    char *all = p3d_json_dump(o, NULL);
    assert_null(strstr(all, "17-00ff"));
    assert_null(strstr(all, "evil"));
    free(all);
    json_decref(o);
}

static void a_key(struct p3d_signing *s)
{
    static const unsigned char other[P3D_SIGNING_KEY_SIZE] = "half";
    struct p3d_key_half h = {.number = 1, .secret = "other half"};
    p3d_signing_set(s, &h, 1, other);
}

/* url is base, path, then the query with a signature that is good for that path and caller. */
static void assert_signed(const struct p3d_links *l, const char *url, const char *path, const char *query)
{
    char want[200];
    struct p3d_owner_id user = {"none"};
    (void)p3d_format(want, sizeof(want), "%s%s?%sexp=1700003600&sig=", l->base, path, query);
    assert_memory_equal(url, want, strlen(want));
    assert_int_equal(strlen(url), strlen(want) + P3D_SIGNATURE_LEN);
    assert_int_equal(
        p3d_signing_check(l->signing, NOW, p3d_str_z(path), p3d_str_z(url + strlen(want)), EXPIRES, &user), 0);
    assert_string_equal(user.s, l->caller.s);
}

/* Every URL of the body, each for its own path; in the result and above it the same one. */
static void signed_urls(void **state)
{
    struct p3d_signing s = {.n = 0};
    struct p3d_links l = unsigned_links;
    struct p3d_job j = a_job(P3D_JOB_COMPLETED, RESULT);
    (void)state;
    a_key(&s);
    l.signing = &s;
    for (int turn = 0; turn < 2; turn++) { /* for nobody, for an account that is not the owner */
        (void)p3d_format(l.caller.s, sizeof(l.caller.s), "%s", turn == 0 ? "" : "user_0123456789abcdef");
        json_t *o = json_with(&j, &l), *r = json_object_get(o, "result"), *list = json_object_get(r, "files");
        assert_signed(&l, text(o, "mesh_url"), JOBS "download", "");
        assert_signed(&l, text(o, "thumbnail_url"), JOBS "thumbnail", "");
        assert_string_equal(text(o, "mesh_url"), text(r, "mesh_url"));
        assert_string_equal(text(o, "thumbnail_url"), text(r, "thumbnail_url"));
        assert_signed(&l, text(json_array_get(list, 0), "url"), JOBS "files/result.glb", "");
        assert_signed(&l, text(json_array_get(list, 1), "url"), JOBS "files/thumb.png", "");
        assert_string_equal(text(o, "output_mesh_path"), "result.glb");
        json_decref(o);
    }
    l.base = "";
    json_t *relative = p3d_link_json(&l, &j, "download", "format=base64");
    assert_signed(&l, json_string_value(relative), JOBS "download", "format=base64&");
    json_decref(relative);
    relative = p3d_link_json(&unsigned_links, &j, "download", "format=base64");
    assert_string_equal(json_string_value(relative), BASE JOBS "download?format=base64");
    json_decref(relative);
    p3d_signing_done(&s);
}

/* A page of 500 rows, with and without signatures: said, not judged. */
static void cost(void **state)
{
    struct p3d_signing s = {.n = 0};
    struct p3d_links l = unsigned_links;
    struct p3d_job j = a_job(P3D_JOB_COMPLETED, RESULT);
    (void)state;
    a_key(&s);
    for (int turn = 0; turn < 2; turn++) {
        uint64_t begin_ms = p3d_mono_ms();
        for (int i = 0; i < 500; i++)
            json_decref(json_with(&j, &l));
        print_message("500 rows %s: %d ms\n", turn == 0 ? "unsigned" : "signed", (int)(p3d_mono_ms() - begin_ms));
        l.signing = &s;
    }
    p3d_signing_done(&s);
}

static void failed(void **state)
{
    struct p3d_job j = a_job(P3D_JOB_FAILED, "{\"error\":{\"code\":\"X\",\"message\":\"m\",\"path\":\"/srv\"}}");
    (void)state;
    j.ended_ms = j.created_ms;
    json_t *o = json_of(&j), *e = json_object_get(o, "error");
    assert_string_equal(text(e, "code"), "X");
    assert_string_equal(text(e, "message"), "m");
    assert_int_equal(json_object_size(e), 2);
    assert_true(json_is_null(json_object_get(o, "completed_at")));
    assert_string_equal(text(o, "failed_at"), "2024-01-01T00:00:00");
    assert_true(json_is_null(json_object_get(o, "processing_time")));
    json_decref(o);
}

static void cancelled(void **state)
{
    struct p3d_job j = a_job(P3D_JOB_CANCELLED, "");
    (void)state;
    j.ended_ms = j.created_ms;
    json_t *o = json_of(&j);
    assert_string_equal(text(o, "completed_at"), "2024-01-01T00:00:00");
    assert_true(json_is_null(json_object_get(o, "failed_at")));
    json_decref(o);
}

/* A result that is said before the end, or a result without files. */
static void no_result(void **state)
{
    struct p3d_job j = a_job(P3D_JOB_PROCESSING, RESULT);
    json_t *o = json_of(&j);
    (void)state;
    assert_true(json_is_null(json_object_get(o, "result")));
    assert_null(json_object_get(o, "mesh_url"));
    json_decref(o);
    j = a_job(P3D_JOB_COMPLETED, "{\"result\":{\"attempt\":\"1-2\",\"files\":[]}}");
    o = json_of(&j);
    assert_true(json_is_null(json_object_get(o, "mesh_url")));
    assert_true(json_is_null(json_object_get(json_object_get(o, "result"), "mesh_file_info")));
    json_decref(o);
}

static void unreadable(void **state)
{
    static const char *const bad[] = {"", "[]", "{", "\xff"};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct p3d_job j = a_job(P3D_JOB_QUEUED, "");
        struct p3d_job_view v;
        j.spec = p3d_str_z(bad[i]);
        assert_int_equal(p3d_job_view_init(&v, &j), P3D_E_CORRUPT);
        p3d_job_view_done(&v);
    }
}

static void files(void **state)
{
    struct p3d_job j = a_job(P3D_JOB_COMPLETED, RESULT);
    struct p3d_job_view v;
    struct p3d_result_file f;
    (void)state;
    assert_int_equal(p3d_job_view_init(&v, &j), 0);
    assert_string_equal(p3d_job_attempt(&v), "17-00ff");
    assert_int_equal(p3d_job_file(&v, P3D_STR("thumb.png"), &f), 0);
    assert_string_equal(f.name, "thumb.png");
    assert_int_equal(p3d_job_file(&v, P3D_STR("../evil"), &f), P3D_E_RESULT_NOT_FOUND);
    assert_int_equal(p3d_job_file(&v, P3D_STR("other"), &f), P3D_E_RESULT_NOT_FOUND);
    assert_int_equal(p3d_job_file(&v, P3D_STR(""), &f), P3D_E_RESULT_NOT_FOUND);
    p3d_job_view_done(&v);
    assert_string_equal(p3d_file_extension("a.tar.gz"), "gz");
    assert_string_equal(p3d_file_extension("a"), "");
    assert_string_equal(p3d_file_extension(".a"), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queued),    cmocka_unit_test(completed), cmocka_unit_test(failed), cmocka_unit_test(cancelled),
        cmocka_unit_test(no_result), cmocka_unit_test(unreadable), cmocka_unit_test(files),
        cmocka_unit_test(signed_urls), cmocka_unit_test(cost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
