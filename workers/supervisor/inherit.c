/* SPDX-License-Identifier: MIT
 *
 * Reading of `--inherit control=3,listen=4,lock=5,slot=1`: what the supervisor hands to a role.
 * Every descriptor named is open and closes at the next exec when this returns 0; a name that is
 * unknown, twice or without a sensible number is refused, as everything that was not agreed.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "p3d/role.h"
#include "p3d/str.h"

static const struct row {
    const char *name;
    size_t offset;
    bool is_fd;
} rows[] = {
    {"control", offsetof(struct p3d_inherit, control_fd), true},
    {"listen", offsetof(struct p3d_inherit, listen_fd), true},
    {"lock", offsetof(struct p3d_inherit, lock_fd), true},
    {"slot", offsetof(struct p3d_inherit, slot), false},
};
enum { ROWS = sizeof(rows) / sizeof(*rows) };

static int take(struct p3d_str part, unsigned *seen, struct p3d_inherit *in)
{
    for (size_t i = 0; i < ROWS; i++) {
        size_t n = strlen(rows[i].name);
        int64_t number;
        if (part.n <= n || part.p[n] != '=' || memcmp(part.p, rows[i].name, n) != 0)
            continue;
        struct p3d_str value = {part.p + n + 1, part.n - n - 1};
        if ((*seen & 1U << i) != 0 ||
            p3d_str_to_i64(value, rows[i].is_fd ? 3 : 1, 1 << 20, &number) != 0)
            return P3D_E_VALIDATION;
        *seen |= 1U << i;
        if (rows[i].is_fd && fcntl((int)number, F_SETFD, FD_CLOEXEC) != 0)
            return P3D_E_VALIDATION;
        int value_int = (int)number;
        memcpy((char *)in + rows[i].offset, &value_int, sizeof(value_int));
        return 0;
    }
    return P3D_E_VALIDATION;
}

int p3d_inherit_parse(const char *text, struct p3d_inherit *ret)
{
    struct p3d_inherit in = {.control_fd = -1, .listen_fd = -1, .lock_fd = -1, .slot = 0};
    unsigned seen = 0;
    struct p3d_str rest = p3d_str_z(text);
    while (rest.n > 0) {
        const char *comma = memchr(rest.p, ',', rest.n);
        size_t n = comma != NULL ? (size_t)(comma - rest.p) : rest.n;
        if (take((struct p3d_str){rest.p, n}, &seen, &in) != 0 ||
            (comma != NULL && n + 1 == rest.n))
            return P3D_E_VALIDATION;
        n += comma != NULL;
        rest = (struct p3d_str){rest.p + n, rest.n - n};
    }
    *ret = in;
    return 0;
}
