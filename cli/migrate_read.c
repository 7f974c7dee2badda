/* SPDX-License-Identifier: MIT
 *
 * Fields of a foreign record, whatever is in them. Guarantee: a value of the wrong kind is never
 * taken for a right one, and where there is doubt the answer is the one that allows less. Does not:
 * report; its callers say what a field means for the record.
 */
#include "migrate_internal.h"

#include <math.h>
#include <string.h>

#include "p3d/json.h"

#define SECONDS_MAX 253402300799.0 /* the end of the year 9999 */

struct p3d_owner_id p3d_migrate_owner(struct p3d_str old_id)
{
    struct p3d_owner_id id = {.s = "user_"};
    unsigned char digest[32];
    char *text P3D_CLEANUP(p3d_freep) = NULL;
    if (p3d_owner_id_parse(old_id, &id) == 0)
        return id;
    text = p3d_alloc(old_id.n + sizeof("3daigc:"));
    memcpy(text, "3daigc:", sizeof("3daigc:") - 1);
    if (old_id.n > 0)
        memcpy(text + sizeof("3daigc:") - 1, old_id.p, old_id.n);
    p3d_sha256((struct p3d_str){text, old_id.n + sizeof("3daigc:") - 1}, digest);
    p3d_hex(digest, 8, id.s + sizeof("user_") - 1);
    return id;
}

bool p3d_migrate_time(const json_t *record, const char *key, int64_t *ret)
{
    const json_t *v = json_object_get(record, key);
    if (v == NULL || json_is_null(v))
        return true;
    if (json_is_number(v)) {
        double s = json_number_value(v);
        if (!(s >= 0.0 && s <= SECONDS_MAX))
            return false;
        *ret = (int64_t)floor(s * 1000.0);
        return true;
    }
    struct p3d_str text = p3d_json_get_str(record, key);
    return text.n > 0 && p3d_time_parse(text, ret) == 0;
}

bool p3d_migrate_bool(const json_t *record, const char *key, bool otherwise)
{
    const json_t *v = json_object_get(record, key);
    return v == NULL || json_is_null(v) ? otherwise : json_is_true(v);
}

const char *p3d_migrate_parse(struct p3d_str text, size_t max, json_t **ret)
{
    json_t *v = NULL;
    if (text.p == NULL)
        return "it is no text";
    if (text.n == 0)
        return "there is no record of it";
    if (text.n > max)
        return "its record is too large";
    if (!p3d_utf8_valid(text))
        return "its record is not UTF-8";
    if (p3d_json_parse_long(text, &v, NULL) != 0)
        return "its record is not valid JSON";
    if (!json_is_object(v)) {
        json_decref(v);
        return "its record is no JSON object";
    }
    *ret = v;
    return NULL;
}
