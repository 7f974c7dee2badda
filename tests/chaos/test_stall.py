# SPDX-License-Identifier: MIT
"""Processes that stand still for a while and go on as if nothing had been: SIGSTOP, SIGCONT.

Whoever slept through its lease has lost its job: its result is refused and leaves no files; it goes on with other jobs.
"""
import contextlib
import os
import signal
import time

import pytest

from p3d_test import GATED, P3D, TINY, TINY_GLB, Client, alive, descendants, until
from test_crash import runners, steady, submit, wait_confirmed, wait_through, worker_of

# Says which attempt made the result; go.<attempt> lets it end.
MARKED = r"""
here="$(dirname "$0")"
echo "$P3D_JOB_ID $P3D_ATTEMPT $$" >> "$here/ran"
until [ -e "$here/go.$P3D_ATTEMPT" ] || [ -e "$here/go" ]; do sleep 0.05; done
""" + TINY + r"""
printf 'attempt %s' "$P3D_ATTEMPT" >> outputs/result.glb
"""


@contextlib.contextmanager
def stopped(*pids):
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            if alive(pid):
                os.kill(pid, signal.SIGCONT)


def published(p3d, job):
    """Attempts that have files other than their log in the store."""
    found = []
    for folder, _, names in os.walk(os.path.join(p3d.data, "jobs", job)):
        if [name for name in names if name != ".log"]:
            found.append(folder)
    return found


@pytest.mark.parametrize("when", ["its runner has ended", "the job is done"])
def test_a_worker_that_slept_through_its_lease(when):
    with P3D(models={"marked": MARKED}) as p3d:
        ann = p3d.register("ann")
        job = ann.submit("x")
        first = until(lambda: runners(p3d, "marked.sh"), what="the runner")[0]
        wait_confirmed(p3d, job)
        late = worker_of(p3d, first)
        with stopped(p3d.pid(late)):
            until(lambda: p3d.ran() == [job, job], 15, "the second attempt")
            if when == "its runner has ended":
                p3d.open_gate("1")  # its result lies there when the worker wakes up, and the second attempt still runs
                until(lambda: not alive(first), 10, "the end of the first attempt")
            else:
                p3d.open_gate("2")
                assert ann.wait(job)["attempt"] == 2
        until(lambda: "lease_lost job=%s attempt=1" % job in p3d.log(), 10, "the refusal")
        until(lambda: not alive(first), 10, "the late attempt to be killed")
        p3d.open_gate("2")
        end = ann.wait(job)
        assert (end["status"], end["attempt"]) == ("completed", 2)
        until(lambda: len(published(p3d, job)) == 1, 10, "the late attempt's files to go")
        assert ann.download(job).content == TINY_GLB + b"attempt 2"
        assert ann.job(job)["attempt"] == 2
        # It is still the same process, and does other jobs: as many as there are workers, at the same time.
        p3d.close_gate()
        more = [ann.submit("more %d" % n) for n in range(2)]
        until(lambda: {worker_of(p3d, pid) for pid in runners(p3d, "marked.sh")} == {"work-1", "work-2"}, 15, "both to work")
        p3d.open_gate()
        for other in more:
            assert ann.wait(other)["attempt"] == 1
        assert p3d.ran().count(job) == 2


def test_everything_stops_but_redis():
    """The whole group of `p3d up`, as by a suspended machine: no job is run twice because of it."""
    with P3D(models={"gated": GATED}, config={"redis": {"timeout_ms": 1000}}) as p3d:
        ann = p3d.register("ann")
        jobs = [ann.submit("n %d" % n) for n in range(3)]
        until(lambda: len(p3d.ran()) == 2, what="two runners")
        for job in p3d.ran():
            wait_confirmed(p3d, job)
        all_of_it = [p3d.process.pid] + [pid for pid in descendants(p3d.process.pid) if pid != p3d.pid("redis")]
        with p3d.redis() as r, stopped(*all_of_it):
            deadlines = [score for _, score in r.zrange("p3d:{0}:leases", 0, -1, withscores=True)]
            assert len(deadlines) == 2
            # Far past the leases, and longer than the rounds of the reaper may be apart without a grace.
            until(lambda: r.time()[0] * 1000 > max(deadlines) + 4500, 15, "the leases to be over")
            assert r.zcard("p3d:{0}:leases") == 2
        p3d.open_gate()
        ann = p3d.client(ann.token)
        for job in jobs:
            assert wait_through(p3d, ann.token, job)["attempt"] == 1
        assert sorted(p3d.ran()) == sorted(jobs)


def test_a_server_that_stands_still():
    """Connections that reach it wait; those that reach the others are answered; none is lost when it goes on."""
    with P3D(models={"gated": GATED}, processes=2) as p3d:
        ann = p3d.register("ann")
        with stopped(p3d.pid("serve-1")):
            # The kernel hands new connections to whoever accepts; the one that stands still accepts none.
            jobs = [submit(p3d, ann.token, "n %d" % n, "key-%d" % n)[0] for n in range(8)]
            p3d.open_gate()
            for job in jobs:
                assert wait_through(p3d, ann.token, job)["status"] == "completed"
            assert Client(p3d.base, ann.token).get("/ready").status_code == 200
        for job in jobs:
            assert steady(lambda: Client(p3d.base, ann.token).download(job)).content == TINY_GLB
        assert sorted(p3d.ran()) == sorted(jobs)


@pytest.mark.parametrize("ends", ["while Redis is away", "after it is back"])
def test_redis_stands_still_for_longer_than_the_leases(ends):
    """Eight seconds, four leases: nothing runs twice, and a result that was made meanwhile counts when Redis knows it."""
    with P3D(models={"gated": GATED}, config={"redis": {"timeout_ms": 1000}}) as p3d:
        ann = p3d.register("ann")
        jobs = [ann.submit("n %d" % n) for n in range(4)]
        until(lambda: len(p3d.ran()) == 2, what="two runners")
        for job in p3d.ran():
            wait_confirmed(p3d, job)
        first = runners(p3d)
        begin = time.monotonic()
        with stopped(p3d.pid("redis")):
            if ends == "while Redis is away":
                until(lambda: time.monotonic() > begin + 3, 20, "the leases to be over, as the workers see it")
                p3d.open_gate()
                until(lambda: not [pid for pid in first if alive(pid)], 10, "the jobs to end")
            until(lambda: time.monotonic() > begin + 8, 20, "eight seconds")
            for job in jobs:
                assert Client(p3d.base, ann.token).get("/api/v1/system/jobs/" + job).status_code == 503
        p3d.open_gate()
        for job in jobs:
            end = wait_through(p3d, ann.token, job)
            assert (end["status"], end["attempt"]) == ("completed", 1)
        assert sorted(p3d.ran()) == sorted(jobs)
        assert "lease_lost" not in p3d.log() and "lease_orphaned" not in p3d.log()
