# SPDX-License-Identifier: MIT
"""GET /{id}?wait=N: one answer, when the job is final or when the time is over."""
import os
import select
import socket
import time

import pytest

import shapes
from p3d_test import until
from raw_http import Raw

JOBS = "/api/v1/system/jobs/"


def serve_pid(p3d):
    return next(pid for name, pid in p3d.pids().items() if name.startswith("serve"))


def timed(client, path):
    began = time.monotonic()
    r = client.get(path)
    return r, time.monotonic() - began


@pytest.mark.parametrize("value", ["-1", "0", "61", "", "x", "1.5", "1e1", "99999999999999999999"])
def test_bad_values(ann, value):
    job_id = ann.submit("x")
    assert shapes.faults(ann.get(JOBS + job_id + "?wait=" + value))[0][0] == ("query", "wait")


def test_bad_value_of_a_foreign_job(ann, bob):
    job_id = ann.submit("x")
    shapes.error(bob.get(JOBS + job_id + "?wait=61"), 403, shapes.NOT_YOURS)
    shapes.error(bob.get(JOBS + job_id + "?wait=30"), 403, shapes.NOT_YOURS)
    shapes.error(bob.get(JOBS + shapes.ABSENT_JOB + "?wait=30"), 404, shapes.NO_JOB)


def test_final_jobs_are_answered_at_once(ann):
    job_id = ann.submit("x")
    ann.wait(job_id)
    for wait in ("", "?wait=1", "?wait=60"):
        r, took = timed(ann, JOBS + job_id + wait)
        assert r.status_code == 200 and took < 10
        shapes.job(r.json(), status="completed")
    with Raw(ann.base) as raw:
        assert raw.request("HEAD", JOBS + job_id + "?wait=60", Authorization="Bearer " + ann.token).response(True).status == 200


def test_time_is_over(gate, ann):
    job_id = ann.submit("x", model_preference="gated")
    ann.wait(job_id, ("processing",))
    r, took = timed(ann, JOBS + job_id + "?wait=2")
    assert r.json()["status"] == "processing" and 1.9 < took < 20
    r, plain = timed(ann, JOBS + job_id)
    assert r.json()["status"] == "processing" and plain < took  # without it nobody waits


def test_answered_when_it_ends(gate, ann):
    job_id = ann.submit("x", model_preference="gated")
    ann.wait(job_id, ("processing",))
    waits = [Raw(ann.base).request("GET", prefix + job_id + "?wait=60", Authorization="Bearer " + ann.token)
             for prefix in (JOBS, "/api/v1/jobs/") for _ in range(20)]
    assert not select.select([w.socket for w in waits], [], [], 0.3)[0]  # none has an answer yet
    began = time.monotonic()
    gate.open_gate()
    for w in waits:
        shapes.job(w.response().json(), status="completed")
        w.close()
    assert time.monotonic() - began < 20


def test_answered_when_it_is_cancelled(gate, ann):
    first = ann.submit("x", model_preference="gated")
    ann.wait(first, ("processing",))
    job_id = ann.submit("x", model_preference="gated")
    w = Raw(ann.base).request("GET", JOBS + job_id + "?wait=60", Authorization="Bearer " + ann.token)
    assert not select.select([w.socket], [], [], 0.3)[0]  # it waits
    ann.ok("POST", JOBS + job_id + "/cancel")
    shapes.job(w.response().json(), status="cancelled")
    w.close()


def test_waiting_and_then_another_request(gate, ann):
    """Pipelined behind a wait: it comes after it, and nothing is mixed up."""
    job_id = ann.submit("x", model_preference="gated")
    ann.wait(job_id, ("processing",))
    with Raw(ann.base) as raw:
        raw.request("GET", JOBS + job_id + "?wait=60", Authorization="Bearer " + ann.token)
        raw.request("GET", "/health")
        assert not select.select([raw.socket], [], [], 0.3)[0]
        gate.open_gate()
        assert raw.response().json()["status"] == "completed"
        assert raw.response().status == 200


def test_who_leaves_is_forgotten(gate, ann):
    job_id = ann.submit("x", model_preference="gated")
    ann.wait(job_id, ("processing",))
    pid = serve_pid(gate)

    def count():
        return len(os.listdir("/proc/%d/fd" % pid))
    before = count()
    waits = [Raw(ann.base).request("GET", JOBS + job_id + "?wait=60", Authorization="Bearer " + ann.token)
             for _ in range(60)]
    until(lambda: count() >= before + 60, 10, "60 waits")
    for i, w in enumerate(waits):
        if i % 3 == 0:
            w.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        if i % 3 == 1:
            w.socket.shutdown(socket.SHUT_WR)
        else:
            w.close()
    until(lambda: count() <= before + 3, 10, "their end")
    for w in waits:
        w.close()
    assert ann.job(job_id)["status"] == "processing"


BEHIND = [b"\r\n", b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"]


@pytest.mark.parametrize("behind", BEHIND)
def test_who_leaves_with_bytes_behind_is_forgotten(gate, ann, behind):
    """Nobody reads what stands behind the request, and it hides the end of the connection."""
    job_id = ann.submit("x", model_preference="gated")
    ann.wait(job_id, ("processing",))
    pid = serve_pid(gate)

    def count():
        return len(os.listdir("/proc/%d/fd" % pid))
    before = count()
    waits = [Raw(ann.base).request("GET", JOBS + job_id + "?wait=60", Authorization="Bearer " + ann.token)
             for _ in range(30)]
    until(lambda: count() >= before + 30, 10, "30 waits")
    assert not select.select([w.socket for w in waits], [], [], 0.3)[0]  # they wait
    for w in waits:
        w.send(behind)
    assert not select.select([w.socket for w in waits], [], [], 1.5)[0]  # and go on
    for i, w in enumerate(waits):
        if i % 3 == 0:
            w.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        if i % 3 == 1:
            w.socket.shutdown(socket.SHUT_WR)
        else:
            w.close()
    until(lambda: count() <= before + 3, 5, "their end")
    for w in waits:
        w.close()
    assert ann.job(job_id)["status"] == "processing"


def test_whole_request_behind_is_answered_after_a_long_wait(gate, ann):
    """The connection is looked at meanwhile, more than once, and its client is there."""
    job_id = ann.submit("x", model_preference="gated")
    ann.wait(job_id, ("processing",))
    with Raw(ann.base) as raw:
        raw.request("GET", JOBS + job_id + "?wait=60", Authorization="Bearer " + ann.token)
        assert not select.select([raw.socket], [], [], 0.3)[0]
        raw.request("GET", "/health").request("GET", JOBS + job_id, Authorization="Bearer " + ann.token)
        assert not select.select([raw.socket], [], [], 2.5)[0]
        gate.open_gate()
        assert raw.response().json()["status"] == "completed"
        assert "job_id" not in raw.response().json()
        assert raw.response().json()["job_id"] == job_id
