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
#include "verbs_internal.h"
#include "p3d/log.h"
#include "p3d/role.h"
#include "p3d/str.h"

enum {
    ROLE_OPTIONS = P3D_OPT_BIT(P3D_OPT_CONFIG) | P3D_OPT_BIT(P3D_OPT_DATA_DIR),
    LISTEN_OPTIONS = ROLE_OPTIONS | P3D_OPT_BIT(P3D_OPT_HOST) | P3D_OPT_BIT(P3D_OPT_PORT),
    STORE_OPTIONS = ROLE_OPTIONS | P3D_OPT_BIT(P3D_OPT_REDIS_URL) | P3D_OPT_BIT(P3D_OPT_JSON),
    PASSWORD_OPTIONS = P3D_OPT_BIT(P3D_OPT_PASSWORD) | P3D_OPT_BIT(P3D_OPT_PASSWORD_FILE),
    CREATE_OPTIONS = STORE_OPTIONS | PASSWORD_OPTIONS | P3D_OPT_BIT(P3D_OPT_USERNAME) |
                     P3D_OPT_BIT(P3D_OPT_EMAIL) | P3D_OPT_BIT(P3D_OPT_ROLE) |
                     P3D_OPT_BIT(P3D_OPT_TOKEN_NAME) | P3D_OPT_BIT(P3D_OPT_TOKEN_DAYS),
    USER_OPTIONS = STORE_OPTIONS | P3D_OPT_BIT(P3D_OPT_ID),
    MIGRATE_OPTIONS = STORE_OPTIONS | P3D_OPT_BIT(P3D_OPT_FROM) | P3D_OPT_BIT(P3D_OPT_PREFIX) |
                      P3D_OPT_BIT(P3D_OPT_FILES) | P3D_OPT_BIT(P3D_OPT_DRY_RUN),
    LIST_OPTIONS = STORE_OPTIONS | P3D_OPT_BIT(P3D_OPT_LIMIT),
    JOB_FILTERS = P3D_OPT_BIT(P3D_OPT_STATUS) | P3D_OPT_BIT(P3D_OPT_FEATURE) |
                  P3D_OPT_BIT(P3D_OPT_MODEL) | P3D_OPT_BIT(P3D_OPT_USER),
    JOBS_OPTIONS = STORE_OPTIONS | P3D_OPT_BIT(P3D_OPT_JOBS)
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
    {"users", "create", CREATE_OPTIONS, false, p3d_users_create,
     "Make an account and its first token. Asks for what is not given.",
     "  p3d users create --username admin --email admin@example.com --role admin   # asks, or "
     "takes "
     "$ADMIN_PASSWORD\n"
     "  printf '%s\\n' \"$PASSWORD\" | p3d users create --username ann --email ann@example.com "
     "--password-file - --json\n"},
    {"users", "list", LIST_OPTIONS | P3D_OPT_BIT(P3D_OPT_OFFSET), false, p3d_users_list,
     "The accounts, newest first (100 unless --limit says another number, up to 1000).",
     "  p3d users list --limit 20\n  p3d users list --json | jq -r '.users[].email'\n"},
    {"users", "get", USER_OPTIONS, false, p3d_users_get,
     "All about one account: status, limits, failed logins lately, last login.",
     "  p3d users get ann@example.com\n  p3d users get 7 --json\n"},
    {"users", "set-password", USER_OPTIONS | PASSWORD_OPTIONS | P3D_OPT_BIT(P3D_OPT_KEEP_TOKENS),
     false, p3d_users_set_password,
     "Give an account a new password, also the admin's that nobody knows any more. Its tokens end.",
     "  p3d users set-password admin\n"
     "  printf '%s\\n' \"$PASSWORD\" | p3d users set-password ann --password-file - "
     "--keep-tokens\n"},
    {"users", "promote", USER_OPTIONS, false, p3d_users_promote,
     "Make an account an admin: it sees all accounts and all jobs.", "  p3d users promote ann\n"},
    {"users", "demote", USER_OPTIONS, false, p3d_users_demote,
     "Make an admin an ordinary user again.", "  p3d users demote ann\n"},
    {"users", "suspend", USER_OPTIONS, false, p3d_users_suspend,
     "Refuse an account everything, from its very next request on. Nothing is removed.",
     "  p3d users suspend ann@example.com\n"},
    {"users", "activate", USER_OPTIONS, false, p3d_users_activate,
     "End the suspension of an account; its tokens are good again.", "  p3d users activate ann\n"},
    {"users", "update",
     USER_OPTIONS | P3D_OPT_BIT(P3D_OPT_USERNAME) | P3D_OPT_BIT(P3D_OPT_MAX_CONCURRENT_JOBS) |
         P3D_OPT_BIT(P3D_OPT_MAX_QUEUED_JOBS),
     false, p3d_users_update, "Change the username or the limits of an account.",
     "  p3d users update ann --max-concurrent-jobs 1 --max-queued-jobs 100\n"
     "  p3d users update ann --max-concurrent-jobs default\n"},
    {"users", "delete", USER_OPTIONS | P3D_OPT_BIT(P3D_OPT_YES), false, p3d_users_delete,
     "Delete an account: its tokens and queued jobs end, finished jobs stay, for admins.",
     "  p3d users delete ann\n  p3d users delete user_0123456789abcdef --yes\n"},
    {"jobs", "list", LIST_OPTIONS | JOB_FILTERS | P3D_OPT_BIT(P3D_OPT_CURSOR), false, p3d_jobs_list,
     "The jobs, newest first (50 unless --limit says another number, up to 10000).",
     "  p3d jobs list --status failed --limit 20\n"
     "  p3d jobs list --user ann --json | jq -r '.jobs[].job_id'\n"},
    {"jobs", "show", STORE_OPTIONS | P3D_OPT_BIT(P3D_OPT_JOB), false, p3d_jobs_show,
     "Everything that is known of one job.", "  p3d jobs show job_001ARZ3NDEKTSV4RRFFQ69G5FAV\n"},
    {"jobs", "retry",
     JOBS_OPTIONS | JOB_FILTERS | P3D_OPT_BIT(P3D_OPT_LIMIT) | P3D_OPT_BIT(P3D_OPT_YES), false,
     p3d_jobs_retry,
     "Queue failed or cancelled jobs once more, as new jobs of their owners: those that are named, "
     "or all that match and were not retried before.",
     "  p3d jobs retry job_001ARZ3NDEKTSV4RRFFQ69G5FAV\n"
     "  p3d jobs retry --status failed --feature mesh_generation --yes\n"},
    {"jobs", "cancel", JOBS_OPTIONS, false, p3d_jobs_cancel,
     "Cancel jobs: a queued one at once, a running one is told to stop.",
     "  p3d jobs cancel job_001ARZ3NDEKTSV4RRFFQ69G5FAV\n"},
    {"jobs", "delete", JOBS_OPTIONS, false, p3d_jobs_delete,
     "Delete jobs that do not run, with their files.",
     "  p3d jobs delete job_001ARZ3NDEKTSV4RRFFQ69G5FAV\n"},
    {"audit", NULL, LIST_OPTIONS | P3D_OPT_BIT(P3D_OPT_USER) | P3D_OPT_BIT(P3D_OPT_CURSOR), false,
     p3d_audit,
     "What was done to accounts and jobs, newest first (50 unless --limit says another number, up "
     "to "
     "10000).",
     "  p3d audit --limit 20\n  p3d audit --user ann --json | jq -r '.entries[].action'\n"},
    {"keys", "rotate", STORE_OPTIONS | P3D_OPT_BIT(P3D_OPT_NOW), false, p3d_keys_rotate,
     "Sign URLs with a new key; those given out stay good until they end, or with --now end at "
     "once.",
     "  p3d keys rotate\n  p3d keys rotate --now\n"},
    {"doctor", NULL, STORE_OPTIONS | P3D_OPT_BIT(P3D_OPT_REPAIR), false, p3d_doctor,
     "Look for what is wrong with the queue, while everything goes on; exit status 0: nothing, or all is repaired.",
     "  p3d doctor\n  p3d doctor --repair\n  p3d doctor --json | jq -r '.problems[].where'\n"},
    {"migrate", NULL, MIGRATE_OPTIONS, false, p3d_migrate,
     "Bring users, tokens, jobs and results of a 3DAIGC server. Run again, it brings what is new.",
     "  p3d migrate --from redis://127.0.0.1:6379/0 --files /srv/3daigc --dry-run\n"
     "  p3d migrate --from redis://127.0.0.1:6379/0 --files /srv/3daigc\n"},
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
            (void)fprintf(out, "  %-18s  %s\n", name, verbs[i].summary);
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
