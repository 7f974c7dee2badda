/* SPDX-License-Identifier: MIT
 *
 * Users: ids from users:all and from the keys themselves, records, one account each. Guarantee: an
 * account that is here already costs no hashing and stays as it is; one that did not come from
 * there gets nothing of the old user, no token and no job; the old password hash (one round of
 * SHA-256) reaches no disk, only its wrapped form does. Does not: take a user over another one's
 * id, name or email.
 */
#include "migrate_internal.h"

#include <stdio.h>
#include <string.h>

#include "p3d/account.h"
#include "p3d/clock.h"
#include "p3d/json.h"
#include "p3d/records.h"

enum { RECORD_MAX = 65536, CREATED_MIN_S = 946684800 /* the year 2000 */ };

struct user {
    struct p3d_task task; /* first */
    struct p3d_migrate *m;
    char *old_id;
    struct p3d_import_user in; /* its texts are these: */
    char username[65], email[256], old_hash[128], hash[P3D_PASSWORD_HASH_SIZE];
};

static struct p3d_str name_of(const struct user *u)
{
    return p3d_str_z(u->old_id);
}

static void user_end(struct user *u)
{
    p3d_migrate_end(u->m, RECORD_MAX);
    p3d_wipe(u->old_hash, sizeof(u->old_hash));
    p3d_wipe(u->hash, sizeof(u->hash));
    free(u->old_id);
    free(u);
}

static void user_refuse(struct user *u, const char *reason)
{
    p3d_migrate_refuse(u->m, P3D_MIGRATE_USERS_NOT_TAKEN, "user", name_of(u), reason);
    user_end(u);
}

static void user_here(struct user *u, enum p3d_migrate_count count)
{
    (void)p3d_migrate_set_add(&u->m->users, p3d_str_z(u->in.id.s));
    u->m->count[count]++;
    user_end(u);
}

static void on_imported(void *priv, int err, const struct p3d_answer *a)
{
    struct user *u = priv;
    if (p3d_migrate_fatal(u->m, err))
        user_end(u);
    else if (err == P3D_E_USER_NOT_FOUND)
        user_refuse(u, "it was here and has been deleted");
    else if (err != 0)
        user_refuse(u, p3d_err_text(err));
    else
        user_here(u, a->total != 0 ? P3D_MIGRATE_USERS_MADE : P3D_MIGRATE_USERS_THERE);
}

static void import(struct user *u, p3d_store_cb *cb)
{
    u->in.username = p3d_str_z(u->username);
    u->in.email = p3d_str_z(u->email);
    u->in.password_hash = p3d_str_z(u->hash);
    int err = p3d_store_import_user(u->m->store, &u->in, cb, u);
    if (err != 0)
        cb(u, err, NULL);
}

static void hash_work(struct p3d_task *t)
{
    struct user *u = (struct user *)t;
    unsigned rounds = (unsigned)u->m->session.cfg->security_password_iterations;
    u->hash[0] = '\0';
    if (atomic_load_explicit(&u->m->quit, memory_order_relaxed))
        return;
    P3D_IGNORE(p3d_password_wrap(p3d_str_z(u->old_hash), rounds, u->hash)); /* judged before */
}

static void hash_done(struct p3d_task *t)
{
    struct user *u = (struct user *)t;
    if (u->hash[0] == '\0' || p3d_migrate_over(u->m)) {
        user_end(u);
        return;
    }
    import(u, on_imported);
}

/* The name and the email of a dry run: nobody here has them, nobody before in the old Redis. */
static void dry_names(struct user *u)
{
    struct p3d_str username = p3d_str_z(u->username), email = p3d_str_z(u->email);
    char lower[2][256];
    for (int k = 0; k < 2; k++) {
        struct p3d_str s = k == 0 ? username : email;
        (void)p3d_format(lower[k], sizeof(lower[k]), "%.*s", (int)s.n, s.p);
        for (char *c = lower[k]; *c != '\0'; c++)
            *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 'a' - 'A' : *c);
    }
    if (p3d_migrate_set_has(&u->m->names, p3d_str_z(lower[0])) ||
        p3d_migrate_set_has(&u->m->names, p3d_str_z(lower[1]))) {
        user_refuse(u, p3d_err_text(P3D_E_USER_EXISTS));
        return;
    }
    (void)p3d_migrate_set_add(&u->m->names, p3d_str_z(lower[0]));
    (void)p3d_migrate_set_add(&u->m->names, p3d_str_z(lower[1]));
    user_here(u, P3D_MIGRATE_USERS_MADE);
}

static void on_email(void *priv, int err, const struct p3d_answer *a)
{
    struct user *u = priv;
    (void)a;
    if (p3d_migrate_fatal(u->m, err))
        user_end(u);
    else if (err == P3D_E_USER_NOT_FOUND)
        dry_names(u);
    else
        user_refuse(u, p3d_err_text(err == 0 ? P3D_E_USER_EXISTS : err));
}

static void find(struct user *u, const char *name, p3d_store_cb *cb)
{
    int err = p3d_store_user_find(u->m->store, &u->m->session.who, false, p3d_str_z(name), cb, u);
    if (err != 0)
        cb(u, err, NULL);
}

static void on_username(void *priv, int err, const struct p3d_answer *a)
{
    struct user *u = priv;
    if (err == P3D_E_USER_NOT_FOUND)
        find(u, u->email, on_email);
    else
        on_email(u, err, a);
}

static void on_judged(void *priv, int err, const struct p3d_answer *a)
{
    struct user *u = priv;
    if (err == P3D_E_USER_EXISTS)
        user_refuse(u, "an account here that did not come from there has this id");
    else
        on_imported(u, err, a);
}

/* Nothing in a record proves that this account is that user: who wrote the old Redis could have
 * chosen an admin's id, name and time. The store knows what it was brought; where an id is taken or
 * was, it makes nothing, so no hash is needed. */
static void judge(struct user *u)
{
    u->hash[0] = '\0';
    import(u, on_judged);
}

static void on_found(void *priv, int err, const struct p3d_answer *a)
{
    struct user *u = priv;
    (void)a;
    if (p3d_migrate_fatal(u->m, err) || p3d_migrate_over(u->m))
        user_end(u);
    else if (err == 0)
        judge(u);
    else if (err != P3D_E_USER_NOT_FOUND)
        user_refuse(u, p3d_err_text(err));
    else if (u->m->dry_run)
        find(u, u->username, on_username);
    else if (p3d_pool_run(u->m->pool, &u->task) != 0)
        user_refuse(u, p3d_err_text(P3D_E_BUSY));
}

static const char *copy(const json_t *record, const char *key, char *dst, size_t size)
{
    struct p3d_str s = p3d_json_get_str(record, key);
    if (s.n >= size)
        return "too long";
    (void)p3d_format(dst, size, "%.*s", (int)s.n, s.n > 0 ? s.p : "");
    return NULL;
}

static const char *read_names(struct user *u, const json_t *record)
{
    if (copy(record, "username", u->username, sizeof(u->username)) != NULL)
        return p3d_err_text(P3D_E_USERNAME_CHARS);
    if (copy(record, "email", u->email, sizeof(u->email)) != NULL)
        return p3d_err_text(P3D_E_EMAIL_INVALID);
    int err = p3d_username_check(p3d_str_z(u->username));
    if (err == 0)
        err = p3d_email_check(p3d_str_z(u->email));
    return err != 0 ? p3d_err_text(err) : NULL;
}

static const char *read_user(struct user *u, const json_t *record)
{
    struct p3d_str role = p3d_json_get_str(record, "role"),
                   id = p3d_json_get_str(record, "user_id");
    int64_t now = p3d_wall_ms();
    if (id.n > 0 && !p3d_str_eq_z(id, u->old_id))
        return "its record names another user_id";
    const char *bad = read_names(u, record);
    if (bad != NULL)
        return bad;
    if (copy(record, "password_hash", u->old_hash, sizeof(u->old_hash)) != NULL ||
        p3d_password_wrap(p3d_str_z(u->old_hash), 1, u->hash) != 0)
        return "its password hash has no known form";
    u->in.id = p3d_migrate_owner(name_of(u));
    u->in.admin = p3d_str_eq_z(role, "admin");
    u->in.active = p3d_migrate_bool(record, "is_active", true);
    if (!u->in.admin && !p3d_str_eq_z(role, "user"))
        p3d_migrate_note(u->m, "user", name_of(u), "its role is not known: brought as user");
    if (!p3d_migrate_time(record, "created_at", &u->in.created_ms) || u->in.created_ms > now ||
        u->in.created_ms < CREATED_MIN_S * INT64_C(1000))
        u->in.created_ms = 0; /* now */
    return NULL;
}

static bool user_begin(struct p3d_migrate *m, struct p3d_str id, struct p3d_str text)
{
    json_t *record = NULL;
    if (!p3d_migrate_begin(m, RECORD_MAX))
        return false;
    struct user *u = p3d_alloc(sizeof(*u));
    u->m = m;
    u->old_id = p3d_strndup(id.p, id.n);
    u->task.work = hash_work;
    u->task.done = hash_done;
    const char *bad = id.n == 0 || id.n > 256 || strlen(u->old_id) != id.n
                          ? "its id cannot be one"
                          : p3d_migrate_parse(text, RECORD_MAX, &record);
    if (bad == NULL)
        bad = read_user(u, record);
    json_decref(record);
    if (bad != NULL)
        user_refuse(u, bad);
    else if (m->store == NULL)
        dry_names(u);
    else
        find(u, u->in.id.s, on_found);
    return true;
}

/* The records of these ids. */
static bool users_read(struct p3d_migrate *m, const struct p3d_str *ids, size_t n)
{
    struct p3d_foreign_page texts = {.n = 0};
    struct p3d_str *keys = p3d_alloc(n * sizeof(*keys));
    for (size_t i = 0; i < n; i++) {
        struct p3d_buf key;
        p3d_buf_init(&key, 0);
        p3d_buf_addf(&key, "%suser:", m->prefix);
        p3d_buf_add(&key, ids[i].p, ids[i].n);
        keys[i].n = key.n;
        keys[i].p = p3d_buf_take(&key);
    }
    bool on = !p3d_migrate_failed(m, p3d_foreign_texts(m->source, keys, n, RECORD_MAX + 1, &texts));
    for (size_t i = 0; i < n && on; i++)
        on = user_begin(m, ids[i], texts.v[i]);
    for (size_t i = 0; i < n; i++)
        free((char *)(uintptr_t)keys[i].p);
    free(keys);
    p3d_foreign_page_done(&texts);
    return on;
}

static bool ids_page(struct p3d_migrate *m, const struct p3d_foreign_page *p, void *seen)
{
    struct p3d_str *ids = p3d_alloc(p->n * sizeof(*ids));
    size_t n = 0;
    for (size_t i = 0; i < p->n; i++)
        if (p->v[i].p != NULL && p3d_migrate_set_add(seen, p->v[i]))
            ids[n++] = p->v[i];
    m->seen += (int64_t)n;
    bool on = n == 0 || users_read(m, ids, n);
    free(ids);
    return on;
}

static bool is_record(struct p3d_str id)
{
    static const char tail[] = ":tokens";
    const size_t n = sizeof(tail) - 1;
    return !p3d_str_starts(id, "username:") && !p3d_str_starts(id, "email:") &&
           (id.n < n || memcmp(id.p + id.n - n, tail, n) != 0);
}

/* user:<id> that users:all does not name: they could log in all the same. */
static bool keys_page(struct p3d_migrate *m, const struct p3d_foreign_page *p, void *seen)
{
    struct p3d_foreign_page ids = {.v = p3d_alloc(p->n * sizeof(*ids.v))};
    const size_t head = strlen(m->prefix) + sizeof("user:") - 1;
    for (size_t i = 0; i < p->n; i++) {
        struct p3d_str id = p->v[i].n >= head ? (struct p3d_str){p->v[i].p + head, p->v[i].n - head}
                                              : (struct p3d_str){NULL, 0};
        if (id.p != NULL && is_record(id))
            ids.v[ids.n++] = id;
    }
    bool on = ids_page(m, &ids, seen);
    free(ids.v);
    return on;
}

void p3d_migrate_users(struct p3d_migrate *m)
{
    struct p3d_migrate_set seen = {.n = 0};
    p3d_migrate_class(m, "users", p3d_migrate_total(m, P3D_FOREIGN_SET, "users:all"));
    if (p3d_migrate_walk(m, P3D_FOREIGN_SET, "users:all", ids_page, &seen))
        (void)p3d_migrate_walk(m, P3D_FOREIGN_KEYS, "user:*", keys_page, &seen);
    p3d_migrate_drain(m);
    p3d_migrate_set_done(&seen);
}
