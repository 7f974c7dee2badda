/* SPDX-License-Identifier: MIT
 *
 * Descriptor 3: what becomes an event, what is counted and left out, and what it costs.
 */
#include "support.h"

struct seen {
    char text[4096];
    size_t n;
};

static void note(void *priv, const struct p3d_event *e)
{
    struct seen *s = priv;
    int n = snprintf(s->text + s->n, sizeof(s->text) - s->n, "%d:%.2f:%.*s:%.*s:%.*s:%.*s:%d:%zu|",
                     (int)e->kind, e->value, (int)e->message.n, e->message.n ? e->message.p : "",
                     (int)e->path.n, e->path.n ? e->path.p : "", (int)e->role.n,
                     e->role.n ? e->role.p : "", (int)e->code.n, e->code.n ? e->code.p : "",
                     e->retryable, e->info != NULL ? json_object_size(e->info) : 0);
    s->n += (size_t)n;
}

static unsigned feed(struct seen *s, const char *text, size_t n, size_t step)
{
    struct p3d_events e;
    s->n = 0;
    s->text[0] = '\0';
    p3d_events_init(&e, note, s);
    for (size_t at = 0; at < n; at += step)
        p3d_events_feed(&e, text + at, n - at < step ? n - at : step);
    p3d_events_end(&e);
    unsigned bad = e.bad;
    p3d_events_done(&e);
    return bad;
}

static void all_events_in_any_pieces(void **state)
{
    static const char text[] =
        "{\"event\":\"progress\",\"value\":0.5,\"message\":\"half\"}\n"
        "{\"event\":\"output\",\"path\":\"outputs/a.glb\",\"role\":\"mesh\"}\r\n"
        "\n"
        "{\"event\":\"thumbnail\",\"path\":\"outputs/t.png\"}\n"
        "{\"event\":\"info\",\"a\":1,\"b\":[2]}\n"
        "{\"event\":\"error\",\"code\":\"X\",\"message\":\"m\",\"retryable\":true}\n"
        "{\"event\":\"done\"}"; /* without its newline */
    static const char want[] = "0:0.50:half::::0:0|1:0.00::outputs/a.glb:mesh::0:0|"
                               "2:0.00::outputs/t.png:::0:0|3:0.00:::::0:2|4:0.00:m:::X:1:0|"
                               "6:0.00:::::0:0|";
    struct seen s;
    (void)state;
    for (size_t step = 1; step < sizeof(text); step += 7) {
        assert_int_equal(feed(&s, text, sizeof(text) - 1, step), 0);
        assert_string_equal(s.text, want);
    }
}

static void progress_is_clamped(void **state)
{
    static const char text[] = "{\"event\":\"progress\",\"value\":7}\n"
                               "{\"event\":\"progress\",\"value\":-1e300}\n";
    struct seen s;
    (void)state;
    assert_int_equal(feed(&s, text, sizeof(text) - 1, 100), 0);
    assert_string_equal(s.text, "0:1.00:::::0:0|0:0.00:::::0:0|");
}

static void garbage_is_counted(void **state)
{
    static const char *const lines[] = {
        "garbage",
        "[]",
        "null",
        "{\"event\":\"nope\"}",
        "{\"event\":5}",
        "{}",
        "{\"event\":\"progress\"}",
        "{\"event\":\"progress\",\"value\":\"1\"}",
        "{\"event\":\"output\"}",
        "{\"event\":\"output\",\"path\":7}",
        "{\"event\":\"error\",\"retryable\":1}",
        "{\"event\":\"progress\",\"value\":1,\"message\":\"\\u0000\"}",
        "\xff\xfe{}",
        "{\"event\":\"done\",\"event\":\"done\"}",
        "{\"event\":\"done\"} x",
    };
    struct seen s;
    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
        char *text = p3d_asprintf("%s\n{\"event\":\"ready\"}\n", lines[i]);
        assert_int_equal(feed(&s, text, strlen(text), 1000), 1);
        assert_string_equal(s.text, "5:0.00:::::0:0|");
        free(text);
    }
    assert_int_equal(feed(&s, "{\"event\":\"done\"\0}\n", 18, 100), 1);
}

static void a_long_line_is_one_bad_line(void **state)
{
    size_t n = 3 * P3D_EVENT_LINE_MAX;
    char *text = p3d_alloc(n + 64);
    struct seen s;
    (void)state;
    memset(text, 'x', n);
    memcpy(text + n, "\n{\"event\":\"done\"}\n", 19);
    assert_int_equal(feed(&s, text, n + 18, 5000), 1);
    assert_string_equal(s.text, "6:0.00:::::0:0|");
    assert_int_equal(feed(&s, text, n, 5000), 1); /* and when it never ends */
    free(text);
}

static void a_flood_ends_the_listening(void **state)
{
    static const char line[] = "{\"event\":\"progress\",\"value\":0}\n";
    struct p3d_events e;
    struct seen s = {0};
    char block[65536];
    (void)state;
    memset(block, ' ', sizeof(block));
    block[sizeof(block) - 1] = '\n';
    p3d_events_init(&e, note, &s);
    for (int64_t sent = 0; sent <= P3D_EVENTS_MAX_BYTES; sent += (int64_t)sizeof(block))
        p3d_events_feed(&e, block, sizeof(block));
    p3d_events_feed(&e, line, sizeof(line) - 1);
    assert_true(e.cut);
    assert_int_equal(s.n, 0);
    p3d_events_done(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_events_in_any_pieces),   cmocka_unit_test(progress_is_clamped),
        cmocka_unit_test(garbage_is_counted),         cmocka_unit_test(a_long_line_is_one_bad_line),
        cmocka_unit_test(a_flood_ends_the_listening),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
