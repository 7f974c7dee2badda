/* SPDX-License-Identifier: MIT
 *
 * core/store/conn*.c against a server that answers nonsense: it is left, every call is answered once, nothing crashes.
 * And what single replies mean.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "p3d/clock.h"
#include "redis.h"

/* Accepts on the socket of the world and says one text to each who comes, in pieces. */
struct liar {
    struct world *w;
    struct p3d_str text;
    size_t piece; /* bytes at a time, 0 = all */
    int listener, fd;
    size_t said;
    struct p3d_watch *watch, *peer;
};

static void on_peer(void *priv, int events)
{
    struct liar *l = priv;
    char waste[1 << 16];

    if (events & P3D_READABLE && recv(l->fd, waste, sizeof waste, 0) == 0) {
        p3d_interest(l->w->loop, l->peer, 0);
        return;
    }
    size_t n = l->text.n - l->said;
    if (l->piece && n > l->piece)
        n = l->piece;
    ssize_t sent = send(l->fd, l->text.p + l->said, n, MSG_NOSIGNAL);
    if (sent > 0)
        l->said += (size_t)sent;
    if (sent < 0 || l->said == l->text.n)
        p3d_interest(l->w->loop, l->peer, P3D_READABLE);
}

static void drop_peer(struct liar *l)
{
    if (l->fd < 0)
        return;
    p3d_unwatch(l->w->loop, l->peer);
    close(l->fd);
    l->fd = -1;
}

static void on_client(void *priv, int events)
{
    struct liar *l = priv;

    (void)events;
    drop_peer(l);
    l->fd = accept4(l->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    assert_true(l->fd >= 0);
    l->said = 0;
    l->peer = p3d_watch(l->w->loop, l->fd, on_peer, l);
    p3d_interest(l->w->loop, l->peer, P3D_READABLE | P3D_WRITABLE);
}

static void liar_start(struct liar *l, struct world *w)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};

    l->w = w;
    l->fd = -1;
    (void)p3d_format(sa.sun_path, sizeof sa.sun_path, "%s/r.sock", w->dir);
    l->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(l->listener, (struct sockaddr *)&sa, sizeof sa), 0);
    assert_int_equal(listen(l->listener, 8), 0);
    l->watch = p3d_watch(w->loop, l->listener, on_client, l);
    p3d_interest(w->loop, l->watch, P3D_READABLE);
}

static void liar_stop(struct liar *l)
{
    drop_peer(l);
    p3d_unwatch(l->w->loop, l->watch);
    close(l->listener);
}

static const struct lie {
    struct p3d_str text;
    const char *error; /* what is said of it */
    int ups;
} lies[] = {
    {P3D_STR("!what\r\n"), "protocol: ", 0},
    {P3D_STR("HTTP/1.1 400 Bad Request\r\n\r\n"), "protocol: ", 0},
    {P3D_STR("-ERR max number of clients reached\r\n"), "CLIENT SETNAME: ERR max number of clients reached", 0},
    {P3D_STR("-DENIED \x1b[31mred\r\n"), "CLIENT SETNAME: DENIED ?[31mred", 0},
    {P3D_STR(":1\r\n"), "CLIENT SETNAME: not a Redis server", 0},
    {P3D_STR("*0\r\n"), "CLIENT SETNAME: not a Redis server", 0},
    {P3D_STR("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n"), "protocol: ", 0},
    {P3D_STR("*-5\r\n"), "protocol: ", 0},
    {P3D_STR("$-9\r\n"), "protocol: ", 0},
    {P3D_STR("$99999999999999999999999\r\n"), "protocol: ", 0},
    {P3D_STR("$4\r\nabcdefgh\r\n"), "", 0},
    {P3D_STR("+OK\r\n+SURPRISE\r\n"), "protocol: a reply that nothing waits for", 1},
    {P3D_STR("+OK\r\n-ERR going away\r\n"), "ERR going away", 1},
    {P3D_STR("+OK\r\n*100000000\r\n"), "", 1},
};

static void lies_are_seen_through(struct world *w, size_t piece)
{
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        struct liar l = {.text = lies[i].text, .piece = piece};
        struct tally t = {0};

        if (!*lies[i].error)
            continue;
        liar_start(&l, w);
        w->ups = w->downs = 0;
        conn_open(w, 5000, 10, true);
        uint64_t start = p3d_mono_ms();
        while (!strstr(p3d_conn_last_error(w->conn), lies[i].error) && p3d_mono_ms() - start < 10000)
            p3d_poll_loop_run_once(w->poll, 50);
        assert_non_null(strstr(p3d_conn_last_error(w->conn), lies[i].error));
        assert_int_equal(w->ups, lies[i].ups);
        assert_int_equal(w->downs, lies[i].ups);
        assert_int_equal(call(w, &t, "PING"), P3D_E_STORE_DOWN);
        conn_close(w);
        liar_stop(&l);
        char *path = p3d_asprintf("%s/r.sock", w->dir);
        (void)unlink(path);
        free(path);
    }
}

static void lies_in_one_piece(void **state)
{
    lies_are_seen_through(*state, 0);
}

static void lies_byte_by_byte(void **state)
{
    lies_are_seen_through(*state, 1);
}

/* Half a reply, and then nothing: the deadline ends it. */
static void half_a_reply_is_late(void **state)
{
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        struct world *w = *state;
        struct liar l = {.text = lies[i].text};
        char *path = p3d_asprintf("%s/r.sock", w->dir);

        if (!*lies[i].error) {
            liar_start(&l, w);
            conn_open(w, 150, 10, true);
            for (int turn = 0; turn < 20; turn++) {
                struct tally t = {0};
                if (p3d_conn_up(w->conn) && !call(w, &t, "PING")) {
                    until(w, &t.n, 1);
                    assert_int_equal(t.down, 1);
                    break;
                }
                p3d_poll_loop_run_once(w->poll, 50);
            }
            conn_close(w);
            liar_stop(&l);
        }
        (void)unlink(path);
        free(path);
    }
}

static redisReply *text_reply(redisReply *r, int type, const char *text)
{
    *r = (redisReply){.type = type, .len = strlen(text), .str = (char *)(uintptr_t)text};
    return r;
}

static void errors_have_meanings(void **state)
{
    static const struct {
        const char *text;
        int err;
    } rows[] = {
        {"OOM command not allowed when used memory > 'maxmemory'.", P3D_E_STORE_FULL},
        {"LOADING Redis is loading the dataset in memory", P3D_E_STORE_DOWN},
        {"READONLY You can't write against a read only replica.", P3D_E_STORE_DOWN},
        {"MASTERDOWN Link with MASTER is down", P3D_E_STORE_DOWN},
        {"BUSY Redis is busy running a script", P3D_E_STORE_DOWN},
        {"MISCONF Redis is configured to save", P3D_E_STORE_DOWN},
        {"BUSYGROUP Consumer Group name already exists", P3D_E_CORRUPT},
        {"ERR unknown command", P3D_E_CORRUPT},
        {"WRONGTYPE Operation against a key", P3D_E_CORRUPT},
        {"OOM", P3D_E_STORE_FULL},
        {"", P3D_E_CORRUPT},
        {"ERR Error running script (call to f_abc): @user_script:3: @user_script: 3: -OOM command not allowed",
         P3D_E_STORE_FULL},
        {"ERR Error running script (call to f_abc): @user_script:3: -READONLY You can't", P3D_E_STORE_DOWN},
        {"ERR Error running script (call to f_abc): @user_script:3: attempt to index a nil value", P3D_E_CORRUPT},
    };
    redisReply r;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(p3d_reply_err(text_reply(&r, REDIS_REPLY_ERROR, rows[i].text)), rows[i].err);
        assert_int_equal(p3d_script_err(&r), rows[i].err);
    }
    assert_int_equal(p3d_reply_err(text_reply(&r, REDIS_REPLY_STRING, "OOM")), 0);
}

static void scripts_answer_in_one_way(void **state)
{
    static const struct {
        const char *text;
        int type, err;
    } rows[] = {
        {"ok", REDIS_REPLY_STRING, 0},
        {"ok", REDIS_REPLY_STATUS, 0},
        {"JOB_NOT_FOUND", REDIS_REPLY_STRING, P3D_E_JOB_NOT_FOUND},
        {"STALE", REDIS_REPLY_STATUS, P3D_E_STALE},
        {"OK", REDIS_REPLY_STRING, P3D_E_CORRUPT},
        {"ok ", REDIS_REPLY_STRING, P3D_E_CORRUPT},
        {"", REDIS_REPLY_STRING, P3D_E_CORRUPT},
        {"NO_SUCH_SYMBOL", REDIS_REPLY_STRING, P3D_E_CORRUPT},
        {"ok", REDIS_REPLY_INTEGER, P3D_E_CORRUPT},
        {"ok", REDIS_REPLY_ERROR, P3D_E_CORRUPT},
        {"ok", REDIS_REPLY_NIL, P3D_E_CORRUPT},
    };
    redisReply first, array = {.type = REDIS_REPLY_ARRAY, .elements = 1};

    (void)state;
    array.element = (redisReply *[]){&first};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        text_reply(&first, rows[i].type, rows[i].text);
        assert_int_equal(p3d_script_err(&array), rows[i].err);
        if (rows[i].type != REDIS_REPLY_ERROR)
            assert_int_equal(p3d_script_err(&first), P3D_E_CORRUPT);
    }
    array.elements = 0;
    assert_int_equal(p3d_script_err(&array), P3D_E_CORRUPT);
}

/* The build made them: names in order, text and digest belong together, the lines are counted. */
static void scripts_are_embedded(void **state)
{
    (void)state;
    for (int s = 0; s < P3D_SCRIPT__COUNT; s++) {
        const struct p3d_script_info *info = p3d_script_info((enum p3d_script)s);
        int lines = 0;

        assert_int_equal(strlen(info->sha1), 40);
        for (size_t i = 0; i < info->text.n; i++)
            lines += info->text.p[i] == '\n';
        assert_true(info->line > 0 && info->line < lines);
        assert_int_equal(info->text.p[info->text.n - 1], '\n');
    }
    assert_string_equal(p3d_script_info(P3D_SCRIPT_ping)->name, "ping");
    assert_string_equal(p3d_script_info(P3D_SCRIPT_reap)->name, "reap");
}

#define WORLD(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD(lies_in_one_piece),
        WORLD(lies_byte_by_byte),
        WORLD(half_a_reply_is_late),
        cmocka_unit_test(errors_have_meanings),
        cmocka_unit_test(scripts_answer_in_one_way),
        cmocka_unit_test(scripts_are_embedded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
