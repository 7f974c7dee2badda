/* SPDX-License-Identifier: MIT
 *
 * The command line: where flags and the one word may stand, what is refused, and that secrets are gone from argv in any
 * case.
 */
#include "cli/options_internal.h"

#include <string.h>
#include <unistd.h>

#include "p3d/str.h"
#include "tests/unit/base/unit.h"

enum { WORDS = 8 };

static const struct p3d_verb verb = {
    .name = "users",
    .noun = "update",
    .options = P3D_OPT_BIT(P3D_OPT_ID) | P3D_OPT_BIT(P3D_OPT_JSON) | P3D_OPT_BIT(P3D_OPT_PASSWORD) |
               P3D_OPT_BIT(P3D_OPT_REDIS_URL) | P3D_OPT_BIT(P3D_OPT_MAX_QUEUED_JOBS) | P3D_OPT_BIT(P3D_OPT_LIMIT),
    .summary = "For tests.",
};

/* Words that may be written to, as main() has them. */
struct line {
    char text[WORDS][64];
    char *argv[WORDS + 1];
    int argc;
};

static int parse(const struct p3d_verb *v, struct line *l, struct p3d_options *o, const char *const words[])
{
    *o = (struct p3d_options){.help = false};
    l->argc = 0;
    (void)p3d_format(l->text[l->argc++], sizeof(l->text[0]), "update");
    for (; words[l->argc - 1] != NULL; l->argc++)
        (void)p3d_format(l->text[l->argc], sizeof(l->text[0]), "%s", words[l->argc - 1]);
    for (int i = 0; i < l->argc; i++)
        l->argv[i] = l->text[i];
    l->argv[l->argc] = NULL;
    return p3d_options_parse(v, l->argc, l->argv, o);
}
#define PARSE(v, l, o, ...) parse(v, l, o, (const char *const[]){__VA_ARGS__, NULL})

static void the_word_stands_anywhere(void **state)
{
    struct line l;
    struct p3d_options o;
    (void)state;
    assert_int_equal(PARSE(&verb, &l, &o, "ann", "--json"), 0);
    assert_string_equal(o.value[P3D_OPT_ID], "ann");
    assert_non_null(o.value[P3D_OPT_JSON]);
    assert_int_equal(PARSE(&verb, &l, &o, "--max-queued-jobs", "-1", "ann", "--json"), 0);
    assert_string_equal(o.value[P3D_OPT_ID], "ann");
    assert_string_equal(o.value[P3D_OPT_MAX_QUEUED_JOBS], "-1");
    assert_int_equal(PARSE(&verb, &l, &o, "--json", "--", "-ann"), 0);
    assert_string_equal(o.value[P3D_OPT_ID], "-ann");
    assert_int_equal(PARSE(&verb, &l, &o, "--json", "--", "--json"), 0);
    assert_string_equal(o.value[P3D_OPT_ID], "--json");
}

static void what_is_refused(void **state)
{
    static const struct p3d_verb wordless = {.name = "audit", .options = P3D_OPT_BIT(P3D_OPT_JSON), .summary = "x"};
    struct line l;
    struct p3d_options o;
    (void)state;
    assert_int_equal(PARSE(&verb, &l, &o, "--json"), P3D_EXIT_USAGE);
    assert_int_equal(PARSE(&verb, &l, &o, "ann", "bob"), P3D_EXIT_USAGE);
    assert_int_equal(PARSE(&verb, &l, &o, "ann", "--", "bob"), P3D_EXIT_USAGE);
    assert_int_equal(PARSE(&verb, &l, &o, "ann", "--yes"), P3D_EXIT_USAGE);
    assert_int_equal(PARSE(&verb, &l, &o, "ann", "--json=yes"), P3D_EXIT_USAGE);
    assert_int_equal(PARSE(&verb, &l, &o, "ann", "--max-queued-jobs"), P3D_EXIT_USAGE);
    assert_int_equal(PARSE(&wordless, &l, &o, "ann"), P3D_EXIT_USAGE);
    assert_int_equal(PARSE(&wordless, &l, &o, "--json"), 0);
    assert_int_equal(PARSE(&verb, &l, &o, "--help"), 0); /* without the word */
    assert_true(o.help);
}

static void secrets_leave_argv(void **state)
{
    struct line l;
    struct p3d_options o;
    (void)state;
    /* Also behind something that is refused. */
    assert_int_equal(PARSE(&verb, &l, &o, "ann", "bob", "--password", "hush", "--redis-url=redis://:hush@h"),
                     P3D_EXIT_USAGE);
    for (int i = 0; i < l.argc; i++)
        assert_null(memmem(l.text[i], sizeof(l.text[i]), "hush", 4));
    assert_int_equal(o.password.n, 4);
    assert_memory_equal(o.password.p, "hush", 4);
    assert_string_equal(o.value[P3D_OPT_REDIS_URL], "redis://:hush@h");
    p3d_options_done(&o);
    assert_null(o.password.p);
}

static void numbers(void **state)
{
    struct line l;
    struct p3d_options o;
    int64_t n = 7;
    (void)state;
    assert_int_equal(PARSE(&verb, &l, &o, "ann"), 0);
    assert_int_equal(p3d_options_number(&o, P3D_OPT_LIMIT, 1, 10, &n), 0);
    assert_int_equal(n, 7);
    assert_int_equal(PARSE(&verb, &l, &o, "ann", "--limit", "10"), 0);
    assert_int_equal(p3d_options_number(&o, P3D_OPT_LIMIT, 1, 10, &n), 0);
    assert_int_equal(n, 10);
    static const char *const bad[] = {"0", "11", "", " 1", "1.0", "0x1", "99999999999999999999"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_int_equal(PARSE(&verb, &l, &o, "ann", "--limit", bad[i]), 0);
        assert_int_equal(p3d_options_number(&o, P3D_OPT_LIMIT, 1, 10, &n), P3D_EXIT_USAGE);
        assert_int_equal(n, 10);
    }
}

static void help_names_the_word(void **state)
{
    char text[4096] = "";
    FILE *out = fmemopen(text, sizeof(text), "w");
    (void)state;
    p3d_options_help(&verb, out);
    (void)fclose(out);
    assert_ptr_equal(strstr(text, "usage: p3d users update <id> [flags]\n"), text);
    assert_non_null(strstr(text, "  --limit N "));
    assert_null(strstr(text, "--yes"));
}

static void many_words(void **state)
{
    static const struct p3d_verb many = {
        .name = "jobs", .noun = "retry", .options = P3D_OPT_BIT(P3D_OPT_JOBS) | P3D_OPT_BIT(P3D_OPT_JSON), .summary = "x"};
    static const struct p3d_verb one = {.name = "jobs", .noun = "show", .options = P3D_OPT_BIT(P3D_OPT_JOB), .summary = "x"};
    struct line l;
    struct p3d_options o;
    (void)state;
    assert_int_equal(PARSE(&many, &l, &o, "a", "--json", "b", "--", "-c"), 0);
    assert_int_equal(o.words_n, 3);
    assert_string_equal(o.words[0], "a");
    assert_string_equal(o.words[1], "b");
    assert_string_equal(o.words[2], "-c");
    p3d_options_done(&o);
    assert_int_equal(PARSE(&many, &l, &o, "--json"), 0); /* the verb judges */
    assert_int_equal(o.words_n, 0);
    p3d_options_done(&o);
    assert_int_equal(PARSE(&one, &l, &o, "a"), 0);
    assert_string_equal(o.value[P3D_OPT_JOB], "a");
    assert_int_equal(PARSE(&one, &l, &o, "a", "b"), P3D_EXIT_USAGE);
    assert_int_equal(parse(&one, &l, &o, (const char *const[]){NULL}), P3D_EXIT_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_word_stands_anywhere), cmocka_unit_test(what_is_refused),
        cmocka_unit_test(secrets_leave_argv),       cmocka_unit_test(numbers),
        cmocka_unit_test(help_names_the_word),      cmocka_unit_test(many_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
