/* SPDX-License-Identifier: MIT
 *
 * Making and verifying password hashes on the hashing pool. Guarantee: the event loop never computes one; a full pool
 * is said at once, so that a flood of logins costs queue_max hashes and not more. Does not: know users or requests.
 */
#include "p3d/hash.h"

#include "p3d/str.h"

struct hash_task {
    struct p3d_task task; /* first */
    struct p3d_secret password;
    char stored[P3D_PASSWORD_HASH_SIZE];
    unsigned iterations;
    struct p3d_hashed hashed;
    p3d_hashed_cb *cb;
    void *priv;
};

static struct p3d_str text_of(const struct p3d_secret *s)
{
    return (struct p3d_str){(const char *)s->p, s->n};
}

static void make(struct p3d_task *task)
{
    struct hash_task *t = (struct hash_task *)task;
    p3d_password_hash(text_of(&t->password), t->iterations, t->hashed.hash);
    p3d_secret_done(&t->password);
}

static void verify(struct p3d_task *task)
{
    struct hash_task *t = (struct hash_task *)task;
    bool stale = false;
    t->hashed.err = p3d_password_verify(text_of(&t->password), p3d_str_z(t->stored), t->iterations, &stale);
    if (t->hashed.err == 0 && stale)
        p3d_password_hash(text_of(&t->password), t->iterations, t->hashed.hash);
    p3d_secret_done(&t->password);
}

static void free_task(struct hash_task *t)
{
    p3d_secret_done(&t->password);
    p3d_wipe(t->stored, sizeof(t->stored));
    p3d_wipe(&t->hashed, sizeof(t->hashed));
    free(t);
}

static void done(struct p3d_task *task)
{
    struct hash_task *t = (struct hash_task *)task;
    t->cb(t->priv, &t->hashed);
    free_task(t);
}

static int run(struct p3d_pool *pool, struct hash_task *t, struct p3d_str password)
{
    t->task.done = done;
    p3d_secret_set(&t->password, password);
    int err = pool != NULL ? p3d_pool_run(pool, &t->task) : P3D_E_BUSY;
    if (err != 0)
        free_task(t);
    return err;
}

int p3d_hash_make(struct p3d_pool *pool, struct p3d_str password, unsigned iterations, p3d_hashed_cb *cb, void *priv)
{
    struct hash_task *t = p3d_alloc(sizeof(*t));
    *t = (struct hash_task){.task = {.work = make}, .iterations = iterations, .cb = cb, .priv = priv};
    return run(pool, t, password);
}

int p3d_hash_verify(struct p3d_pool *pool, struct p3d_str password, struct p3d_str stored, unsigned iterations,
                    p3d_hashed_cb *cb, void *priv)
{
    struct hash_task *t = p3d_alloc(sizeof(*t));
    *t = (struct hash_task){.task = {.work = verify}, .iterations = iterations, .cb = cb, .priv = priv};
    (void)p3d_format(t->stored, sizeof(t->stored), "%.*s", (int)stored.n, stored.n > 0 ? stored.p : "");
    return run(pool, t, password);
}
