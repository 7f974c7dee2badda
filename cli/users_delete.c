/* SPDX-License-Identifier: MIT
 *
 * `p3d users delete`: the one verb that cannot be taken back, so a person types the account's name
 * and a program says --yes. Does not: remove finished jobs; they stay, for admins.
 */
#include "verbs_internal.h"

#include <stdio.h>
#include <string.h>

#include "ask_internal.h"
#include "print_internal.h"
#include "users_internal.h"

static int confirm(const struct p3d_user *u)
{
    char typed[sizeof(u->username)], name[sizeof(u->username)], email[sizeof(u->email)];
    (void)fprintf(stderr, "%s <%s>, %s, is to be deleted.\n",
                  p3d_print_safe(u->username, name, sizeof(name)),
                  p3d_print_safe(u->email, email, sizeof(email)), p3d_users_role(u));
    if (p3d_ask_line("Type the username to confirm", typed, sizeof(typed)) &&
        strcmp(typed, u->username) == 0)
        return 0;
    (void)fputs("that is not the username: nothing was deleted\n", stderr);
    return P3D_EXIT_REFUSED;
}

static int delete_it(struct p3d_session *s, const struct p3d_user *u, bool json)
{
    struct p3d_reply r = {0};
    char name[sizeof(u->username)];
    int called =
        p3d_store_user_delete(p3d_session_store(s), &s->who, &u->id, p3d_session_answer, &r);
    int rc = p3d_session_wait(s, called, &r);
    if (rc == 0 && json)
        p3d_print_json(json_pack("{s:o,s:b}", "user", p3d_users_json(u), "deleted", 1));
    else if (rc == 0)
        (void)printf("%s (%s) is deleted\n", p3d_print_safe(u->username, name, sizeof(name)),
                     u->id.s);
    return rc;
}

int p3d_users_delete(struct p3d_options *o)
{
    struct p3d_session s = {0};
    struct p3d_user user;
    bool yes = o->value[P3D_OPT_YES] != NULL;
    if (!yes && !p3d_ask_possible()) {
        (void)fputs("nobody to ask: --yes deletes without a question\n", stderr);
        return P3D_EXIT_USAGE;
    }
    int rc = p3d_session_open(o, &s);
    if (rc == 0)
        rc = p3d_users_find(&s, o->value[P3D_OPT_ID], &user);
    if (rc == 0 && !yes)
        rc = confirm(&user);
    if (rc == 0)
        rc = delete_it(&s, &user, o->value[P3D_OPT_JSON] != NULL);
    if (rc == 0)
        p3d_users_warn_last_admin(&s, &user);
    p3d_session_close(&s);
    return rc;
}
