/* SPDX-License-Identifier: MIT
 *
 * What `p3d doctor` shows: a line for each problem as soon as it is known, notes and the sum at the end; with --json one
 * object. Guarantee: what comes out of Redis reaches no terminal with control characters in it, and however much is wrong
 * the list has an end; all of it is counted. Does not: judge.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "doctor_internal.h"
#include "p3d/clock.h"
#include "print_internal.h"

enum { LINE_MS = 200, LOG_LINE_MS = 5000, SHOWN = 256 };

json_t *p3d_checkup_problem(const struct p3d_finding *f)
{
    return json_pack("{s:s, s:o, s:o, s:b}", "what", p3d_ailment_info(f->what)->symbol, "where",
                     p3d_json_str(p3d_str_z(f->where)), "detail", p3d_json_str(p3d_str_z(f->detail)), "repaired",
                     f->repaired);
}

static const struct p3d_ailment_info *info_of(const json_t *problem)
{
    struct p3d_str what = p3d_json_get_str(problem, "what");
    int i = 0;
    while (i + 1 < P3D_AILMENT__COUNT && !p3d_str_eq_z(what, p3d_ailment_info((enum p3d_ailment)i)->symbol))
        i++;
    return p3d_ailment_info((enum p3d_ailment)i);
}

static void quiet(struct p3d_checkup *c)
{
    if (c->line_open)
        (void)fputs("\r\033[K", stderr);
    c->line_open = false;
}

static const char *shown(const json_t *problem, const char *name, char *dst)
{
    return p3d_print_safe(p3d_json_get_str(problem, name).p, dst, SHOWN);
}

static void print(const struct p3d_checkup *c, const json_t *problem)
{
    const struct p3d_ailment_info *info = info_of(problem);
    char where[SHOWN], detail[SHOWN];
    (void)printf("%s: %s", shown(problem, "where", where), info->text);
    if (*shown(problem, "detail", detail) != '\0')
        (void)printf(" %s", detail);
    if (json_is_true(json_object_get(problem, "repaired")))
        (void)printf(" — %s", info->repair != NULL ? info->repair : "repaired");
    else if (c->mode.repair)
        (void)fputs(" — left as it is", stdout);
    (void)putchar('\n');
}

void p3d_checkup_tell(struct p3d_checkup *c, json_t *problem)
{
    c->problems++;
    c->repaired += json_is_true(json_object_get(problem, "repaired"));
    if (c->problems <= P3D_CHECKUP_LISTED) {
        quiet(c);
        if (!c->json)
            print(c, problem);
        (void)json_array_append(c->listed, problem);
    }
    json_decref(problem);
}

void p3d_checkup_note(struct p3d_checkup *c, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    (void)json_array_append_new(c->notes, p3d_json_str(p3d_str_z(text)));
}

void p3d_checkup_progress(struct p3d_checkup *c)
{
    uint64_t now = p3d_mono_ms();
    if (now - c->said_ms < (c->terminal ? LINE_MS : LOG_LINE_MS))
        return;
    c->said_ms = now;
    (void)fprintf(stderr, c->terminal ? "\r\033[K%" PRId64 " jobs" : "%" PRId64 " jobs looked at\n", c->jobs);
    (void)fflush(stderr);
    c->line_open = c->terminal;
}

static void print_end(const struct p3d_checkup *c)
{
    char text[512];
    size_t i;
    const json_t *note;
    if (c->problems > P3D_CHECKUP_LISTED)
        (void)printf("… and %" PRId64 " more\n", c->problems - P3D_CHECKUP_LISTED);
    json_array_foreach(c->notes, i, note)
    {
        (void)printf("note: %s\n", p3d_print_safe(json_string_value(note), text, sizeof(text)));
    }
    (void)printf("%" PRId64 " jobs, %" PRId64 " keys looked at, %" PRId64 " problems, %" PRId64 " repaired%s\n", c->jobs,
                 c->keys, c->problems, c->repaired, c->err != 0 || c->stopped ? "; not all was looked at" : "");
}

void p3d_checkup_report(struct p3d_checkup *c)
{
    quiet(c);
    if (c->json)
        p3d_print_json(json_pack("{s:b, s:I, s:I, s:I, s:I, s:O, s:O}", "complete", c->err == 0 && !c->stopped, "jobs",
                                 (json_int_t)c->jobs, "keys", (json_int_t)c->keys, "found", (json_int_t)c->problems,
                                 "repaired", (json_int_t)c->repaired, "problems", c->listed, "notes", c->notes));
    else
        print_end(c);
    (void)fflush(stdout);
}
