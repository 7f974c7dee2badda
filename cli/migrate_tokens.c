/* SPDX-License-Identifier: MIT
 *
 * Tokens: token:<token> keys, which is what the old server looked up; a token that only stands in
 * a user's set was good for nothing there. Guarantee: a token leaves this file as its SHA-256 and
 * its first characters only; where a field that limits it makes no sense, it is not taken. Inactive
 * and expired ones are counted.
 */
#include "migrate_internal.h"

#include <stdio.h>
#include <string.h>

#include "p3d/clock.h"
#include "p3d/json.h"
#include "p3d/records.h"

enum { RECORD_MAX = 16384, SHOWN = 8, NAME_MAX_BYTES = 100 };

struct token {
    struct p3d_migrate *m;
    char shown[SHOWN + 4];
    char hash[P3D_SHA256_HEX], name[NAME_MAX_BYTES + 1], prefix[P3D_TOKEN_PREFIX_LEN + 1];
    struct p3d_import_token in;
};

static void token_end(struct token *t, enum p3d_migrate_count count)
{
    t->m->count[count]++;
    p3d_migrate_end(t->m, RECORD_MAX);
    free(t);
}

static void token_refuse(struct token *t, const char *reason)
{
    p3d_migrate_refuse(t->m, P3D_MIGRATE_TOKENS_NOT_TAKEN, "token", p3d_str_z(t->shown), reason);
    p3d_migrate_end(t->m, RECORD_MAX);
    free(t);
}

static void on_imported(void *priv, int err, const struct p3d_answer *a)
{
    struct token *t = priv;
    if (p3d_migrate_fatal(t->m, err)) {
        p3d_migrate_end(t->m, RECORD_MAX);
        free(t);
    } else if (err == P3D_E_USER_NOT_FOUND) {
        token_refuse(t, "its user is not here");
    } else if (err == P3D_E_CONFLICT) {
        token_refuse(t, "the password of its user has been changed here, which ends older tokens");
    } else if (err != 0) {
        token_refuse(t, p3d_err_info(err)->message);
    } else {
        token_end(t, a->total != 0 ? P3D_MIGRATE_TOKENS_MADE : P3D_MIGRATE_TOKENS_THERE);
    }
}

static void read_name(struct token *t, const json_t *record)
{
    struct p3d_str name = p3d_utf8_cut(p3d_json_get_str(record, "name"), NAME_MAX_BYTES);
    (void)p3d_format(t->name, sizeof(t->name), "%.*s", (int)name.n, name.n > 0 ? name.p : "");
    for (char *c = t->name; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7F)
            *c = '?';
    if (t->name[0] == '\0')
        (void)p3d_format(t->name, sizeof(t->name), "3DAIGC token");
}

/* A time that only tells: nonsense is "not known". */
static int64_t past(const json_t *record, const char *key, int64_t now)
{
    int64_t ms = 0;
    return p3d_migrate_time(record, key, &ms) && ms > 0 && ms <= now ? ms : 0;
}

/* NULL and *ret_skip P3D_MIGRATE__COUNT: take it. */
static const char *read_token(struct token *t, const json_t *record, struct p3d_str text,
                              enum p3d_migrate_count *ret_skip)
{
    struct p3d_str user = p3d_json_get_str(record, "user_id"),
                   named = p3d_json_get_str(record, "token");
    int64_t now = p3d_wall_ms();
    if (named.n > 0 && !p3d_equal(named, text))
        return "its record is of another token";
    if (!p3d_migrate_bool(record, "is_active", true)) {
        *ret_skip = P3D_MIGRATE_TOKENS_INACTIVE;
        return NULL;
    }
    if (!p3d_migrate_time(record, "expires_at", &t->in.expires_ms))
        return "its end makes no sense";
    if (t->in.expires_ms != 0 && t->in.expires_ms <= now) {
        *ret_skip = P3D_MIGRATE_TOKENS_EXPIRED;
        return NULL;
    }
    if (user.n == 0)
        return "its record names no user";
    t->in.owner = p3d_migrate_owner(user);
    if (!p3d_migrate_set_has(&t->m->users, p3d_str_z(t->in.owner.s)))
        return "its user was not brought";
    t->in.created_ms = past(record, "created_at", now);
    t->in.last_used_ms = past(record, "last_used_at", now);
    read_name(t, record);
    return NULL;
}

static void token_send(struct token *t)
{
    t->in.hash = t->hash;
    t->in.prefix = p3d_str_z(t->prefix);
    t->in.name = p3d_str_z(t->name);
    int err = p3d_store_import_token(t->m->store, &t->in, on_imported, t);
    if (err != 0)
        on_imported(t, err, NULL);
}

static bool token_begin(struct p3d_migrate *m, struct p3d_str text, struct p3d_str value)
{
    enum p3d_migrate_count skip = P3D_MIGRATE__COUNT;
    json_t *record = NULL;
    if (!p3d_migrate_begin(m, RECORD_MAX))
        return false;
    struct token *t = p3d_alloc(sizeof(*t));
    t->m = m;
    (void)p3d_format(t->shown, sizeof(t->shown), "%.*s…",
                     (int)(text.n > SHOWN ? SHOWN : text.n / 2), text.p);
    const char *bad = p3d_token_is_legacy(text) ? NULL : "it has not the form of a token";
    if (bad == NULL) {
        p3d_sha256_hex(text, t->hash);
        (void)p3d_format(t->prefix, sizeof(t->prefix), "%.*s", P3D_TOKEN_PREFIX_LEN, text.p);
        bad = p3d_migrate_parse(value, RECORD_MAX, &record);
    }
    if (bad == NULL)
        bad = read_token(t, record, text, &skip);
    json_decref(record);
    if (bad != NULL)
        token_refuse(t, bad);
    else if (skip != P3D_MIGRATE__COUNT)
        token_end(t, skip);
    else if (m->dry_run)
        token_end(t, P3D_MIGRATE_TOKENS_MADE);
    else
        token_send(t);
    return true;
}

static bool keys_page(struct p3d_migrate *m, const struct p3d_foreign_page *p, void *seen)
{
    struct p3d_foreign_page texts = {.n = 0};
    struct p3d_str *keys = p3d_alloc(p->n * sizeof(*keys));
    const size_t head = strlen(m->prefix) + sizeof("token:") - 1;
    size_t n = 0;
    bool on = true;
    for (size_t i = 0; i < p->n; i++)
        if (p->v[i].p != NULL && p->v[i].n >= head && p3d_migrate_set_add(seen, p->v[i]))
            keys[n++] = p->v[i];
    m->seen += (int64_t)n;
    if (n > 0)
        on = !p3d_migrate_failed(m, p3d_foreign_texts(m->source, keys, n, RECORD_MAX + 1, &texts));
    for (size_t i = 0; i < n && on; i++)
        on = token_begin(m, (struct p3d_str){keys[i].p + head, keys[i].n - head}, texts.v[i]);
    free(keys);
    p3d_foreign_page_done(&texts);
    return on;
}

void p3d_migrate_tokens(struct p3d_migrate *m)
{
    struct p3d_migrate_set seen = {.n = 0};
    p3d_migrate_class(m, "tokens", 0);
    (void)p3d_migrate_walk(m, P3D_FOREIGN_KEYS, "token:*", keys_page, &seen);
    p3d_migrate_drain(m);
    p3d_migrate_set_done(&seen);
}
