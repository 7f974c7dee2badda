/* SPDX-License-Identifier: MIT
 *
 * `p3d audit`: what was done to accounts and jobs, newest first. A page of one account's entries may be
 * short or empty and still lead on; this follows until it has as many as asked for, a bounded
 * number of times. Does not: look names up; an id stays true when its account is renamed or
 * deleted.
 */
#include "verbs_internal.h"

#include <stdio.h>
#include <string.h>

#include "print_internal.h"
#include "users_internal.h"
#include "p3d/records.h"

enum { LIMIT_DEFAULT = 50, LIMIT_MAX = 10000, PAGES_MAX = 1000, CURSOR_MAX = 128 };

struct reading {
    struct p3d_owner_id user; /* empty = all */
    bool json;
    int64_t limit;
    json_t *entries; /* objects, or rows of the table */
    char *cursor;    /* owned; NULL: at the end */
};

static json_t *text(const char *z)
{
    return p3d_json_str(p3d_str_z(z));
}

static json_t *entry_json(const struct p3d_audit_entry *e, bool object)
{
    char when[P3D_TIME_SIZE];
    p3d_time_format(e->at_ms, P3D_TIME_ZULU, when);
    if (!object)
        return json_pack("[s,o,o,o,o,o]", when, text(e->actor), text(e->action), text(e->target),
                         text(e->address), text(e->detail));
    return json_pack("{s:I,s:s,s:o,s:o,s:o,s:o,s:o}", "id", (json_int_t)e->id, "time", when,
                     "actor", text(e->actor), "action", text(e->action), "target", text(e->target),
                     "address", text(e->address), "detail", text(e->detail));
}

static int take_page(void *reading, const struct p3d_answer *a)
{
    struct reading *r = reading;
    for (size_t i = 0; i < a->n; i++)
        (void)json_array_append_new(r->entries, entry_json(&a->audit[i], r->json));
    free(r->cursor);
    r->cursor = p3d_strdup(a->cursor);
    return 0;
}

static int read_page(struct p3d_session *s, struct reading *r)
{
    struct p3d_reply reply = {.take = take_page, .priv = r};
    int64_t missing = r->limit - (int64_t)json_array_size(r->entries);
    int called = p3d_store_audit(p3d_session_store(s), &s->who,
                                 missing < P3D_AUDIT_LIST_MAX ? missing : P3D_AUDIT_LIST_MAX,
                                 p3d_str_z(r->cursor), &r->user, p3d_session_answer, &reply);
    int err = p3d_session_try(s, called, &reply);
    if (err != P3D_E_VALIDATION)
        return p3d_session_say(s, err);
    (void)fputs("--cursor: none that an earlier call has given\n", stderr);
    return P3D_EXIT_USAGE;
}

static int read_pages(struct p3d_session *s, struct reading *r)
{
    int rc = read_page(s, r);
    for (int i = 1; rc == 0 && i < PAGES_MAX && r->cursor != NULL &&
                    (int64_t)json_array_size(r->entries) < r->limit;
         i++)
        rc = read_page(s, r);
    return rc;
}

static void print(const struct reading *r)
{
    static const char *const heads[] = {"TIME", "ACTOR", "ACTION", "TARGET", "ADDRESS", "DETAIL"};
    if (r->json) {
        p3d_print_json(json_pack("{s:O,s:o}", "entries", r->entries, "next_cursor",
                                 r->cursor != NULL ? text(r->cursor) : json_null()));
        return;
    }
    p3d_print_table(heads, sizeof(heads) / sizeof(*heads), r->entries);
    if (r->cursor != NULL) {
        char cursor[CURSOR_MAX + 1];
        (void)fprintf(stderr, "older ones: --cursor %s\n",
                      p3d_print_safe(r->cursor, cursor, sizeof(cursor)));
    }
}

int p3d_audit(struct p3d_options *o)
{
    struct p3d_session s = {0};
    struct reading r = {.json = o->value[P3D_OPT_JSON] != NULL, .limit = LIMIT_DEFAULT};
    const char *cursor = o->value[P3D_OPT_CURSOR];
    int rc = p3d_options_number(o, P3D_OPT_LIMIT, 1, LIMIT_MAX, &r.limit);
    if (rc == 0 && cursor != NULL && (*cursor == '\0' || strlen(cursor) > CURSOR_MAX)) {
        (void)fputs("--cursor: none that an earlier call has given\n", stderr);
        rc = P3D_EXIT_USAGE;
    }
    r.cursor = p3d_strdup(cursor);
    r.entries = json_array();
    if (rc == 0)
        rc = p3d_session_open(o, &s);
    if (rc == 0)
        rc = p3d_users_filter(&s, o->value[P3D_OPT_USER], &r.user);
    if (rc == 0)
        rc = read_pages(&s, &r);
    if (rc == 0)
        print(&r);
    json_decref(r.entries);
    free(r.cursor);
    p3d_session_close(&s);
    return rc;
}
