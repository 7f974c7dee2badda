/* SPDX-License-Identifier: MIT
 *
 * Flags, from one table. Guarantee: a secret given as a flag is overwritten in argv before anything
 * else happens (other users of the machine read argv); an unknown flag, one that the verb does not
 * take, a missing value or a stray word is said with the verb's --help named. Does not: judge
 * values.
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
    [P3D_OPT_PASSWORD] = {"password", "TEXT",
                          "better: be asked, --password-file or $ADMIN_PASSWORD", NULL},
    [P3D_OPT_PASSWORD_FILE] = {"password-file", "FILE",
                               "its first line is the password; - is standard input", NULL},
    [P3D_OPT_ROLE] = {"role", "ROLE", "user (default) or admin", NULL},
    [P3D_OPT_REDIS_URL] = {"redis-url", "URL", "Redis to write to, instead of the configuration's",
                           "redis.url"},
    [P3D_OPT_TOKEN_NAME] = {"token-name", "NAME", "name of the token that is made", NULL},
    [P3D_OPT_TOKEN_DAYS] = {"token-days", "N", "life of the token, 1 to 3650 days (default 365)",
                            NULL},
    [P3D_OPT_HELP] = {"help", NULL, "this text", NULL},
};

static bool takes(const struct p3d_verb *v, enum p3d_option o)
{
    return o == P3D_OPT_HELP || (v->options & P3D_OPT_BIT(o)) != 0;
}

static void print_name(const struct p3d_verb *v, FILE *out)
{
    (void)fprintf(out, "p3d %s%s%s", v->name, v->noun != NULL ? " " : "",
                  v->noun != NULL ? v->noun : "");
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
    } else if (which == P3D_OPT_HELP) {
        o->help = true;
    }
}

int p3d_options_parse(const struct p3d_verb *v, int argc, char **argv, struct p3d_options *ret)
{
    struct option table[P3D_OPT__COUNT + 1] = {{0}};
    size_t n = 0;
    for (int i = 0; i < P3D_OPT__COUNT; i++)
        if (takes(v, (enum p3d_option)i))
            table[n++] = (struct option){rows[i].name, rows[i].argument != NULL, NULL, 256 + i};

    int rc = 0, c;
    opterr = 0;
    optind = 1;
    /* To the end also after an error: a --password behind it must be wiped all the same. */
    while ((c = getopt_long(argc, argv, ":h", table, NULL)) != -1) {
        if (c == 'h')
            ret->help = true;
        else if (c >= 256)
            keep(ret, (enum p3d_option)(c - 256), optarg);
        else if (rc == 0)
            rc = bad_flag(v, c == ':', argv[optind - 1]);
    }
    if (rc == 0 && optind < argc)
        rc = usage(v, "unknown word ", argv[optind]);
    return rc;
}

void p3d_options_done(struct p3d_options *o)
{
    p3d_secret_done(&o->password);
    if (o->redis_url != NULL)
        p3d_wipe(o->redis_url, strlen(o->redis_url));
    free(o->redis_url);
    o->redis_url = NULL;
}

void p3d_options_help(const struct p3d_verb *v, FILE *out)
{
    (void)fputs("usage: ", out);
    print_name(v, out);
    (void)fprintf(out, " [flags]\n\n%s\n\nflags:\n", v->summary);
    for (int i = 0; i < P3D_OPT__COUNT; i++) {
        char left[40];
        if (!takes(v, (enum p3d_option)i) || rows[i].doc == NULL)
            continue;
        (void)p3d_format(left, sizeof(left), "--%s%s%s", rows[i].name,
                         rows[i].argument != NULL ? " " : "",
                         rows[i].argument != NULL ? rows[i].argument : "");
        (void)fprintf(out, "  %-22s  %s\n", left, rows[i].doc);
    }
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
