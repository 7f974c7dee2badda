# SPDX-License-Identifier: MIT
"""Part e of bench_queue.py: whether anybody has to wait for another owner's queue.

Who started when is read from the records: by Redis' clock, and complete.
"""
import json
import os
import statistics
import sys

from common import ROOT, Connection, Request, host_of, rank, rows_table, total
from p3d_test import P3D, select_wait, until

sys.path.insert(0, os.path.join(ROOT, "tests", "lua"))
from conftest import Record  # noqa: E402

W = "p3d:{0}:"
SLOW = {"script": "sleep 0.05\n", "outputs": "none"}
HEAD, STATE = 194, 512 * 2 ** 41
CONFIG = {"limits": {"max_queued_jobs": -1}, "workers": {"lease_seconds": 30}, "logging": {"level": "warn"}}


def batches(connection, client, jobs, size=500):
    """Queue so many jobs."""
    one = {"feature": "mesh_generation", "model": "slow", "inputs": {"prompt": "bench"}}
    for at in range(0, jobs, size):
        n = min(size, jobs - at)
        status, body = connection.ask(Request("", "POST", "/api/v1/jobs/batch", client.token,
                                              json.dumps({"jobs": [one] * n})).bytes("h"))
        assert status == 202 and len(json.loads(body)["jobs"]) == n, body[:500]


def records(r, ulids):
    """Heads only. GETRANGE cuts the record behind them, so there is no spec to read."""
    with r.pipeline(transaction=False) as pipe:
        for ulid in ulids:
            pipe.getrange(W + "job:" + ulid, 0, HEAD - 1)
        return [Record(raw.decode()) for raw in pipe.execute()]


def begun(r, owner):
    """When each of an owner's jobs that have begun did, sorted ms."""
    ulids = [u.decode() for u in r.zrangebyscore(W + "i:" + owner, STATE, 4 * STATE - 1)]
    return sorted(record.started for record in records(r, ulids))


def begun_count(r, owner):
    return r.zcount(W + "i:" + owner, STATE, 4 * STATE - 1)


def behind(args):
    """One job of B behind all of A's, again and again."""
    jobs, rounds, workers = (1000, 3, 2) if args.small else (100000, 20, 2)
    with P3D(models={"slow": SLOW}, workers=workers, config=CONFIG) as p3d:
        ann, bob, r = p3d.register("ann"), p3d.register("bob"), p3d.redis()
        connection = Connection(host_of(p3d))
        batches(connection, ann, jobs)
        assert total(ann) == jobs
        until(lambda: begun_count(r, ann.user["user_id"]) >= 2 * workers, 30, "the first jobs of A to begin")
        mine, seen = [], 0
        for i in range(rounds):
            name = bob if i % 2 else p3d.register("bob-%d" % i)  # who has used the queue lately, and who never has
            job = name.submit("bench")
            name.wait(job, seconds=120)
            mine.append(records(r, [job[-26:]])[0])
            now = begun_count(r, ann.user["user_id"])
            until(lambda: begun_count(r, ann.user["user_id"]) >= now + workers)  # A has its turn
        connection.close()
        assert r.zcount(W + "i:" + ann.user["user_id"], 0, STATE - 1) > jobs // 2  # still far from done
        others = begun(r, ann.user["user_id"])
        r.flushall()  # nobody needs the rest
    between = [sum(j.created <= at <= j.started for at in others) for j in mine]
    waits = [j.started - j.created for j in mine]
    return {"jobs_of_a": jobs, "workers": workers, "rounds": rounds, "begun_between": between, "most": max(between),
            "median": statistics.median(between), "wait_ms_p50": rank(waits, 50), "wait_ms_max": max(waits)}


def equal(args):
    """Two owners with as much to do: whose jobs begin, from when both are queued."""
    jobs, first = (300, 40) if args.small else (10000, 500)
    with P3D(models={"slow": SLOW}, workers=2, config=CONFIG) as p3d:
        people, r = [p3d.register("ann"), p3d.register("bob")], p3d.redis()
        owners, connection = [p.user["user_id"] for p in people], Connection(host_of(p3d))
        for person in people:
            batches(connection, person, jobs)
        connection.close()
        begin = int(r.time()[0] * 1000 + r.time()[1] / 1000)
        before = [begun_count(r, o) for o in owners]
        until(lambda: sum(begun_count(r, o) for o in owners) >= sum(before) + first + 2, 300, "the jobs to run")
        times = sorted((at, i) for i, o in enumerate(owners) for at in begun(r, o) if at > begin)[:first]
        r.flushall()
    assert len(times) == first
    share = [sum(i == k for _, i in times) for k in (0, 1)]
    return {"jobs_each": jobs, "starts": first, "first_owner": share[0], "second_owner": share[1]}


def fairness(args):
    return {"behind": behind(args), "equal": equal(args)}


def fairness_table(out):
    b, e = out["behind"], out["equal"]
    head = ("jobs of A in front", "workers", "rounds", "A's starts before B's: median", "most", "B waits, ms p50", "max")
    return rows_table(head, [
        (b["jobs_of_a"], b["workers"], b["rounds"], b["median"], b["most"], b["wait_ms_p50"], b["wait_ms_max"])]) + [
        "", "Two owners with %d jobs each: of %d starts %d and %d." % (e["jobs_each"], e["starts"], e["first_owner"],
                                                                        e["second_owner"])]
