/* SPDX-License-Identifier: MIT
 *
 * What the files of core/crypto share: the one SHA-256, and the end of the process when OpenSSL
 * fails.
 */
#pragma once
#include <openssl/evp.h>

const EVP_MD *p3d_crypto_sha256(void); /* fetched once; process lifetime; any thread */

/* OpenSSL refused something that cannot fail but for memory or a broken installation: as with
 * memory, abort. */
__attribute__((noreturn)) void p3d_crypto_die(const char *what);
