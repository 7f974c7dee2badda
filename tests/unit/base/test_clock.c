/* SPDX-License-Identifier: MIT
 *
 * core/base/clock.c: both text forms, leap years, offsets, fractions, and what is refused.
 */
#include "unit.h"

#include "p3d/clock.h"

static void clocks(void **state)
{
    (void)state;
    uint64_t a = p3d_mono_ms(), b = p3d_mono_ms();
    assert_true(b >= a);
    int64_t ms = p3d_wall_ms();
    double s = p3d_wall_s();
    assert_true(ms > INT64_C(1577836800000));
    assert_true(s - (double)ms / 1000 < 5 && s - (double)ms / 1000 > -5);
}

static void formats(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        const char *naive, *zulu;
    } rows[] = {
        {0, "1970-01-01T00:00:00", "1970-01-01T00:00:00Z"},
        {1, "1970-01-01T00:00:00.001000", "1970-01-01T00:00:00Z"},
        {-1, "1969-12-31T23:59:59.999000", "1969-12-31T23:59:59Z"},
        {-86400000, "1969-12-31T00:00:00", "1969-12-31T00:00:00Z"},
        {1704067200000, "2024-01-01T00:00:00", "2024-01-01T00:00:00Z"},
        {1709210096789, "2024-02-29T12:34:56.789000", "2024-02-29T12:34:56Z"},
        {951782400000, "2000-02-29T00:00:00", "2000-02-29T00:00:00Z"},
        {4107542400000, "2100-03-01T00:00:00", "2100-03-01T00:00:00Z"},
        {253402300799999, "9999-12-31T23:59:59.999000", "9999-12-31T23:59:59Z"},
        {INT64_MAX, "9999-12-31T23:59:59.999000", "9999-12-31T23:59:59Z"},
        {-62135596800000, "0001-01-01T00:00:00", "0001-01-01T00:00:00Z"},
        {INT64_MIN, "0001-01-01T00:00:00", "0001-01-01T00:00:00Z"},
    };
    char text[P3D_TIME_SIZE];
    for (size_t i = 0; i < COUNT(rows); i++) {
        p3d_time_format(rows[i].ms, P3D_TIME_NAIVE, text);
        assert_string_equal(text, rows[i].naive);
        p3d_time_format(rows[i].ms, P3D_TIME_ZULU, text);
        assert_string_equal(text, rows[i].zulu);
    }
}

static void parses(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } rows[] = {
        {"1970-01-01", 0},
        {"2024-01-01", 1704067200000},
        {"2024-01-01T00:00:00", 1704067200000},
        {"2024-01-01T00:00:00Z", 1704067200000},
        {"2024-01-01t00:00:00z", 1704067200000},
        {"2024-01-01 00:00:00", 1704067200000},
        {"2024-01-01T00:00", 1704067200000},
        {"2024-01-01T00:00:00+00:00", 1704067200000},
        {"2024-01-01T02:00:00+02:00", 1704067200000},
        {"2023-12-31T18:30:00-0530", 1704067200000},
        {"2024-01-01T01:00:00+01", 1704067200000},
        {"2024-02-29T12:34:56.789", 1709210096789},
        {"2024-02-29T12:34:56.789123456Z", 1709210096789},
        {"2024-02-29T12:34:56.7", 1709210096700},
        {"2024-02-29T12:34:56.0004", 1709210096000},
        {"2000-02-29", 951782400000},
        {"1969-12-31T23:59:59.999", -1},
        {"0001-01-01", -62135596800000},
        {"9999-12-31T23:59:59.999999", 253402300799999},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t ms = 42;
        assert_int_equal(p3d_time_parse(p3d_str_z(rows[i].text), &ms), 0);
        assert_int_equal(ms, rows[i].ms);
    }
}

static void refuses(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "2024",
        "2024-01",
        "2024-1-1",
        "2024-13-01",
        "2024-00-01",
        "2024-01-00",
        "2024-01-32",
        "2023-02-29",
        "1900-02-29",
        "2100-02-29",
        "2024-04-31",
        "0000-01-01",
        "-001-01-01",
        "2024-01-01T",
        "2024-01-01T24:00:00",
        "2024-01-01T00:60:00",
        "2024-01-01T00:00:60",
        "2024-01-01T00:00:00.",
        "2024-01-01T00:00:00.Z",
        "2024-01-01T00:00:00.1234567890",
        "2024-01-01T00:00.5",
        "2024-01-01T00:00:00ZZ",
        "2024-01-01T00:00:00Z ",
        " 2024-01-01",
        "2024-01-01Z",
        "2024-01-01T00:00:00+",
        "2024-01-01T00:00:00+1",
        "2024-01-01T00:00:00+24:00",
        "2024-01-01T00:00:00+01:60",
        "2024-01-01T00:00:00+01:",
        "2024-01-01T00:00:00+01:0",
        "2024-01-01x00:00:00",
        "2024/01/01",
        "1704067200",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t ms = 42;
        assert_int_equal(p3d_time_parse(p3d_str_z(rows[i]), &ms), P3D_E_VALIDATION);
        assert_int_equal(ms, 42);
    }
    int64_t ms;
    assert_int_equal(p3d_time_parse(P3D_STR("2024-01-01\0"), &ms), P3D_E_VALIDATION);
}

/* Through the whole calendar in steps of three odd days. */
static void round_trip(void **state)
{
    (void)state;
    char text[P3D_TIME_SIZE];
    for (int64_t ms = -62135596800000; ms <= 253402300799999; ms += 86400000 * 3 + 12345678) {
        int64_t back = 0;
        p3d_time_format(ms, P3D_TIME_NAIVE, text);
        assert_int_equal(p3d_time_parse(p3d_str_z(text), &back), 0);
        assert_int_equal(back, ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clocks),  cmocka_unit_test(formats),    cmocka_unit_test(parses),
        cmocka_unit_test(refuses), cmocka_unit_test(round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
