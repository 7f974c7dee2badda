/* SPDX-License-Identifier: MIT
 *
 * Reading the clocks, and wall time as text, both ways.
 * Guarantee: what p3d_time_format writes, p3d_time_parse reads back to the same millisecond, from
 * year 1 to 9999; no time zone database, no locale, no environment has a say. Does not: know leap
 * seconds; POSIX time has none, and a second 60 is refused.
 */
#include "p3d/clock.h"

#include <assert.h>
#include <time.h>

#define MS_PER_DAY INT64_C(86400000)
#define FIRST_MS INT64_C(-62135596800000) /* 0001-01-01T00:00:00 */
#define LAST_MS INT64_C(253402300799999)  /* 9999-12-31T23:59:59.999 */

static struct timespec now(clockid_t id)
{
    struct timespec ts;
    int r = clock_gettime(id, &ts);
    assert(r == 0);
    (void)r;
    return ts;
}

uint64_t p3d_mono_ms(void)
{
    struct timespec ts = now(CLOCK_MONOTONIC);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

int64_t p3d_wall_ms(void)
{
    struct timespec ts = now(CLOCK_REALTIME);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

double p3d_wall_s(void)
{
    struct timespec ts = now(CLOCK_REALTIME);
    return (double)ts.tv_sec + (double)(ts.tv_nsec / 1000) / 1e6;
}

/* Days since 1970-01-01 of a date of the Gregorian calendar. Years begin in March here, so that the
 * leap day is the last one; 400 years ("era") have 146,097 days, and 719,468 lie between 0000-03-01
 * and 1970-01-01. */
static int64_t days_of_date(int64_t year, int64_t month, int64_t day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = y / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719468;
}

static void date_of_days(int64_t days, unsigned *ret_year, unsigned *ret_month, unsigned *ret_day)
{
    int64_t z = days + 719468;
    int64_t era = z / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    int64_t month = mp < 10 ? mp + 3 : mp - 9;
    *ret_year = (unsigned)(yoe + era * 400 + (month <= 2 ? 1 : 0));
    *ret_month = (unsigned)month;
    *ret_day = (unsigned)(doy - (153 * mp + 2) / 5 + 1);
}

void p3d_time_format(int64_t wall_ms, enum p3d_time_form form, char *dst)
{
    /* Four digits of year is all the forms have: a time outside is shown as the nearest one that
     * can be. */
    int64_t ms = wall_ms < FIRST_MS ? FIRST_MS : wall_ms > LAST_MS ? LAST_MS : wall_ms;
    int64_t days = ms / MS_PER_DAY - (ms % MS_PER_DAY < 0 ? 1 : 0);
    unsigned rest = (unsigned)(ms - days * MS_PER_DAY), year, month, day;
    date_of_days(days, &year, &month, &day);
    (void)p3d_format(dst, P3D_TIME_SIZE, "%04u-%02u-%02uT%02u:%02u:%02u", year, month, day,
                     rest / 3600000, rest / 60000 % 60, rest / 1000 % 60);
    const size_t n = sizeof("2024-01-01T00:00:00") - 1;
    if (form == P3D_TIME_ZULU)
        (void)p3d_format(dst + n, P3D_TIME_SIZE - n, "Z");
    else if (rest % 1000 != 0)
        (void)p3d_format(dst + n, P3D_TIME_SIZE - n, ".%03u000", rest % 1000);
}

/* Exactly `digits` digits with a value in min..max off the front of *s. */
static bool take_number(struct p3d_str *s, size_t digits, int64_t min, int64_t max, int64_t *ret)
{
    int64_t v = 0;
    if (s->n < digits)
        return false;
    for (size_t i = 0; i < digits; i++) {
        if (s->p[i] < '0' || s->p[i] > '9')
            return false;
        v = v * 10 + (s->p[i] - '0');
    }
    if (v < min || v > max)
        return false;
    s->p += digits;
    s->n -= digits;
    *ret = v;
    return true;
}

/* One of the characters of `set` off the front. */
static bool take_one(struct p3d_str *s, const char *set)
{
    for (; *set != '\0'; set++) {
        if (s->n > 0 && s->p[0] == *set) {
            s->p++;
            s->n--;
            return true;
        }
    }
    return false;
}

static bool take_date(struct p3d_str *s, int64_t *ret_days)
{
    static const int64_t month_days[12] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t year, month, day;
    if (!take_number(s, 4, 1, 9999, &year) || !take_one(s, "-") ||
        !take_number(s, 2, 1, 12, &month) || !take_one(s, "-") ||
        !take_number(s, 2, 1, month_days[month - 1], &day))
        return false;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (month == 2 && day == 29 && !leap)
        return false;
    *ret_days = days_of_date(year, month, day);
    return true;
}

/* 1-9 digits behind the point; what is finer than a millisecond is cut off. */
static bool take_fraction(struct p3d_str *s, int64_t *ret_ms)
{
    int64_t ms = 0, digit, scale = 100;
    size_t n = 0;
    while (n < 9 && take_number(s, 1, 0, 9, &digit)) {
        ms += digit * scale;
        scale /= 10;
        n++;
    }
    *ret_ms = ms;
    return n > 0;
}

static bool take_clock(struct p3d_str *s, int64_t *ret_ms)
{
    int64_t hour, minute, second = 0, ms = 0;
    if (!take_number(s, 2, 0, 23, &hour) || !take_one(s, ":") || !take_number(s, 2, 0, 59, &minute))
        return false;
    if (take_one(s, ":")) {
        if (!take_number(s, 2, 0, 59, &second))
            return false;
        if (take_one(s, ".") && !take_fraction(s, &ms))
            return false;
    }
    *ret_ms = ((hour * 60 + minute) * 60 + second) * 1000 + ms;
    return true;
}

/* Nothing, `Z`, or +HH:MM, +HHMM, +HH. */
static bool take_offset(struct p3d_str *s, int64_t *ret_ms)
{
    int64_t hour, minute = 0;
    *ret_ms = 0;
    if (s->n == 0 || take_one(s, "Zz"))
        return true;
    int64_t sign = s->p[0] == '-' ? -1 : 1;
    if (!take_one(s, "+-") || !take_number(s, 2, 0, 23, &hour))
        return false;
    if (s->n > 0) {
        (void)take_one(s, ":");
        if (!take_number(s, 2, 0, 59, &minute))
            return false;
    }
    *ret_ms = sign * (hour * 60 + minute) * 60000;
    return true;
}

int p3d_time_parse(struct p3d_str s, int64_t *ret_wall_ms)
{
    int64_t days, clock_ms = 0, offset_ms = 0;
    if (!take_date(&s, &days))
        return P3D_E_VALIDATION;
    if (s.n > 0 &&
        (!take_one(&s, "Tt ") || !take_clock(&s, &clock_ms) || !take_offset(&s, &offset_ms)))
        return P3D_E_VALIDATION;
    int64_t ms = days * MS_PER_DAY + clock_ms - offset_ms;
    if (s.n > 0 || ms < FIRST_MS || ms > LAST_MS)
        return P3D_E_VALIDATION;
    *ret_wall_ms = ms;
    return 0;
}
