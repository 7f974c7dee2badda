/* SPDX-License-Identifier: MIT
 *
 * IP addresses and networks as text, and who a client is behind proxies. Pure: nothing is looked up.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "p3d/err.h"
#include "p3d/str.h"

#define P3D_ADDRESS_SIZE 64 /* bytes of an address as text */

/* An address, or all that share its first bits; IPv4 as ::ffff:a.b.c.d. */
struct p3d_net {
    unsigned char address[16];
    unsigned bits; /* 0..128 */
};
/* "10.0.0.0/8", "2001:db8::/32", "127.0.0.1". Errors: P3D_E_VALIDATION. */
P3D_MUST int p3d_net_parse(struct p3d_str s, struct p3d_net *ret);
bool p3d_net_has(const struct p3d_net *net, const unsigned char address[16]);

/* What a client's actions are counted under: IPv4 the address, IPv6 its /64 (a customer has that many), else the text. */
void p3d_net_key(const char *address, char dst[P3D_ADDRESS_SIZE]);

/* The client of a request: `peer`, unless that is one of the trusted proxies; then the last address of X-Forwarded-For
 * that is none of them. What a client itself has written in front of that is never believed. An entry that is no
 * address ends the search. */
void p3d_client_address(const struct p3d_net *proxies, size_t n, const char *peer, struct p3d_str forwarded,
                        char dst[P3D_ADDRESS_SIZE]);
