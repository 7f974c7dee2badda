# SPDX-License-Identifier: MIT
"""The state machine as an executable specification: random operations, any process dying after any of its steps, lost
answers, against a real Redis. After each step the invariants hold (Queue.places) and every job has gone the way that
job_state.def allows. P3D_MODEL_SEQUENCES=10000 for the long run; a seed that fails is printed: P3D_MODEL_SEED=n repeats it.
"""
import os
import random
import re

import pytest

from conftest import KIND, OTHER, ROOT, Record

STATES = {name: final == "true" for name, final in re.findall(
    r'^P3D_JOB_STATE\(\w+, \d+, "(\w+)", (\w+)\)', open(os.path.join(ROOT, "include/p3d/job_state.def")).read(), re.M)}
NEXT = {"queued": {"processing", "cancelled", "failed"}, "processing": {"queued", "completed", "failed", "cancelled"}}
SEQUENCES = int(os.environ.get("P3D_MODEL_SEQUENCES", "300"))
BLOCKS = 10
KINDS = ((KIND, 1), (OTHER, -1))


class World:
    """Two users, an administrator, workers that die and come back; what each of them believes."""
    def __init__(self, q, seed):
        self.q, self.dice, self.seen, self.step = q, random.Random(seed), {}, 0
        q.r.flushall()
        self.users = [q.user("ann"), q.user("bob")]
        self.root = q.user("root", role="admin")
        self.leases = []    # (ulid, record) that some worker holds, or believes to hold
        self.accepted = {}  # ulid -> detail of the completion that was answered ok
        self.asked = []     # (args, answer): calls whose answer may have been lost

    def who(self):
        return self.dice.choice(self.users)[1]

    def any_job(self):
        return self.dice.choice(sorted(self.seen)) if self.seen else None

    # -- operations
    def submit(self):
        key = self.dice.choice(["", "", "k%d" % self.dice.randrange(3)])
        args = dict(who=self.who(), kind=self.dice.choice([KIND, OTHER]), attempts=self.dice.choice([1, 2]),
                    run_at=self.dice.choice([0, 0, self.q.now() + 10 ** 9]), queued=self.dice.choice([-1, 3]),
                    expires=self.dice.choice([0, 0, self.q.now() + 10 ** 9]), key=key, body="b")
        out = self.q.submit(**args)
        assert out[0] in ("ok", "QUEUE_FULL")
        if key and out[0] == "ok":
            again = self.q.submit(**args)
            assert again[0] == "ok" and again[3] == 1 and again[4] == out[4], "the same key, the same job"

    def batch(self):
        self.q.batch([self.q.new(kind=self.dice.choice([KIND, OTHER])) for _ in range(3)], self.who(), queued=6)

    def claim(self):
        args = self.q.claim_args(worker="w%d" % self.dice.randrange(4), kinds=KINDS)
        out = self.q.run("claim", *args)
        if self.dice.random() < 0.3:
            assert self.q.run("claim", *args)[:2] == out[:2], "a lost answer is given again"
        self.took(out)

    def took(self, out):
        if out[0] == "ok" and len(out) > 2:
            self.leases.append((out[1], Record(out[2])))

    def lease(self):
        """Any lease that was ever given: the worker may not know that it is over."""
        return self.dice.choice(self.leases) if self.leases else None

    def heartbeat(self):
        if self.leases:
            ulid, rec = self.lease()
            self.q.run("heartbeat", *self.q.lease(ulid, rec), 30000)

    def progress(self):
        if self.leases:
            ulid, rec = self.lease()
            self.q.run("progress", *self.q.lease(ulid, rec), self.dice.randrange(10001), '{"p":%d}' % self.step)

    def complete(self):
        if not self.leases:
            return
        ulid, rec = self.lease()
        detail = '{"of":"%s"}' % rec.nonce
        want = self.dice.choice(["0", "1"])
        args = [*self.q.lease(ulid, rec), detail, self.dice.choice([0, 100]), want]
        args += self.q.claim_args(worker="w%d" % self.dice.randrange(4), kinds=KINDS) if want == "1" else []
        out = self.q.run("complete", *args)
        if out[0] == "ok":
            assert self.accepted.setdefault(ulid, detail) == detail, "two results were accepted"
            if self.dice.random() < 0.3:
                assert self.q.run("complete", *args)[:2] == out[:2]
            self.took(out)

    def fail(self):
        if self.leases:
            ulid, rec = self.lease()
            self.q.run("fail", *self.q.lease(ulid, rec), '{"error":1}', self.dice.choice(["0", "1"]), 0, "0")

    def release(self):
        if self.leases:
            ulid, rec = self.lease()
            self.q.run("release", *self.q.lease(ulid, rec))

    def cancel(self):
        if self.seen:
            self.q.run("job_cancel", *self.dice.choice([self.who(), self.root[1]]), self.any_job())

    def delete(self):
        if self.seen:
            self.q.run("job_delete", *self.dice.choice([self.who(), self.root[1]]), self.any_job())

    def retry(self):
        if self.seen:
            job, new = self.any_job(), self.q.new()[0]
            seen = self.q.job(job, self.root[1])
            rev = getattr(seen, "rev", 1) - self.dice.choice([0, 0, 1])
            self.q.run("job_retry", *self.root[1][:3], "1", job, new, '{"again":1}', rev, '{"retried_as":1}')

    def limit(self):
        uid, _ = self.dice.choice(self.users)
        self.q.change(uid, "max_concurrent_jobs", self.dice.choice(["", "0", "1", "2"]))

    def time_passes(self):
        which = self.dice.choice(["leases", "scheduled", "deadlines"])
        for ulid in self.q.r.zrange("p3d:{0}:" + which, 0, -1):
            if self.dice.random() < 0.5:
                self.q.r.zadd("p3d:{0}:" + which, {ulid: 1})

    def reap(self):
        out = self.q.reap(jobs=self.dice.choice([-1, -1, 4]))
        for ulid in out[2:]:
            if self.dice.random() < 0.7:  # else the process died before it had removed the files
                self.q.run("purged", ulid)

    def wake_lost(self):
        """A worker took the token and died before it had claimed: the next claim or round makes up for it."""
        for kind in (KIND, OTHER):
            if self.q.r.lpop("p3d:{0}:wake:" + kind):
                self.q.run("claim", *self.q.claim_args(worker="w9", kinds=KINDS))
                self.q.reap()

    OPERATIONS = [(submit, 12), (batch, 2), (claim, 14), (heartbeat, 5), (progress, 4), (complete, 8), (fail, 5), (release, 3),
                  (cancel, 5), (delete, 3), (retry, 2), (limit, 3), (time_passes, 6), (reap, 6)]

    def go(self):
        self.step += 1
        names, weights = zip(*self.OPERATIONS)
        operation = self.dice.choices(names, weights)[0]
        operation(self)
        self.check(operation.__name__)

    def check(self, what):
        now = self.q.places()
        for ulid, state in now.items():
            before = self.seen.get(ulid)
            if before is None:
                assert state in STATES
            elif before != state:
                assert not STATES[before], (what, ulid, "left the final state", before, state)
                ways = {before}  # several steps of the table may lie between two looks
                for _ in range(4):
                    ways |= set().union(*(NEXT.get(s, set()) for s in ways))
                assert state in ways, (what, ulid, before, state)
        for ulid in set(self.seen) - set(now):
            assert STATES[self.seen[ulid]] or self.seen[ulid] == "queued", (what, "a running job is gone", ulid)
        for ulid, detail in self.accepted.items():
            if now.get(ulid) == "completed":
                assert self.q.job(ulid).detail == detail, (what, "the result is another attempt's")
        self.seen = now

    def quiet(self):
        """Everything that can still happen happens: no job is left, no lease, nothing points to nothing."""
        for uid, _ in self.users:
            self.q.change(uid, "max_concurrent_jobs", "")
        for _ in range(60):
            for which in ("leases", "scheduled"):
                for ulid in self.q.r.zrange("p3d:{0}:" + which, 0, -1):
                    self.q.r.zadd("p3d:{0}:" + which, {ulid: 1})
            self.reap()
            ulid, rec = self.q.claim(worker="last", kinds=((KIND, -1), (OTHER, -1)))
            if ulid:
                assert self.q.run("complete", *self.q.lease(ulid, rec), "{}", 0, "0") == ["ok"]
            if all(STATES[s] for s in self.q.places().values()):
                return
        raise AssertionError("jobs that never end: %s" % self.q.places())


def seeds(block):
    if "P3D_MODEL_SEED" in os.environ:
        return [int(os.environ["P3D_MODEL_SEED"])] if block == 0 else []
    return range(block, SEQUENCES, BLOCKS)


@pytest.mark.timeout(0 if SEQUENCES > 300 else 300)
@pytest.mark.parametrize("block", range(BLOCKS))
def test_random_sequences(q, block):
    for seed in seeds(block):
        world = World(q, seed)
        try:
            for _ in range(25):
                world.go()
            world.quiet()
        except Exception:
            print("P3D_MODEL_SEED=%d, step %d" % (seed, world.step))
            raise
