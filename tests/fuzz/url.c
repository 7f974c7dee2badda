/* SPDX-License-Identifier: MIT
 *
 * The URL of Redis. Input: a byte for a place, then the URL. Promises: what is accepted has a host
 * or a path, a port and a database in range; a refusal says why, and a word that is put anywhere
 * into the URL is not in it, since a password can be in any part of a mistyped one.
 */
#include <string.h>

#include "core/store/conn_internal.h"
#include "fuzz.h"

#define WORD "hunter2"

static void check(struct p3d_str url)
{
    struct p3d_redis_url u = {0};
    struct p3d_error err = {0};
    int r = p3d_redis_url_parse(url, "/data", &u, &err);
    if (r != 0) {
        FUZZ_CHECK(r == P3D_E_CONFIG && err.detail[0] != '\0' && u.host == NULL && u.path == NULL);
        FUZZ_CHECK(strstr(err.detail, WORD) == NULL && err.where[0] == '\0');
        return;
    }
    FUZZ_CHECK((u.host != NULL) != (u.path != NULL));
    FUZZ_CHECK(u.port >= 1 && u.port <= 65535 && u.db >= 0);
    FUZZ_CHECK(u.user.n <= P3D_SECRET_MAX && u.password.n <= P3D_SECRET_MAX);
    p3d_redis_url_done(&u);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct p3d_str rest = fuzz_text(data, size);
    struct p3d_buf mistyped;
    size_t place = fuzz_byte(&rest);
    check(rest);
    p3d_buf_init(&mistyped, 0);
    struct p3d_str front = fuzz_take(&rest, place);
    p3d_buf_add(&mistyped, front.p, front.n);
    p3d_buf_addz(&mistyped, WORD);
    p3d_buf_add(&mistyped, rest.p, rest.n);
    check(p3d_buf_str(&mistyped));
    p3d_buf_done(&mistyped);
    return 0;
}
