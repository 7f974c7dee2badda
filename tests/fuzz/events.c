/* SPDX-License-Identifier: MIT
 *
 * What a runner says on descriptor 3. Input: a byte for the size of the pieces, then the lines.
 * Promises: pieces make no difference; a value is in 0..1; texts are UTF-8 without NUL and stay so
 * when they are cut for a record; a line is an event, empty, or counted as bad.
 */
#include <math.h>
#include <string.h>

#include "p3d/json.h"
#include "workers/runner/runner_internal.h"

#include "fuzz.h"

struct seen {
    unsigned events;
    uint64_t sum; /* of what they said */
};

static void text(struct seen *seen, struct p3d_str s)
{
    FUZZ_CHECK(p3d_utf8_valid(s) && (s.n == 0 || memchr(s.p, 0, s.n) == NULL));
    json_t *cut = p3d_text_json(s, 20);
    struct p3d_str kept = {json_string_value(cut), json_string_length(cut)};
    FUZZ_CHECK(kept.n <= 20 && p3d_utf8_valid(kept));
    json_decref(cut);
    for (size_t i = 0; i < s.n; i++)
        seen->sum = seen->sum * 31 + (unsigned char)s.p[i];
}

static void on_event(void *priv, const struct p3d_event *e)
{
    struct seen *seen = priv;
    seen->events++;
    FUZZ_CHECK((unsigned)e->kind < P3D_EVENT__COUNT);
    FUZZ_CHECK(isfinite(e->value) && e->value >= 0 && e->value <= 1);
    FUZZ_CHECK((e->kind == P3D_EVENT_INFO) == (e->info != NULL));
    seen->sum = seen->sum * 31 + (uint64_t)e->kind;
    text(seen, e->message);
    text(seen, e->path);
    text(seen, e->role);
    text(seen, e->code);
}

static unsigned run(struct p3d_str lines, size_t piece, struct seen *seen)
{
    struct p3d_events e;
    p3d_events_init(&e, on_event, seen);
    for (size_t i = 0; i < lines.n; i += piece)
        p3d_events_feed(&e, lines.p + i, lines.n - i < piece ? lines.n - i : piece);
    p3d_events_end(&e);
    FUZZ_CHECK(e.total == (int64_t)lines.n && !e.cut);
    unsigned bad = e.bad;
    p3d_events_done(&e);
    return bad;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct p3d_str rest = fuzz_text(data, size);
    struct seen whole = {0}, pieces = {0};
    size_t piece = fuzz_byte(&rest) % 64 + 1, newlines = 1;
    unsigned bad = run(rest, rest.n > 0 ? rest.n : 1, &whole);
    FUZZ_CHECK(run(rest, piece, &pieces) == bad);
    FUZZ_CHECK(whole.events == pieces.events && whole.sum == pieces.sum);
    for (size_t i = 0; i < rest.n; i++)
        newlines += rest.p[i] == '\n';
    FUZZ_CHECK(bad + whole.events <= newlines);
    return 0;
}
