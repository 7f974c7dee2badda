/* SPDX-License-Identifier: MIT
 *
 * Randomness, secrets in memory, comparison in constant time, hex.
 * Guarantee: random bytes are OpenSSL's CSPRNG (seeded by the kernel, safe across fork and threads)
 * or the process ends; a secret is wiped before its memory is given back. Does not: keep secrets
 * from the swap or from core dumps; the roles switch those off.
 */
#include "p3d/crypto.h"

#include <assert.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <string.h>
#include <unistd.h>

#include "crypto_internal.h"

void p3d_crypto_die(const char *what)
{
    static const char words[] = "p3d: OpenSSL failed: ";
    (void)!write(STDERR_FILENO, words, sizeof(words) - 1);
    (void)!write(STDERR_FILENO, what, strlen(what));
    (void)!write(STDERR_FILENO, "\n", 1);
    abort();
}

void p3d_random(void *dst, size_t n)
{
    unsigned char *p = dst;
    while (n > 0) {
        int part = n > INT_MAX ? INT_MAX : (int)n;
        if (RAND_bytes(p, part) != 1)
            p3d_crypto_die("RAND_bytes");
        p += part;
        n -= (size_t)part;
    }
}

void p3d_wipe(void *p, size_t n)
{
    if (p != NULL)
        OPENSSL_cleanse(p, n);
}

bool p3d_equal(struct p3d_str a, struct p3d_str b)
{
    return a.n == b.n && (a.n == 0 || CRYPTO_memcmp(a.p, b.p, a.n) == 0);
}

void p3d_secret_set(struct p3d_secret *s, struct p3d_str value)
{
    assert(value.n <= P3D_SECRET_MAX);
    unsigned char *copy = NULL;
    if (value.n > 0) {
        copy = p3d_alloc(value.n + 1); /* terminated, for calls that want a string */
        memcpy(copy, value.p, value.n);
    }
    p3d_secret_done(s); /* after the copy: value may lie in the old secret */
    s->p = copy;
    s->n = value.n;
}

void p3d_secret_done(struct p3d_secret *s)
{
    p3d_wipe(s->p, s->n);
    free(s->p);
    *s = (struct p3d_secret){.p = NULL, .n = 0};
}

void p3d_hex(const void *src, size_t n, char *dst)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *p = src;
    for (size_t i = 0; i < n; i++) {
        *dst++ = digits[p[i] >> 4];
        *dst++ = digits[p[i] & 15];
    }
    *dst = '\0';
}
