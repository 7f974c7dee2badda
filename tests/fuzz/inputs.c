/* SPDX-License-Identifier: MIT
 *
 * Any JSON against one fixed set of rules that has each type and each kind of limit. Promises: a
 * verdict is either a new object or faults, never both; every fault has its three parts and its
 * place begins with "body"; what was accepted is accepted again and comes out the same.
 */
#include <string.h>

#include "core/base/model_internal.h"
#include "fuzz.h"

static const char rules[] = "f:\n"
                            "  inputs:\n"
                            "    s: {type: string, required: true, min_length: 1, max_length: 3}\n"
                            "    i: {type: integer, minimum: -2, maximum: 10}\n"
                            "    n: {type: number, minimum: 0.5, maximum: 2.5, default: 1}\n"
                            "    b: {type: boolean}\n"
                            "    o: {type: object}\n"
                            "    a: {type: array, min_length: 1, max_length: 2}\n"
                            "    e: {type: string, enum: [left, center, on]}\n"
                            "    k: {type: integer, enum: [1, 2]}\n"
                            "    image: {type: 'file:image'}\n"
                            "    mesh: {type: 'file:mesh'}\n";
static const char models[] = "f: {m: {command: [/bin/true]}}\n";

static struct p3d_models *read_rules(void)
{
    struct p3d_models_source source = {.name = "fuzz", .config_dir = "/"};
    struct p3d_yaml *f = NULL, *m = NULL;
    struct p3d_models *ret = NULL;
    struct p3d_error err = {0};
    FUZZ_CHECK(p3d_yaml_parse(p3d_str_z(rules), "features", &f, &err) == 0);
    FUZZ_CHECK(p3d_yaml_parse(p3d_str_z(models), "models", &m, &err) == 0);
    source.features = f;
    source.models = m;
    FUZZ_CHECK(p3d_models_read(&source, &ret, &err) == 0);
    p3d_yaml_free(f);
    p3d_yaml_free(m);
    return ret;
}

static void check_faults(const struct p3d_faults *faults)
{
    size_t i;
    json_t *fault;
    FUZZ_CHECK(json_array_size(faults->list) > 0 && json_array_size(faults->list) <= 64);
    json_array_foreach(faults->list, i, fault)
    {
        const json_t *loc = json_object_get(fault, "loc");
        const char *first = json_string_value(json_array_get(loc, 0));
        FUZZ_CHECK(json_array_size(loc) >= 1 && first != NULL && strcmp(first, "body") == 0);
        FUZZ_CHECK(p3d_json_get_str(fault, "msg").n > 0 && p3d_json_get_str(fault, "type").n > 0);
    }
}

static void check(const struct p3d_inputs *in, const json_t *given, bool open)
{
    struct p3d_faults faults = {0};
    json_t *got = NULL, *again = NULL;
    int r = p3d_inputs_check(in, given, "inputs", open, &got, &faults);
    if (r != 0) {
        FUZZ_CHECK(r == P3D_E_VALIDATION && got == NULL);
        check_faults(&faults);
        p3d_faults_done(&faults);
        return;
    }
    FUZZ_CHECK(json_is_object(got) && faults.list == NULL);
    FUZZ_CHECK(p3d_inputs_check(in, got, NULL, open, &again, &faults) == 0);
    FUZZ_CHECK(json_equal(got, again));
    json_decref(got);
    json_decref(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct p3d_models *m;
    json_t *given;
    if (m == NULL)
        m = read_rules(); /* never changed after */
    if (p3d_json_parse(fuzz_text(data, size), &given, NULL) != 0)
        return 0;
    check(&m->features[0]->inputs, given, false);
    check(&m->features[0]->inputs, given, true);
    json_decref(given);
    return 0;
}
