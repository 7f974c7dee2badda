/* SPDX-License-Identifier: MIT
 *
 * The command line: which verbs there are, which flags each takes, and what was given.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "p3d/config.h"
#include "p3d/crypto.h"

/* Exit statuses of every verb. */
enum { P3D_EXIT_OK = 0, P3D_EXIT_REFUSED = 1, P3D_EXIT_USAGE = 2, P3D_EXIT_UNAVAILABLE = 3 };

enum p3d_option {
    P3D_OPT_CONFIG,
    P3D_OPT_DATA_DIR,
    P3D_OPT_HOST,
    P3D_OPT_PORT,
    P3D_OPT_JSON,
    P3D_OPT_INHERIT,
    P3D_OPT_USERNAME,
    P3D_OPT_EMAIL,
    P3D_OPT_PASSWORD,
    P3D_OPT_PASSWORD_FILE,
    P3D_OPT_ROLE,
    P3D_OPT_REDIS_URL,
    P3D_OPT_TOKEN_NAME,
    P3D_OPT_TOKEN_DAYS,
    P3D_OPT_ID, /* no flag: the one word that the verb is about */
    P3D_OPT_MAX_CONCURRENT_JOBS,
    P3D_OPT_MAX_QUEUED_JOBS,
    P3D_OPT_KEEP_TOKENS,
    P3D_OPT_LIMIT,
    P3D_OPT_OFFSET,
    P3D_OPT_USER,
    P3D_OPT_CURSOR,
    P3D_OPT_NOW,
    P3D_OPT_YES,
    P3D_OPT_FROM,
    P3D_OPT_PREFIX,
    P3D_OPT_FILES,
    P3D_OPT_DRY_RUN,
    P3D_OPT_STATUS,
    P3D_OPT_FEATURE,
    P3D_OPT_MODEL,
    P3D_OPT_JOB,  /* no flag: the one job that the verb is about */
    P3D_OPT_JOBS, /* no flag: any number of them, in words; the verb says when there are none */
    P3D_OPT_REPAIR,
    P3D_OPT_HELP,
    P3D_OPT__COUNT
};
#define P3D_OPT_BIT(o) (UINT64_C(1) << (o))

/* What was given; values point into argv, except those of secrets. */
struct p3d_options {
    const char *value[P3D_OPT__COUNT]; /* NULL = not given; "" for a flag without value */
    struct p3d_secret password;        /* --password: wiped from argv at once */
    char *redis_url;                   /* --redis-url: the same, it may hold a password; owned */
    char *from_url;                    /* --from: the same */
    const char **words;                /* of P3D_OPT_JOBS, in argv; the list is owned */
    size_t words_n;
    bool password_too_long;            /* it was cut */
    bool help;
};

struct p3d_verb {
    const char *name, *noun; /* "users" "create"; noun NULL: the verb stands alone */
    uint64_t options;        /* P3D_OPT_BIT of those it takes; --help always */
    bool hidden;             /* of the machinery, not shown */
    int (*run)(struct p3d_options *o);
    const char *summary;
    const char *example; /* lines for --help */
};

/* argv from behind the verb on, argv[0] is ignored. Returns 0 or P3D_EXIT_USAGE (said on stderr).
 */
int p3d_options_parse(const struct p3d_verb *v, int argc, char **argv, struct p3d_options *ret);
void p3d_options_done(struct p3d_options *o);
void p3d_options_help(const struct p3d_verb *v, FILE *out);

/* The configuration with the flags on top. Says what is wrong on stderr. Returns 0 or
 * P3D_EXIT_REFUSED. */
int p3d_options_config(const struct p3d_options *o, struct p3d_config **ret);

/* The number behind a flag; *ret stays as it is when the flag was not given. Returns 0 or P3D_EXIT_USAGE (said on
 * stderr). */
int p3d_options_number(const struct p3d_options *o, enum p3d_option flag, int64_t min, int64_t max, int64_t *ret);
