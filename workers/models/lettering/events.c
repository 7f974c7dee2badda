/* SPDX-License-Identifier: MIT */
/* Events of the runner protocol, one JSON object a line.
 *
 * Owns the spelling of the events. A line is written with as few write() calls as the pipe allows
 * and never interleaved: the program has one thread. When the reader is gone the line is dropped;
 * the runner notices by the exit status, and the result does not depend on it.
 * Standalone (fd -1) the same calls print what a person wants to see. */
#include "events.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void write_all(int fd, const char *bytes, size_t length)
{
    while (length) {
        ssize_t done = write(fd, bytes, length);

        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return;
        bytes += done;
        length -= (size_t)done;
    }
}

/* Takes over `object`. */
static void send_line(const struct let_events *events, json_t *object)
{
    char *text = json_dumps(object, JSON_COMPACT);

    json_decref(object);
    if (!text)
        return;
    write_all(events->fd, text, strlen(text));
    write_all(events->fd, "\n", 1);
    free(text);
}

void let_events_progress(const struct let_events *events, double value, const char *message)
{
    if (events->fd >= 0)
        send_line(events, json_pack("{s:s, s:f, s:s}", "event", "progress", "value", value,
                                    "message", message));
}

void let_events_file(const struct let_events *events, const char *event, const char *path,
                     const char *role)
{
    if (events->fd < 0)
        (void)fprintf(stderr, "wrote %s\n", path);
    else
        send_line(events,
                  json_pack("{s:s, s:s, s:s*}", "event", event, "path", path, "role", role));
}

void let_events_info(const struct let_events *events, json_t *facts)
{
    json_t *warning;
    size_t i;

    if (events->fd >= 0) {
        json_t *line = json_pack("{s:s}", "event", "info");

        (void)json_object_update(line, facts);
        json_decref(facts);
        send_line(events, line);
        return;
    }
    json_array_foreach(json_object_get(facts, "warnings"), i, warning)(void)
        fprintf(stderr, "lettering: warning: %s\n", json_string_value(warning));
    (void)fprintf(stderr, "%lld triangles, %lld vertices\n",
                  (long long)json_integer_value(json_object_get(facts, "triangles")),
                  (long long)json_integer_value(json_object_get(facts, "vertices")));
    json_decref(facts);
}

void let_events_error(const struct let_events *events, const struct let_error *err)
{
    if (events->fd < 0)
        (void)fprintf(stderr, "lettering: %s: %s\n", let_code_name(err->code), err->message);
    else
        send_line(events,
                  json_pack("{s:s, s:s, s:s, s:b}", "event", "error", "code",
                            let_code_name(err->code), "message", err->message, "retryable", 0));
}
