/* SPDX-License-Identifier: MIT
 *
 * Flags, from one table. Guarantee: a secret given as a flag is overwritten in argv before anything
 * else happens (other users of the machine read argv); an unknown flag, one that the verb does not
 * take, a missing value, a missing or a stray word is said with the verb's --help named. Does not:
 * judge values.
 */
#include "options_internal.h"

#include <getopt.h>
#include <string.h>
#include <unistd.h>

#include "p3d/str.h"

static const struct row {
    const char *name, *argument, *doc; /* argument NULL: takes none; doc NULL: hidden */
    const char *key;                   /* of the setting it stands for, or NULL */
} rows[P3D_OPT__COUNT] = {
    [P3D_OPT_CONFIG] = {"config", "FILE",
                        "configuration (default: ./config.yaml, then /etc/p3d/config.yaml)", NULL},
    [P3D_OPT_DATA_DIR] = {"data-dir", "DIR", "where everything is kept", "data_dir"},
    [P3D_OPT_HOST] = {"host", "ADDRESS", "address to listen on", "server.host"},
    [P3D_OPT_PORT] = {"port", "N", "TCP port; 0 lets the kernel choose", "server.port"},
    [P3D_OPT_JSON] = {"json", NULL, "answer as one JSON object", NULL},
    [P3D_OPT_INHERIT] = {"inherit", "LIST", NULL, NULL},
    [P3D_OPT_USERNAME] = {"username", "NAME", "3 to 64 of letters, digits, '.', '_', '-'", NULL},
    [P3D_OPT_EMAIL] = {"email", "ADDRESS", "email address", NULL},
    [P3D_OPT_PASSWORD] = {"password", "TEXT", "better: be asked, or --password-file", NULL},
    [P3D_OPT_PASSWORD_FILE] = {"password-file", "FILE",
                               "its first line is the password; - is standard input", NULL},
    [P3D_OPT_ROLE] = {"role", "ROLE", "user (default) or admin", NULL},
    [P3D_OPT_REDIS_URL] = {"redis-url", "URL", "Redis to work on, instead of the configuration's",
                           "redis.url"},
    [P3D_OPT_TOKEN_NAME] = {"token-name", "NAME", "name of the token that is made", NULL},
    [P3D_OPT_TOKEN_DAYS] = {"token-days", "N", "life of the token, 1 to 3650 days (default 365)",
                            NULL},
    [P3D_OPT_ID] = {NULL, "<id>", "an integer id, a user_... id, an email or a username", NULL},
    [P3D_OPT_MAX_CONCURRENT_JOBS] =
        {"max-concurrent-jobs", "N",
         "running jobs, further ones wait; 0 = none runs, -1 = no limit, "
         "default = the configuration's",
         NULL},
    [P3D_OPT_MAX_QUEUED_JOBS] = {"max-queued-jobs", "N",
                                 "waiting jobs, further ones are refused; -1 and default as above",
                                 NULL},
    [P3D_OPT_KEEP_TOKENS] = {"keep-tokens", NULL, "the account's tokens stay valid", NULL},
    [P3D_OPT_LIMIT] = {"limit", "N", "at most so many", NULL},
    [P3D_OPT_OFFSET] = {"offset", "N", "leave out so many of the newest", NULL},
    [P3D_OPT_USER] = {"user", "<id>",
                      "only what was done by or to this account; of jobs, those it owns", NULL},
    [P3D_OPT_CURSOR] = {"cursor", "TEXT", "go on where an earlier call ended", NULL},
    [P3D_OPT_NOW] = {"now", NULL, "end all URLs that were given out", NULL},
    [P3D_OPT_YES] = {"yes", NULL, "do not ask", NULL},
    [P3D_OPT_FROM] = {"from", "URL", "Redis to read: redis://[user:password@]host:port/db", NULL},
    [P3D_OPT_PREFIX] = {"prefix", "TEXT", "what its keys begin with (default 3daigc)", NULL},
    [P3D_OPT_FILES] = {"files", "DIR", "folder of its result files", NULL},
    [P3D_OPT_DRY_RUN] = {"dry-run", NULL, "read and judge everything, write nothing", NULL},
    [P3D_OPT_STATUS] = {"status", "STATUS",
                        "queued, processing, completed, failed or cancelled; or some, with commas",
                        NULL},
    [P3D_OPT_FEATURE] = {"feature", "NAME", "only jobs of this feature", NULL},
    [P3D_OPT_MODEL] = {"model", "NAME", "only jobs of this model", NULL},
    [P3D_OPT_JOB] = {NULL, "<job_id>", "a job_... id", NULL},
    [P3D_OPT_JOBS] = {NULL, "<job_id>...", "job_... ids", NULL},
    [P3D_OPT_REPAIR] = {"repair", NULL, "put right what is wrong; no job is lost, none runs twice", NULL},
    [P3D_OPT_HELP] = {"help", NULL, "this text", NULL},
};

_Static_assert(P3D_OPT__COUNT <= 64, "an option is a bit of a uint64_t");

static bool takes(const struct p3d_verb *v, enum p3d_option o)
{
    return o == P3D_OPT_HELP || (v->options & P3D_OPT_BIT(o)) != 0;
}

/* What the verb's words are, or P3D_OPT__COUNT: it takes none. */
static enum p3d_option words_of(const struct p3d_verb *v)
{
    static const enum p3d_option kinds[] = {P3D_OPT_ID, P3D_OPT_JOB, P3D_OPT_JOBS};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
        if (takes(v, kinds[i]))
            return kinds[i];
    return P3D_OPT__COUNT;
}

static void print_name(const struct p3d_verb *v, FILE *out)
{
    (void)fprintf(out, "p3d %s%s%s", v->name, v->noun != NULL ? " " : "",
                  v->noun != NULL ? v->noun : "");
}

static bool is_flag(enum p3d_option o)
{
    return rows[o].name != NULL;
}

static int usage(const struct p3d_verb *v, const char *what, const char *word)
{
    print_name(v, stderr);
    (void)fprintf(stderr, ": %s%s (", what, word);
    print_name(v, stderr);
    (void)fputs(" --help shows what it takes)\n", stderr);
    return P3D_EXIT_USAGE;
}

/* Without what follows the '=': it could be a secret behind a mistyped name. */
static int bad_flag(const struct p3d_verb *v, bool no_value, const char *word)
{
    char name[64];
    (void)p3d_format(name, sizeof(name), "%.*s", (int)strcspn(word, "="), word);
    return usage(v, no_value ? "a value is missing behind " : "unknown flag ", name);
}

static void keep(struct p3d_options *o, enum p3d_option which, char *arg)
{
    o->value[which] = arg != NULL ? arg : "";
    if (which == P3D_OPT_PASSWORD) {
        p3d_secret_set(&o->password, (struct p3d_str){arg, strnlen(arg, P3D_SECRET_MAX)});
        o->password_too_long = strlen(arg) > P3D_SECRET_MAX;
        o->value[which] = "";
        p3d_wipe(arg, strlen(arg));
    } else if (which == P3D_OPT_REDIS_URL) {
        free(o->redis_url);
        o->redis_url = p3d_strdup(arg);
        o->value[which] = o->redis_url;
        p3d_wipe(arg, strlen(arg));
    } else if (which == P3D_OPT_FROM) {
        free(o->from_url);
        o->from_url = p3d_strdup(arg);
        o->value[which] = o->from_url;
        p3d_wipe(arg, strlen(arg));
    } else if (which == P3D_OPT_HELP) {
        o->help = true;
    }
}

static int keep_word(const struct p3d_verb *v, struct p3d_options *o, const char *word)
{
    enum p3d_option kind = words_of(v);
    if (kind == P3D_OPT__COUNT || (kind != P3D_OPT_JOBS && o->value[kind] != NULL))
        return usage(v, "unknown word ", word);
    o->value[kind] = word;
    if (kind == P3D_OPT_JOBS)
        o->words[o->words_n++] = word;
    return 0;
}

int p3d_options_parse(const struct p3d_verb *v, int argc, char **argv, struct p3d_options *ret)
{
    struct option table[P3D_OPT__COUNT + 1] = {{0}};
    size_t n = 0;
    enum p3d_option words = words_of(v);
    if (words == P3D_OPT_JOBS)
        ret->words = p3d_alloc((size_t)argc * sizeof(*ret->words));
    for (int i = 0; i < P3D_OPT__COUNT; i++)
        if (takes(v, (enum p3d_option)i) && is_flag((enum p3d_option)i))
            table[n++] = (struct option){rows[i].name, rows[i].argument != NULL, NULL, 256 + i};

    int rc = 0, c;
    opterr = 0;
    optind = 1;
    /* To the end also after an error: a --password behind it must be wiped all the same. */
    while ((c = getopt_long(argc, argv, "-:h", table, NULL)) != -1) {
        if (c == 1)
            rc = rc != 0 ? rc : keep_word(v, ret, optarg);
        else if (c == 'h')
            ret->help = true;
        else if (c >= 256)
            keep(ret, (enum p3d_option)(c - 256), optarg);
        else if (rc == 0)
            rc = bad_flag(v, c == ':', argv[optind - 1]);
    }
    for (; rc == 0 && optind < argc; optind++)
        rc = keep_word(v, ret, argv[optind]);
    if (rc == 0 && (words == P3D_OPT_ID || words == P3D_OPT_JOB) && ret->value[words] == NULL &&
        !ret->help)
        rc = usage(v, rows[words].argument, " is missing");
    return rc;
}

void p3d_options_done(struct p3d_options *o)
{
    p3d_secret_done(&o->password);
    free(o->words);
    o->words = NULL;
    o->words_n = 0;
    if (o->redis_url != NULL)
        p3d_wipe(o->redis_url, strlen(o->redis_url));
    free(o->redis_url);
    o->redis_url = NULL;
    if (o->from_url != NULL)
        p3d_wipe(o->from_url, strlen(o->from_url));
    free(o->from_url);
    o->from_url = NULL;
}

static void help_row(const struct row *r, FILE *out)
{
    char left[40];
    (void)p3d_format(
        left, sizeof(left), "%s%s%s%s", r->name != NULL ? "--" : "", r->name != NULL ? r->name : "",
        r->name != NULL && r->argument != NULL ? " " : "", r->argument != NULL ? r->argument : "");
    (void)fprintf(out, "  %-24s  %s\n", left, r->doc);
}

void p3d_options_help(const struct p3d_verb *v, FILE *out)
{
    (void)fputs("usage: ", out);
    print_name(v, out);
    enum p3d_option words = words_of(v);
    (void)fprintf(out, "%s%s [flags]\n\n%s\n\n", words != P3D_OPT__COUNT ? " " : "",
                  words != P3D_OPT__COUNT ? rows[words].argument : "", v->summary);
    if (words != P3D_OPT__COUNT)
        help_row(&rows[words], out);
    (void)fputs("flags:\n", out);
    for (int i = 0; i < P3D_OPT__COUNT; i++)
        if (takes(v, (enum p3d_option)i) && is_flag((enum p3d_option)i) && rows[i].doc != NULL)
            help_row(&rows[i], out);
    if (v->example != NULL)
        (void)fprintf(out, "\nexample:\n%s", v->example);
}

int p3d_options_config(const struct p3d_options *o, struct p3d_config **ret)
{
    struct p3d_setting settings[P3D_OPT__COUNT];
    char from[P3D_OPT__COUNT][24];
    struct p3d_error err = {0};
    size_t n = 0;
    for (int i = 0; i < P3D_OPT__COUNT; i++) {
        if (rows[i].key == NULL || o->value[i] == NULL)
            continue;
        (void)p3d_format(from[n], sizeof(from[n]), "--%s", rows[i].name);
        settings[n] = (struct p3d_setting){rows[i].key, o->value[i], from[n]};
        n++;
    }
    if (p3d_config_load(o->value[P3D_OPT_CONFIG], settings, n, environ, ret, &err) == 0)
        return 0;
    (void)fprintf(stderr, "%s%s%s\n", err.where, err.where[0] != '\0' ? ": " : "", err.detail);
    return P3D_EXIT_REFUSED;
}

int p3d_options_number(const struct p3d_options *o, enum p3d_option flag, int64_t min, int64_t max,
                       int64_t *ret)
{
    const char *text = o->value[flag];
    if (text == NULL || p3d_str_to_i64(p3d_str_z(text), min, max, ret) == 0)
        return 0;
    (void)fprintf(stderr, "--%s: a number from %lld to %lld\n", rows[flag].name, (long long)min,
                  (long long)max);
    return P3D_EXIT_USAGE;
}
