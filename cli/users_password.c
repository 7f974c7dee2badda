/* SPDX-License-Identifier: MIT
 *
 * `p3d users set-password`: for whoever has lost theirs, the admin included; who may read the data
 * folder or knows the Redis is the operator. Guarantee: the password reaches Redis only as its
 * hash; unless --keep-tokens is given, no token of before is good any more when this ends. Does
 * not: need the old password, nor make an account active again.
 */
#include "verbs_internal.h"

#include <stdio.h>

#include "ask_internal.h"
#include "print_internal.h"
#include "users_internal.h"

static int set(struct p3d_session *s, struct p3d_user *u, const char *hash, bool revoke)
{
    struct p3d_reply r = {.take = p3d_users_take, .priv = u};
    int called = p3d_store_password_set(p3d_session_store(s), &s->who, &u->id, P3D_STR(""),
                                        p3d_str_z(hash), revoke, NULL, p3d_session_answer, &r);
    return p3d_session_wait(s, called, &r);
}

static void print(const struct p3d_user *u, bool revoked, bool json)
{
    char name[sizeof(u->username)];
    if (json)
        p3d_print_json(
            json_pack("{s:o,s:b}", "user", p3d_users_json(u), "tokens_revoked", revoked));
    else
        (void)printf("%s has a new password; %s\n", p3d_print_safe(u->username, name, sizeof(name)),
                     revoked ? "all tokens of the account have ended"
                             : "the tokens of the account stay valid");
    if (!u->active)
        (void)fprintf(stderr, "the account is %s: it cannot log in until `p3d users activate`\n",
                      p3d_user_status_name(u->status));
}

int p3d_users_set_password(struct p3d_options *o)
{
    struct p3d_session s = {0};
    struct p3d_user user;
    char hash[P3D_PASSWORD_HASH_SIZE];
    bool revoke = o->value[P3D_OPT_KEEP_TOKENS] == NULL;
    /* A person learns that the name is wrong before typing a password twice; a program that has
     * given none learns that before anything is started. */
    bool person = p3d_ask_possible();
    int rc = p3d_session_configure(o, &s);
    if (rc == 0 && !person)
        rc = p3d_ask_password_hash(o, s.cfg, false, hash);
    if (rc == 0)
        rc = p3d_session_connect(&s);
    if (rc == 0)
        rc = p3d_users_find(&s, o->value[P3D_OPT_ID], &user);
    if (rc == 0 && person)
        rc = p3d_ask_password_hash(o, s.cfg, false, hash);
    if (rc == 0)
        rc = set(&s, &user, hash, revoke);
    if (rc == 0)
        print(&user, revoke, o->value[P3D_OPT_JSON] != NULL);
    p3d_wipe(hash, sizeof(hash));
    p3d_session_close(&s);
    return rc;
}
