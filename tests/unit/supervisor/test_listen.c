/* SPDX-License-Identifier: MIT
 *
 * The listening socket: the real port, a port in use in words, addresses that are none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "p3d/role.h"
#include "p3d/str.h"

static void the_kernel_chooses_and_we_learn(void **state)
{
    struct p3d_error err = {0};
    int fd = -1, port = 0;
    (void)state;
    assert_int_equal(p3d_listen("127.0.0.1", 0, &fd, &port, &err), 0);
    assert_true(port > 0 && port < 65536);
    assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);

    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(client, (struct sockaddr *)&a, sizeof(a)), 0);
    (void)close(client);
    (void)close(fd);
}

static void in_use_names_port_and_address(void **state)
{
    struct p3d_error err = {0};
    char number[16];
    int fd = -1, port = 0, second = -1, second_port = -1;
    (void)state;
    assert_int_equal(p3d_listen("127.0.0.1", 0, &fd, &port, &err), 0);
    assert_int_equal(p3d_listen("127.0.0.1", port, &second, &second_port, &err), P3D_E_CONFIG);
    (void)p3d_format(number, sizeof(number), "port %d is", port);
    assert_non_null(strstr(err.detail, number));
    assert_non_null(strstr(err.detail, "127.0.0.1"));
    assert_non_null(strstr(err.detail, "--port"));
    assert_int_equal(second, -1);
    assert_int_equal(second_port, -1);
    (void)close(fd);
}

static void not_ours_or_none(void **state)
{
    struct p3d_error err = {0};
    int fd = -1, port = 0;
    (void)state;
    assert_int_equal(p3d_listen("192.0.2.1", 0, &fd, &port, &err), P3D_E_CONFIG);
    assert_non_null(strstr(err.detail, "192.0.2.1"));
    assert_int_equal(p3d_listen("no host name", 0, &fd, &port, &err), P3D_E_CONFIG);
    assert_int_equal(fd, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_kernel_chooses_and_we_learn),
        cmocka_unit_test(in_use_names_port_and_address),
        cmocka_unit_test(not_ours_or_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
