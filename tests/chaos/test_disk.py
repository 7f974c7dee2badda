# SPDX-License-Identifier: MIT
"""No room on a disk: what cannot be written is refused or tried again, with the reason; nothing is there by half; with
room again everything goes on without a restart, and what was acknowledged is still there.

P3D_DISK=preload: by a library in front of the processes, as where nobody may mount a small disk (preload.py).
"""
import os
import time

import pytest

from p3d_test import GATED, P3D, TINY, TINY_GLB, until
from preload import Disk, redis_server
from queue_model import Queue
from test_crash import submit, wait_confirmed, wait_through

JOBS = "/api/v1/system/jobs/"
# Some pages of noise behind the smallest GLB.
LARGE = TINY + "head -c 200000 /dev/urandom >> outputs/result.glb\n"


@pytest.fixture
def disk(tmp_path):
    disk = Disk(str(tmp_path))
    yield disk
    disk.close()


def files(root):
    return [os.path.join(folder, name) for folder, _, names in os.walk(root) for name in names]


def test_no_room_for_artifacts(disk):
    root = os.path.join(disk.path, "jobs")
    os.mkdir(root, 0o700)
    with P3D(models={"large": {"script": LARGE, "max_attempts": 5}, "once": {"script": LARGE, "max_attempts": 1}},
             config={"artifact": {"root": root}}, environment=disk.environment()) as p3d:
        ann = p3d.register("ann")
        before = p3d.pids()
        first = ann.submit("first")
        assert ann.wait(first)["status"] == "completed"
        whole = ann.download(first).content
        disk.fill()
        once = ann.submit("once", model_preference="once")
        again = ann.submit("again")
        end = ann.wait(once)
        assert (end["status"], end["error"]["code"]) == ("failed", "IO_ERROR")
        assert "No space left on device" in end["error"]["message"], end["error"]
        until(lambda: ann.job(again)["status"] == "queued" and ann.job(again)["attempt"] >= 1, 20, "a retry to wait")
        for job in (once, again):
            assert ann.download(job).status_code == 400  # it is not completed
            assert [f for f in files(os.path.join(root, job)) if not f.endswith("/.log")] == [], "left by half"
        assert ann.download(first).content == whole  # reading needs no room
        r = until(lambda: [r for r in [ann.get("/ready")] if r.status_code != 200], 5, "to be not ready")[0]
        assert r.status_code == 503 and "storage: not writable" in r.json()["detail"], r.text
        disk.free()
        until(lambda: ann.get("/ready").status_code == 200, 5, "to be ready")
        end = ann.wait(again)
        assert end["status"] == "completed" and end["attempt"] >= 2 and not end["error"]
        assert ann.download(again).content[:len(TINY_GLB)] == TINY_GLB
        assert len(ann.download(again).content) == len(TINY_GLB) + 200000
        last = ann.submit("last")
        assert ann.wait(last)["attempt"] == 1
        assert p3d.pids() == before  # nobody had to be started again


def test_no_room_for_the_files_of_an_attempt(disk):
    """The folder that a job works in."""
    with P3D(models={"gated": {"script": GATED, "max_attempts": 5}}, environment=disk.environment(), start=False) as p3d:
        os.mkdir(p3d.data, 0o700)
        os.mkdir(os.path.join(disk.path, "work"), 0o700)
        os.symlink(os.path.join(disk.path, "work"), os.path.join(p3d.data, "work"))
        p3d.start()
        ann = p3d.register("ann")
        before = p3d.pids()
        p3d.open_gate()
        disk.fill()
        job = ann.submit("x")
        until(lambda: ann.job(job)["status"] == "queued" and ann.job(job)["attempt"] >= 1, 20, "a retry to wait")
        until(lambda: "No space left on device" in p3d.log(), 5, "the reason in the log")
        assert len(p3d.ran()) == 0  # without its input it is not started
        disk.free()
        end = ann.wait(job)
        assert end["status"] == "completed" and end["attempt"] >= 2
        assert ann.wait(ann.submit("next"))["status"] == "completed"
        assert p3d.pids() == before


@pytest.mark.parametrize("durability", ["everysec", "always"])
def test_no_room_for_the_log_of_redis(disk, durability):
    """everysec: Redis refuses writes and says so. always: it ends itself at the first one, and is started again."""
    data = os.path.join(disk.path, "redis")
    os.mkdir(data, 0o700)
    # Only redis-server has the full disk: without a mount it gets the library by its place in PATH.
    path = redis_server(disk.folder, disk.environment()) + ":" + os.environ["PATH"]
    with P3D(models={"gated": GATED}, config={"redis": {"timeout_ms": 1000, "durability": durability}},
             environment={"PATH": path}, start=False) as p3d:
        os.mkdir(p3d.data, 0o700)
        os.symlink(data, os.path.join(p3d.data, "redis"))
        p3d.start()
        ann = p3d.register("ann")
        running = ann.submit("runs")
        wait_confirmed(p3d, running)
        acked = [running] + [ann.submit("before %d" % n) for n in range(3)]
        before = p3d.pids()
        disk.fill()
        refused, begin = set(), time.monotonic()

        def try_it():
            """One more job, by a client that asks once. Some of the first are still taken: Redis has not noticed."""
            r = ann.post("/api/v1/mesh-generation", {"prompt": "meanwhile"})
            if r.status_code == 200:
                acked.append(r.json()["job_id"])
            else:
                assert r.status_code == 503 and "Retry-After" in r.headers, (r.status_code, r.text)
                refused.add(r.json()["message"])
            return refused
        until(try_it, 20, "a refusal")
        while time.monotonic() < begin + 6:  # three leases, and longer than the reaper's rounds may be apart
            until(lambda: try_it() and time.monotonic() > begin + 6, 10, "the time to be over")
        assert p3d.client().get("/health").status_code == 200
        if durability == "everysec":
            assert ann.get(JOBS + running).status_code == 200  # reading goes on
            assert p3d.pids() == before
        disk.free()
        new, met = submit(p3d, ann.token, "new", "new-1")
        assert met <= {503}, met
        p3d.open_gate()
        for job in acked + [new]:
            end = wait_through(p3d, ann.token, job)
            assert (end["status"], end["attempt"]) == ("completed", 1)
        assert sorted(p3d.ran()) == sorted(acked + [new])
        others = {name: pid for name, pid in p3d.pids().items() if name != "redis"}
        assert others == {name: pid for name, pid in before.items() if name != "redis"}
        with p3d.redis() as r:
            Queue(r).places()
        # And all of it is on the disk by now.
        assert p3d.stop() == 0
        p3d.start()
        ann = p3d.client(ann.token)
        assert [ann.job(job)["status"] for job in acked + [new]] == ["completed"] * (len(acked) + 1)
