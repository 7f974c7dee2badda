/* SPDX-License-Identifier: MIT */
/* let_solid_build(): closed, facing outwards, whatever the shape and the bevel.
 *
 * The check goes by positions, as a slicer would: each directed edge once, its opposite once, the
 * volume positive, normals of length 1 on the outer side. It runs on hand-made shapes, on random
 * ones, and on every glyph of two fonts in three grids, with bevels from none to absurd. */
#include "shapes.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bevel.h"
#include "font.h"
#include "solid.h"

/* Open addressing; 0 is a free slot, so that what is stored is number + 1. */
struct table {
    uint64_t *slots;
    size_t mask;
};

static struct table table_new(size_t items)
{
    struct table table = {NULL, 63};

    while (table.mask < 2 * items)
        table.mask = 2 * table.mask + 1;
    table.slots = calloc(table.mask + 1, sizeof(*table.slots));
    assert_non_null(table.slots);
    return table;
}

static size_t hash(uint64_t key)
{
    return (size_t)((key ^ key >> 29) * 0x9E3779B97F4A7C15ULL >> 20);
}

static bool same_place(const struct let_vertex *a, const struct let_vertex *b)
{
    return a->x == b->x && a->y == b->y && !(a->z < b->z) && !(a->z > b->z);
}

/* The first vertex at the place of each vertex: those at one place get one number. */
static uint64_t *places(const struct let_solid *solid)
{
    struct table table = table_new(solid->vertex_count);
    uint64_t *numbers = calloc(solid->vertex_count + 1, sizeof(*numbers));

    assert_non_null(numbers);
    for (size_t i = 0; i < solid->vertex_count; i++) {
        const struct let_vertex *v = &solid->vertices[i];
        size_t at = hash((uint64_t)(uint32_t)v->x << 32 ^ (uint64_t)(uint32_t)v->y << 4 ^
                         (uint64_t)(int64_t)((double)v->z * 1e6));

        while (table.slots[at & table.mask] &&
               !same_place(v, &solid->vertices[table.slots[at & table.mask] - 1]))
            at++;
        if (!table.slots[at & table.mask])
            table.slots[at & table.mask] = i + 1;
        numbers[i] = table.slots[at & table.mask];
    }
    free(table.slots);
    return numbers;
}

/* Where `key` is in the table, or the free slot where it would go. */
static uint64_t *slot(const struct table *table, uint64_t key)
{
    size_t at = hash(key);

    while (table->slots[at & table->mask] && table->slots[at & table->mask] != key)
        at++;
    return &table->slots[at & table->mask];
}

/* Does each directed edge occur once, and its opposite too? */
static bool closed(const struct let_solid *solid)
{
    size_t count = solid->index_count;
    uint64_t *numbers = places(solid);
    struct table edges = table_new(count);
    bool ok = true;

    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < count && ok; i++) {
            uint64_t from = numbers[solid->indices[i]];
            uint64_t to = numbers[solid->indices[i % 3 == 2 ? i - 2 : i + 1]];
            uint64_t key = round ? to << 32 | from : from << 32 | to;
            uint64_t *found = slot(&edges, key);

            ok = round ? *found != 0 : *found == 0;
            *found = key;
        }
    free(numbers);
    free(edges.slots);
    return ok;
}

/* Six times the volume in grid units squared times metres; also checks each triangle's area and
 * that its normals point to its outer side. */
static double volume6(const struct let_solid *solid, double grid)
{
    double sum = 0;

    for (size_t i = 0; i < solid->index_count; i += 3) {
        const struct let_vertex *p = &solid->vertices[solid->indices[i]];
        const struct let_vertex *q = &solid->vertices[solid->indices[i + 1]];
        const struct let_vertex *r = &solid->vertices[solid->indices[i + 2]];
        double ux = q->x - p->x, uy = q->y - p->y, uz = (double)q->z - (double)p->z;
        double vx = r->x - p->x, vy = r->y - p->y, vz = (double)r->z - (double)p->z;
        double nx = uy * vz - uz * vy, ny = uz * vx - ux * vz, nz = ux * vy - uy * vx;

        assert_true(nx != 0 || ny != 0 || nz != 0);
        sum += p->x * nx + p->y * ny + (double)p->z * nz;
        for (int k = 0; k < 3; k++) {
            const float *n = solid->vertices[solid->indices[i + (size_t)k]].normal;

            /* the cross product is in mixed units; bring the normal to the same ones */
            assert_true(nx * (double)n[0] + ny * (double)n[1] + nz * (double)n[2] * grid >
                        -0.7 * (fabs(nx) + fabs(ny) + fabs(nz) * grid));
        }
    }
    for (size_t i = 0; i < solid->vertex_count; i++) {
        const float *n = solid->vertices[i].normal;

        assert_true(fabsf(n[0] * n[0] + n[1] * n[1] + n[2] * n[2] - 1) < 1e-5F);
    }
    return sum;
}

static void check(const struct let_polygon *polygon, double bevel, bool smooth, const char *what)
{
    const struct let_profile profile = {0.02, bevel, 1e-5, smooth};
    struct let_solid solid;
    double full = (double)shape_area2(polygon) / 2 * 0.02, volume;

    let_solid_init(&solid);
    assert_int_equal(let_solid_build(polygon, &profile, &solid), 0);
    if (!closed(&solid))
        fail_msg("%s, bevel %g: not closed", what, bevel);
    volume = volume6(&solid, profile.grid) / 6;
    if (polygon->count)
        assert_true(volume > 0 && volume <= full * 1.00001);
    if (polygon->count && bevel <= 0)
        assert_true(volume > full * 0.99999);
    let_solid_done(&solid);
}

static void check_bevels(const struct let_polygon *polygon, const char *what)
{
    check(polygon, 0, false, what);
    check(polygon, 0.0001, true, what);
    check(polygon, 0.002, true, what);
    check(polygon, 0.0099, false, what);
}

static void test_box(void **state)
{
    struct let_polygon polygon = {0};
    const struct let_profile profile = {0.5, 0, 0.25, false};
    struct let_solid solid;

    (void)state;
    shape_rectangle(&polygon, 0, 0, 4, 8);
    let_solid_init(&solid);
    assert_int_equal(let_solid_build(&polygon, &profile, &solid), 0);
    assert_int_equal(solid.index_count, 3 * 12);
    assert_int_equal(solid.vertex_count, 2 * 4 + 4 * 4);
    assert_true(closed(&solid));
    let_solid_done(&solid);
    let_polygon_done(&polygon);
}

static void test_checker_sees_a_hole(void **state)
{
    struct let_polygon polygon = {0};
    const struct let_profile profile = {0.5, 0.1, 0.01, true};
    struct let_solid solid;

    (void)state;
    shape_rectangle(&polygon, 0, 0, 400, 800);
    let_solid_init(&solid);
    assert_int_equal(let_solid_build(&polygon, &profile, &solid), 0);
    assert_true(closed(&solid));
    solid.index_count -= 3;
    assert_false(closed(&solid));
    let_solid_done(&solid);
    let_polygon_done(&polygon);
}

static void test_bevel_of_a_square(void **state)
{
    struct let_polygon polygon = {0}, inset = {0};

    (void)state;
    shape_rectangle(&polygon, 0, 0, 1000, 1000);
    let_bevel(&polygon, 100, &inset);
    assert_int_equal(inset.count, 4);
    assert_int_equal(shape_area2(&inset), 2 * 800 * 800);
    let_polygon_done(&inset);
    let_bevel(&polygon, 600, &inset); /* more than half: less is taken */
    shape_assert_clean(&inset);
    assert_in_range(shape_area2(&inset), 1, 2 * 1000 * 1000 - 1);
    let_polygon_done(&inset);
    let_polygon_done(&polygon);
}

static void test_bevel_of_a_ring(void **state)
{
    struct let_polygon polygon = {0}, inset = {0};

    (void)state;
    shape_rectangle(&polygon, 0, 0, 1000, 1000);
    SHAPE_LOOP(&polygon, {20, 20}, {20, 980}, {980, 980}, {980, 20});
    let_bevel(&polygon, 300, &inset); /* the borders would change places: they must not */
    shape_assert_clean(&inset);
    assert_true(let_polygon_area2(&inset, 0) > -let_polygon_area2(&inset, 1));
    check_bevels(&polygon, "ring");
    let_polygon_done(&inset);
    let_polygon_done(&polygon);
}

static void test_needles(void **state)
{
    struct let_polygon raw = {0}, polygon = {0};

    (void)state;
    SHAPE_LOOP(&raw, {0, 0}, {10000, 1}, {0, 2}, {3000, 1});
    SHAPE_LOOP(&raw, {0, 100}, {10000, 100}, {10000, 101}, {0, 101});
    SHAPE_LOOP(&raw, {0, 200}, {1, 200}, {0, 201});
    assert_int_equal(let_polygon_clean(&raw, LET_NONZERO, &polygon), 0);
    check_bevels(&polygon, "needles");
    let_polygon_done(&raw);
    let_polygon_done(&polygon);
}

static void test_random(void **state)
{
    uint64_t seed = 4711;

    (void)state;
    for (int round = 0; round < 100; round++) {
        struct let_polygon raw = {0}, polygon = {0};
        uint64_t size = round % 3 ? 4000 : 30;

        for (int loop = 0; loop < 3; loop++) {
            for (int i = 0; i < 8; i++)
                let_polygon_add(&raw, (struct let_point){(int64_t)(shape_random(&seed) % size),
                                                         (int64_t)(shape_random(&seed) % size)});
            let_polygon_close(&raw);
        }
        assert_int_equal(let_polygon_clean(&raw, LET_NONZERO, &polygon), 0);
        check_bevels(&polygon, "random");
        let_polygon_done(&raw);
        let_polygon_done(&polygon);
    }
}

/* Every `step`th glyph of a font; `scale` grid units per font unit. */
static void check_font(const char *name, double scale, double bevel, uint32_t step)
{
    struct let_error err;
    struct let_font font;
    size_t solid_glyphs = 0;

    if (let_font_open("/usr/share/fonts/truetype/dejavu", name, &font, &err))
        fail_msg("%s: install fonts-dejavu-core", err.message);
    for (uint32_t glyph = 0; glyph < 65536; glyph += step) {
        struct let_polygon raw = {0}, polygon = {0};
        enum let_rule rule;
        char what[80];

        if (let_font_outline(&font, glyph, scale, scale * 6, &raw, &rule, &err))
            break; /* past the last one */
        (void)snprintf(what, sizeof(what), "%s glyph %u scale %g", name, glyph, scale);
        if (let_polygon_clean(&raw, rule, &polygon) < 0)
            fail_msg("%s cannot be cleaned", what);
        check(&polygon, bevel, glyph % 2, what);
        solid_glyphs += polygon.count > 0;
        let_polygon_done(&raw);
        let_polygon_done(&polygon);
    }
    assert_true(solid_glyphs > 5000 / step);
    let_font_done(&font);
}

static void test_every_glyph(void **state)
{
    (void)state;
    check_font("DejaVuSans.ttf", 16, 0, 1);
    check_font("DejaVuSans.ttf", 16, 0.004, 1);
    check_font("DejaVuSans-Bold.ttf", 16, 0, 1);
    check_font("DejaVuSans-Bold.ttf", 16, 0.004, 1);
}

static void test_every_glyph_on_a_coarse_grid(void **state)
{
    (void)state;
    check_font("DejaVuSans.ttf", 1.3, 0.0005, 3);
    check_font("DejaVuSans.ttf", 0.05, 0.00005, 2); /* 100 steps to the em: almost pixels */
    check_font("DejaVuSans-Bold.ttf", 0.05, 0, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_box),
        cmocka_unit_test(test_checker_sees_a_hole),
        cmocka_unit_test(test_bevel_of_a_square),
        cmocka_unit_test(test_bevel_of_a_ring),
        cmocka_unit_test(test_needles),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_every_glyph),
        cmocka_unit_test(test_every_glyph_on_a_coarse_grid),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
