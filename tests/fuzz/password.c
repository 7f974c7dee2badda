/* SPDX-License-Identifier: MIT
 *
 * A stored password hash of any shape against any password. Input: a line with the stored text,
 * then the password. PBKDF2 runs one round whatever is asked for (the linker puts
 * __wrap_PKCS5_PBKDF2_HMAC in its place): the text is judged here, not the arithmetic. Promises:
 * the only verdicts are match, no match and corrupt; nothing stored matches nothing; what is hashed
 * now verifies, and not with one character more.
 */
#include <openssl/evp.h>
#include <string.h>

#include "p3d/crypto.h"

#include "fuzz.h"

int __real_PKCS5_PBKDF2_HMAC(const char *pass, int passlen, const unsigned char *salt, int saltlen,
                             int iter, const EVP_MD *digest, int keylen, unsigned char *out);
int __wrap_PKCS5_PBKDF2_HMAC(const char *pass, int passlen, const unsigned char *salt, int saltlen,
                             int iter, const EVP_MD *digest, int keylen, unsigned char *out);
int __wrap_PKCS5_PBKDF2_HMAC(const char *pass, int passlen, const unsigned char *salt, int saltlen,
                             int iter, const EVP_MD *digest, int keylen, unsigned char *out)
{
    FUZZ_CHECK(iter >= 1 && passlen >= 0 && saltlen >= 0 && saltlen <= 64);
    return __real_PKCS5_PBKDF2_HMAC(pass, passlen, salt, saltlen, 1, digest, keylen, out);
}

static void hash_and_verify(struct p3d_str password)
{
    char hash[P3D_PASSWORD_HASH_SIZE];
    bool stale = true;
    p3d_password_hash(password, 3, hash);
    FUZZ_CHECK(p3d_password_verify(password, p3d_str_z(hash), 3, &stale) == 0 && !stale);
    FUZZ_CHECK(p3d_password_verify(password, p3d_str_z(hash), 4, &stale) == 0 && stale);
    char *longer = p3d_asprintf("%.*s!", (int)password.n, password.p);
    FUZZ_CHECK(p3d_password_verify(p3d_str_z(longer), p3d_str_z(hash), 3, &stale) != 0);
    free(longer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct p3d_str password = fuzz_text(data, size), stored = fuzz_line(&password);
    bool stale = false;
    int r = p3d_password_verify(password, stored, 2, &stale);
    FUZZ_CHECK(r == 0 || r == P3D_E_LOGIN_FAILED || r == P3D_E_CORRUPT);
    FUZZ_CHECK(stored.n > 0 || r == P3D_E_LOGIN_FAILED);
    if (password.n < P3D_PASSWORD_MAX &&
        (password.n == 0 || memchr(password.p, 0, password.n) == NULL))
        hash_and_verify(password);
    return 0;
}
