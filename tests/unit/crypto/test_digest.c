/* SPDX-License-Identifier: MIT
 *
 * core/crypto/digest.c: SHA-256 against the FIPS 180 examples, HMAC against RFC 4231.
 */
#include "../base/unit.h"

#include <pthread.h>
#include <string.h>

#include "p3d/crypto.h"

#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define MILLION_A "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"

static void sha256(void **state)
{
    (void)state;
    static const struct {
        struct p3d_str in;
        const char *out;
    } rows[] = {
        {P3D_STR(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {{NULL, 0}, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {P3D_STR("abc"), ABC},
        {P3D_STR("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[P3D_SHA256_HEX];
        p3d_sha256_hex(rows[i].in, text);
        assert_string_equal(text, rows[i].out);
    }
}

static void streaming(void **state)
{
    (void)state;
    char text[P3D_SHA256_HEX], part[1000];
    memset(part, 'a', sizeof(part));
    struct p3d_digest *d = p3d_digest_new();
    for (int i = 0; i < 1000; i++) {
        p3d_digest_add(d, part, 333);
        p3d_digest_add(d, NULL, 0);
        p3d_digest_add(d, part, 667);
    }
    p3d_digest_hex(d, text);
    assert_string_equal(text, MILLION_A);
    p3d_digest_free(d);
    p3d_digest_free(NULL);
}

static void check_hmac(struct p3d_str key, struct p3d_str data, const char *want)
{
    unsigned char mac[32];
    char text[65];
    p3d_hmac_sha256(key, data, mac);
    p3d_hex(mac, sizeof(mac), text);
    assert_string_equal(text, want);
}

static void hmac(void **state)
{
    (void)state;
    char key[131], data[50];
    memset(key, 0x0B, 20);
    check_hmac((struct p3d_str){key, 20}, P3D_STR("Hi There"),
               "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    check_hmac(P3D_STR("Jefe"), P3D_STR("what do ya want for nothing?"),
               "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xAA, sizeof(key));
    memset(data, 0xDD, sizeof(data));
    check_hmac((struct p3d_str){key, 20}, (struct p3d_str){data, 50},
               "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
    check_hmac((struct p3d_str){key, 131},
               P3D_STR("Test Using Larger Than Block-Size Key - Hash Key First"),
               "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    check_hmac((struct p3d_str){NULL, 0}, (struct p3d_str){NULL, 0},
               "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void *hash_many(void *arg)
{
    int *wrong = arg;
    for (int i = 0; i < 2000; i++) {
        char text[P3D_SHA256_HEX];
        p3d_sha256_hex(P3D_STR("abc"), text);
        *wrong += strcmp(text, ABC) != 0 ? 1 : 0;
    }
    return NULL;
}

static void threads(void **state)
{
    (void)state;
    pthread_t t[4];
    int wrong[4] = {0};
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&t[i], NULL, hash_many, &wrong[i]), 0);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(t[i], NULL), 0);
        assert_int_equal(wrong[i], 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(threads), cmocka_unit_test(sha256),
                                       cmocka_unit_test(streaming), cmocka_unit_test(hmac)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
