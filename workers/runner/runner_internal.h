/* SPDX-License-Identifier: MIT
 *
 * One attempt as the runner protocol (version 1) sees it: its directory, its environment, what it says on descriptor 3
 * and on stdout/stderr, and the files it leaves. No store, no event loop: the worker drives these. What the runner says
 * and leaves is never trusted: sizes, names, links and bytes are judged here.
 */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "p3d/err.h"
#include "p3d/str.h"

/* ---- text.c ---- */
/* Text from a runner as a JSON string: NUL becomes a space, bad UTF-8 U+FFFD, at most max bytes. New reference. */
json_t *p3d_text_json(struct p3d_str raw, size_t max);
char *p3d_text_clean(struct p3d_str raw, size_t max); /* the same, owned and terminated */

/* ---- events.c: JSON lines on descriptor 3 ---- */
#define P3D_EVENT_LINE_MAX 65536
#define P3D_EVENTS_MAX_BYTES (64 * 1024 * 1024) /* of an attempt; what comes behind is not looked at */

enum p3d_event_kind {
    P3D_EVENT_PROGRESS,  /* value, message */
    P3D_EVENT_OUTPUT,    /* path, role */
    P3D_EVENT_THUMBNAIL, /* path */
    P3D_EVENT_INFO,      /* info */
    P3D_EVENT_ERROR,     /* code, message, retryable */
    P3D_EVENT_READY,     /* nothing: persistent models */
    P3D_EVENT_DONE,
    P3D_EVENT__COUNT
};

/* Strings are well-formed UTF-8 without NUL, and live until the callback returns. */
struct p3d_event {
    enum p3d_event_kind kind;
    double value; /* 0..1 */
    struct p3d_str message, path, role, code;
    bool retryable;
    json_t *info; /* object without "event", borrowed */
};

struct p3d_events {
    void (*cb)(void *priv, const struct p3d_event *e);
    void *priv;
    struct p3d_buf line;
    bool skipping;  /* inside a line that is too long */
    int64_t total;
    unsigned bad;   /* lines that were no events */
    bool cut;       /* P3D_EVENTS_MAX_BYTES was reached */
};
void p3d_events_init(struct p3d_events *e, void (*cb)(void *priv, const struct p3d_event *e), void *priv);
void p3d_events_feed(struct p3d_events *e, const char *p, size_t n);
void p3d_events_end(struct p3d_events *e); /* a last line without its newline counts */
void p3d_events_done(struct p3d_events *e);

/* ---- joblog.c: stdout and stderr ---- */
#define P3D_JOBLOG_TAIL 8192

struct p3d_joblog {
    int fd;            /* -1 = not open, or the disk refused */
    int64_t max, size; /* bytes */
    bool truncated;
    struct p3d_buf tail; /* the last bytes, at most twice P3D_JOBLOG_TAIL */
};
/* fd: taken, or -1: only the tail is kept. */
void p3d_joblog_open(struct p3d_joblog *l, int fd, int64_t max_bytes);
void p3d_joblog_feed(struct p3d_joblog *l, const char *p, size_t n);
void p3d_joblog_note(struct p3d_joblog *l, const char *fmt, ...) P3D_PRINTF(2, 3); /* "[p3d: …]\n", cap or not */
struct p3d_str p3d_joblog_tail(const struct p3d_joblog *l, unsigned lines); /* the last ones, without the end newline */
void p3d_joblog_close(struct p3d_joblog *l);

/* ---- env.c ---- */
struct p3d_runner_env {
    const char *dir; /* absolute */
    const char *job_id, *feature, *model;
    unsigned attempt;
    const json_t *metadata; /* object or NULL */
    char *const *model_env; /* "K=V", NULL-ended, or NULL; the last word */
};
char **p3d_runner_env_new(const struct p3d_runner_env *e); /* NULL-ended, owned: p3d_runner_env_free() */
void p3d_runner_env_free(char **env);

/* ---- dir.c ---- */
/* Make <parent>/<name>/ (0700) with inputs/, outputs/, tmp/ and input.json. ret_fd: owned. Errors: P3D_E_IO. Blocks. */
P3D_MUST int p3d_attempt_dir_make(int parent_fd, const char *name, struct p3d_str input_json, int *ret_fd,
                                  struct p3d_error *err);
/* Remove parent/name and all below it; never follows a link, whatever depth. Absent is fine. Errors: P3D_E_IO. Blocks. */
P3D_MUST int p3d_tree_remove(int parent_fd, const char *name);
P3D_MUST int p3d_tree_empty(int dirfd); /* all below dirfd */

/* ---- outputs.c ---- */
#define P3D_OUTPUTS_MAX 64

struct p3d_output {
    char *path; /* beneath the attempt's directory: "outputs/…" */
    char role[33];
    bool role_given;
};
struct p3d_outputs {
    struct p3d_output v[P3D_OUTPUTS_MAX];
    size_t n;
    int mesh, thumbnail; /* index or -1, after _collect */
    char *thumb_path;    /* as announced, or NULL */
    bool overflow;       /* more were announced */
};
void p3d_outputs_init(struct p3d_outputs *o);
/* An `output` or `thumbnail` event. dir: the attempt's, taken off the front of an absolute path. */
void p3d_outputs_announce(struct p3d_outputs *o, const char *dir, struct p3d_str path, struct p3d_str role);
void p3d_outputs_thumbnail(struct p3d_outputs *o, const char *dir, struct p3d_str path);
/* When none was announced: the regular files directly in outputs/. Then judge all of them, find mesh and thumbnail. No
 * process of the attempt may live. Errors, with words in err: P3D_E_BAD_REQUEST BAD_OUTPUT; P3D_E_TOO_LARGE
 * OUTPUT_TOO_LARGE; P3D_E_NOT_FOUND NO_OUTPUT, when required; P3D_E_IO. Blocks. */
P3D_MUST int p3d_outputs_collect(struct p3d_outputs *o, int dirfd, bool required, int64_t max_bytes,
                                 struct p3d_error *err);
void p3d_outputs_done(struct p3d_outputs *o);
