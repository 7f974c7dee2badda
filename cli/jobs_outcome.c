/* SPDX-License-Identifier: MIT
 *
 * What became of many jobs. Guarantee: said when it has happened, so that a run which is cut off
 * has told of everything it did, and holds nothing for a job that is done; the JSON is one value
 * also when the run ended early. Does not: decide what is tried next, but for u->stop.
 */
#include "jobs_internal.h"

#include <stdio.h>

#include "print_internal.h"

enum { WORDS_SIZE = 640, JOB_SIZE = 80 };

void p3d_outcome_begin(struct p3d_outcome *u, bool json)
{
    *u = (struct p3d_outcome){.json = json, .begun = true};
    if (json)
        (void)fputs("{\"jobs\":[", stdout);
}

static void put_json(const struct p3d_outcome *u, json_t *row)
{
    char *text P3D_CLEANUP(p3d_freep) = p3d_json_dump(row, NULL);
    (void)printf("%s%s", u->done + u->refused > 0 ? "," : "", text);
    json_decref(row);
}

void p3d_outcome_done(struct p3d_outcome *u, const char *job, const char *words, const char *key,
                      const char *value)
{
    if (u->json)
        put_json(u, json_pack("{s:s,s:s}", "job_id", job, key, value));
    else
        (void)printf("%s %s\n", job, words);
    u->done++;
    (void)fflush(stdout);
}

void p3d_outcome_refused(struct p3d_outcome *u, const struct p3d_session *s, const char *job,
                         int err, const char *words)
{
    const struct p3d_err_info *info = p3d_err_info(err);
    char id[JOB_SIZE], text[WORDS_SIZE];
    if (words == NULL)
        words = err == P3D_E_STORE_DOWN ? "no answer came: whether it was done is not known"
                                        : p3d_err_text(err);
    (void)fflush(stdout);
    (void)fprintf(stderr, "%s: %s\n", p3d_print_safe(job, id, sizeof(id)),
                  p3d_print_safe(words, text, sizeof(text)));
    if (info->status == 503)
        u->stop = p3d_session_say(s, err);
    if (u->json)
        put_json(u, json_pack("{s:o,s:s,s:o}", "job_id", p3d_json_str(p3d_str_z(job)), "error",
                              info->wire, "detail", p3d_json_str(p3d_str_z(words))));
    u->refused++;
}

int p3d_outcome_end(struct p3d_outcome *u, const char *verb)
{
    if (!u->begun)
        return u->stop;
    if (u->json)
        (void)printf("],\"%s\":%lld,\"refused\":%lld,\"left_out\":%lld}\n", verb,
                     (long long)u->done, (long long)u->refused, (long long)u->left_out);
    (void)fflush(stdout);
    if (u->stop != 0)
        return u->stop;
    return u->refused > 0 ? P3D_EXIT_REFUSED : P3D_EXIT_OK;
}
