/* SPDX-License-Identifier: MIT
 *
 * What a server says to a subscribed connection. Input: a byte, then either the text of one message (even) or what
 * comes over the wire after the greeting (odd). Promises: a message that is read has ids that are ids and a state of
 * the table; a listener hears only of its owner, not before it was told `ready`, and nothing after it has left, which it
 * does at its second event; nobody listens in the end and nothing is left over.
 */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/store/conn_parts_internal.h"
#include "core/store/hub_internal.h"
#include "p3d/config.h"

#include "fuzz.h"

static const struct p3d_owner_id owners[] = {{"user_00000000000000a1"}, {""}};

static void check_ids(const struct p3d_message *m)
{
    struct p3d_job_id id;
    struct p3d_owner_id owner;
    const char *of = m->is_account ? m->account.s : m->job.owner.s;
    FUZZ_CHECK(m->is_account || p3d_job_id_parse(p3d_str_z(m->job.id.s), &id) == 0);
    FUZZ_CHECK(m->is_account || (unsigned)m->job.state < P3D_JOB__COUNT);
    FUZZ_CHECK((!m->is_account && of[0] == '\0') || p3d_owner_id_parse(p3d_str_z(of), &owner) == 0);
    FUZZ_CHECK(p3d_message_fits(m, "") && p3d_message_fits(m, of[0] != '\0' ? of : "-"));
}

static void parse_text(struct p3d_str text)
{
    struct p3d_message m;
    memset(&m, 0x5a, sizeof(m));
    int r = p3d_message_parse(text, &m);
    FUZZ_CHECK(r == 0 || (r == P3D_E_CORRUPT && ((unsigned char *)&m.job)[0] == 0x5a));
    if (r == 0)
        check_ids(&m);
}

struct ear {
    struct p3d_listener *x;
    const struct p3d_owner_id *owner; /* NULL: all */
    bool ready;
    int heard;
};

static void hear(struct ear *e, const struct p3d_message *m)
{
    FUZZ_CHECK(e->ready && e->x != NULL);
    check_ids(m);
    FUZZ_CHECK(e->owner == NULL || m->is_account || strcmp(e->owner->s, m->job.owner.s) == 0);
    if (++e->heard < 2)
        return;
    p3d_hub_unlisten(e->x);
    e->x = NULL;
}

static void on_event(void *priv, const struct p3d_event_of_job *job)
{
    hear(priv, &(struct p3d_message){.job = *job});
}

static void on_account(void *priv, const struct p3d_owner_id *owner)
{
    hear(priv, &(struct p3d_message){.is_account = true, .account = *owner});
}

static void on_ready(void *priv)
{
    ((struct ear *)priv)->ready = true;
}

static void attach(struct p3d_hub *h, int fd)
{
    struct p3d_conn *c = h->conn;
    p3d_timer_clear(c->loop, &c->retry); /* instead of dialling */
    c->phase = P3D_CONN_DIALING;
    c->dial.cb(&c->dial, fd, NULL);
}

static void over_the_wire(struct p3d_poll_loop *poll, struct p3d_str bytes)
{
    static const struct p3d_hub_callbacks callbacks = {
        .event = on_event, .ready = on_ready, .account = on_account};
    struct p3d_config cfg = {.top_data_dir = (char *)(uintptr_t) "/nonexistent", .redis_timeout_ms = 60000};
    struct ear ears[] = {{.owner = &owners[0]}, {.owner = &owners[0]}, {.owner = &owners[1]}, {.owner = NULL}};
    const size_t n = sizeof(ears) / sizeof(ears[0]);
    struct p3d_hub *h;
    struct p3d_error err;
    int sv[2];
    FUZZ_CHECK(p3d_hub_open(p3d_poll_loop_base(poll), &cfg, &h, &err) == 0);
    FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv) == 0);
    for (size_t i = 0; i < n; i++)
        ears[i].x = p3d_hub_listen(h, ears[i].owner, &callbacks, &ears[i]);
    attach(h, sv[0]);
    (void)!send(sv[1], "+OK\r\n", 5, MSG_NOSIGNAL);
    p3d_poll_loop_run_once(poll, 0);
    for (int part = 0; part < 2; part++) {
        struct p3d_str piece = fuzz_take(&bytes, part ? bytes.n : bytes.n / 2);
        if (piece.n > 0)
            (void)!send(sv[1], piece.p, piece.n, MSG_NOSIGNAL);
        p3d_poll_loop_run_once(poll, 0);
    }
    for (size_t i = 0; i < n; i++)
        p3d_hub_unlisten(ears[i].x);
    FUZZ_CHECK(p3d_hub_listeners(h) == 0 && h->channels == 0 && h->fresh == NULL);
    p3d_hub_close(h);
    (void)close(sv[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct p3d_poll_loop *poll; /* empty between inputs */
    struct p3d_str rest = fuzz_text(data, size);
    if (poll == NULL)
        FUZZ_CHECK(p3d_poll_loop_new(&poll) == 0);
    if (fuzz_byte(&rest) % 2 == 0)
        parse_text(rest);
    else
        over_the_wire(poll, rest);
    return 0;
}
