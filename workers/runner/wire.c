/* SPDX-License-Identifier: MIT
 *
 * Bytes of the RUN request. Guarantee: what decode accepts is complete: every string ends with its
 * only NUL, inside the message, nothing is left over, argv[0] is there; so the spawner can hand the
 * vectors to execve as they are. Does not: judge whether the command makes sense.
 */
#include "spawn_internal.h"

#include <string.h>

static const char *const step_words[P3D_STEP__COUNT] = {
    [P3D_STEP_NONE] = "started",
    [P3D_STEP_FORK] = "cannot make a process for",
    [P3D_STEP_SESSION] = "cannot prepare the session of",
    [P3D_STEP_FDS] = "cannot set the descriptors of",
    [P3D_STEP_CWD] = "cannot enter the working directory of",
    [P3D_STEP_LIMITS] = "cannot set the limits of",
    [P3D_STEP_EXEC] = "cannot execute",
};

const char *p3d_spawn_step_words(int step)
{
    return step >= 0 && step < P3D_STEP__COUNT ? step_words[step] : "cannot start";
}

static void add_string(struct p3d_buf *out, const char *z)
{
    uint32_t n = (uint32_t)strnlen(z, P3D_SPAWN_MAX_BYTES) + 1;
    p3d_buf_add(out, &n, sizeof(n));
    p3d_buf_add(out, z, n);
}

static uint32_t add_strings(struct p3d_buf *out, char *const *v)
{
    uint32_t n = 0;
    for (; v[n] != NULL && n <= P3D_SPAWN_MAX_STRINGS; n++)
        add_string(out, v[n]);
    return n;
}

int p3d_spawn_encode(const struct p3d_spawn *s, struct p3d_buf *out)
{
    if (s->argv[0] == NULL)
        return P3D_E_VALIDATION;
    struct p3d_buf body;
    p3d_buf_init(&body, P3D_SPAWN_MAX_BYTES - sizeof(struct p3d_spawn_head) - 16);
    add_string(&body, s->cwd);
    uint32_t argc = add_strings(&body, s->argv), envc = add_strings(&body, s->env);
    if (body.full || argc + envc > P3D_SPAWN_MAX_STRINGS) {
        p3d_buf_done(&body);
        return P3D_E_TOO_LARGE;
    }
    struct p3d_spawn_head head = {.magic = P3D_SPAWN_MAGIC,
                                  .type = P3D_SPAWN_RUN,
                                  .id = s->id,
                                  .body_bytes = (uint32_t)body.n + 16};
    p3d_buf_add(out, &head, sizeof(head));
    p3d_buf_add(out, &s->file_max_bytes, sizeof(s->file_max_bytes));
    p3d_buf_add(out, &argc, sizeof(argc));
    p3d_buf_add(out, &envc, sizeof(envc));
    p3d_buf_add(out, body.p, body.n);
    p3d_buf_done(&body);
    return 0;
}

/* The next n bytes, or false. */
static bool take(struct p3d_str *rest, void *dst, size_t n)
{
    if (rest->n < n)
        return false;
    memcpy(dst, rest->p, n);
    rest->p += n;
    rest->n -= n;
    return true;
}

/* The next string, inside `text` (a copy of the message whose bytes behind `rest` are the same). */
static char *take_string(struct p3d_str *rest)
{
    uint32_t n;
    if (!take(rest, &n, sizeof(n)) || n == 0 || n > rest->n ||
        memchr(rest->p, '\0', n) != rest->p + n - 1)
        return NULL;
    char *z = (char *)(uintptr_t)rest->p; /* ours: decode made the copy */
    rest->p += n;
    rest->n -= n;
    return z;
}

static bool take_strings(struct p3d_str *rest, char **v, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if ((v[i] = take_string(rest)) == NULL)
            return false;
    return true;
}

int p3d_spawn_decode(struct p3d_str message, struct p3d_spawn *ret)
{
    struct p3d_spawn_head head;
    struct p3d_spawn s = {0};
    uint32_t argc, envc;
    if (!take(&message, &head, sizeof(head)) || head.magic != P3D_SPAWN_MAGIC ||
        head.type != P3D_SPAWN_RUN || head.body_bytes != message.n)
        return P3D_E_VALIDATION;
    if (!take(&message, &s.file_max_bytes, sizeof(s.file_max_bytes)) ||
        !take(&message, &argc, sizeof(argc)) || !take(&message, &envc, sizeof(envc)))
        return P3D_E_VALIDATION;
    if (s.file_max_bytes < 0 || argc == 0 || argc > P3D_SPAWN_MAX_STRINGS ||
        envc > P3D_SPAWN_MAX_STRINGS - argc)
        return P3D_E_VALIDATION;
    s.id = head.id;
    s.text = p3d_strndup(message.p, message.n);
    s.argv = p3d_alloc((argc + 1) * sizeof(char *));
    s.env = p3d_alloc((envc + 1) * sizeof(char *));
    struct p3d_str rest = {s.text, message.n};
    if ((s.cwd = take_string(&rest)) == NULL || !take_strings(&rest, s.argv, argc) ||
        !take_strings(&rest, s.env, envc) || rest.n != 0) {
        p3d_spawn_done(&s);
        return P3D_E_VALIDATION;
    }
    *ret = s;
    return 0;
}

void p3d_spawn_done(struct p3d_spawn *s)
{
    free(s->text);
    free(s->argv);
    free(s->env);
    *s = (struct p3d_spawn){0};
}
