# SPDX-License-Identifier: MIT
"""Whoever of worker, spawner and supervisor is killed: no process of an attempt lives when the job runs again.

The proof is the job's own: at each beginning it looks for living processes of its earlier attempts (family.py).
"""
import fcntl
import os
import signal
import subprocess

import pytest

import family
from p3d_test import BINARY, P3D, TINY_GLB, alive, until
from test_crash import wait_confirmed, wait_through


@pytest.fixture
def make(tmp_path):
    """A P3D with the model of family.py."""
    def make(**kw):
        folder = str(tmp_path / "p3d")
        os.mkdir(folder)
        return P3D(models={"family": family.model(folder)}, folder=folder, **kw)
    return make


def busy(p3d, ann, jobs):
    """So many jobs run, with all their children, and their loss would count. Job -> (slot, members)."""
    found = {}
    for job in [ann.submit("n %d" % n) for n in range(jobs)]:
        members = family.settled(p3d, job, 1)
        wait_confirmed(p3d, job)
        found[job] = (family.begun(p3d, job)[0]["slot"], members)
    return found


def clean(p3d, jobs):
    """No attempt met a process of another one of its job."""
    rows = family.begun(p3d)
    assert {row["job"] for row in rows} == set(jobs)
    assert not [row for row in rows if row["others"]], rows


def spawner_of(p3d, job):
    return family.parent(family.begun(p3d, job)[-1]["pid"])


@pytest.mark.parametrize("victims", ["worker", "worker and spawner", "spawner"])
def test_nobody_of_a_lost_attempt_meets_the_next(make, victims):
    with make(workers=2) as p3d:
        ann = p3d.register("ann")
        (job, (slot, first)), = busy(p3d, ann, 1).items()
        worker, spawner = p3d.pid("work-" + slot), spawner_of(p3d, job)
        assert family.parent(spawner) == worker
        family.kill_together(*{"worker": [worker], "spawner": [spawner]}.get(victims, [worker, spawner]))
        until(lambda: not family.living(first), 10, "the end of the first attempt's processes")
        if victims != "spawner":  # a worker that sees its spawner die may say that the attempt failed
            second = family.settled(p3d, job, 2)
            assert len(set(second) & set(first)) == 0 and family.living(second) == second
        until(lambda: p3d.pids().get("work-" + slot, worker) != worker, 15, "the worker to be started again")
        p3d.open_gate()
        end = ann.wait(job)
        assert (end["status"], end["attempt"]) == ("completed", 2)
        clean(p3d, [job])
        assert ann.download(job).content == TINY_GLB


@pytest.mark.parametrize("spawners", ["spawners see it", "spawners as well"])
def test_killed_with_the_supervisor(make, spawners):
    """Supervisor and workers at once; who is left to clean up are the spawners, or nobody but the next `p3d up`."""
    with make(workers=2) as p3d:
        ann = p3d.register("ann")
        jobs = busy(p3d, ann, 2)
        assert {slot for slot, _ in jobs.values()} == {"1", "2"}
        victims = [p3d.process.pid] + [p3d.pid("work-" + slot) for slot, _ in jobs.values()]
        if spawners == "spawners as well":
            victims += [spawner_of(p3d, job) for job in jobs]
        family.kill_together(*victims)
        p3d.kill_supervisor()
        p3d.start()
        for job, (_, first) in jobs.items():
            family.settled(p3d, job, 2)
            assert not family.living(first)
        p3d.open_gate()
        for job in jobs:
            assert wait_through(p3d, ann.token, job)["status"] == "completed"
        clean(p3d, jobs)


def locked(p3d, name):
    with open(os.path.join(p3d.data, name), "a") as f:
        try:
            fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return False
        except BlockingIOError:
            return True


def test_two_busy_slots_outlive_their_supervisor(make):
    """The old workers keep their places until their jobs are done; the new ones come behind them. One of them is
    stopped meanwhile: its place stays its own as long as it or anything below it lives."""
    with make(workers=2) as p3d:
        ann = p3d.register("ann")
        jobs = busy(p3d, ann, 2)
        (one, (slot_one, _)), (two, (slot_two, members_two)) = jobs.items()
        old = {slot: p3d.pid("work-" + slot) for slot in "12"}
        os.kill(old[slot_two], signal.SIGSTOP)
        p3d.kill_supervisor()
        p3d.start()
        for slot in "12":
            until(lambda: "slot_held who=work-%s by=%d" % (slot, old[slot]) in p3d.log(), 10, "the line about it")
            assert locked(p3d, "run/work-%s.lock" % slot) and locked(p3d, "work/%s.lock" % slot)
        ann = p3d.client(ann.token)
        p3d.open_gate(one)
        assert ann.wait(one)["attempt"] == 1
        until(lambda: p3d.pids().get("work-" + slot_one, old[slot_one]) != old[slot_one], 10, "a new one in its place")
        # The stopped one has lost its lease by now: the job runs in the free place, although its processes there live.
        family.settled(p3d, two, 2)
        row = family.begun(p3d, two)[-1]
        assert row["slot"] == slot_one and alive(old[slot_two])
        assert p3d.pid("work-" + slot_two) == old[slot_two] and locked(p3d, "run/work-%s.lock" % slot_two)
        os.kill(old[slot_two], signal.SIGCONT)
        until(lambda: not family.living(members_two), 10, "the late attempt to be killed")
        until(lambda: p3d.pids().get("work-" + slot_two, old[slot_two]) != old[slot_two], 10, "a new one in its place")
        p3d.open_gate()
        assert ann.wait(two)["attempt"] == 2
        assert [row["attempt"] for row in family.begun(p3d, one)] == [1]
        assert "lease_lost" in p3d.log()


def test_a_stopped_worker_below_a_killed_supervisor_dies_for_good(make):
    """Stopped, then killed together with its supervisor: the place is free once its last process is gone, not before."""
    with make(workers=1) as p3d:
        ann = p3d.register("ann")
        (job, (slot, first)), = busy(p3d, ann, 1).items()
        worker, spawner = p3d.pid("work-1"), spawner_of(p3d, job)
        os.kill(worker, signal.SIGSTOP)
        os.kill(spawner, signal.SIGSTOP)  # it cannot clean up, and holds the lock of the folder
        p3d.kill_supervisor()
        p3d.start(wait=False)
        until(lambda: "slot_held who=work-1" in p3d.log(), 15, "the held place")
        os.kill(worker, signal.SIGKILL)
        # The new worker has run/work-1.lock and waits for work/1.lock: not ready, no job, as long as the family lives.
        until(lambda: p3d.pids().get("work-1", worker) != worker, 15, "the new worker")
        assert family.living(first) == first and locked(p3d, "work/1.lock")
        until(lambda: p3d.redis().zcard("p3d:{0}:leases") == 0, 15, "the lease to end")
        fresh = p3d.pid("work-1")
        assert len(family.begun(p3d)) == 1 and alive(fresh)
        os.kill(spawner, signal.SIGCONT)
        p3d.wait_ready()
        family.settled(p3d, job, 2)
        assert p3d.pid("work-1") == fresh and not family.living(first)
        p3d.open_gate()
        assert wait_through(p3d, ann.token, job)["status"] == "completed"
        clean(p3d, [job])


def test_a_second_up_is_refused_also_beside_an_old_worker(make):
    with make(workers=1) as p3d:
        ann = p3d.register("ann")
        (job, (_, members)), = busy(p3d, ann, 1).items()
        p3d.kill_supervisor()
        p3d.start()
        second = subprocess.run([BINARY, "up", "--config", p3d.config, "--data-dir", p3d.data, "--port", "0"],
                                capture_output=True, text=True, timeout=30, env=p3d.environment)
        assert second.returncode == 1 and second.stdout == ""
        assert "in use by process %d (p3d up)" % p3d.process.pid in second.stderr, second.stderr
        assert family.living(members) == members  # it touched nothing
        assert p3d.process.poll() is None and p3d.pid("supervisor") == p3d.process.pid
        p3d.open_gate()
        assert wait_through(p3d, ann.token, job)["attempt"] == 1
