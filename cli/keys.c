/* SPDX-License-Identifier: MIT
 *
 * `p3d keys rotate`: another key signs URLs. In the ordinary way nothing that was given out breaks:
 * the old key is verified for as long as a URL lives and a minute more. With --now all URLs end,
 * as soon as the servers have looked (they do every 5 s). Does not: show a key.
 */
#include "verbs_internal.h"

#include <stdio.h>

#include "print_internal.h"
#include "session_internal.h"
#include "p3d/records.h"

enum { SLACK_MS = 60000, SEEN_WITHIN_S = 5 };

struct rotation {
    int64_t signs_from_ms; /* the new key */
    int64_t old_until_ms;  /* the last of the old ones; 0 = none is left */
};

/* The newest is the new one. The secrets stay where they are. */
static int take_keys(void *rotation, const struct p3d_answer *a)
{
    struct rotation *r = rotation;
    int64_t newest = -1;
    if (a->n == 0)
        return P3D_E_CORRUPT;
    for (size_t i = 0; i < a->n; i++) {
        if (a->keys[i].number > newest) {
            newest = a->keys[i].number;
            r->signs_from_ms = a->keys[i].from_ms;
        }
        if (a->keys[i].until_ms > r->old_until_ms)
            r->old_until_ms = a->keys[i].until_ms;
    }
    return 0;
}

static void print(const struct rotation *r, bool now, bool json)
{
    char from[P3D_TIME_SIZE], until[P3D_TIME_SIZE];
    (void)p3d_print_time(r->signs_from_ms, from);
    (void)p3d_print_time(r->old_until_ms, until);
    if (json) {
        p3d_print_json(json_pack("{s:b,s:b,s:s,s:o}", "rotated", 1, "at_once", now, "signs_from",
                                 from, "old_urls_until",
                                 r->old_until_ms == 0 ? json_null() : json_string(until)));
        return;
    }
    if (now)
        (void)printf("A new key signs URLs now. All URLs given out before are refused within %d "
                     "seconds.\n",
                     SEEN_WITHIN_S);
    else
        (void)printf("A new key signs URLs from %s on. URLs given out before stay good until they "
                     "end, at the latest %s.\n",
                     from, until);
}

static int rotate(struct p3d_session *s, bool now, struct rotation *ret)
{
    struct p3d_reply r = {.take = take_keys, .priv = ret};
    int64_t overlap_ms = s->cfg->security_url_ttl_seconds * 1000 + SLACK_MS;
    int called = p3d_store_keys_rotate(p3d_session_store(s), &s->who, overlap_ms, now,
                                       p3d_session_answer, &r);
    int err = p3d_session_try(s, called, &r);
    if (called == 0 && err == P3D_E_BUSY) {
        (void)fputs("so many keys are still good for URLs given out that there is no room for "
                    "another: later, or --now\n",
                    stderr);
        return P3D_EXIT_REFUSED;
    }
    return p3d_session_say(s, err);
}

int p3d_keys_rotate(struct p3d_options *o)
{
    struct p3d_session s = {0};
    struct rotation made = {0};
    bool now = o->value[P3D_OPT_NOW] != NULL;
    int rc = p3d_session_open(o, &s);
    if (rc == 0)
        rc = rotate(&s, now, &made);
    if (rc == 0)
        print(&made, now, o->value[P3D_OPT_JSON] != NULL);
    p3d_session_close(&s);
    return rc;
}
