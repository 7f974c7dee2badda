/* SPDX-License-Identifier: MIT */
/* let_triangulate(): every clean polygon, filled exactly.
 *
 * The checks do not trust the function's own: area, each triangle's turn, each polygon edge in one
 * triangle and every other edge in two. */
#include "shapes.h"

#include "triangulate.h"

static size_t triangles_with(const struct let_triangles *triangles, int from, int to)
{
    size_t found = 0;

    for (size_t t = 0; t < triangles->count; t++)
        for (int i = 0; i < 3; i++)
            found += triangles->items[t][i] == from && triangles->items[t][(i + 1) % 3] == to;
    return found;
}

static void check_edges(const struct let_polygon *polygon, const struct let_triangles *triangles)
{
    size_t *next = calloc(polygon->count, sizeof(*next));

    assert_non_null(next);
    for (size_t loop = 0; loop < polygon->loops; loop++)
        for (size_t i = let_polygon_start(polygon, loop); i < polygon->ends[loop]; i++) {
            next[i] = i + 1 < polygon->ends[loop] ? i + 1 : let_polygon_start(polygon, loop);
            assert_int_equal(triangles_with(triangles, (int)i, (int)next[i]), 1);
            assert_int_equal(triangles_with(triangles, (int)next[i], (int)i), 0);
        }
    for (size_t t = 0; t < triangles->count; t++)
        for (int i = 0; i < 3; i++) {
            int a = triangles->items[t][i], b = triangles->items[t][(i + 1) % 3];

            assert_int_equal(triangles_with(triangles, a, b), 1);
            assert_int_equal(triangles_with(triangles, b, a), next[a] != (size_t)b);
        }
    free(next);
}

static size_t check(const struct let_polygon *polygon)
{
    struct let_triangles triangles;
    int64_t area = 0;
    size_t count;

    assert_int_equal(let_triangulate(polygon, &triangles), 0);
    for (size_t t = 0; t < triangles.count; t++) {
        const int *v = triangles.items[t];
        int64_t part =
            let_orient(polygon->points[v[0]], polygon->points[v[1]], polygon->points[v[2]]);

        assert_true(part > 0);
        area += part;
    }
    assert_int_equal(area, shape_area2(polygon));
    check_edges(polygon, &triangles);
    count = triangles.count;
    free(triangles.items);
    return count;
}

static void test_empty(void **state)
{
    struct let_polygon polygon = {0};

    (void)state;
    assert_int_equal(check(&polygon), 0);
}

static void test_square(void **state)
{
    struct let_polygon polygon = {0};

    (void)state;
    shape_rectangle(&polygon, 0, 0, 10, 10);
    assert_int_equal(check(&polygon), 2);
    let_polygon_done(&polygon);
}

static void test_points_on_a_line(void **state)
{
    struct let_polygon polygon = {0};

    (void)state;
    SHAPE_LOOP(&polygon, {0, 0}, {10, 0}, {20, 0}, {30, 0}, {20, 10}, {10, 20}, {0, 30}, {0, 10});
    assert_int_equal(check(&polygon), 6);
    let_polygon_done(&polygon);
}

static void test_holes(void **state)
{
    struct let_polygon polygon = {0};

    (void)state;
    shape_rectangle(&polygon, 0, 0, 100, 100);
    SHAPE_LOOP(&polygon, {10, 10}, {10, 40}, {40, 40}, {40, 10});
    SHAPE_LOOP(&polygon, {60, 60}, {60, 90}, {90, 90}, {90, 60});
    shape_rectangle(&polygon, 20, 20, 30, 30);             /* an island */
    assert_int_equal(check(&polygon), 16 + 4 * 2 - 2 * 4); /* points, holes, loops */
    let_polygon_done(&polygon);
}

static void test_comb(void **state)
{
    struct let_polygon polygon = {0};

    (void)state;
    for (int i = 0; i < 200; i++) { /* long needles: the worst for edges that must be forced in */
        let_polygon_add(&polygon, (struct let_point){4 * i, 0});
        let_polygon_add(&polygon, (struct let_point){4 * i + 2, 1000000});
    }
    let_polygon_add(&polygon, (struct let_point){800, -5});
    let_polygon_add(&polygon, (struct let_point){0, -5});
    let_polygon_close(&polygon);
    shape_assert_clean(&polygon);
    /* the comb runs clockwise: turn it */
    for (size_t i = 0; i < polygon.count / 2; i++) {
        struct let_point swap = polygon.points[i];

        polygon.points[i] = polygon.points[polygon.count - 1 - i];
        polygon.points[polygon.count - 1 - i] = swap;
    }
    assert_int_equal(check(&polygon), 400);
    let_polygon_done(&polygon);
}

static void test_huge_coordinates(void **state)
{
    struct let_polygon polygon = {0};
    const int m = 1 << 26;

    (void)state;
    shape_rectangle(&polygon, -m, -m, m, m);
    SHAPE_LOOP(&polygon, {-1, 0}, {0, 1}, {1, 0}, {0, -1});
    assert_int_equal(check(&polygon), 8);
    let_polygon_done(&polygon);
}

static void test_not_clean_is_refused(void **state)
{
    struct let_polygon polygon = {0};
    struct let_triangles triangles;

    (void)state;
    SHAPE_LOOP(&polygon, {0, 0}, {100, 100}, {100, 0}, {0, 110});
    assert_int_equal(let_triangulate(&polygon, &triangles), -1);
    assert_null(triangles.items);
    let_polygon_done(&polygon);
}

static void test_random(void **state)
{
    static const int sizes[] = {8, 30, 300, 1 << 22};
    uint64_t seed = 77;

    (void)state;
    for (int round = 0; round < 300; round++) {
        struct let_polygon raw = {0}, polygon = {0};
        uint64_t size = (uint64_t)sizes[round % 4];

        for (int loop = 0; loop < 3; loop++) {
            for (int i = 0; i < 9; i++)
                let_polygon_add(&raw, (struct let_point){(int64_t)(shape_random(&seed) % size),
                                                         (int64_t)(shape_random(&seed) % size)});
            let_polygon_close(&raw);
        }
        assert_int_equal(let_polygon_clean(&raw, LET_EVEN_ODD, &polygon), 0);
        (void)check(&polygon);
        let_polygon_done(&raw);
        let_polygon_done(&polygon);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_square),
        cmocka_unit_test(test_points_on_a_line),
        cmocka_unit_test(test_holes),
        cmocka_unit_test(test_comb),
        cmocka_unit_test(test_huge_coordinates),
        cmocka_unit_test(test_not_clean_is_refused),
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
