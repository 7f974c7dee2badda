/* SPDX-License-Identifier: MIT
 *
 * One's own tokens: make, list, revoke, log out. Guarantee: the text of a token is in one answer, the one that made it;
 * a token never makes one that may more than it may itself (judged in the store's script); whose token a prefix names
 * is asked among the caller's only, so nobody learns of others'. Does not: know how tokens are kept.
 */
#include "users_internal.h"

#include <string.h>

#include "p3d/clock.h"

#define DAY_MS INT64_C(86400000)
#define NAME_MAX_CHARS 100
_Static_assert(NAME_MAX_CHARS * 4 <= P3D_TOKEN_NAME_MAX, "a name of the longest characters fits");
#define DAYS_MAX 3650
#define PREFIX_MIN 8

static json_t *scopes_json(unsigned scopes)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < P3D_SCOPES; i++)
        if ((scopes & 1u << i) != 0)
            (void)json_array_append_new(list, json_string(p3d_scope_name(1u << i)));
    return list;
}

static json_t *info_json(const struct p3d_token_info *t)
{
    char prefix[P3D_TOKEN_PREFIX_LEN + 8];
    (void)p3d_format(prefix, sizeof(prefix), "%.*s...", P3D_TOKEN_PREFIX_LEN, t->prefix);
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:b}", "token_prefix", p3d_json_str(p3d_str_z(prefix)), "name",
                     p3d_json_str(p3d_str_z(t->name)), "scopes", scopes_json(t->scopes), "created_at",
                     p3d_json_time(t->created_ms), "expires_at", p3d_json_time(t->expires_ms), "last_used_at",
                     p3d_json_time(t->last_used_ms), "is_active", (int)t->active);
}

/* ---- make ---- */

struct making {
    struct p3d_call *call;
    struct p3d_str name;
    struct p3d_minted minted;
};

static void making_done(void *arg)
{
    struct making *m = arg;
    p3d_wipe(&m->minted, sizeof(m->minted));
}

static void on_made(void *priv, int err, const struct p3d_answer *a)
{
    struct making *m = priv;
    struct p3d_call *c = m->call;
    if (err == 0 && a->n == 0)
        err = P3D_E_CORRUPT;
    if (err != 0)
        p3d_api_failed(c, err, a);
    else
        p3d_reply_json(c, 200, json_pack("{s:b, s:s, s:s, s:o}", "success", 1, "message",
                                         "API token created successfully", "token", m->minted.token.s, "token_info",
                                         info_json(&a->tokens[0])));
    p3d_call_unref(c);
}

/* The scopes of the body as bits, 0 when there are none. */
static unsigned read_scopes(const json_t *list, struct p3d_faults *f)
{
    unsigned scopes = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *v = json_array_get(list, i);
        unsigned scope = p3d_scope_find((struct p3d_str){json_string_value(v), json_string_length(v)});
        if (scope == 0) {
            struct p3d_buf names;
            p3d_buf_init(&names, 256);
            for (unsigned k = 0; k < P3D_SCOPES; k++)
                p3d_buf_addf(&names, "%s'%s'", k > 0 ? ", " : "Input should be of ", p3d_scope_name(1u << k));
            p3d_faults_add(f, "enum", names.p, "body", "scopes", NULL);
            p3d_buf_done(&names);
            return 0;
        }
        scopes |= scope;
    }
    return scopes;
}

static int read_body(struct p3d_call *c, struct making *m, struct p3d_refusal *why)
{
    static const struct p3d_body_field fields[] = {
        {.name = "token_name", .type = P3D_BODY_LINE, .required = true, .minimum = 1, .maximum = NAME_MAX_CHARS},
        {.name = "expires_in_days", .type = P3D_BODY_INTEGER, .minimum = 1, .maximum = DAYS_MAX},
        {.name = "scopes", .type = P3D_BODY_STRINGS, .minimum = 1, .maximum = 1000},
    };
    json_t *body = NULL;
    int err = p3d_body_read(c, &body, why);
    if (err != 0)
        return err;
    err = p3d_body_check(body, fields, 3, false, &why->faults);
    if (err == 0) {
        m->name = p3d_call_text(c, p3d_json_get_str(body, "token_name"));
        p3d_minted_new(&m->minted, m->name);
        m->minted.row.scopes = read_scopes(json_object_get(body, "scopes"), &why->faults);
        int64_t days = json_integer_value(json_object_get(body, "expires_in_days"));
        m->minted.row.expires_ms = days > 0 ? p3d_wall_ms() + days * DAY_MS : 0;
        err = why->faults.list != NULL ? P3D_E_VALIDATION : 0;
    }
    json_decref(body);
    return why->error.code = err;
}

void p3d_api_token_create(struct p3d_call *c)
{
    struct p3d_refusal why = {.faults = {NULL}};
    struct making *m = p3d_call_alloc(c, sizeof(*m));
    p3d_call_defer(c, making_done, m);
    if (read_body(c, m, &why) != 0) {
        p3d_api_refuse(c, &why, NULL);
        return;
    }
    m->call = p3d_call_ref(c);
    p3d_api_began(c, p3d_store_token_add(p3d_call_app(c)->store, p3d_call_access(c), &m->minted.row, on_made, m));
}

/* ---- list ---- */

static json_t *list_json(const struct p3d_answer *a)
{
    json_t *list = json_array();
    for (size_t i = 0; i < a->n; i++)
        (void)json_array_append_new(list, info_json(&a->tokens[i]));
    return json_pack("{s:b, s:o, s:I}", "success", 1, "tokens", list, "total_count", (json_int_t)a->total);
}

static void on_list(void *priv, int err, const struct p3d_answer *a)
{
    p3d_api_done(priv, err, a, list_json);
}

/* limit and offset for who has more than fit into one answer. */
void p3d_api_token_list(struct p3d_call *c)
{
    struct p3d_refusal why = {.faults = {NULL}};
    int64_t limit = p3d_query_int(c, "limit", 1, P3D_TOKEN_LIST_MAX, P3D_TOKEN_LIST_MAX, &why.faults);
    int64_t offset = p3d_query_int(c, "offset", 0, INT64_C(1) << 40, 0, &why.faults);
    if (why.faults.list != NULL)
        p3d_api_refuse(c, &why, NULL);
    else
        p3d_api_began(c, p3d_store_token_list(p3d_call_app(c)->store, p3d_call_access(c), limit, offset, on_list,
                                              p3d_call_ref(c)));
}

/* ---- revoke ---- */

static void answer_revoked(struct p3d_call *c, int err, const struct p3d_answer *a, const char *message)
{
    if (err != 0)
        p3d_api_failed(c, err, a);
    else
        p3d_reply_json(c, 200, json_pack("{s:b, s:s}", "success", 1, "message", message));
    p3d_call_unref(c);
}

static void on_revoked(void *priv, int err, const struct p3d_answer *a)
{
    answer_revoked(priv, err, a, "Token revoked successfully");
}

/* What the path names. ret_hash: of a whole token, or "". Errors: P3D_E_TOKEN_NAME; P3D_E_TOKEN_NOT_FOUND it has the
 * length of a token and cannot be one. */
static int read_name(struct p3d_str name, char ret_hash[P3D_SHA256_HEX], struct p3d_str *ret_prefix)
{
    unsigned shard;
    if (name.n >= 3 && memcmp(name.p + name.n - 3, "...", 3) == 0) /* as the list shows it */
        name.n -= 3;
    ret_hash[0] = '\0';
    *ret_prefix = name;
    if (name.n >= PREFIX_MIN && name.n <= P3D_TOKEN_PREFIX_LEN)
        return 0;
    if (name.n != P3D_TOKEN_LEN && name.n != P3D_LEGACY_TOKEN_LEN)
        return P3D_E_TOKEN_NAME;
    if (p3d_token_check(name, &shard) != 0 && !p3d_token_is_legacy(name))
        return P3D_E_TOKEN_NOT_FOUND;
    p3d_sha256_hex(name, ret_hash);
    return 0;
}

void p3d_api_token_revoke(struct p3d_call *c)
{
    struct p3d_refusal why = {.faults = {NULL}};
    char hash[P3D_SHA256_HEX];
    struct p3d_str prefix;
    why.error.code = read_name(p3d_call_param(c, 0), hash, &prefix);
    if (why.error.code != 0) {
        p3d_api_refuse(c, &why, NULL);
        return;
    }
    p3d_api_began(c, p3d_store_token_revoke(p3d_call_app(c)->store, p3d_call_access(c), hash[0] != '\0' ? hash : NULL,
                                            prefix, on_revoked, p3d_call_ref(c)));
}

static void on_logged_out(void *priv, int err, const struct p3d_answer *a)
{
    if (err == P3D_E_TOKEN_NOT_FOUND) /* gone between the judgement of the credential and this */
        err = P3D_E_TOKEN_INVALID;
    answer_revoked(priv, err, a, "Logged out successfully");
}

void p3d_api_logout(struct p3d_call *c)
{
    const struct p3d_access *who = p3d_call_access(c);
    p3d_api_began(c, p3d_store_token_revoke(p3d_call_app(c)->store, who, who->token_hash, (struct p3d_str){NULL, 0},
                                            on_logged_out, p3d_call_ref(c)));
}
