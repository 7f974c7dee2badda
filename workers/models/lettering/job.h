/* SPDX-License-Identifier: MIT */
/* One job: what is asked for, and doing it. */
#ifndef LET_JOB_H
#define LET_JOB_H

#include <jansson.h>

#include "error.h"
#include "events.h"

struct let_job {
    json_t *input;      /* owned: the document behind `text` and `parameters`; may be NULL */
    const char *text;   /* UTF-8, not checked, not NUL-terminated */
    size_t text_length; /* bytes */
    json_t *parameters; /* an object or NULL; borrowed from input unless standalone */
    const char *font_directory;
    const char *mesh_path;
    const char *thumbnail_path; /* NULL = none */
};

/* Read the runner's input.json into `job`: input, text, parameters. let_job_done() frees.
 * Errors: LET_BAD_INPUT, LET_INVALID_UTF8, LET_BAD_PARAMETER. */
int let_job_read(const char *path, struct let_job *job, struct let_error *err);
void let_job_done(struct let_job *job);

/* Text to mesh file and thumbnail, telling `events`. On failure no new file is left.
 * Errors: all of enum let_code. */
int let_job_run(const struct let_job *job, const struct let_events *events, struct let_error *err);

#endif
