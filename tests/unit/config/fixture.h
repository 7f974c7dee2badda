/* SPDX-License-Identifier: MIT
 *
 * A folder of its own for each test program, files in it, and loading a configuration from a text.
 */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "p3d/config.h"
#include "p3d/model.h"

extern char fixture_dir[64];
int fixture_setup(void **state);    /* makes the folder, goes there */
int fixture_teardown(void **state); /* removes it when all tests passed */
void fixture_write(const char *name, const char *text, unsigned mode);
/* ./test.yaml with this text, no environment, no flags. */
int fixture_load(const char *text, struct p3d_config **ret, struct p3d_error *err);

/* A text that does not load, and what is said about it. */
struct refused {
    const char *text, *where, *detail;
};
void fixture_refused(const struct refused *rows, size_t n);
#define FIXTURE_REFUSED(rows) fixture_refused(rows, sizeof(rows) / sizeof *(rows))

/* Enough of features and models to load without the shipped programs. */
#define MODELS                                                                                     \
    "features: {f: {}}\n"                                                                          \
    "models: {f: {m: {command: [/bin/true]}}}\n"
