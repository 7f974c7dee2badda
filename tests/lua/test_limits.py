# SPDX-License-Identifier: MIT
"""Limits of an owner: running jobs (parked, and never forgotten there) and queued ones."""
import random

import pytest

from conftest import KIND

OTHER = "mesh_generation/other"
BOTH = ((KIND, -1), (OTHER, -1))


def start(q, n, **kw):
    got = [q.claim(worker="w%d" % i, **kw) for i in range(n)]
    return [g for g in got if g[0]]


def test_no_more_than_the_limit_run_and_the_rest_follows(q):
    ann, who = q.user("ann")
    q.change(ann, "max_concurrent_jobs", "2")
    jobs = [q.submit(who)[4] for _ in range(5)]
    running = start(q, 4)
    assert [u for u, _ in running] == jobs[:2]
    q.places()
    for i in range(3):
        ulid, rec = running.pop(0)
        assert q.run("complete", *q.lease(ulid, rec), "{}", 0, "0") == ["ok"]
        q.places()
        running += start(q, 4)
        assert len(running) == min(2, 4 - i) or i == 2
        assert running[-1][0] == jobs[min(i + 2, 4)]


def test_others_are_not_held_up(q):
    ann, who = q.user("ann")
    _, other = q.user("bob")
    q.change(ann, "max_concurrent_jobs", "0")
    for _ in range(50):
        q.submit(who)
    bobs = q.submit(other)[4]
    assert q.claim()[0] == bobs
    assert q.claim(worker="w2") == (None, "NOT_FOUND")
    q.places()
    assert q.r.llen("p3d:{0}:wake:" + KIND) <= 1
    for _ in range(20):  # a parked owner's submit wakes nobody
        q.r.delete("p3d:{0}:wake:" + KIND)
        q.submit(who)
        assert q.r.llen("p3d:{0}:wake:" + KIND) == 0


def test_zero_is_none_until_raised(q):
    ann, who = q.user("ann")
    q.change(ann, "max_concurrent_jobs", "0")
    job = q.submit(who)[4]
    assert q.claim() == (None, "NOT_FOUND")
    q.change(ann, "max_concurrent_jobs", "1")
    assert q.claim()[0] == job


def test_the_configurations_limit_and_its_change(q):
    ann, who = q.user("ann")
    jobs = [q.submit(who)[4] for _ in range(3)]
    assert [q.claim(worker="a%d" % i, running=1)[0] for i in range(3)] == [jobs[0], None, None]
    q.places()
    q.reap()  # some time later, with another configuration
    assert [q.claim(worker="b%d" % i, running=-1)[0] for i in range(3)] == [jobs[1], jobs[2], None]
    q.change(ann, "max_concurrent_jobs", "-1")
    more = [q.submit(who)[4] for _ in range(2)]
    assert [q.claim(worker="c%d" % i, running=0)[0] for i in range(2)] == more, "one's own comes first"


@pytest.mark.parametrize("end", ["complete", "fail", "release", "lost", "deleted"])
def test_every_end_of_a_lease_lets_the_next_one_go(q, end):
    ann, who = q.user("ann")
    q.change(ann, "max_concurrent_jobs", "1")
    first = q.submit(who, attempts=1)[4]
    second = q.submit(who, kind=OTHER)[4]
    ulid, rec = q.claim(kinds=BOTH)
    assert ulid == first and q.claim(worker="w2", kinds=BOTH)[0] is None
    q.places()
    if end == "complete":
        q.run("complete", *q.lease(ulid, rec), "{}", 0, "0")
    elif end == "fail":
        q.run("fail", *q.lease(ulid, rec), "{}", "0", 0, "0")
    elif end == "release":
        q.run("release", *q.lease(ulid, rec))
    elif end == "lost":
        q.run("heartbeat", *q.lease(ulid, rec), 30000)
        q.expire_leases()
        q.reap()
    else:
        q.run("user_delete", ann, "operator", "local")
        q.run("account_drop", ann)
        q.run("heartbeat", *q.lease(ulid, rec), 30000)
        for _ in range(4):
            q.reap()
        assert q.places() == {first: "cancelled", second: "cancelled"}
        assert not q.r.keys("p3d:{0}:parked*")
        return
    assert q.claim(worker="w3", kinds=((OTHER, -1),))[0] == second
    q.places()


def test_queued_jobs_of_ones_own_limit(q):
    ann, who = q.user("ann")
    q.change(ann, "max_queued_jobs", "2")
    assert [q.submit(who)[0] for _ in range(3)] == ["ok", "ok", "QUEUE_FULL"]
    q.change(ann, "max_queued_jobs", "-1")
    assert q.submit(who, queued=0)[0] == "ok", "before the configuration's"
    q.change(ann, "max_queued_jobs", "")
    assert q.submit(who, queued=3)[0] == "QUEUE_FULL" and q.submit(who, queued=4)[0] == "ok"
    q.change(ann, "max_queued_jobs", "0")
    assert q.submit(who)[0] == "QUEUE_FULL"


@pytest.mark.parametrize("seed", range(6))
def test_random_walk_with_limits(q, seed):
    """Whatever happens: never more than the limit run, nobody is forgotten, all jobs end."""
    dice = random.Random(seed)
    owners = [q.user("owner%d" % i) for i in range(4)]
    limits, leases = {}, {}
    for step in range(250):
        uid, who = dice.choice(owners)
        act = dice.random()
        if act < 0.35:
            q.submit(who, kind=dice.choice((KIND, OTHER)))
        elif act < 0.45:
            limits[uid] = dice.choice([0, 1, 2])
            q.change(uid, "max_concurrent_jobs", str(limits[uid]))
        elif act < 0.75:
            kinds = [k for k in BOTH if dice.random() < 0.7] or [BOTH[0]]
            ulid, rec = q.claim(worker="w%d" % step, kinds=kinds)
            if ulid:
                leases[ulid] = rec
                busy = sum(1 for r in leases.values() if r.owner == rec.owner)
                assert busy <= limits.get(rec.owner, 99) and rec.owner
        elif leases:
            ulid = dice.choice(sorted(leases))
            rec = leases.pop(ulid)
            how = dice.choice(["complete", "release", "fail"])
            rest = {"complete": ("{}", 0, "0"), "release": (), "fail": ("{}", "1", 0, "0")}[how]
            assert q.run(how, *q.lease(ulid, rec), *rest) == ["ok"]
        q.places()
    for uid, _ in owners:
        q.change(uid, "max_concurrent_jobs", "")
    for i in range(2000):
        for ulid in q.r.zrange("p3d:{0}:scheduled", 0, -1):
            q.r.zadd("p3d:{0}:scheduled", {ulid: 1})
        q.reap()
        ulid, rec = q.claim(worker="z%d" % i, kinds=BOTH)
        if ulid:
            leases[ulid] = rec
        for ulid, rec in list(leases.items()):
            assert q.run("complete", *q.lease(ulid, rec), "{}", 0, "0") == ["ok"]
            del leases[ulid]
        if set(q.places().values()) <= {"completed", "failed", "cancelled"}:
            return
    raise AssertionError("jobs are left: %s" % q.places())
