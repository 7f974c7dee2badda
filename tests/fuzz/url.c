/* SPDX-License-Identifier: MIT
 *
 * The URL of Redis. Promises: what is accepted has a host or a path, a port and a database in
 * range; a refusal says why and repeats no stretch of the URL, since a password can be anywhere in
 * a mistyped one.
 */
#include <string.h>

#include "core/store/conn_internal.h"
#include "fuzz.h"

/* No eight bytes of the URL in the words, unless they are of the words' own examples. */
static void check_words(struct p3d_str url, const char *words)
{
    static const char own[] =
        "redis://[user:password@]host:port/db unix:///path unix:///run/redis/redis.sock rediss://";
    for (size_t i = 0; i + 8 <= url.n; i++) {
        const char *at = memmem(words, strlen(words), url.p + i, 8);
        bool example = memmem(own, sizeof(own), url.p + i, 8) != NULL;
        bool lower = true; /* plain words of a sentence are no secret of this target's making */
        for (size_t k = 0; k < 8; k++)
            lower = lower && ((url.p[i + k] >= 'a' && url.p[i + k] <= 'z') || url.p[i + k] == ' ');
        FUZZ_CHECK(at == NULL || example || lower);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct p3d_str url = fuzz_text(data, size);
    struct p3d_redis_url u = {0};
    struct p3d_error err = {0};
    int r = p3d_redis_url_parse(url, "/data", &u, &err);
    if (r != 0) {
        FUZZ_CHECK(r == P3D_E_CONFIG && err.detail[0] != '\0' && u.host == NULL && u.path == NULL);
        check_words(url, err.detail);
        return 0;
    }
    FUZZ_CHECK((u.host != NULL) != (u.path != NULL));
    FUZZ_CHECK(u.port >= 1 && u.port <= 65535 && u.db >= 0);
    FUZZ_CHECK(u.user.n <= P3D_SECRET_MAX && u.password.n <= P3D_SECRET_MAX);
    p3d_redis_url_done(&u);
    return 0;
}
