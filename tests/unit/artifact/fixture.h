/* SPDX-License-Identifier: MIT
 *
 * A store and a job's directory in a folder of their own for each test.
 */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "p3d/artifact.h"

struct fixture {
    char dir[64];                /* also the working directory */
    struct p3d_artifacts *store; /* at ./root */
    int job_dir;                 /* ./job, where a job would write */
    struct p3d_job_id job;
};
int fixture_setup(void **state);
int fixture_teardown(void **state);
void fixture_write(const char *name, const void *bytes, size_t n);
size_t fixture_count(const char *dir); /* entries, those with a leading dot too */
void fixture_begin(struct fixture *f, const char *attempt);
/* Begin attempt 1-a and publish job/<path> as its output. */
int fixture_publish(struct fixture *f, const char *path, struct p3d_artifact *ret,
                    struct p3d_error *err);
#define ATTEMPT "1-a"
