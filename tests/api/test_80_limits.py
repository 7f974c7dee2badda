# SPDX-License-Identifier: MIT
"""What one caller can make the server hold or do, and names that must not be accepted."""
import glob
import os
import socket

import pytest
from p3d_test import P3D, TINY


@pytest.fixture(scope="module")
def p3d():
    with P3D(models={"tiny": TINY}, workers=1) as server:
        yield server


@pytest.fixture(scope="module")
def ann(p3d):
    return p3d.register("ann")


def test_chunks_of_a_stranger_end_at_the_largest_body_of_any_route(p3d):
    host, port = p3d.base[7:].split(":")
    piece = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    sent, answer = 0, b""
    with socket.create_connection((host, int(port)), timeout=20) as s:
        s.sendall(b"POST /api/v1/users/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                  b"Transfer-Encoding: chunked\r\n\r\n")
        try:
            while sent < 128 << 20:
                s.sendall(piece)
                sent += 65536
        except OSError:
            pass  # refused while we were sending
        try:
            answer = s.recv(65536) if sent < 128 << 20 else b""
        except OSError:
            pass
    # A refused client may go on for 8 MB, and into buffers of the kernel: up to tcp_rmem's 32 MB, when nobody is in a hurry.
    assert sent < 80 << 20, "%d MB were taken" % (sent >> 20)
    assert answer == b"" or b" 413 " in answer.split(b"\r\n")[0]


def test_parameters_are_bounded_like_metadata(ann):
    for path, body in (("/api/v1/jobs", lambda p: {"feature": "mesh_generation",
                                                   "inputs": {"prompt": "x", "model_parameters": p}}),
                       ("/api/v1/mesh-generation", lambda p: {"prompt": "x", "model_parameters": p})):
        assert ann.post(path, body({"k": "x" * 16376})).status_code in (200, 202)
        r = ann.post(path, body({"k": "x" * 16377}))
        assert r.status_code == 422 and r.json()["detail"][0]["loc"] == ["body", "model_parameters"], r.text


@pytest.mark.parametrize("prefix", ["/api/v1/jobs/", "/api/v1/system/jobs/"])
def test_a_job_has_one_name(p3d, ann, prefix):
    job, bob = ann.submit(), p3d.register("bob" + str(len(prefix)))
    ann.wait(job)
    for shard in "1aZ":
        for tail in ("", "/info", "/download", "/files", "/files/result.glb", "/thumbnail"):
            for who in (ann, bob):
                r = who.get(prefix + "job_" + shard + job[5:] + tail)
                assert (r.status_code, r.json()["detail"]) == (404, "Job not found"), (shard, tail, r.text)


def test_an_empty_idempotency_key_is_none(ann):
    r = ann.post("/api/v1/mesh-generation", {"prompt": "x"}, headers={"Idempotency-Key": ""})
    assert r.status_code == 422 and r.json()["detail"][0]["loc"] == ["header", "Idempotency-Key"]


def test_a_result_that_was_cut_on_disk_is_not_served_as_whole(p3d, ann):
    job = ann.submit()
    ann.wait(job)
    path, = glob.glob(os.path.join(p3d.data, "jobs", job, "*", "**", "result.glb"), recursive=True)
    os.chmod(path, 0o600)
    with open(path, "r+b") as f:
        f.truncate(20)
    for query in ("", "?format=base64"):
        r = ann.get("/api/v1/jobs/%s/download%s" % (job, query))
        assert r.status_code == 500 and "etag" not in r.headers, (r.status_code, r.content)
    assert "request_failed" in p3d.log()


@pytest.mark.parametrize("unseen", ["\u00e4", "\u0430", "\u0085", "\u00a0", "\u00ad", "\u200b", "\u200f", "\u202e", "\u2028", "\u2066", "\ufeff"])
def test_an_email_that_only_looks_like_anothers_is_refused(p3d, unseen):
    for at, email in enumerate(("ann%s@example.com" % unseen, "ann@exam%sple.com" % unseen)):
        r = p3d.client().post("/api/v1/users/register", {"username": "spoof%x.%d" % (ord(unseen), at), "email": email,
                                                         "password": "correct horse 3"})
        assert (r.status_code, r.json().get("detail")) == (400, "Invalid email address"), email
