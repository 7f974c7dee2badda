/* SPDX-License-Identifier: MIT
 *
 * What the operator sees: progress on stderr while it runs, at the end the counts and every record
 * that was not taken, with the reason, on stdout. Guarantee: what a record holds is shown only as
 * far as it names the record, and printable; of tokens the first 8 characters.
 */
#include "migrate_internal.h"

#include <inttypes.h>
#include <string.h>

#include "p3d/clock.h"
#include "p3d/json.h"

enum { LINE_MS = 200, LOG_LINE_MS = 5000, ESTIMATE_FROM_MS = 2000 };

static const struct {
    const char *group, *name;
} rows[P3D_MIGRATE__COUNT] = {
#define P3D_COUNT(symbol, group, name) {group, name},
    P3D_MIGRATE_COUNTS
#undef P3D_COUNT
};

void p3d_migrate_class(struct p3d_migrate *m, const char *name, int64_t total)
{
    m->class = name;
    m->class_done = 0;
    m->class_total = total;
    m->class_begun_ms = m->said_ms = p3d_mono_ms();
}

void p3d_migrate_quiet(struct p3d_migrate *m)
{
    if (m->line_open)
        (void)fputs("\r\033[K", stderr);
    m->line_open = false;
}

static void add_estimate(struct p3d_buf *b, int64_t done, int64_t total, uint64_t gone_ms)
{
    if (done <= 0 || total <= done || gone_ms < ESTIMATE_FROM_MS)
        return;
    double left = (double)gone_ms / 1000.0 * (double)(total - done) / (double)done;
    if (left < 90)
        p3d_buf_addf(b, ", about %.0f s left", left);
    else
        p3d_buf_addf(b, ", about %.0f min left", left / 60);
}

void p3d_migrate_progress(struct p3d_migrate *m)
{
    uint64_t now = p3d_mono_ms();
    struct p3d_buf line;
    if (m->class == NULL || now - m->said_ms < (m->terminal ? LINE_MS : LOG_LINE_MS))
        return;
    m->said_ms = now;
    p3d_buf_init(&line, 0);
    p3d_buf_addf(&line, "%s %" PRId64, m->class, m->class_done);
    if (m->class_total > 0)
        p3d_buf_addf(&line, "/%" PRId64, m->class_total);
    add_estimate(&line, m->class_done, m->class_total, now - m->class_begun_ms);
    (void)fprintf(stderr, m->terminal ? "\r\033[K%s" : "%s\n", line.p);
    (void)fflush(stderr);
    m->line_open = m->terminal;
    p3d_buf_done(&line);
}

static void keep(json_t *list, const char *kind, struct p3d_str id, const char *text)
{
    char shown[P3D_SHOWN_SIZE], reason[P3D_SHOWN_SIZE * 8];
    size_t n = 0;
    p3d_migrate_shown(id, shown);
    for (size_t left = strlen(text), at = 0; left > 0 && n + P3D_SHOWN_SIZE < sizeof(reason);) {
        struct p3d_str piece = p3d_utf8_cut((struct p3d_str){text + at, left}, 64);
        if (piece.n == 0)
            break;
        p3d_migrate_shown(piece, reason + n);
        n += strlen(reason + n);
        at += piece.n;
        left -= piece.n;
    }
    reason[n] = '\0';
    (void)json_array_append_new(list, json_pack("{s:s, s:o, s:o}", "kind", kind, "id",
                                                p3d_json_str(p3d_str_z(shown)), "reason",
                                                p3d_json_str(p3d_str_z(reason))));
}

void p3d_migrate_refuse(struct p3d_migrate *m, enum p3d_migrate_count count, const char *kind,
                        struct p3d_str id, const char *reason)
{
    m->count[count]++;
    keep(m->not_taken, kind, id, reason);
}

void p3d_migrate_note(struct p3d_migrate *m, const char *kind, struct p3d_str id, const char *text)
{
    keep(m->notes, kind, id, text);
}

static json_t *counts(const struct p3d_migrate *m)
{
    json_t *all = json_object();
    for (int i = 0; i < P3D_MIGRATE__COUNT; i++) {
        json_t *group = json_object_get(all, rows[i].group);
        if (i == P3D_MIGRATE_JOBS_PROCESSING) /* only in the order of states */
            continue;
        if (group == NULL) {
            group = json_object();
            (void)json_object_set_new(all, rows[i].group, group);
        }
        (void)json_object_set_new(group, rows[i].name, json_integer(m->count[i]));
    }
    return all;
}

static void print_list(const char *lead, const json_t *list)
{
    size_t i;
    const json_t *row;
    json_array_foreach(list, i, row)(void)
        printf("%s: %s %s: %s\n", lead, p3d_json_get_str(row, "kind").p,
               p3d_json_get_str(row, "id").p, p3d_json_get_str(row, "reason").p);
}

static void print_counts(const json_t *all)
{
    const char *group, *name;
    json_t *values, *value;
    json_object_foreach((json_t *)(uintptr_t)all, group, values)
    {
        const char *between = ": ";
        (void)printf("%s", group);
        json_object_foreach(values, name, value)
        {
            (void)fputs(between, stdout);
            for (const char *c = name; *c != '\0'; c++)
                (void)putchar(*c == '_' ? ' ' : *c);
            (void)printf(" %" JSON_INTEGER_FORMAT, json_integer_value(value));
            between = ", ";
        }
        (void)putchar('\n');
    }
}

void p3d_migrate_report(struct p3d_migrate *m)
{
    json_t *all = counts(m);
    bool complete = m->err == 0 && !m->stopped && m->unread.n == 0;
    p3d_migrate_quiet(m);
    if (m->json) {
        json_t *o =
            json_pack("{s:b, s:b, s:O, s:O, s:O}", "dry_run", m->dry_run, "complete", complete,
                      "counts", all, "not_taken", m->not_taken, "notes", m->notes);
        char *text P3D_CLEANUP(p3d_freep) = p3d_json_dump(o, NULL);
        (void)printf("%s\n", text);
        json_decref(o);
    } else {
        print_list("not taken", m->not_taken);
        print_list("note", m->notes);
        if (m->dry_run)
            (void)puts("dry run, nothing was written; it would be:");
        print_counts(all);
    }
    json_decref(all);
    (void)fflush(stdout);
}
