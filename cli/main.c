/* SPDX-License-Identifier: MIT
 *
 * The p3d command: one table of verbs; a role is one of them. It sets up what every verb needs
 * (private files, as many descriptors as allowed, no death by SIGPIPE, the log) and hands over. The
 * only place that decides the exit status of the process. To add a verb: a row and its function.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "options_internal.h"
#include "p3d/log.h"
#include "p3d/role.h"
#include "p3d/str.h"

enum {
    ROLE_OPTIONS = P3D_OPT_BIT(P3D_OPT_CONFIG) | P3D_OPT_BIT(P3D_OPT_DATA_DIR),
    LISTEN_OPTIONS = ROLE_OPTIONS | P3D_OPT_BIT(P3D_OPT_HOST) | P3D_OPT_BIT(P3D_OPT_PORT),
    USER_OPTIONS = ROLE_OPTIONS | P3D_OPT_BIT(P3D_OPT_REDIS_URL) | P3D_OPT_BIT(P3D_OPT_USERNAME) |
                   P3D_OPT_BIT(P3D_OPT_EMAIL) | P3D_OPT_BIT(P3D_OPT_PASSWORD) |
                   P3D_OPT_BIT(P3D_OPT_PASSWORD_FILE) | P3D_OPT_BIT(P3D_OPT_ROLE) |
                   P3D_OPT_BIT(P3D_OPT_TOKEN_NAME) | P3D_OPT_BIT(P3D_OPT_TOKEN_DAYS) |
                   P3D_OPT_BIT(P3D_OPT_JSON)
};

static void setup_log(const struct p3d_config *cfg, const char *role)
{
    static const char *const levels[] = {"debug", "info", "warn", "error"};
    enum p3d_log_level level = P3D_LOG_INFO;
    for (unsigned i = 0; i < sizeof(levels) / sizeof(*levels); i++)
        if (strcmp(cfg->logging_level, levels[i]) == 0)
            level = (enum p3d_log_level)i;
    p3d_log_setup(level, strcmp(cfg->logging_format, "json") == 0, role);
}

/* "serve-2" or, by hand, "serve": in the log and in ps. */
static void name_process(const struct p3d_config *cfg, const char *role, int slot)
{
    static char name[32]; /* the log keeps it */
    char comm[48];
    if (slot > 0)
        (void)p3d_format(name, sizeof(name), "%s-%d", role, slot);
    else
        (void)p3d_format(name, sizeof(name), "%s", role);
    (void)p3d_format(comm, sizeof(comm), "p3d-%s", name);
    (void)prctl(PR_SET_NAME, comm);
    setup_log(cfg, name);
}

static int read_inherit(const struct p3d_options *o, struct p3d_inherit *ret)
{
    const char *text = o->value[P3D_OPT_INHERIT];
    if (p3d_inherit_parse(text != NULL ? text : "", ret) == 0)
        return 0;
    (void)fprintf(stderr, "p3d: --inherit is between the processes of `p3d up`, not for people\n");
    return P3D_EXIT_USAGE;
}

static int run_up(struct p3d_options *o)
{
    /* Not --host and --port: the listening socket is inherited. */
    static const enum p3d_option passed_on[] = {P3D_OPT_CONFIG, P3D_OPT_DATA_DIR};
    static const char *const flags[] = {"--config", "--data-dir"};
    char *role_argv[5] = {NULL};
    struct p3d_config *cfg = NULL;
    size_t n = 0;
    int rc = p3d_options_config(o, &cfg);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < 2; i++) {
        if (o->value[passed_on[i]] == NULL)
            continue;
        role_argv[n++] = (char *)(uintptr_t)flags[i];
        role_argv[n++] = (char *)(uintptr_t)o->value[passed_on[i]];
    }
    name_process(cfg, "up", 0);
    rc = p3d_role_up(cfg, role_argv);
    p3d_config_free(cfg);
    return rc;
}

static int run_role(struct p3d_options *o, const char *role,
                    int (*run)(const struct p3d_config *cfg, const struct p3d_inherit *in))
{
    struct p3d_config *cfg = NULL;
    struct p3d_inherit in;
    int rc = read_inherit(o, &in);
    if (rc == 0)
        rc = p3d_options_config(o, &cfg);
    if (rc != 0)
        return rc;
    name_process(cfg, role, in.slot);
    rc = run(cfg, &in);
    p3d_config_free(cfg);
    return rc;
}

static int run_serve(struct p3d_options *o)
{
    return run_role(o, "serve", p3d_role_serve);
}

static int run_work(struct p3d_options *o)
{
    return run_role(o, "work", p3d_role_work);
}

/* No configuration, no log: as small as can be. */
static int run_spawner(struct p3d_options *o)
{
    struct p3d_inherit in;
    int rc = read_inherit(o, &in);
    if (rc != 0 || in.control_fd < 0)
        return P3D_EXIT_USAGE;
    (void)prctl(PR_SET_NAME, "p3d-spawner");
    return p3d_role_spawner(in.control_fd);
}

static int run_config_check(struct p3d_options *o)
{
    struct p3d_config *cfg = NULL;
    int rc = p3d_options_config(o, &cfg);
    if (rc != 0)
        return rc;
    (void)printf("configuration ok: %s\n", cfg->file != NULL ? cfg->file : "defaults (no file)");
    p3d_config_free(cfg);
    return 0;
}

static int run_config_show(struct p3d_options *o)
{
    struct p3d_config *cfg = NULL;
    struct p3d_buf text;
    int rc = p3d_options_config(o, &cfg);
    if (rc != 0)
        return rc;
    p3d_buf_init(&text, 0);
    p3d_config_show(cfg, &text);
    (void)fwrite(text.p, 1, text.n, stdout);
    p3d_buf_done(&text);
    p3d_config_free(cfg);
    return 0;
}

static int run_version(struct p3d_options *o)
{
    (void)o;
    (void)puts("p3d " P3D_VERSION);
    return 0;
}

static const struct p3d_verb verbs[] = {
    {"up", NULL, LISTEN_OPTIONS, false, run_up,
     "Run everything on this machine: Redis (unless redis.url is set), servers and workers.",
     "  p3d up --config config.yaml --data-dir ./data --port 7842\n"},
    {"serve", NULL, LISTEN_OPTIONS | P3D_OPT_BIT(P3D_OPT_INHERIT), false, run_serve,
     "Run one HTTP server process alone.",
     "  P3D_REDIS_URL=redis://10.0.0.5:6379/0 p3d serve --port 7842\n"},
    {"work", NULL, ROLE_OPTIONS | P3D_OPT_BIT(P3D_OPT_INHERIT), false, run_work,
     "Run one worker alone, for example on another machine.",
     "  P3D_REDIS_URL=redis://10.0.0.5:6379/0 p3d work --config config.yaml\n"},
    {"spawner", NULL, P3D_OPT_BIT(P3D_OPT_INHERIT), true, run_spawner,
     "Start the commands of one worker.", NULL},
    {"config", "check", LISTEN_OPTIONS, false, run_config_check,
     "Read the configuration and say what is wrong with it.",
     "  p3d config check --config config.yaml\n"},
    {"config", "show", LISTEN_OPTIONS, false, run_config_show,
     "Every setting with its value, where it came from and what it means.",
     "  p3d config show --config config.yaml\n"},
    {"users", "create", USER_OPTIONS, false, p3d_users_create,
     "Make an account and its first token. Asks for what is not given.",
     "  p3d users create --username admin --email admin@example.com --role admin\n"
     "  printf '%s\\n' \"$PASSWORD\" | p3d users create --username ann --email ann@example.com "
     "--password-file - --json\n"},
    {"version", NULL, 0, false, run_version, "Print the version.", "  p3d version\n"},
};
enum { VERBS = sizeof(verbs) / sizeof(*verbs) };

static void print_verbs(FILE *out)
{
    (void)fputs("usage: p3d VERB [flags]\n\n", out);
    for (int i = 0; i < VERBS; i++) {
        char name[32];
        (void)p3d_format(name, sizeof(name), "%s%s%s", verbs[i].name,
                         verbs[i].noun != NULL ? " " : "",
                         verbs[i].noun != NULL ? verbs[i].noun : "");
        if (!verbs[i].hidden)
            (void)fprintf(out, "  %-14s  %s\n", name, verbs[i].summary);
    }
    (void)fputs("\np3d VERB --help shows the flags of a verb, with an example.\n", out);
}

static const struct p3d_verb *find_verb(const char *name, const char *noun)
{
    for (int i = 0; i < VERBS; i++)
        if (strcmp(verbs[i].name, name) == 0 &&
            (verbs[i].noun == NULL || (noun != NULL && strcmp(verbs[i].noun, noun) == 0)))
            return &verbs[i];
    return NULL;
}

static int no_verb(int argc, char **argv)
{
    static const char *const for_help[] = {"help", "--help", "-h"};
    static const char *const for_version[] = {"--version", "-V"};
    const struct p3d_verb *v = argc > 2 ? find_verb(argv[2], argc > 3 ? argv[3] : NULL) : NULL;
    for (int i = 0; i < 3 && argc > 1; i++) {
        if (strcmp(argv[1], for_help[i]) != 0)
            continue;
        if (v != NULL)
            p3d_options_help(v, stdout);
        else
            print_verbs(stdout);
        return P3D_EXIT_OK;
    }
    for (int i = 0; i < 2 && argc > 1; i++)
        if (strcmp(argv[1], for_version[i]) == 0)
            return run_version(NULL);
    if (argc > 1)
        (void)fprintf(stderr, "p3d: unknown verb %s%s%s\n\n", argv[1], argc > 2 ? " " : "",
                      argc > 2 ? argv[2] : "");
    print_verbs(stderr);
    return P3D_EXIT_USAGE;
}

static void setup_process(void)
{
    struct rlimit files;
    (void)signal(SIGPIPE, SIG_IGN);
    (void)umask(077);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
}

int main(int argc, char **argv)
{
    struct p3d_options o = {.help = false};
    const struct p3d_verb *v = argc > 1 ? find_verb(argv[1], argc > 2 ? argv[2] : NULL) : NULL;
    if (v == NULL)
        return no_verb(argc, argv);
    setup_process();
    int behind = v->noun != NULL ? 2 : 1;
    int rc = p3d_options_parse(v, argc - behind, argv + behind, &o);
    if (o.help)
        p3d_options_help(v, stdout);
    if (rc == 0 && !o.help)
        rc = v->run(&o);
    p3d_options_done(&o);
    if (fflush(stdout) != 0 && rc == 0)
        rc = P3D_EXIT_REFUSED;
    return rc;
}
