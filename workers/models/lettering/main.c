/* SPDX-License-Identifier: MIT */
/* The lettering program: text to solid letters, as a model of P3D or by hand.
 *
 * With P3D_EVENTS_FD set it is a oneshot model of the runner protocol (docs/, "Runner protocol"):
 * P3D_INPUT names input.json, results go to P3D_OUTPUT_DIR, events to the descriptor. Without it,
 * it is a command-line program. Both only fill a struct let_job; job.c does the work.
 * Exit status: 0 done, 1 failed after an error event or message, 2 wrong command line.
 * Owns the process: signals, descriptors, environment. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "job.h"
#include "params.h"

#define FONT_DIRECTORY "/usr/share/fonts/truetype/dejavu"

static const char *setting(const char *name, const char *otherwise)
{
    const char *value = getenv(name);

    return value && *value ? value : otherwise;
}

static void help(FILE *out)
{
    (void)fputs("usage: lettering --text TEXT --output FILE.glb [--thumbnail FILE.png]\n"
                "                 [--param NAME=VALUE]...\n"
                "Make solid 3D letters: TEXT (UTF-8) becomes a binary glTF 2.0 mesh.\n\n"
                "  -t, --text TEXT       what to write; \\n in a shell is $'two\\nlines'\n"
                "  -o, --output FILE     the mesh\n"
                "  -T, --thumbnail FILE  a picture of it, PNG, 512 by 512\n"
                "  -p, --param NAME=VALUE\n"
                "  -h, --help\n\n"
                "Parameters (and their defaults):\n",
                out);
    let_params_help(out);
    (void)fputs("\nEnvironment:\n"
                "  LETTERING_FONT_DIR      where fonts are (" FONT_DIRECTORY ")\n"
                "  P3D_EVENTS_FD           set by the P3D runner: then P3D_INPUT names the job\n",
                out);
}

/* NAME=VALUE into the object; VALUE is JSON when it can be read as a number or boolean. */
static int add_parameter(json_t *parameters, const char *option, struct let_error *err)
{
    const char *equals = strchr(option, '=');
    json_t *value;
    char *name;
    int status;

    if (!equals || equals == option)
        return let_fail(err, LET_BAD_PARAMETER, "--param must be NAME=VALUE, not \"%.60s\"",
                        option);
    value = json_loads(equals + 1, JSON_DECODE_ANY, NULL);
    if (!json_is_number(value) && !json_is_boolean(value)) {
        json_decref(value);
        value = json_string(equals + 1);
    }
    name = strndup(option, (size_t)(equals - option));
    status = name && value ? json_object_set_new(parameters, name, value) : -1;
    free(name);
    if (status)
        return let_fail(err, LET_BAD_PARAMETER, "--param \"%.60s\" is not UTF-8", option);
    return 0;
}

/* Returns -1 to go on, else the exit status. */
static int read_options(int argc, char **argv, struct let_job *job, struct let_error *err)
{
    static const struct option options[] = {{"text", required_argument, NULL, 't'},
                                            {"output", required_argument, NULL, 'o'},
                                            {"thumbnail", required_argument, NULL, 'T'},
                                            {"param", required_argument, NULL, 'p'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    int option;

    while ((option = getopt_long(argc, argv, "t:o:T:p:h", options, NULL)) != -1) {
        if (option == 't')
            job->text = optarg;
        else if (option == 'o')
            job->mesh_path = optarg;
        else if (option == 'T')
            job->thumbnail_path = optarg;
        else if (option == 'h')
            return help(stdout), 0;
        else if (option != 'p')
            return help(stderr), 2;
        else if (add_parameter(job->parameters, optarg, err))
            return 1;
    }
    if (optind < argc || !job->text || !job->mesh_path)
        return help(stderr), 2;
    job->text_length = strlen(job->text);
    return -1;
}

static int run_standalone(int argc, char **argv)
{
    const struct let_events events = {-1};
    struct let_error err = {0};
    struct let_job job = {.font_directory = setting("LETTERING_FONT_DIR", FONT_DIRECTORY)};
    int status;

    job.input = job.parameters = json_object();
    status = read_options(argc, argv, &job, &err);
    if (status < 0)
        status = let_job_run(&job, &events, &err) ? 1 : 0;
    if (err.code != LET_OK)
        let_events_error(&events, &err);
    let_job_done(&job);
    return status;
}

/* The output directory as the protocol wants it in events: relative to the working directory. */
static const char *output_directory(void)
{
    const char *directory = setting("P3D_OUTPUT_DIR", "outputs");
    char here[PATH_MAX];
    size_t length;

    if (directory[0] != '/' || !getcwd(here, sizeof(here)))
        return directory;
    length = strlen(here);
    if (!strncmp(directory, here, length) && directory[length] == '/' && directory[length + 1])
        return directory + length + 1;
    return directory;
}

static int run_job(struct let_job *job, const struct let_events *events, struct let_error *err)
{
    const char *directory = output_directory();
    char mesh[PATH_MAX], thumbnail[PATH_MAX];
    int status;

    if (snprintf(mesh, sizeof(mesh), "%s/result.glb", directory) >= (int)sizeof(mesh) ||
        snprintf(thumbnail, sizeof(thumbnail), "%s/thumbnail.png", directory) >=
            (int)sizeof(thumbnail))
        return let_fail(err, LET_BAD_INPUT, "P3D_OUTPUT_DIR is too long");
    if (mkdir(directory, 0777) < 0 && errno != EEXIST)
        return let_fail(err, LET_IO, "cannot create %.200s: %s", directory, strerror(errno));
    status = let_job_read(setting("P3D_INPUT", "input.json"), job, err);
    if (status)
        return status;
    job->mesh_path = mesh;
    job->thumbnail_path = thumbnail;
    return let_job_run(job, events, err);
}

static int run_model(const char *descriptor)
{
    struct let_events events;
    struct let_error err = {0};
    struct let_job job = {.font_directory = setting("LETTERING_FONT_DIR", FONT_DIRECTORY)};
    char *end;
    long fd = strtol(descriptor, &end, 10);
    int status;

    if (*end || end == descriptor || fd < 0 || fd > INT_MAX || fcntl((int)fd, F_GETFD) < 0) {
        (void)fprintf(stderr, "lettering: P3D_EVENTS_FD=%s is not an open descriptor\n",
                      descriptor);
        return 1;
    }
    events.fd = (int)fd;
    status = run_job(&job, &events, &err);
    if (status) {
        let_events_error(&events, &err);
        (void)fprintf(stderr, "lettering: %s: %s\n", let_code_name(err.code), err.message);
    }
    let_job_done(&job);
    return status ? 1 : 0;
}

int main(int argc, char **argv)
{
    const char *descriptor = getenv("P3D_EVENTS_FD");

    (void)signal(SIGPIPE, SIG_IGN); /* a reader of events that is gone is no reason to stop */
    (void)signal(SIGXFSZ, SIG_IGN); /* a size limit is a failed write, reported like a full disk */
    return descriptor ? run_model(descriptor) : run_standalone(argc, argv);
}
