/* SPDX-License-Identifier: MIT
 *
 * A request for tests: what handlers read of it, without a server. One at a time; the test fills it in.
 */
#pragma once
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "p3d/http.h"

struct p3d_call {
    const char *query[8][2]; /* name, decoded value ("\xff" = bad); ended by NULL */
    const char *content_type, *body;
    void *memory[32];
    size_t memory_n;
};

bool p3d_call_query(struct p3d_call *c, const char *name, struct p3d_str *ret)
{
    for (size_t i = 0; i < 8 && c->query[i][0] != NULL; i++) {
        if (strcmp(c->query[i][0], name) != 0)
            continue;
        bool bad = strcmp(c->query[i][1], "\xff") == 0;
        *ret = bad ? (struct p3d_str){NULL, 0} : p3d_str_z(c->query[i][1]);
        return true;
    }
    return false;
}

struct p3d_str p3d_call_header(const struct p3d_call *c, const char *lower_name)
{
    return p3d_str_z(strcmp(lower_name, "content-type") == 0 ? c->content_type : NULL);
}

struct p3d_str p3d_call_body(const struct p3d_call *c)
{
    return p3d_str_z(c->body);
}

void *p3d_call_alloc(struct p3d_call *c, size_t n)
{
    assert_true(c->memory_n < 32);
    return c->memory[c->memory_n++] = p3d_alloc(n);
}

/* The i-th fault as "type loc0.loc1", or "" when there is none. */
static const char *fault(const struct p3d_faults *f, size_t i)
{
    static char text[256];
    const json_t *one = json_array_get(f->list, i), *loc = json_object_get(one, "loc");
    if (one == NULL)
        return "";
    size_t n = (size_t)snprintf(text, sizeof(text), "%s ", json_string_value(json_object_get(one, "type")));
    for (size_t k = 0; k < json_array_size(loc); k++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", k > 0 ? "." : "",
                              json_string_value(json_array_get(loc, k)));
    return text;
}
