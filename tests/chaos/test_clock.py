# SPDX-License-Identifier: MIT
"""Somebody sets the clock of one process while it works. Leases, retries and tokens go by Redis's TIME; a jump of that
one costs at most one lease of patience, and no job; the clocks of workers and servers decide nothing."""
import contextlib
import os
import signal
import socket
import subprocess
import time

import pytest

from p3d_test import BINARY, GATED, P3D, TINY, TINY_GLB, Client, select_wait, until
from preload import Clock, redis_server
from test_crash import runners, wait_confirmed, worker_of

HOUR, DAY = 3600, 86400
TOKENS = "/api/v1/users/tokens"
# Fails once in a way that is tried again.
TWICE = r"""
[ "$P3D_ATTEMPT" = 1 ] && exit 75
""" + TINY


@pytest.fixture
def make(tmp_path):
    """A P3D whose Redis has a clock of its own: p3d.clock."""
    @contextlib.contextmanager
    def make(**kw):
        folder = str(tmp_path)
        clock = Clock(folder)
        path = redis_server(folder, clock.environment()) + ":" + os.environ["PATH"]
        with P3D(folder=os.path.join(folder, "p3d"), environment={"PATH": path}, **kw) as p3d:
            p3d.clock = clock
            with p3d.redis() as r:
                assert abs(r.time()[0] - time.time()) < 60
            yield p3d
    os.mkdir(str(tmp_path / "p3d"))
    return make


def set_clock(p3d, seconds):
    p3d.clock.move(seconds)
    with p3d.redis() as r:
        assert abs(r.time()[0] - time.time() - seconds) < 60  # or nothing is tested


def jump_unseen(p3d, worker, seconds):
    """The worker renews nothing until the reaper has looked at its lease by the new time."""
    def looked():
        with p3d.redis() as r:
            return begin <= int(r.hget("p3d:{0}:reaper", "last")) / 1000 < begin + 60
    os.kill(worker, signal.SIGSTOP)
    try:
        set_clock(p3d, seconds)
        begin = time.time() + seconds
        until(looked, 5, "a round of the reaper")
    finally:
        os.kill(worker, signal.SIGCONT)


def stay(seconds, probe):
    """The whole time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert probe()
        select_wait(0.1)


@pytest.mark.parametrize("jump", [HOUR, DAY, -HOUR])
def test_the_clock_of_redis_jumps(make, jump):
    with make(models={"gated": GATED, "tiny": TINY, "twice": {"script": TWICE, "max_attempts": 2}}) as p3d:
        ann = p3d.register("ann")
        job = ann.submit("runs")
        until(lambda: runners(p3d), what="the runner")
        wait_confirmed(p3d, job)
        jump_unseen(p3d, p3d.pid(worker_of(p3d, runners(p3d)[0])), jump)
        # Its lease is renewed as before: it is never taken away, not at the first look at it and not later.
        stay(1.2, lambda: p3d.ran() == [job] and ann.job(job)["status"] == "processing")
        # What is new is done at once, also a retry.
        assert ann.wait(ann.submit("new", model_preference="tiny"), seconds=10)["status"] == "completed"
        end = ann.wait(ann.submit("twice", model_preference="twice"), seconds=10)
        assert (end["status"], end["attempt"]) == ("completed", 2)
        # A worker that is lost now is noticed as soon as ever.
        p3d.kill(worker_of(p3d, runners(p3d)[0]))
        until(lambda: p3d.ran() == [job, job], 10, "the second attempt")
        jump_unseen(p3d, p3d.pid(worker_of(p3d, runners(p3d)[0])), 0)  # and back
        stay(1.2, lambda: p3d.ran() == [job, job])
        p3d.open_gate()
        end = ann.wait(job)
        assert (end["status"], end["attempt"]) == ("completed", 2)
        assert ann.download(job).content == TINY_GLB
        assert "lease_lost" not in p3d.log()


def test_a_worker_dies_while_the_clock_is_set_back(make):
    """Its lease ends an hour ahead, by the new time. Nobody waits for that."""
    with make(models={"gated": GATED}) as p3d:
        ann = p3d.register("ann")
        job = ann.submit("runs")
        until(lambda: runners(p3d), what="the runner")
        wait_confirmed(p3d, job)
        worker = p3d.pid(worker_of(p3d, runners(p3d)[0]))
        os.kill(worker, signal.SIGSTOP)
        set_clock(p3d, -HOUR)
        os.kill(worker, signal.SIGKILL)
        until(lambda: p3d.ran() == [job, job], 15, "the second attempt")
        p3d.open_gate()
        assert ann.wait(job)["attempt"] == 2


def test_a_retry_that_waits_while_the_clock_is_set_back(make):
    with make(models={"twice": {"script": TWICE, "max_attempts": 2}}) as p3d:
        ann = p3d.register("ann")
        job = ann.submit("x")
        with p3d.redis() as r:
            until(lambda: r.zcard("p3d:{0}:scheduled") == 1, what="the retry to wait")
        set_clock(p3d, -HOUR)
        assert ann.wait(job, seconds=10)["status"] == "completed"


def test_tokens_end_by_the_time_of_redis(make):
    with make(models={"tiny": TINY}) as p3d:
        ann = p3d.register("ann")
        made = ann.ok("POST", TOKENS, {"token_name": "short", "expires_in_days": 1})["token"]
        short = p3d.client(made)
        assert short.get("/api/v1/users/me").status_code == 200
        set_clock(p3d, DAY - HOUR)
        assert short.get("/api/v1/users/me").status_code == 200
        set_clock(p3d, DAY + HOUR)
        r = short.get("/api/v1/users/me")
        assert (r.status_code, r.json()["detail"]) == (401, "Token has expired")
        assert ann.get("/api/v1/users/me").status_code == 200


@contextlib.contextmanager
def by_hand(p3d, clock, verb, *flags):
    env = {**p3d.environment, **clock.environment()}
    with open(os.path.join(p3d.folder, verb + ".log"), "ab") as said:
        process = subprocess.Popen([BINARY, verb, "--config", p3d.config, "--data-dir", p3d.data, *flags], env=env, stderr=said)
    try:
        yield process
        process.terminate()
        assert process.wait(30) == 0
        with open(os.path.join(p3d.folder, verb + ".log")) as f:
            said = f.read()
        assert "Sanitizer" not in said and "runtime error" not in said, said
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


@pytest.mark.parametrize("moved", [HOUR, -HOUR])
def test_the_clocks_of_a_worker_and_of_a_server_decide_nothing(tmp_path, moved):
    clock = Clock(str(tmp_path))
    with P3D(models={"gated": GATED}, workers=0) as p3d:
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        with by_hand(p3d, clock, "work"), by_hand(p3d, clock, "serve", "--host", "127.0.0.1", "--port", str(port)):
            base = "http://127.0.0.1:%d" % port

            def answers():
                try:
                    return Client(base).get("/ready").json()
                except OSError:
                    return None
            until(lambda: answers(), 20, "the server")
            ann = p3d.register("ann")
            other = Client(base, ann.token)
            first = ann.submit("taken before the jump")
            until(lambda: p3d.ran() == [first], what="the runner")
            clock.move(moved)
            assert abs(answers()["timestamp"] - time.time() - moved) < 60
            stay(2.5, lambda: p3d.ran() == [first] and other.job(first)["status"] == "processing")
            second = other.submit("by the server with the wrong clock")
            made = other.ok("POST", TOKENS, {"token_name": "made there", "expires_in_days": 1})["token"]
            p3d.open_gate()
            for job in (first, second):
                for client in (ann, other):
                    end = client.wait(job)
                    assert (end["status"], end["attempt"]) == ("completed", 1)
            # All times of a job are Redis's.
            now = time.strftime("%Y-%m-%dT%H", time.gmtime())
            hour_ago = time.strftime("%Y-%m-%dT%H", time.gmtime(time.time() - 600))
            for key in ("created_at", "started_at", "completed_at"):
                assert ann.job(second)[key][:13] in (now, hour_ago), (key, ann.job(second))
            assert p3d.client(made).get("/api/v1/users/me").status_code == 200
            assert ann.download(second).content == other.download(second).content == TINY_GLB
            for client in Client.open.pop(base):
                client.session.close()  # a draining server waits for them
