/* SPDX-License-Identifier: MIT
 *
 * What Redis answers, byte by byte, to every typed call of the store and to the greeting of a new
 * connection; the server's end of the socket is ours. Input: a byte for the call, a byte for where
 * the answer is cut in two, then the answers. Promises: a call that was accepted calls back exactly
 * once, at the latest when the connection is closed; an answer without error is whole: its ids are
 * ids and its texts can be read; P3D_E_CORRUPT and P3D_E_STORE_DOWN come without one.
 */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/store/conn_parts_internal.h"
#include "core/store/store_internal.h"
#include "p3d/config.h"
#include "p3d/doctor.h"
#include "p3d/lease.h"
#include "p3d/records.h"
#include "p3d/retry.h"

#include "fuzz.h"

struct peer {
    struct p3d_store store;
    int fd; /* the server's end */
    unsigned called;
    struct p3d_error why; /* of the check */
};

static const struct p3d_access who = {.kind = P3D_ACCESS_TOKEN, .token_hash = "00", .scope = 1};
static const struct p3d_job_id job = {"job_001ARZ3NDEKTSV4RRFFQ69G5FAV"};
static const struct p3d_owner_id owner = {"user_00112233445566aa"};
static const struct p3d_lease lease = {
    .job = {"job_001ARZ3NDEKTSV4RRFFQ69G5FAV"}, .fence = 7, .nonce = "0123456789abcdef"};
static const struct p3d_str kinds[] = {{"f/m", 3}, {"f/n", 3}};
static const struct p3d_retention keep = {.age_ms = 1000, .jobs = -1, .bytes = -1};
static const int64_t max_workers[] = {1, -1};
static const struct p3d_claim claim = {.worker_id = "w",
                                       .nonce = "0123456789abcdef",
                                       .kinds = kinds,
                                       .max_workers = max_workers,
                                       .n = 2,
                                       .lease_ms = 1000};

/* ---- the calls ---- */
static void check_answer(const struct p3d_answer *a);
static void on_answer(void *priv, int err, const struct p3d_answer *a)
{
    struct peer *p = priv;
    bool bare = err == P3D_E_CORRUPT || err == P3D_E_STORE_DOWN;
    p->called++;
    FUZZ_CHECK(err <= 0 && (a == NULL) == bare);
    if (err == 0)
        check_answer(a);
}

#define CALL(name, ...)                                                                            \
    static int call_##name(struct peer *p)                                                         \
    {                                                                                              \
        return p3d_store_##name(&p->store, __VA_ARGS__, on_answer, p);                             \
    }
static struct p3d_attempt attempt = {.address = "2001:db8::1", .free = 5};
static const struct p3d_user user = {.id = {"user_00112233445566aa"}, .username = "ann"};
static const struct p3d_new_token token = {
    .hash = "00", .prefix = {"p3d_0abc", 8}, .name = {"login", 5}, .max_login = 10};
static const struct p3d_user_change change = {.username = {"bob", 3}, .status = "suspended"};
static const struct p3d_import_token old_token = {.owner = {"user_00112233445566aa"},
                                                  .hash = "00",
                                                  .prefix = {"abc", 3}};
static const struct p3d_import_user old_user = {
    .id = {"user_00112233445566aa"}, .username = {"ann", 3}, .email = {"a@b", 3}};
static const struct p3d_import_job old_job = {.job = {.id = {"job_001ARZ3NDEKTSV4RRFFQ69G5FAV"}},
                                              .kind = {"f/m", 3}};
CALL(login_begin, P3D_STR("ann"), &attempt)
CALL(register_begin, P3D_STR("ann"), P3D_STR("a@b"), &attempt)
CALL(self_begin, &who, &attempt)
CALL(attempt_end, &attempt, &owner, P3D_ATTEMPT_FAILED)
CALL(login_token, &attempt, &user, &token)
CALL(password_set, &who, &owner, P3D_STR("old"), P3D_STR("new"), true, &attempt)
CALL(token_add, &who, &token)
CALL(token_list, &who, 100, 0)
CALL(token_revoke, &who, NULL, P3D_STR("p3d_0abc"))
CALL(user_change, &who, true, &owner, &change)
CALL(audit, &who, 10, P3D_STR(""), &owner)
CALL(keys_rotate, &who, 1000, false)
CALL(import_user, &old_user)
CALL(import_token, &old_token)
CALL(import_job, &old_job)
CALL(password_swap, &owner, P3D_STR("old"), P3D_STR("new"))
CALL(check_access, &who, &job)
CALL(user_list, &who, 10, 0)
CALL(user_find, &who, true, P3D_STR("user_00112233445566aa"))
CALL(user_delete, &who, &owner)
CALL(job_get, &who, &job)
CALL(queue_stats, &who)
CALL(claim, &claim)
CALL(heartbeat, &lease, 1000)
CALL(progress, &lease, 5000, P3D_STR("{}"))
CALL(complete, &lease, P3D_STR("{}"), 100, &claim)
CALL(fail, &lease, true, P3D_STR("{}"), NULL)
CALL(release, &lease)
CALL(reap, 1000, &keep, 64)
CALL(purged, &job)
CALL(job_cancel, &who, &job)
CALL(job_delete, &who, &job)
CALL(result_drop, &who, &job, 7, P3D_STR("{}"))
static char object[] = "{}";
static const struct p3d_retry retry = {.from = {"job_001ARZ3NDEKTSV4RRFFQ69G5FAV"},
                                       .id = {"job_001ARZ3NDEKTSV4RRFFQ69G5FAW"},
                                       .spec = object,
                                       .detail = object};
CALL(job_retry, &who, &retry)
CALL(check, "store-id", &p->why)
static const struct p3d_doctor doctor = {.repair = true, .lease_ms = 30000};
CALL(doctor_keys, &doctor, "0")
CALL(doctor_members, &doctor, "0", "ended")
CALL(doctor_wake, &doctor, "f/m", 1)
CALL(doctor_bytes, &doctor, "0", "")
CALL(doctor_note, "1 of 1 problems")

static int call_keys(struct peer *p)
{
    return p3d_store_keys(&p->store, on_answer, p);
}

static int call_doctor_about(struct peer *p)
{
    return p3d_store_doctor_about(&p->store, on_answer, p);
}

static int call_ping(struct peer *p)
{
    return p3d_store_ping(&p->store, on_answer, p);
}

static int call_user_add(struct peer *p)
{
    struct p3d_new_user u = {.username = P3D_STR("ann"),
                             .email = P3D_STR("ann@example.com"),
                             .password_hash = P3D_STR("hash"),
                             .token = token};
    return p3d_store_user_add(&p->store, &u, on_answer, p);
}

static int call_submit(struct peer *p)
{
    struct p3d_new_job j = {
        .kind = P3D_STR("f/m"), .spec = P3D_STR("{}"), .max_attempts = 3, .max_queued = -1};
    return p3d_store_submit(&p->store, &who, &j, on_answer, p);
}

static int call_history(struct peer *p)
{
    struct p3d_history h = {.limit = 10};
    return p3d_store_history(&p->store, &who, &h, on_answer, p);
}

/* Nobody waits for it. */
static int call_outbox(struct peer *p)
{
    p->called = p3d_store_outbox_replay(&p->store) == 0;
    return 0;
}

static int (*const calls[])(struct peer *p) = {
    NULL, /* the greeting */
    call_login_begin,
    call_login_token,
    call_password_swap,
    call_check_access,
    call_user_list,
    call_user_find,
    call_user_delete,
    call_job_get,
    call_queue_stats,
    call_claim,
    call_heartbeat,
    call_progress,
    call_complete,
    call_fail,
    call_release,
    call_reap,
    call_check,
    call_ping,
    call_user_add,
    call_submit,
    call_history,
    call_outbox,
    call_self_begin,
    call_attempt_end,
    call_password_set,
    call_token_add,
    call_token_list,
    call_token_revoke,
    call_user_change,
    call_audit,
    call_keys,
    call_keys_rotate,
    call_import_user,
    call_import_token,
    call_import_job,
    call_register_begin,
    call_purged,
    call_job_cancel,
    call_job_delete,
    call_result_drop,
    call_job_retry,
    call_doctor_keys,
    call_doctor_members,
    call_doctor_wake,
    call_doctor_bytes,
    call_doctor_note,
    call_doctor_about,
};

/* ---- what an answer holds ---- */
/* Every byte of it can be read. */
static void check_str(struct p3d_str s)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < s.n; i++)
        sum += (unsigned char)s.p[i];
    FUZZ_CHECK(sum <= 255 * (uint64_t)s.n);
}

static void check_job(const struct p3d_job *j)
{
    FUZZ_CHECK(memchr(j->id.s, 0, sizeof(j->id.s)) != NULL && (unsigned)j->state < P3D_JOB__COUNT);
    FUZZ_CHECK(memchr(j->owner.s, 0, sizeof(j->owner.s)) != NULL && j->nonce[16] == '\0');
    check_str(j->spec);
    check_str(j->detail);
}

static void check_user(const struct p3d_user *u)
{
    FUZZ_CHECK(memchr(u->id.s, 0, sizeof(u->id.s)) != NULL);
    FUZZ_CHECK(memchr(u->username, 0, sizeof(u->username)) != NULL);
    FUZZ_CHECK(memchr(u->email, 0, sizeof(u->email)) != NULL);
    FUZZ_CHECK(memchr(u->password_hash, 0, sizeof(u->password_hash)) != NULL);
}

static void check_token(const struct p3d_token_info *t)
{
    check_str(p3d_str_z(t->prefix));
    check_str(p3d_str_z(t->name));
    FUZZ_CHECK(t->scopes <= P3D_SCOPE_ALL);
}

static void check_entry(const struct p3d_audit_entry *e)
{
    const char *const all[] = {e->actor, e->action, e->target, e->address, e->detail};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        check_str(p3d_str_z(all[i]));
}

static void check_page(const struct p3d_doctor_page *page)
{
    check_str(p3d_str_z(page->cursor));
    for (size_t i = 0; i < page->walks_n; i++)
        check_str(p3d_str_z(page->walks[i]));
    for (size_t i = 0; i < page->n; i++) {
        FUZZ_CHECK((unsigned)page->findings[i].what < P3D_AILMENT__COUNT);
        check_str(p3d_str_z(page->findings[i].where));
        check_str(p3d_str_z(page->findings[i].detail));
    }
}

static void check_about(const struct p3d_doctor_about *about)
{
    FUZZ_CHECK(memchr(about->version, 0, sizeof(about->version)) != NULL);
    FUZZ_CHECK(memchr(about->policy, 0, sizeof(about->policy)) != NULL);
    FUZZ_CHECK(memchr(about->fsync, 0, sizeof(about->fsync)) != NULL);
    FUZZ_CHECK(memchr(about->schema, 0, sizeof(about->schema)) != NULL);
    FUZZ_CHECK(memchr(about->home, 0, sizeof(about->home)) != NULL);
}

static void check_answer(const struct p3d_answer *a)
{
    if (a->doctor != NULL)
        check_page(a->doctor);
    if (a->about != NULL)
        check_about(a->about);
    for (size_t i = 0; i < a->n && a->tokens != NULL; i++)
        check_token(&a->tokens[i]);
    for (size_t i = 0; i < a->n && a->audit != NULL; i++)
        check_entry(&a->audit[i]);
    for (size_t i = 0; i < a->n && a->keys != NULL; i++)
        check_str((struct p3d_str){(const char *)a->keys[i].secret, sizeof(a->keys[i].secret)});
    FUZZ_CHECK(memchr(a->caller.s, 0, sizeof(a->caller.s)) != NULL);
    for (size_t i = 0; i < a->n && a->jobs != NULL; i++)
        check_job(&a->jobs[i]);
    for (size_t i = 0; i < a->n && a->users != NULL; i++)
        check_user(&a->users[i]);
    if (a->cursor != NULL)
        check_str(p3d_str_z(a->cursor));
    for (size_t i = 0; a->stats != NULL && i < a->stats->kinds_n; i++)
        check_str(p3d_str_z(a->stats->kinds[i].kind));
}

/* ---- the connection ---- */
static void connect_to(struct peer *p, struct p3d_poll_loop *loop, bool greeting)
{
    struct p3d_config cfg = {.top_data_dir = (char *)(uintptr_t) "/nonexistent"};
    struct p3d_conn_options o = {.cfg = &cfg, .timeout_ms = 60000, .max_inflight = 100};
    struct p3d_error err;
    int sv[2];
    p->store.loop = p3d_poll_loop_base(loop);
    FUZZ_CHECK(p3d_conn_open(p->store.loop, &o, &p->store.conn, &err) == 0);
    FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv) == 0);
    struct p3d_conn *c = p->store.conn;
    p3d_timer_clear(c->loop, &c->retry); /* instead of dialling */
    p->fd = sv[1];
    if (greeting) {
        c->phase = P3D_CONN_DIALING;
        c->dial.cb(&c->dial, sv[0], NULL);
    } else {
        p3d_wire_open(c, sv[0]);
        c->phase = P3D_CONN_UP;
    }
}

static void answer(struct peer *p, struct p3d_poll_loop *loop, struct p3d_str bytes)
{
    p3d_poll_loop_run_once(loop, 0); /* what was asked leaves */
    if (bytes.n > 0)
        (void)!send(p->fd, bytes.p, bytes.n, MSG_NOSIGNAL); /* lost already: fine */
    p3d_poll_loop_run_once(loop, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct p3d_poll_loop *loop; /* empty between inputs */
    struct p3d_str rest = fuzz_text(data, size);
    struct peer p = {.called = 0};
    size_t which = fuzz_byte(&rest) % (sizeof(calls) / sizeof(calls[0]));
    size_t cut = fuzz_byte(&rest) * (size_t)8;
    if (loop == NULL)
        FUZZ_CHECK(p3d_poll_loop_new(&loop) == 0);
    connect_to(&p, loop, calls[which] == NULL);
    bool asked = calls[which] != NULL && calls[which](&p) == 0;
    FUZZ_CHECK(asked || calls[which] == NULL);
    answer(&p, loop, fuzz_take(&rest, cut));
    answer(&p, loop, rest);
    p3d_conn_close(p.store.conn);
    FUZZ_CHECK(p.called == (asked ? 1 : 0));
    (void)close(p.fd);
    return 0;
}
