/* SPDX-License-Identifier: MIT
 *
 * Writing log lines, as text or JSON.
 * Guarantee: one event is one line and one write(2) of at most 4 KiB (PIPE_BUF: atomic on a pipe),
 * whatever the values hold; a line that is too long is cut between characters, stays well-formed
 * and says cut=true. errno is kept. A full or closed stderr loses the line, never stops the process
 * (main ignores SIGPIPE). Does not: rotate, buffer or filter by event. The level, form and role are
 * set once, before threads start.
 */
#include "p3d/log.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "p3d/clock.h"
#include "str_internal.h"

#define LINE_MAX_BYTES 4096
#define TAIL_BYTES 32    /* kept free for the closing quote, `cut`, brace and newline */
#define NAME_BYTES 64    /* of role and event */
#define VALUE_BYTES 2048 /* of one value, so that it does not push out the others */

_Static_assert(LINE_MAX_BYTES <= PIPE_BUF, "a line must be atomic on a pipe");

struct line {
    char text[LINE_MAX_BYTES];
    size_t n;
    bool cut;
};

static enum p3d_log_level min_level = P3D_LOG_INFO;
static bool as_json;
static const char *process_role = "p3d";

static const char *const level_words[] = {"debug", "info", "warn", "error"};

void p3d_log_setup(enum p3d_log_level min, bool json, const char *role)
{
    min_level = min;
    as_json = json;
    process_role = role != NULL ? role : "p3d";
}

/* All or nothing. */
static bool put(struct line *l, const char *p, size_t n)
{
    if (l->n + n > LINE_MAX_BYTES - TAIL_BYTES) {
        l->cut = true;
        return false;
    }
    memcpy(l->text + l->n, p, n);
    l->n += n;
    return true;
}

static bool put_z(struct line *l, const char *z)
{
    return put(l, z, strlen(z));
}

/* Into the room that put() leaves free. */
static void put_tail(struct line *l, const char *z)
{
    size_t n = strlen(z);
    if (n <= LINE_MAX_BYTES - l->n) {
        memcpy(l->text + l->n, z, n);
        l->n += n;
    }
}

/* Characters that end or turn a line, or steer a terminal, somewhere: C0, DEL, C1, line and
 * paragraph separator, directional overrides and isolates. */
static bool is_unsafe(uint32_t cp)
{
    return cp < 0x20 || (cp >= 0x7F && cp <= 0x9F) || cp == 0x2028 || cp == 0x2029 ||
           (cp >= 0x202A && cp <= 0x202E) || (cp >= 0x2066 && cp <= 0x2069);
}

/* One character, or one byte that is none, as it may stand between quotes. Returns the bytes used
 * up. */
static size_t quote_step(const char *p, size_t n, char dst[16], size_t *ret_len)
{
    static const char short_form[128] = {
        ['"'] = '"', ['\\'] = '\\', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
    uint32_t cp = 0;
    size_t used = p3d_utf8_step(p, n, &cp);
    if (used == 0) {
        /* JSON knows no bytes: the same text there, with its backslash escaped. */
        *ret_len = (size_t)snprintf(dst, 16, as_json ? "\\\\x%02x" : "\\x%02x", (unsigned char)*p);
        return 1;
    }
    if (cp < 128 && short_form[cp] != '\0')
        *ret_len = (size_t)snprintf(dst, 16, "\\%c", short_form[cp]);
    else if (is_unsafe(cp))
        *ret_len = (size_t)snprintf(dst, 16, "\\u%04x", (unsigned)cp);
    else
        memcpy(dst, p, *ret_len = used);
    return used;
}

static void put_quoted(struct line *l, struct p3d_str s)
{
    size_t start = l->n;
    if (!put(l, "\"", 1))
        return;
    for (size_t i = 0; i < s.n;) {
        char unit[16];
        size_t len;
        i += quote_step(s.p + i, s.n - i, unit, &len);
        if (l->n - start + len > VALUE_BYTES || !put(l, unit, len)) {
            l->cut = true;
            break;
        }
    }
    put_tail(l, "\"");
}

/* Does text stand for itself without quotes? */
static bool is_plain(struct p3d_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] == '"' || s.p[i] == '=' || s.p[i] == '\\' || s.p[i] > '~')
            return false;
    return s.n > 0 && s.n <= VALUE_BYTES;
}

static void put_text(struct line *l, struct p3d_str s)
{
    if (as_json || !is_plain(s) || !put(l, s.p, s.n))
        put_quoted(l, s);
}

static void put_value(struct line *l, const struct p3d_field *f)
{
    char number[40];
    switch (f->type) {
    case P3D_FIELD_STR:
        put_text(l, f->s);
        return;
    case P3D_FIELD_INT:
        (void)p3d_format(number, sizeof(number), "%lld", (long long)f->i);
        break;
    case P3D_FIELD_FLOAT:
        if (isfinite(f->f) || !as_json)
            (void)p3d_format(number, sizeof(number), "%.10g", f->f);
        else
            (void)p3d_format(number, sizeof(number), "null");
        break;
    }
    (void)put_z(l, number);
}

/* Key and value, or nothing of both. */
static void put_field(struct line *l, const struct p3d_field *f)
{
    size_t before = l->n;
    struct p3d_str key = p3d_str_z(f->key);
    bool fits = put_z(l, as_json ? "," : " ");
    if (as_json)
        put_quoted(l, key);
    else
        fits = fits && put(l, key.p, key.n);
    fits = fits && put_z(l, as_json ? ":" : "=");
    size_t value_at = l->n;
    if (fits)
        put_value(l, f);
    if (!fits || l->n == value_at || l->n > LINE_MAX_BYTES - TAIL_BYTES + 1) {
        l->n = before;
        l->cut = true;
    }
}

static void put_head(struct line *l, enum p3d_log_level level, const char *event)
{
    char when[P3D_TIME_SIZE], text[P3D_TIME_SIZE + 64];
    int64_t ms = p3d_wall_ms();
    const char *word = level_words[level];
    p3d_time_format(ms, P3D_TIME_ZULU, when);
    (void)p3d_format(text, sizeof(text),
                     as_json ? "{\"time\":\"%.19s.%03dZ\",\"level\":\"%s\",\"role\":"
                             : "%.19s.%03dZ %s ",
                     when, (int)((ms % 1000 + 1000) % 1000), word);
    (void)put_z(l, text);
    put_text(l, p3d_utf8_cut(p3d_str_z(process_role), NAME_BYTES));
    (void)p3d_format(text, sizeof(text), as_json ? ",\"pid\":%d,\"event\":" : "[%d] ",
                     (int)getpid());
    (void)put_z(l, text);
    put_text(l, p3d_utf8_cut(p3d_str_z(event), NAME_BYTES));
}

void p3d_log_write(enum p3d_log_level level, const char *event, const struct p3d_field *fields,
                   size_t n)
{
    if (level < min_level || level > P3D_LOG_ERROR)
        return;
    int saved = errno;
    struct line l;
    l.n = 0;
    l.cut = false;
    put_head(&l, level, event);
    for (size_t i = 0; i < n; i++)
        put_field(&l, &fields[i]);
    if (l.cut)
        put_tail(&l, as_json ? ",\"cut\":true" : " cut=true");
    put_tail(&l, as_json ? "}\n" : "\n");
    ssize_t r;
    do
        r = write(STDERR_FILENO, l.text, l.n);
    while (r < 0 && errno == EINTR);
    errno = saved;
}
