/* SPDX-License-Identifier: MIT */
/* What the program says while it works: JSON lines for the runner, or text for a person. */
#ifndef LET_EVENTS_H
#define LET_EVENTS_H

#include <jansson.h>

#include "error.h"

struct let_events {
    int fd; /* JSON lines go here; -1 = standalone, text to stderr */
};

/* `value` 0..1, never decreasing by the caller's care. Silent when standalone. */
void let_events_progress(const struct let_events *events, double value, const char *message);

/* A result file: `event` is "output" or "thumbnail"; `role` may be NULL. */
void let_events_file(const struct let_events *events, const char *event, const char *path,
                     const char *role);

/* Facts about the result; takes over `facts`, an object. */
void let_events_info(const struct let_events *events, json_t *facts);

void let_events_error(const struct let_events *events, const struct let_error *err);

#endif
