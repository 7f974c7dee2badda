/* SPDX-License-Identifier: MIT */
/* let_polygon_clean(): broken outlines in, valid loops out.
 *
 * Small shapes have known answers; random ones are checked against the promises of polygon.h and
 * against the winding number of sample points, which is computed another way here. */
#include "shapes.h"

struct fixture {
    struct let_polygon in, out;
};

static int setup(void **state)
{
    *state = calloc(1, sizeof(struct fixture));
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    let_polygon_done(&f->in);
    let_polygon_done(&f->out);
    free(f);
    return 0;
}

static void expect(struct fixture *f, enum let_rule rule, size_t loops, size_t points,
                   int64_t area2)
{
    assert_int_equal(let_polygon_clean(&f->in, rule, &f->out), 0);
    shape_assert_clean(&f->out);
    assert_int_equal(f->out.loops, loops);
    assert_int_equal(f->out.count, points);
    assert_int_equal(shape_area2(&f->out), area2);
}

static void test_nothing(void **state)
{
    expect(*state, LET_NONZERO, 0, 0, 0);
}

static void test_square(void **state)
{
    struct fixture *f = *state;

    shape_rectangle(&f->in, 0, 0, 100, 100);
    expect(f, LET_NONZERO, 1, 4, 20000);
}

static void test_clockwise_is_turned(void **state)
{
    struct fixture *f = *state;

    SHAPE_LOOP(&f->in, {0, 0}, {0, 100}, {100, 100}, {100, 0});
    expect(f, LET_NONZERO, 1, 4, 20000);
}

static void test_repeated_and_straight_points(void **state)
{
    struct fixture *f = *state;

    SHAPE_LOOP(&f->in, {50, 0}, {50, 0}, {100, 0}, {100, 100}, {100, 100}, {60, 100}, {30, 100},
               {0, 100}, {0, 50}, {0, 0}, {20, 0});
    expect(f, LET_NONZERO, 1, 4, 20000);
}

static void test_spike_vanishes(void **state)
{
    struct fixture *f = *state;

    SHAPE_LOOP(&f->in, {0, 0}, {100, 0}, {100, 50}, {300, 50}, {100, 50}, {100, 100}, {0, 100});
    expect(f, LET_NONZERO, 1, 4, 20000);
}

static void test_line_has_no_area(void **state)
{
    struct fixture *f = *state;

    SHAPE_LOOP(&f->in, {0, 0}, {100, 37}, {200, 74});
    expect(f, LET_NONZERO, 0, 0, 0);
}

static void test_overlap_is_united(void **state)
{
    struct fixture *f = *state;

    shape_rectangle(&f->in, 0, 0, 100, 100);
    shape_rectangle(&f->in, 50, 50, 150, 150);
    expect(f, LET_NONZERO, 1, 8, 35000);
}

static void test_shared_border_vanishes(void **state)
{
    struct fixture *f = *state;

    shape_rectangle(&f->in, 0, 0, 100, 100);
    shape_rectangle(&f->in, 100, 0, 200, 100);
    expect(f, LET_NONZERO, 1, 4, 40000);
}

static void test_same_twice(void **state)
{
    struct fixture *f = *state;

    shape_rectangle(&f->in, 0, 0, 100, 100);
    shape_rectangle(&f->in, 0, 0, 100, 100);
    expect(f, LET_NONZERO, 1, 4, 20000);
}

static void test_hole(void **state)
{
    struct fixture *f = *state;

    shape_rectangle(&f->in, 0, 0, 100, 100);
    SHAPE_LOOP(&f->in, {25, 25}, {25, 75}, {75, 75}, {75, 25});
    expect(f, LET_NONZERO, 2, 8, 15000);
}

static void test_rules_differ(void **state)
{
    struct fixture *f = *state;

    shape_rectangle(&f->in, 0, 0, 100, 100);
    shape_rectangle(&f->in, 25, 25, 75, 75);
    expect(f, LET_NONZERO, 1, 4, 20000);
    let_polygon_done(&f->out);
    expect(f, LET_EVEN_ODD, 2, 8, 15000);
}

static void test_figure_of_eight(void **state)
{
    struct fixture *f = *state;

    /* crosses itself at 50, 50: one half winds +1, the other -1; both are filled, and welded */
    SHAPE_LOOP(&f->in, {0, 0}, {100, 100}, {100, 0}, {0, 100});
    assert_int_equal(let_polygon_clean(&f->in, LET_NONZERO, &f->out), 0);
    shape_assert_clean(&f->out);
    assert_int_equal(f->out.loops, 1);
    assert_in_range(shape_area2(&f->out), 10000, 10040);
}

static void test_corners_that_touch_are_welded(void **state)
{
    struct fixture *f = *state;

    shape_rectangle(&f->in, 0, 0, 100, 100);
    shape_rectangle(&f->in, 100, 100, 200, 200);
    assert_int_equal(let_polygon_clean(&f->in, LET_NONZERO, &f->out), 0);
    shape_assert_clean(&f->out);
    assert_int_equal(f->out.loops, 1);
    assert_in_range(shape_area2(&f->out), 40000, 40020);
}

static void test_hole_that_touches_the_border(void **state)
{
    struct fixture *f = *state;

    shape_rectangle(&f->in, 0, 0, 100, 100);
    SHAPE_LOOP(&f->in, {50, 0}, {25, 50}, {75, 50});
    assert_int_equal(let_polygon_clean(&f->in, LET_NONZERO, &f->out), 0);
    shape_assert_clean(&f->out);
    assert_int_equal(f->out.loops, 2);
    /* the welded edges give way by up to a unit over their length of 50 */
    assert_in_range(shape_area2(&f->out), 17400, 17600);
}

static void test_meet(void **state)
{
    struct fixture *f = *state;

    shape_rectangle(&f->in, 0, 0, 100, 100);
    SHAPE_LOOP(&f->in, {25, 25}, {25, 75}, {75, 75}, {75, 25});
    shape_rectangle(&f->out, 0, 0, 20, 20);
    assert_true(let_polygon_meet(&f->in, &f->out, (struct let_point){100, 100}));
    assert_true(let_polygon_meet(&f->in, &f->out, (struct let_point){2, 2}));
    assert_true(let_polygon_meet(&f->out, &f->in, (struct let_point){-2, -2}));
    assert_false(let_polygon_meet(&f->in, &f->out, (struct let_point){101, 100}));
    assert_false(let_polygon_meet(&f->in, &f->out, (struct let_point){40, 40}));
    assert_true(let_polygon_meet(&f->in, &f->out, (struct let_point){24, 40}));
}

/* Sample points far from every edge of the input must keep being inside or outside. */
static void compare_samples(const struct fixture *f, enum let_rule rule, int size, uint64_t *seed)
{
    for (int sample = 0; sample < 200; sample++) {
        struct let_point p2 = {(int64_t)(shape_random(seed) % (uint64_t)(2 * size)) | 1,
                               (int64_t)(shape_random(seed) % (uint64_t)(2 * size)) | 1};
        int wanted = shape_winding(&f->in, p2), is = shape_winding(&f->out, p2);
        struct let_box near = {p2.x / 2 - 8, p2.y / 2 - 8, p2.x / 2 + 8, p2.y / 2 + 8};
        bool skip = false;

        for (size_t loop = 0; loop < f->in.loops && !skip; loop++) {
            struct let_point a = f->in.points[f->in.ends[loop] - 1];

            for (size_t i = let_polygon_start(&f->in, loop); i < f->in.ends[loop]; i++) {
                struct let_point b = f->in.points[i];

                /* near its line is near enough to leave it out */
                skip |= let_box_meet(near, let_box_of(a, b)) &&
                        llabs(let_orient(a, b, (struct let_point){p2.x / 2, p2.y / 2})) <
                            16 * (llabs(b.x - a.x) + llabs(b.y - a.y) + 1);
                a = b;
            }
        }
        if (!skip)
            assert_int_equal(is, rule == LET_EVEN_ODD ? wanted & 1 : wanted != 0);
    }
}

static void random_polygons(enum let_rule rule, int size, int rounds)
{
    uint64_t seed = 20240 + (uint64_t)size;

    for (int round = 0; round < rounds; round++) {
        struct fixture f = {0};
        int loops = 1 + (int)(shape_random(&seed) % 4);

        for (int loop = 0; loop < loops; loop++) {
            int points = 3 + (int)(shape_random(&seed) % 12);

            for (int i = 0; i < points; i++)
                let_polygon_add(
                    &f.in, (struct let_point){(int64_t)(shape_random(&seed) % (uint64_t)size),
                                              (int64_t)(shape_random(&seed) % (uint64_t)size)});
            let_polygon_close(&f.in);
        }
        assert_int_equal(let_polygon_clean(&f.in, rule, &f.out), 0);
        shape_assert_clean(&f.out);
        if (size >= 100000) /* welds are no longer small on smaller ones */
            compare_samples(&f, rule, size, &seed);
        let_polygon_done(&f.in);
        let_polygon_done(&f.out);
    }
}

static void test_random_large(void **state)
{
    (void)state;
    random_polygons(LET_NONZERO, 1 << 20, 60);
    random_polygons(LET_EVEN_ODD, 1 << 20, 60);
}

static void test_random_medium(void **state)
{
    (void)state;
    random_polygons(LET_NONZERO, 1000, 60);
    random_polygons(LET_EVEN_ODD, 1000, 60);
}

/* On so small a grid nearly all points coincide, touch or lie on lines. */
static void test_random_tiny(void **state)
{
    (void)state;
    random_polygons(LET_NONZERO, 6, 300);
    random_polygons(LET_EVEN_ODD, 12, 300);
    random_polygons(LET_EVEN_ODD, 40, 300);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_nothing),
        TEST(test_square),
        TEST(test_clockwise_is_turned),
        TEST(test_repeated_and_straight_points),
        TEST(test_spike_vanishes),
        TEST(test_line_has_no_area),
        TEST(test_overlap_is_united),
        TEST(test_shared_border_vanishes),
        TEST(test_same_twice),
        TEST(test_hole),
        TEST(test_rules_differ),
        TEST(test_figure_of_eight),
        TEST(test_corners_that_touch_are_welded),
        TEST(test_hole_that_touches_the_border),
        TEST(test_meet),
        TEST(test_random_large),
        TEST(test_random_medium),
        TEST(test_random_tiny),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
