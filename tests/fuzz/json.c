/* SPDX-License-Identifier: MIT
 *
 * JSON text from outside. Promises: what is accepted is dumped to a text that is accepted and means
 * the same, and dumping that one changes nothing; a refusal says where, and nothing is leaked;
 * bytes of any kind become a JSON string that can be dumped and read.
 */
#include <string.h>

#include "p3d/json.h"

#include "fuzz.h"

static void there_and_back(struct p3d_str text)
{
    json_t *value = NULL, *again = NULL;
    struct p3d_error err = {0};
    int r = p3d_json_parse(text, &value, &err);
    FUZZ_CHECK((r == 0) == (value != NULL));
    if (r != 0) {
        FUZZ_CHECK(r == P3D_E_VALIDATION && err.code == r);
        FUZZ_CHECK(strncmp(err.detail, "Invalid JSON at line ", 21) == 0);
        return;
    }
    size_t n = 0, again_n = 0;
    char *dumped = p3d_json_dump(value, &n);
    FUZZ_CHECK(strlen(dumped) == n);
    FUZZ_CHECK(p3d_json_parse((struct p3d_str){dumped, n}, &again, NULL) == 0);
    FUZZ_CHECK(json_equal(value, again));
    char *dumped_again = p3d_json_dump(again, &again_n);
    FUZZ_CHECK(again_n == n && memcmp(dumped, dumped_again, n) == 0);
    free(dumped);
    free(dumped_again);
    json_decref(value);
    json_decref(again);
}

static void any_bytes(struct p3d_str bytes)
{
    json_t *text = p3d_json_str(bytes), *again = NULL;
    struct p3d_str kept = {json_string_value(text), json_string_length(text)};
    FUZZ_CHECK(p3d_utf8_valid(kept) && memchr(kept.p, 0, kept.n) == NULL);
    size_t n;
    char *dumped = p3d_json_dump(text, &n);
    FUZZ_CHECK(p3d_json_parse((struct p3d_str){dumped, n}, &again, NULL) == 0);
    FUZZ_CHECK(json_equal(text, again));
    free(dumped);
    json_decref(text);
    json_decref(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    there_and_back(fuzz_text(data, size));
    any_bytes(fuzz_text(data, size));
    return 0;
}
