/* SPDX-License-Identifier: MIT
 *
 * How an attempt ends. Guarantee: the strongest reason stands (a lost lease over a cancel, a cancel
 * over a failure, a failure over a release, a release over a success), and of two equal ones the
 * first; the words are clean text. What the runner said about its own failure comes before what its
 * exit status says. Does not: do anything about it.
 */
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>

#include "attempt_internal.h"

bool p3d_attempt_decide(struct p3d_attempt *a, enum p3d_end end, const char *code, bool retry,
                        struct p3d_str message)
{
    /* Once the store was told, it may have counted: only "it is not ours any more" can follow. */
    if (end <= a->end || (a->told && end != P3D_END_DROP))
        return false;
    a->end = end;
    a->retry = retry;
    (void)p3d_format(a->code, sizeof(a->code), "%s", code != NULL ? code : "");
    free(a->message);
    a->message = p3d_text_clean(message, P3D_MESSAGE_MAX);
    return true;
}

static void say_status(int status, struct p3d_buf *out)
{
    if (WIFSIGNALED(status)) {
        const char *name = sigabbrev_np(WTERMSIG(status));
        if (name != NULL)
            p3d_buf_addf(out, "killed by SIG%s", name);
        else
            p3d_buf_addf(out, "killed by signal %d", WTERMSIG(status));
    } else {
        p3d_buf_addf(out, "exit status %d", WEXITSTATUS(status));
    }
}

/* The last lines of the log, in full lines if they are too long. */
static void add_log(const struct p3d_attempt *a, struct p3d_buf *out)
{
    struct p3d_str tail = p3d_joblog_tail(&a->log, P3D_LOG_LINES);
    size_t room = P3D_MESSAGE_MAX > out->n + 64 ? P3D_MESSAGE_MAX - out->n - 64 : 0;
    if (tail.n > room) {
        tail.p += tail.n - room;
        tail.n = room;
        const char *line = memchr(tail.p, '\n', tail.n);
        if (line != NULL && line + 1 < tail.p + tail.n) {
            tail.n -= (size_t)(line + 1 - tail.p);
            tail.p = line + 1;
        }
    }
    if (tail.n > 0) {
        p3d_buf_addz(out, out->n > 0 ? "\n" : "");
        p3d_buf_add(out, tail.p, tail.n);
    }
}

static void fail_by_exit(struct p3d_attempt *a)
{
    bool temporary = WIFEXITED(a->status) && WEXITSTATUS(a->status) == EX_TEMPFAIL;
    bool too_large = WIFSIGNALED(a->status) && WTERMSIG(a->status) == SIGXFSZ;
    struct p3d_buf text;
    p3d_buf_init(&text, 0);
    if (a->said_error && a->said_message[0] != '\0') {
        p3d_buf_addz(&text, a->said_message);
    } else {
        say_status(a->status, &text);
        add_log(a, &text);
    }
    const char *code = too_large ? "OUTPUT_TOO_LARGE" : "MODEL_ERROR";
    if (a->said_error && a->said_code[0] != '\0')
        code = a->said_code;
    (void)p3d_attempt_decide(a, P3D_END_FAIL, code, temporary || (a->said_error && a->said_retry),
                             p3d_buf_str(&text));
    p3d_buf_done(&text);
}

void p3d_attempt_judge(struct p3d_attempt *a)
{
    if (a->end == P3D_END_FAIL && a->ran) { /* it was ended by us: what did it do last? */
        struct p3d_buf text;
        p3d_buf_init(&text, 0);
        p3d_buf_addz(&text, a->message);
        add_log(a, &text);
        free(a->message);
        a->message = p3d_text_clean(p3d_buf_str(&text), P3D_MESSAGE_MAX);
        p3d_buf_done(&text);
    } else if (a->end == P3D_END_NONE && !a->said_error && WIFEXITED(a->status) &&
               WEXITSTATUS(a->status) == 0) {
        (void)p3d_attempt_decide(a, P3D_END_COMPLETE, NULL, false, P3D_STR(""));
    } else if (a->end == P3D_END_NONE) {
        fail_by_exit(a);
    }
    a->publish_outputs = a->end == P3D_END_COMPLETE;
    a->keep_log =
        a->end == P3D_END_COMPLETE || a->end == P3D_END_FAIL || a->end == P3D_END_CANCEL;
}

void p3d_attempt_judge_wrap(struct p3d_attempt *a)
{
    static const struct {
        int result;
        const char *code;
        bool retry;
    } rows[] = {
        {P3D_E_NOT_FOUND, "NO_OUTPUT", false},
        {P3D_E_BAD_REQUEST, "BAD_OUTPUT", false},
        {P3D_E_TOO_LARGE, "OUTPUT_TOO_LARGE", false},
        {0, "IO_ERROR", true}, /* all others: this machine's trouble */
    };
    if (a->end != P3D_END_COMPLETE || a->result == 0)
        return;
    size_t i = 0;
    while (rows[i].result != 0 && rows[i].result != a->result)
        i++;
    (void)p3d_attempt_decide(a, P3D_END_FAIL, rows[i].code, rows[i].retry,
                             p3d_str_z(a->error.detail));
}
