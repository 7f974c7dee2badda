/* SPDX-License-Identifier: MIT
 *
 * The request to the spawner: what goes in comes out, and no broken message comes through.
 */
#include "support.h"

#include "workers/runner/spawn_internal.h"

static char cwd[] = "/somewhere", sh[] = "sh", flag[] = "-c", script[] = "echo \xff",
            path[] = "PATH=/bin";
static char *argv[] = {sh, flag, script, NULL}, *env[] = {path, NULL};

static void encode(struct p3d_buf *out)
{
    struct p3d_spawn s = {.id = 7, .file_max_bytes = 1 << 20, .cwd = cwd, .argv = argv, .env = env};
    p3d_buf_init(out, P3D_SPAWN_MAX_BYTES);
    assert_int_equal(p3d_spawn_encode(&s, out), 0);
}

static void there_and_back(void **state)
{
    struct p3d_buf b;
    struct p3d_spawn got;
    (void)state;
    encode(&b);
    assert_int_equal(p3d_spawn_decode(p3d_buf_str(&b), &got), 0);
    assert_int_equal(got.id, 7);
    assert_int_equal(got.file_max_bytes, 1 << 20);
    assert_string_equal(got.cwd, cwd);
    assert_string_equal(got.argv[2], script);
    assert_null(got.argv[3]);
    assert_string_equal(got.env[0], path);
    assert_null(got.env[1]);
    p3d_spawn_done(&got);
    p3d_buf_done(&b);
}

static void every_cut_is_refused(void **state)
{
    struct p3d_buf b;
    struct p3d_spawn got;
    (void)state;
    encode(&b);
    for (size_t n = 0; n < b.n; n++) {
        struct p3d_spawn_head head;
        char *cut = p3d_strndup(b.p, n);
        assert_int_equal(p3d_spawn_decode((struct p3d_str){cut, n}, &got), P3D_E_VALIDATION);
        if (n >= sizeof(head)) { /* also when the head agrees with it */
            memcpy(&head, cut, sizeof(head));
            head.body_bytes = (uint32_t)(n - sizeof(head));
            memcpy(cut, &head, sizeof(head));
            assert_int_equal(p3d_spawn_decode((struct p3d_str){cut, n}, &got), P3D_E_VALIDATION);
        }
        free(cut);
    }
    p3d_buf_done(&b);
}

static void flipped_bytes_never_crash(void **state)
{
    struct p3d_buf b;
    (void)state;
    encode(&b);
    for (size_t i = 0; i < b.n; i++) {
        for (int bit = 0; bit < 8; bit++) {
            struct p3d_spawn got;
            b.p[i] = (char)(b.p[i] ^ (1 << bit));
            if (p3d_spawn_decode(p3d_buf_str(&b), &got) == 0) {
                assert_non_null(got.argv[0]);
                p3d_spawn_done(&got);
            }
            b.p[i] = (char)(b.p[i] ^ (1 << bit));
        }
    }
    p3d_buf_done(&b);
}

static void caps_hold(void **state)
{
    struct p3d_buf b;
    char *large = p3d_alloc(P3D_SPAWN_MAX_BYTES + 1), *none[] = {NULL}, *much[] = {large, NULL};
    char **many = p3d_alloc((P3D_SPAWN_MAX_STRINGS + 2) * sizeof(char *));
    (void)state;
    memset(large, 'x', P3D_SPAWN_MAX_BYTES);
    for (size_t i = 0; i <= P3D_SPAWN_MAX_STRINGS; i++)
        many[i] = sh;
    p3d_buf_init(&b, 0);
    struct p3d_spawn s = {.cwd = cwd, .argv = none, .env = none};
    assert_int_equal(p3d_spawn_encode(&s, &b), P3D_E_VALIDATION);
    s.argv = much;
    assert_int_equal(p3d_spawn_encode(&s, &b), P3D_E_TOO_LARGE);
    s.argv = many;
    assert_int_equal(p3d_spawn_encode(&s, &b), P3D_E_TOO_LARGE);
    assert_int_equal(b.n, 0);
    p3d_buf_done(&b);
    free(large);
    free(many);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(every_cut_is_refused),
        cmocka_unit_test(flipped_bytes_never_crash),
        cmocka_unit_test(caps_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
