/* SPDX-License-Identifier: MIT
 *
 * Making and reading identifiers: ULIDs of jobs, owner ids, nonces, base62 digits.
 * Guarantee: job ids of one process only ever ascend, whatever the clock does, so a batch runs in
 * its order; what parses is canonical, so one job has one spelling and one Redis key. Does not:
 * authorise. An id is a name, not a credential, even though nobody can guess one. The state of the
 * ULID is the process's, under a lock: an id must ascend whichever thread asks for it.
 */
#include "p3d/id.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "p3d/crypto.h"

#define SHARDS 62
#define JOB_PREFIX "job_"
#define OWNER_PREFIX "user_"
#define ULID_MS_MAX ((INT64_C(1) << 48) - 1)
#define RANDOM_BYTES 10

static const char base62[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
static const char crockford[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"; /* no I L O U */

struct ulid {
    int64_t ms;
    unsigned char random[RANDOM_BYTES];
};

static pthread_mutex_t last_lock = PTHREAD_MUTEX_INITIALIZER;
static struct ulid last = {.ms = -1};
static pid_t last_pid;

char p3d_base62(unsigned digit)
{
    assert(digit < SHARDS);
    return base62[digit];
}

int p3d_base62_value(char c)
{
    const char *at = c == '\0' ? NULL : strchr(base62, c);
    return at == NULL ? -1 : (int)(at - base62);
}

/* The next larger one: random part + 1; the millisecond takes the carry of the one case in 2^80. */
static void increment(struct ulid *u)
{
    for (size_t i = RANDOM_BYTES; i-- > 0;)
        if (++u->random[i] != 0)
            return;
    u->ms++;
}

static void next_ulid(int64_t wall_ms, struct ulid *ret)
{
    int64_t ms = wall_ms < 0 ? 0 : wall_ms > ULID_MS_MAX ? ULID_MS_MAX : wall_ms;
    pid_t pid = getpid();
    (void)pthread_mutex_lock(&last_lock);
    if (ms > last.ms) {
        last.ms = ms;
        p3d_random(last.random, sizeof(last.random));
    } else if (pid != last_pid) {
        /* A fork has the parent's state: counting on from it would give both the same ids. */
        last.ms++;
        p3d_random(last.random, sizeof(last.random));
    } else {
        increment(&last);
    }
    last_pid = pid;
    *ret = last;
    (void)pthread_mutex_unlock(&last_lock);
}

/* 26 digits of 5 bits; 128 bits stand right-aligned in 130. */
static void write_ulid(const struct ulid *u, char dst[P3D_ULID_LEN])
{
    unsigned char bytes[16];
    for (int i = 0; i < 6; i++)
        bytes[i] = (unsigned char)(u->ms >> (8 * (5 - i)));
    memcpy(bytes + 6, u->random, RANDOM_BYTES);
    for (unsigned i = 0; i < P3D_ULID_LEN; i++) {
        unsigned digit = 0;
        for (unsigned bit = i * 5; bit < i * 5 + 5; bit++) {
            unsigned byte = bit < 2 ? 0U : bytes[(bit - 2) / 8];
            digit = digit << 1 | (byte >> (7 - (bit - 2) % 8) & 1U);
        }
        dst[i] = crockford[digit];
    }
}

static void write_job_id(unsigned shard, const struct ulid *u, struct p3d_job_id *ret)
{
    memset(ret, 0, sizeof(*ret));
    memcpy(ret->s, JOB_PREFIX, sizeof(JOB_PREFIX) - 1);
    ret->s[sizeof(JOB_PREFIX) - 1] = p3d_base62(shard);
    write_ulid(u, ret->s + sizeof(JOB_PREFIX));
}

void p3d_job_id_new(unsigned shard, int64_t wall_ms, struct p3d_job_id *ret)
{
    struct ulid u;
    next_ulid(wall_ms, &u);
    write_job_id(shard, &u, ret);
}

void p3d_job_id_of(unsigned shard, int64_t wall_ms, const unsigned char bits[RANDOM_BYTES],
                   struct p3d_job_id *ret)
{
    struct ulid u = {.ms = wall_ms < 0 ? 0 : wall_ms > ULID_MS_MAX ? ULID_MS_MAX : wall_ms};
    memcpy(u.random, bits, RANDOM_BYTES);
    write_job_id(shard, &u, ret);
}

int p3d_job_id_parse(struct p3d_str s, struct p3d_job_id *ret)
{
    const size_t ulid_at = sizeof(JOB_PREFIX);
    if (s.n != ulid_at + P3D_ULID_LEN || !p3d_str_starts(s, JOB_PREFIX) ||
        p3d_base62_value(s.p[ulid_at - 1]) < 0 || s.p[ulid_at] > '7')
        return P3D_E_JOB_NOT_FOUND;
    for (size_t i = ulid_at; i < s.n; i++)
        if (s.p[i] == '\0' || strchr(crockford, s.p[i]) == NULL)
            return P3D_E_JOB_NOT_FOUND;
    memset(ret, 0, sizeof(*ret));
    memcpy(ret->s, s.p, s.n);
    return 0;
}

const char *p3d_job_id_ulid(const struct p3d_job_id *id)
{
    return id->s + sizeof(JOB_PREFIX);
}

unsigned p3d_job_id_shard(const struct p3d_job_id *id)
{
    int v = p3d_base62_value(id->s[sizeof(JOB_PREFIX) - 1]);
    return v < 0 ? 0 : (unsigned)v;
}

void p3d_nonce(char dst[17])
{
    unsigned char bytes[8];
    p3d_random(bytes, sizeof(bytes));
    p3d_hex(bytes, sizeof(bytes), dst);
}

void p3d_owner_id_new(struct p3d_owner_id *ret)
{
    memset(ret, 0, sizeof(*ret));
    memcpy(ret->s, OWNER_PREFIX, sizeof(OWNER_PREFIX) - 1);
    p3d_nonce(ret->s + sizeof(OWNER_PREFIX) - 1);
}

int p3d_owner_id_parse(struct p3d_str s, struct p3d_owner_id *ret)
{
    const size_t hex_at = sizeof(OWNER_PREFIX) - 1;
    if (s.n != hex_at + 16 || !p3d_str_starts(s, OWNER_PREFIX))
        return P3D_E_USER_NOT_FOUND;
    for (size_t i = hex_at; i < s.n; i++)
        if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f')))
            return P3D_E_USER_NOT_FOUND;
    memset(ret, 0, sizeof(*ret));
    memcpy(ret->s, s.p, s.n);
    return 0;
}
