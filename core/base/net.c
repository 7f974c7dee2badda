/* SPDX-License-Identifier: MIT
 *
 * Addresses and networks. All are compared as IPv6, so that 192.0.2.1 and ::ffff:192.0.2.1 are one.
 */
#include "p3d/net.h"

#include <arpa/inet.h>
#include <string.h>

static const unsigned char v4_mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* ret_v4: it was written as IPv4. */
static bool parse(struct p3d_str s, unsigned char ret[16], bool *ret_v4)
{
    char text[P3D_ADDRESS_SIZE];
    if (!p3d_format(text, sizeof(text), "%.*s", (int)s.n, s.n > 0 ? s.p : "") || strlen(text) != s.n)
        return false;
    memcpy(ret, v4_mapped, sizeof(v4_mapped));
    *ret_v4 = inet_pton(AF_INET, text, ret + sizeof(v4_mapped)) == 1;
    return *ret_v4 || inet_pton(AF_INET6, text, ret) == 1;
}

int p3d_net_parse(struct p3d_str s, struct p3d_net *ret)
{
    const char *slash = s.n > 0 ? memchr(s.p, '/', s.n) : NULL;
    size_t n = slash != NULL ? (size_t)(slash - s.p) : s.n;
    struct p3d_net net;
    bool v4;
    if (!parse((struct p3d_str){s.p, n}, net.address, &v4))
        return P3D_E_VALIDATION;
    int64_t most = v4 ? 32 : 128, bits = most;
    if (slash != NULL && p3d_str_to_i64((struct p3d_str){slash + 1, s.n - n - 1}, 0, most, &bits) != 0)
        return P3D_E_VALIDATION;
    net.bits = (unsigned)(bits + 128 - most);
    *ret = net;
    return 0;
}

bool p3d_net_has(const struct p3d_net *net, const unsigned char address[16])
{
    unsigned whole = net->bits / 8, rest = net->bits % 8;
    if (memcmp(net->address, address, whole) != 0)
        return false;
    return rest == 0 || ((net->address[whole] ^ address[whole]) >> (8 - rest)) == 0;
}

void p3d_net_key(const char *address, char dst[P3D_ADDRESS_SIZE])
{
    unsigned char raw[16];
    char text[INET6_ADDRSTRLEN] = "";
    bool v4;
    if (!parse(p3d_str_z(address), raw, &v4)) {
        (void)p3d_format(dst, P3D_ADDRESS_SIZE, "%s", address);
    } else if (memcmp(raw, v4_mapped, sizeof(v4_mapped)) == 0) {
        (void)inet_ntop(AF_INET, raw + sizeof(v4_mapped), text, sizeof(text));
        (void)p3d_format(dst, P3D_ADDRESS_SIZE, "%s", text);
    } else {
        memset(raw + 8, 0, 8);
        (void)inet_ntop(AF_INET6, raw, text, sizeof(text));
        (void)p3d_format(dst, P3D_ADDRESS_SIZE, "%s/64", text);
    }
}

static bool is_proxy(const struct p3d_net *proxies, size_t n, const unsigned char address[16])
{
    for (size_t i = 0; i < n; i++)
        if (p3d_net_has(&proxies[i], address))
            return true;
    return false;
}

/* The last element of a list, cut off it. */
static struct p3d_str take_last(struct p3d_str *list)
{
    const char *comma = list->n > 0 ? memrchr(list->p, ',', list->n) : NULL;
    size_t from = comma != NULL ? (size_t)(comma - list->p) + 1 : 0;
    struct p3d_str last = {list->p + from, list->n - from};
    list->n = comma != NULL ? from - 1 : 0;
    return p3d_str_trim(last);
}

void p3d_client_address(const struct p3d_net *proxies, size_t n, const char *peer, struct p3d_str forwarded,
                        char dst[P3D_ADDRESS_SIZE])
{
    unsigned char raw[16];
    bool v4, known = parse(p3d_str_z(peer), raw, &v4);
    (void)p3d_format(dst, P3D_ADDRESS_SIZE, "%s", peer);
    while (known && forwarded.n > 0 && is_proxy(proxies, n, raw)) {
        struct p3d_str next = take_last(&forwarded);
        known = parse(next, raw, &v4);
        if (known)
            (void)p3d_format(dst, P3D_ADDRESS_SIZE, "%.*s", (int)next.n, next.p);
    }
}
