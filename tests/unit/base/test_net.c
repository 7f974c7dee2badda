/* SPDX-License-Identifier: MIT
 *
 * Networks, keys of addresses, and the client behind proxies.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "p3d/net.h"

static void test_parse(void **state)
{
    static const char *const good[] = {"127.0.0.1", "10.0.0.0/8", "0.0.0.0/0", "::/0", "::1", "2001:db8::/32", "1.2.3.4/32",
                                       "::ffff:1.2.3.4/128"};
    static const char *const bad[] = {"", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8 ", " 10.0.0.1",
                                      "10.0.0", "10.0.0.256", "2001:db8::/129", "localhost", "1.2.3.4/8/8", "::1%lo",
                                      "1.2.3.4:80", "0000000000000000000000000000000000000000000000000000000000000000000001"};
    struct p3d_net net;
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
        assert_int_equal(p3d_net_parse(p3d_str_z(good[i]), &net), 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_int_equal(p3d_net_parse(p3d_str_z(bad[i]), &net), P3D_E_VALIDATION);
    assert_int_equal(p3d_net_parse((struct p3d_str){"1.2.3.4\0x", 9}, &net), P3D_E_VALIDATION);
}

static void client(const char *proxies, const char *peer, const char *forwarded, const char *want)
{
    struct p3d_net nets[4];
    size_t n = 0;
    char text[128], *rest = text, got[P3D_ADDRESS_SIZE];
    assert_true(p3d_format(text, sizeof(text), "%s", proxies));
    for (char *one = strsep(&rest, " "); one != NULL && *one != '\0'; one = strsep(&rest, " "))
        assert_int_equal(p3d_net_parse(p3d_str_z(one), &nets[n++]), 0);
    p3d_client_address(nets, n, peer, p3d_str_z(forwarded), got);
    assert_string_equal(got, want);
}

static void test_client(void **state)
{
    (void)state;
    client("", "127.0.0.1", "198.51.100.7", "127.0.0.1"); /* nobody is trusted: nothing is believed */
    client("127.0.0.1", "127.0.0.1", "", "127.0.0.1");
    client("127.0.0.1", "127.0.0.1", "198.51.100.7", "198.51.100.7");
    client("127.0.0.1", "192.0.2.9", "198.51.100.7", "192.0.2.9"); /* who comes past the proxy */
    client("127.0.0.1", "127.0.0.1", "1.1.1.1, 198.51.100.7", "198.51.100.7"); /* what the client wrote in front */
    client("127.0.0.1 10.0.0.0/8", "127.0.0.1", "1.1.1.1,198.51.100.7 , 10.1.2.3", "198.51.100.7");
    client("10.0.0.0/8", "10.0.0.1", "10.0.0.2, 10.0.0.3", "10.0.0.2"); /* all of them ours: the first */
    client("127.0.0.1", "127.0.0.1", "198.51.100.7, rubbish", "127.0.0.1");
    client("127.0.0.1", "127.0.0.1", ",", "127.0.0.1");
    client("127.0.0.0/8", "::ffff:127.0.0.1", "198.51.100.7", "198.51.100.7");
    client("2001:db8::/32", "2001:db8::5", "2001:db9::1", "2001:db9::1");
    client("10.0.0.0/9", "10.128.0.1", "198.51.100.7", "10.128.0.1");
    client("127.0.0.1", "unknown", "198.51.100.7", "unknown");
}

static void key(const char *address, const char *want)
{
    char got[P3D_ADDRESS_SIZE];
    p3d_net_key(address, got);
    assert_string_equal(got, want);
}

static void test_key(void **state)
{
    (void)state;
    key("192.0.2.1", "192.0.2.1");
    key("::ffff:192.0.2.1", "192.0.2.1");
    key("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64");
    key("2001:db8:1:2::ffff", "2001:db8:1:2::/64");
    key("local", "local");
    key("", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_parse), cmocka_unit_test(test_client),
                                       cmocka_unit_test(test_key)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
