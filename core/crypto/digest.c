/* SPDX-License-Identifier: MIT
 *
 * SHA-256 and HMAC-SHA-256, at once or in pieces, on OpenSSL's providers.
 * Guarantee: the algorithms are looked up once per process, so hashing a token costs no provider
 * search; every function may be called from any thread (one struct p3d_digest from one at a time).
 * Does not: return errors. OpenSSL can only fail here for want of memory or of its own default
 * provider.
 */
#include "p3d/crypto.h"

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <pthread.h>

#include "crypto_internal.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static EVP_MD *sha256;
static EVP_MAC *hmac;

static void fetch(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    if (sha256 == NULL || hmac == NULL)
        p3d_crypto_die("no SHA-256 or HMAC");
}

const EVP_MD *p3d_crypto_sha256(void)
{
    (void)pthread_once(&once, fetch);
    return sha256;
}

void p3d_sha256(struct p3d_str data, unsigned char dst[32])
{
    if (EVP_Digest(data.p, data.n, dst, NULL, p3d_crypto_sha256(), NULL) != 1)
        p3d_crypto_die("EVP_Digest");
}

void p3d_sha256_hex(struct p3d_str data, char dst[P3D_SHA256_HEX])
{
    unsigned char bytes[32];
    p3d_sha256(data, bytes);
    p3d_hex(bytes, sizeof(bytes), dst);
}

void p3d_hmac_sha256(struct p3d_str key, struct p3d_str data, unsigned char dst[32])
{
    static const unsigned char none[1] = {0};
    char name[] = "SHA256";
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
                           OSSL_PARAM_construct_end()};
    size_t n = 0;
    (void)pthread_once(&once, fetch);
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(hmac);
    /* A NULL key would mean "the key of last time": an empty one needs an address. */
    const unsigned char *k = key.n > 0 ? (const unsigned char *)key.p : none;
    if (ctx == NULL || EVP_MAC_init(ctx, k, key.n, params) != 1 ||
        EVP_MAC_update(ctx, (const unsigned char *)data.p, data.n) != 1 ||
        EVP_MAC_final(ctx, dst, &n, 32) != 1 || n != 32)
        p3d_crypto_die("HMAC");
    EVP_MAC_CTX_free(ctx);
}

struct p3d_digest {
    EVP_MD_CTX *ctx;
};

struct p3d_digest *p3d_digest_new(void)
{
    struct p3d_digest *d = p3d_alloc(sizeof(*d));
    d->ctx = EVP_MD_CTX_new();
    if (d->ctx == NULL || EVP_DigestInit_ex2(d->ctx, p3d_crypto_sha256(), NULL) != 1)
        p3d_crypto_die("EVP_DigestInit");
    return d;
}

void p3d_digest_add(struct p3d_digest *d, const void *p, size_t n)
{
    if (EVP_DigestUpdate(d->ctx, p, n) != 1)
        p3d_crypto_die("EVP_DigestUpdate");
}

void p3d_digest_hex(struct p3d_digest *d, char dst[P3D_SHA256_HEX])
{
    unsigned char bytes[32];
    if (EVP_DigestFinal_ex(d->ctx, bytes, NULL) != 1)
        p3d_crypto_die("EVP_DigestFinal");
    p3d_hex(bytes, sizeof(bytes), dst);
}

void p3d_digest_free(struct p3d_digest *d)
{
    if (d == NULL)
        return;
    EVP_MD_CTX_free(d->ctx);
    free(d);
}
