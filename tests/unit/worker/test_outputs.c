/* SPDX-License-Identifier: MIT
 *
 * Which files count as the result, and everything that a runner may try instead of a plain file.
 */
#include "support.h"

static int setup(void **state)
{
    (void)place_setup(state);
    struct place *p = *state;
    return mkdirat(p->fd, "outputs", 0700);
}

static int collect(struct p3d_outputs *o, struct place *p, bool required, struct p3d_error *err)
{
    *err = (struct p3d_error){0};
    return p3d_outputs_collect(o, p->fd, required, 1000, err);
}

static void everything_in_the_folder(void **state)
{
    struct place *p = *state;
    struct p3d_outputs o;
    struct p3d_error err;
    put_file(p->fd, "outputs/b.OBJ", "x");
    put_file(p->fd, "outputs/a.txt", "x");
    put_file(p->fd, "outputs/c.glb", "x");
    put_file(p->fd, "outputs/.hidden", "x");
    assert_int_equal(mkdirat(p->fd, "outputs/folder", 0700), 0);
    p3d_outputs_init(&o);
    assert_int_equal(collect(&o, p, true, &err), 0);
    assert_int_equal(o.n, 3);
    assert_string_equal(o.v[0].path, "outputs/a.txt");
    assert_string_equal(o.v[0].role, "file");
    assert_int_equal(o.mesh, 2);
    assert_string_equal(o.v[2].role, "mesh");
    assert_int_equal(o.thumbnail, -1);
    p3d_outputs_done(&o);
    assert_int_equal(unlinkat(p->fd, "outputs/c.glb", 0), 0);
    assert_int_equal(collect(&o, p, true, &err), 0);
    assert_int_equal(o.mesh, 1); /* .OBJ is the next best */
    p3d_outputs_done(&o);
}

static void what_was_announced_and_nothing_else(void **state)
{
    struct place *p = *state;
    struct p3d_outputs o;
    struct p3d_error err;
    char *absolute = p3d_asprintf("%s/outputs/deep/m.ply", p->path);
    assert_int_equal(mkdirat(p->fd, "outputs/deep", 0700), 0);
    put_file(p->fd, "outputs/deep/m.ply", "x");
    put_file(p->fd, "outputs/x.glb", "x");
    put_file(p->fd, "outputs/t.png", "x");
    p3d_outputs_init(&o);
    p3d_outputs_announce(&o, p->path, P3D_STR("./outputs/x.glb"), P3D_STR("texture"));
    p3d_outputs_announce(&o, p->path, p3d_str_z(absolute), P3D_STR("BAD ROLE"));
    p3d_outputs_announce(&o, p->path, p3d_str_z(absolute), P3D_STR("mesh"));
    p3d_outputs_thumbnail(&o, p->path, P3D_STR("outputs/t.png"));
    assert_int_equal(collect(&o, p, true, &err), 0);
    assert_int_equal(o.n, 3);
    assert_string_equal(o.v[0].role, "texture");
    assert_string_equal(o.v[1].path, "outputs/deep/m.ply");
    assert_int_equal(o.mesh, 1);
    assert_int_equal(o.thumbnail, 2);
    assert_string_equal(o.v[2].role, "thumbnail");
    p3d_outputs_done(&o);
    free(absolute);
}

static void none_is_an_error_only_when_required(void **state)
{
    struct place *p = *state;
    struct p3d_outputs o;
    struct p3d_error err;
    p3d_outputs_init(&o);
    assert_int_equal(collect(&o, p, true, &err), P3D_E_NOT_FOUND);
    assert_int_equal(collect(&o, p, false, &err), 0);
    assert_int_equal(o.mesh, -1);
    put_file(p->fd, "outputs/t.png", "x"); /* a thumbnail alone is no result */
    p3d_outputs_announce(&o, p->path, P3D_STR("outputs/t.png"), P3D_STR(""));
    p3d_outputs_thumbnail(&o, p->path, P3D_STR("outputs/t.png"));
    assert_int_equal(collect(&o, p, true, &err), P3D_E_NOT_FOUND);
    p3d_outputs_done(&o);
}

static void tricks_are_refused(void **state)
{
    struct place *p = *state;
    static const char *const paths[] = {
        "/etc/passwd",
        "../escape.glb",
        "outputs/../secret",
        "outputs/./plain",
        "outputs//plain",
        "outputs/",
        "outputs",
        "secret",
        "outputs/link",
        "outputs/hard",
        "outputs/fifo",
        "outputs/folder",
        "outputs/out/secret",
        "outputs/absent",
        "outputs/.hidden",
        "outputs/\xff",
        "",
        "outputs/plain/x",
    };
    put_file(p->fd, "secret", "x");
    put_file(p->fd, "outputs/plain", "x");
    put_file(p->fd, "outputs/.hidden", "x");
    assert_int_equal(symlinkat("../secret", p->fd, "outputs/link"), 0);
    assert_int_equal(symlinkat("..", p->fd, "outputs/out"), 0);
    assert_int_equal(linkat(p->fd, "secret", p->fd, "outputs/hard", 0), 0);
    assert_int_equal(mkfifoat(p->fd, "outputs/fifo", 0600), 0);
    assert_int_equal(mkdirat(p->fd, "outputs/folder", 0700), 0);
    for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
        for (int as_thumbnail = 0; as_thumbnail < 2; as_thumbnail++) {
            struct p3d_outputs o;
            struct p3d_error err;
            p3d_outputs_init(&o);
            p3d_outputs_announce(&o, p->path, P3D_STR("outputs/plain"), P3D_STR(""));
            if (as_thumbnail)
                p3d_outputs_thumbnail(&o, p->path, p3d_str_z(paths[i]));
            else
                p3d_outputs_announce(&o, p->path, p3d_str_z(paths[i]), P3D_STR(""));
            assert_int_equal(collect(&o, p, true, &err), P3D_E_BAD_REQUEST);
            assert_true(err.detail[0] != '\0');
            p3d_outputs_done(&o);
        }
    }
}

static void links_in_the_folder_are_named_not_skipped(void **state)
{
    struct place *p = *state;
    struct p3d_outputs o;
    struct p3d_error err;
    put_file(p->fd, "outputs/a.glb", "x");
    assert_int_equal(symlinkat("a.glb", p->fd, "outputs/b.glb"), 0);
    p3d_outputs_init(&o);
    assert_int_equal(collect(&o, p, true, &err), P3D_E_BAD_REQUEST);
    assert_non_null(strstr(err.detail, "outputs/b.glb' is a symbolic link"));
    p3d_outputs_done(&o);
}

static void sizes_numbers_and_names(void **state)
{
    struct place *p = *state;
    struct p3d_outputs o;
    struct p3d_error err;
    char large[1002] = "", name[32];
    memset(large, 'x', 1001);
    put_file(p->fd, "outputs/large", large);
    p3d_outputs_init(&o);
    assert_int_equal(collect(&o, p, true, &err), P3D_E_TOO_LARGE);
    p3d_outputs_done(&o);
    assert_int_equal(unlinkat(p->fd, "outputs/large", 0), 0);
    assert_int_equal(mkdirat(p->fd, "outputs/x", 0700), 0);
    put_file(p->fd, "outputs/same", "x");
    put_file(p->fd, "outputs/x/same", "x");
    p3d_outputs_announce(&o, p->path, P3D_STR("outputs/same"), P3D_STR(""));
    p3d_outputs_announce(&o, p->path, P3D_STR("outputs/x/same"), P3D_STR(""));
    assert_int_equal(collect(&o, p, true, &err), P3D_E_BAD_REQUEST);
    p3d_outputs_done(&o);
    for (int i = 0; i <= P3D_OUTPUTS_MAX; i++) {
        (void)p3d_format(name, sizeof(name), "outputs/f%d", i);
        put_file(p->fd, name, "x");
    }
    assert_int_equal(collect(&o, p, true, &err), P3D_E_BAD_REQUEST);
    p3d_outputs_done(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(everything_in_the_folder, setup, place_teardown),
        cmocka_unit_test_setup_teardown(what_was_announced_and_nothing_else, setup, place_teardown),
        cmocka_unit_test_setup_teardown(none_is_an_error_only_when_required, setup, place_teardown),
        cmocka_unit_test_setup_teardown(tricks_are_refused, setup, place_teardown),
        cmocka_unit_test_setup_teardown(links_in_the_folder_are_named_not_skipped, setup,
                                        place_teardown),
        cmocka_unit_test_setup_teardown(sizes_numbers_and_names, setup, place_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
