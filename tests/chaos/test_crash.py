# SPDX-License-Identifier: MIT
"""Processes die at bad moments. What was acknowledged is kept, runs, and counts once. Many deaths: test_storm.py."""
import os
import re
import signal
import time

import pytest
import requests

import shapes
from p3d_test import FINAL, GATED, P3D, TINY, TINY_GLB, Client, alive, select_wait, until

SUBMIT, JOBS = "/api/v1/mesh-generation", "/api/v1/system/jobs/"
CONFIRMED_AT = 15  # in the record: the attempt's first heartbeat has come


def parent(pid):
    with open("/proc/%d/stat" % pid) as f:
        return int(f.read().rsplit(")", 1)[1].split()[1])


def runners(p3d, script="gated.sh"):
    return [pid for pid, line in p3d.processes().items() if script in line and "bash" in line]


def worker_of(p3d, pid):
    """The name of the worker that this runner is below."""
    names = {pid: name for name, pid in p3d.pids().items()}
    while pid > 1:
        if pid in names:
            return names[pid]
        pid = parent(pid)
    raise AssertionError("no worker is above it")


def wait_confirmed(p3d, job_id):
    """Until the loss of this attempt would count."""
    with p3d.redis() as r:
        key = "p3d:{0}:job:" + job_id[5:]
        until(lambda: r.getrange(key, CONFIRMED_AT, CONFIRMED_AT) == b"1", what="the first heartbeat")


def submit(p3d, token, prompt, key, seconds=60):
    """Until it is acknowledged, the way a careful client does it: the same key again and again. Returns the job and
    what else was answered meanwhile."""
    met, deadline = set(), time.monotonic() + seconds
    while time.monotonic() < deadline:
        client = Client(p3d.base, token)
        try:
            r = client.post(SUBMIT, {"prompt": prompt}, headers={"Idempotency-Key": key})
        except requests.exceptions.ConnectionError:
            met.add("connection")
        else:
            if r.status_code == 200:
                return r.json()["job_id"], met
            met.add(r.status_code)
        finally:
            client.session.close()
        select_wait(0.02)
    raise AssertionError("not acknowledged in %s s: %s" % (seconds, met))


def steady(call, seconds=30):
    """The answer of a call that may be made again: 503 and broken connections are told to wait."""
    def probe():
        try:
            r = call()
        except requests.exceptions.ConnectionError:
            return None
        return r if r.status_code != 503 else None
    return until(probe, seconds, "an answer")


def wait_through(p3d, token, job_id, seconds=60):
    """Client.wait for times when the server comes and goes."""
    client = Client(p3d.base, token)

    def probe():
        try:
            r = client.get(JOBS + job_id)
        except requests.exceptions.ConnectionError:
            return None
        assert r.status_code in (200, 503), r.text
        return r.json() if r.status_code == 200 and r.json()["status"] in FINAL else None
    return until(probe, seconds, "%s to end" % job_id)


def test_worker_killed_in_the_middle_of_a_job():
    with P3D(models={"gated": GATED}) as p3d:
        ann = p3d.register("ann")
        job = ann.submit("x")
        first = until(lambda: runners(p3d), what="the runner")
        wait_confirmed(p3d, job)
        name = worker_of(p3d, first[0])
        died = p3d.kill(name)
        until(lambda: not [pid for pid in first if alive(pid)], 5, "the orphaned runner to be killed")
        until(lambda: p3d.ran() == [job, job], 15, "the second attempt")
        assert len(runners(p3d)) == 1
        assert ann.job(job)["attempt"] == 2
        until(lambda: p3d.pids().get(name, died) != died, 15, "the worker to be started again")
        p3d.open_gate()
        shapes.job(ann.wait(job), status="completed", attempt=2)
        assert p3d.ran() == [job, job]
        assert ann.download(job).content == TINY_GLB
        assert any(name in line and "KILL" in line.upper() for line in p3d.log().splitlines()), "no obituary"


def test_a_worker_that_was_frozen_past_its_lease_leaves_nothing():
    """It finds its runner's result and copies it; meanwhile it learns that its lease is lost."""
    with P3D(models={"large": GATED + "head -c 50000000 /dev/zero >> outputs/result.glb\n"}) as p3d:
        ann = p3d.register("ann")
        job = ann.submit("x")
        frozen = p3d.pid(worker_of(p3d, until(lambda: runners(p3d, "large.sh"), what="the runner")[0]))
        wait_confirmed(p3d, job)
        os.kill(frozen, signal.SIGSTOP)
        until(lambda: p3d.ran() == [job, job], 15, "the second attempt")
        store = os.path.join(p3d.data, "jobs", job)
        until(lambda: len(os.listdir(store)) == 1, 5, "the log of the first attempt to go")
        p3d.open_gate()
        shapes.job(ann.wait(job), status="completed", attempt=2)
        os.kill(frozen, signal.SIGCONT)
        until(lambda: re.search(r"job_dropped job=%s attempt=1" % job, p3d.log()), 15, "the frozen worker to give up")
        assert len(os.listdir(store)) == 1
        assert len(ann.download(job).content) == len(TINY_GLB) + 50000000


def sleeps(pid, looks=5):
    """For until(): it waits for something, whenever one looks."""
    row = []

    def probe():
        with open("/proc/%d/stat" % pid) as f:
            row.append(f.read().rsplit(")", 1)[1].split()[0] == "S")
        return len(row) >= looks and all(row[-looks:])
    return probe


def test_a_result_that_is_refused_does_not_stay():
    """The worker has said that it is done, but Redis died before it listened; by the next time the job is cancelled."""
    with P3D(models={"gated": GATED}) as p3d:
        ann = p3d.register("ann")
        job = ann.submit("x")
        name = worker_of(p3d, until(lambda: runners(p3d), what="the runner")[0])
        worker, redis = p3d.pid(name), p3d.pid("redis")
        wait_confirmed(p3d, job)
        os.kill(redis, signal.SIGSTOP)
        p3d.open_gate()
        attempt = os.path.join(p3d.data, "jobs", job, os.listdir(os.path.join(p3d.data, "jobs", job))[0])
        until(lambda: os.path.exists(os.path.join(attempt, "result.glb")), 5, "the result")
        until(lambda: not os.listdir(os.path.join(p3d.data, "work", name.split("-")[1])), 5, "the end of the copying")
        until(sleeps(worker), 5, "the worker to have said so")
        os.kill(worker, signal.SIGSTOP)
        os.kill(redis, signal.SIGKILL)
        until(lambda: ann.post("/api/v1/jobs/%s/cancel" % job).status_code == 200, 15, "to be cancelled")
        assert ann.wait(job, seconds=20)["status"] == "cancelled"  # when the lease is over
        os.kill(worker, signal.SIGCONT)
        until(lambda: "lease_lost job=%s" % job in p3d.log(), 10, "the worker to be refused")
        until(lambda: not os.path.exists(os.path.join(attempt, "result.glb")), 5, "its result to go")
        p3d.close_gate()
        p3d.open_gate()
        assert ann.wait(ann.submit("next"))["status"] == "completed"


def test_a_job_that_kills_its_worker_three_times_fails():
    with P3D(models={"gated": GATED}, workers=1) as p3d:
        ann = p3d.register("ann")
        job = ann.submit("poison")
        for n in range(1, 4):
            until(lambda: p3d.ran().count(job) == n, 30, "attempt %d" % n)
            wait_confirmed(p3d, job)
            p3d.kill("work-1")
        end = shapes.job(ann.wait(job, seconds=20), status="failed", attempt=3)
        assert end["error"]["code"] == "WORKER_LOST"
        p3d.open_gate()
        assert ann.wait(ann.submit("next"))["status"] == "completed"


def test_runner_killed_is_a_failure_of_the_job_not_of_the_worker():
    with P3D(models={"gated": GATED}, workers=1) as p3d:
        ann = p3d.register("ann")
        job, worker = ann.submit("x"), p3d.pid("work-1")
        os.kill(until(lambda: runners(p3d), what="the runner")[0], signal.SIGKILL)
        end = shapes.job(ann.wait(job), status="failed", attempt=1)
        assert end["error"]["message"]
        p3d.open_gate()
        assert ann.wait(ann.submit("next"))["status"] == "completed"
        assert p3d.pid("work-1") == worker


def test_spawner_killed():
    """The small process between worker and runner: without it nothing may go on unwatched."""
    with P3D(models={"gated": GATED}, workers=1) as p3d:
        ann = p3d.register("ann")
        job = ann.submit("x")
        runner = until(lambda: runners(p3d), what="the runner")[0]
        wait_confirmed(p3d, job)
        spawner = parent(runner)
        while parent(spawner) not in p3d.pids().values():
            spawner = parent(spawner)
        assert spawner not in p3d.pids().values()
        os.kill(spawner, signal.SIGKILL)
        until(lambda: not alive(runner), 10, "the runner to be killed")
        p3d.open_gate()
        assert ann.wait(job)["status"] in ("completed", "failed")  # which is the worker's to judge
        assert ann.wait(ann.submit("next"))["status"] == "completed"


def test_redis_killed():
    with P3D(models={"gated": GATED, "tiny": TINY}, config={"redis": {"timeout_ms": 1000}}, default="tiny") as p3d:
        ann = p3d.register("ann")
        done = ann.submit("done")
        ann.wait(done)
        running = ann.submit("runs", model_preference="gated")
        until(lambda: runners(p3d), what="the runner")
        waiting = [ann.submit("waits %d" % i, model_preference="gated") for i in range(5)]
        before = ann.ok("GET", JOBS + "history")["pagination"]["total"]
        died = p3d.kill("redis")
        seen = set()

        def back():
            for path in (JOBS + running, "/api/v1/users/me", JOBS + "history"):
                r = ann.get(path)
                seen.add(r.status_code)
                if r.status_code == 503:
                    shapes.error(r, 503)
            assert p3d.client().get("/health").status_code == 200
            return r.status_code == 200 and p3d.pids().get("redis", died) != died
        until(back, 20, "Redis to be started again")
        assert seen <= {200, 503}, seen
        assert ann.ok("GET", JOBS + "history")["pagination"]["total"] == before
        assert ann.job(done)["status"] == "completed" and ann.download(done).content == TINY_GLB
        p3d.open_gate()
        for job in [running] + waiting:
            shapes.job(ann.wait(job), status="completed", attempt=1)
        assert sorted(p3d.ran()) == sorted([running] + waiting)  # nothing ran twice


def test_redis_that_does_not_answer():
    """Frozen, not dead: 503 in time, by the words of each route, and never 401."""
    with P3D(models={"tiny": TINY}, config={"redis": {"timeout_ms": 500}}, workers=1) as p3d:
        ann = p3d.register("ann")
        job = ann.submit("x")
        ann.wait(job)
        redis = p3d.pid("redis")
        os.kill(redis, signal.SIGSTOP)
        try:
            for method, path, body, text in (
                    ("GET", "/api/v1/users/me", None, shapes.AUTH_DOWN),
                    ("POST", "/api/v1/users/login", {"username": "ann", "password": "correct horse 3"}, shapes.AUTH_DOWN),
                    ("POST", "/api/v1/users/register",
                     {"username": "bob", "email": "b@example.com", "password": "correct horse 3"}, shapes.AUTH_DOWN),
                    ("GET", JOBS + job, None, None), ("GET", JOBS + "history", None, None),
                    ("GET", JOBS + job + "/download", None, None), ("POST", SUBMIT, {"prompt": "x"}, None)):
                begin = time.monotonic()
                shapes.error(ann.call(method, path, body), 503, text)
                assert time.monotonic() - begin < 5, path
            assert ann.get("/ready").status_code == 503
            assert ann.get("/health").status_code == 200
            r = p3d.client().get("/api/v1/users/me")
            assert r.status_code == 401 and r.json()["detail"] == shapes.NO_TOKEN  # that needs no Redis
        finally:
            os.kill(redis, signal.SIGCONT)
        until(lambda: ann.get("/api/v1/users/me").status_code == 200, 15, "answers again")
        until(lambda: ann.get("/ready").status_code == 200, 15, "to be ready")
        assert p3d.pid("redis") == redis
        assert ann.wait(ann.submit("again"))["status"] == "completed"


def test_server_killed():
    with P3D(models={"gated": GATED}, processes=2) as p3d:
        ann = p3d.register("ann")
        job = ann.submit("x")
        until(lambda: runners(p3d), what="the runner")
        for name in ("serve-1", "serve-2"):
            died = p3d.kill(name)
            until(lambda: p3d.pids().get(name, died) != died, 10, name + " to be started again")
        other, met = submit(p3d, ann.token, "y", "key")
        assert met <= {"connection"}
        p3d.open_gate()
        for j in (job, other):
            assert wait_through(p3d, ann.token, j)["attempt"] == 1
        assert sorted(p3d.ran()) == sorted([job, other])


@pytest.mark.parametrize("gate_opens", ["before the next up", "after it"])
def test_supervisor_killed(gate_opens):
    """Its roles notice; the next `p3d up` on the same folder goes on with everything that was acknowledged."""
    with P3D(models={"gated": GATED}) as p3d:
        admin, ann = p3d.admin(), p3d.register("ann")
        jobs = [ann.submit("n %d" % i) for i in range(6)]
        until(lambda: len(runners(p3d)) == 2, what="two runners")
        redis = p3d.pid("redis")
        p3d.kill_supervisor()
        assert alive(redis)  # the data's keeper stays
        if gate_opens == "before the next up":
            p3d.open_gate()
        p3d.start()
        if alive(redis):
            assert p3d.pid("redis") == redis  # adopted; never two on one log
        p3d.open_gate()
        for job in jobs:
            shapes.job(wait_through(p3d, ann.token, job), status="completed")
        admin, ann = p3d.client(admin.token), p3d.client(ann.token)
        assert admin.ok("GET", JOBS + "history")["pagination"]["total"] == len(jobs)
        ran = p3d.ran()
        assert set(ran) == set(jobs)
        assert len(ran) <= len(jobs) + 2  # the two that ran may have been begun again, no other
        assert p3d.stop() == 0
        # Also the servers of the first one, which had connections to let go.
        until(lambda: not p3d.processes(), 12, "nothing to be left")


def test_all_killed_at_once():
    """As by a power cut, but for what the kernel has not yet written."""
    with P3D(models={"gated": GATED}) as p3d:
        ann = p3d.register("ann")
        jobs = [ann.submit("n %d" % i) for i in range(6)]
        until(lambda: len(runners(p3d)) == 2, what="two runners")
        p3d.kill_all()
        until(lambda: not p3d.processes(), 5, "all to be gone")
        p3d.open_gate()
        p3d.start()
        for job in jobs:
            shapes.job(wait_through(p3d, ann.token, job), status="completed")
        assert set(p3d.ran()) == set(jobs)


def test_a_late_attempt_of_a_deleted_job_leaves_nothing():
    """A worker sleeps while its job is run by another, deleted and purged; what it does then is for nobody to find."""
    with P3D(models={"gated": GATED}, workers=2, config={"workers": {"lease_seconds": 1}}) as p3d:
        ann = p3d.register("ann")
        job = ann.submit("x")
        runner = until(lambda: runners(p3d), what="the runner")[0]
        wait_confirmed(p3d, job)
        name = worker_of(p3d, runner)
        sleeper = p3d.kill(name, signal.SIGSTOP)
        try:
            until(lambda: p3d.ran() == [job, job], 15, "the second attempt")
            p3d.open_gate()
            ann.wait(job)
            ann.ok("DELETE", JOBS + job)
            jobs = os.path.join(p3d.data, "jobs")
            until(lambda: not os.path.exists(os.path.join(jobs, job)), 15, "the files to be purged")
        finally:
            os.kill(sleeper, signal.SIGCONT)
        until(lambda: any("lease_lost" in line and name in line for line in p3d.log().splitlines()), 15, "it to notice")
        until(lambda: not os.listdir(os.path.join(p3d.data, "work", name)) if os.path.isdir(
            os.path.join(p3d.data, "work", name)) else True, 15, "its working directory to be empty")
        for other in [ann.submit("n %d" % n) for n in range(4)]:
            ann.wait(other)
            ann.ok("DELETE", JOBS + other)
        until(lambda: [n for n in os.listdir(jobs) if not n.startswith(".")] == [], 15, "an empty store")
