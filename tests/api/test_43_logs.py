# SPDX-License-Identifier: MIT
"""GET /{id}/logs: what an attempt has printed, byte for byte, while it runs and afterwards, for those who may see the job."""
import glob
import os
import socket
import threading

import pytest

from p3d_test import P3D, until

OBEY = r"""
eval "$(/usr/bin/python3 -c 'import json; print(json.load(open("input.json"))["inputs"]["prompt"])')"
"""
GLB = "printf 'glTF\\x02\\x00\\x00\\x00\\x30\\x00\\x00\\x00\\x1c\\x00\\x00\\x00JSON{\"asset\":{\"version\":\"2.0\"}} ' > outputs/r.glb"
CAP = 200000


@pytest.fixture(scope="module")
def host():
    with P3D(models={"obey": {"script": OBEY, "max_attempts": 3}}, workers=2,
             config={"workers": {"max_log_bytes": CAP}}) as p3d:
        p3d.user = p3d.register("ann")
        p3d.n = 0
        yield p3d


def logs(client, job_id, **query):
    return client.get("/api/v1/jobs/%s/logs" % job_id, params=query)


def finished(host, script):
    job_id = host.user.submit(script)
    host.user.wait(job_id)
    return job_id


class Gate:
    """A file that a script waits for."""
    def __init__(self, host, name="gate"):
        host.n += 1
        self.path = os.path.join(host.folder, "%s%d" % (name, host.n))
        self.wait = "while [ ! -e %s ]; do sleep 0.01; done" % self.path

    def open(self):
        open(self.path, "w").close()


class Follower:
    """follow=1 in a thread: what has come so far, and whether it has ended."""
    def __init__(self, client, job_id, **query):
        self.bytes, self.ended, self.failed, self.answer = b"", False, None, None
        self.where = client, "/api/v1/jobs/%s/logs" % job_id, {"follow": 1, **query}
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        client, path, query = self.where
        try:
            self.answer = client.get(path, params=query, stream=True)
            assert self.answer.status_code == 200, self.answer.text
            for piece in self.answer.raw.stream(65536):
                self.bytes += piece
        except Exception as e:  # noqa: BLE001 - told to the test
            self.failed = e
        self.ended = True

    def sees(self, text, seconds=10):
        until(lambda: text in self.bytes, seconds, "%r in the log, which is %r" % (text, self.bytes[-200:]))

    def end(self, seconds=20):
        until(lambda: self.ended, seconds, "the end of the log")
        assert self.failed is None, self.failed
        self.answer.close()
        return self.bytes


def test_all_of_it(host):
    job_id = finished(host, "echo out; echo err >&2; printf end; " + GLB)
    for base in ("/api/v1/jobs/", "/api/v1/system/jobs/"):
        r = host.user.get(base + job_id + "/logs")
        assert r.status_code == 200 and r.content == b"out\nerr\nend"
        assert r.headers["content-type"] == "text/plain; charset=utf-8"
        assert r.headers["x-content-type-options"] == "nosniff"
    head = host.user.call("HEAD", "/api/v1/jobs/%s/logs" % job_id)
    assert head.status_code == 200 and head.content == b""
    assert head.headers["content-type"] == "text/plain; charset=utf-8"


def test_failed_jobs_have_one_too(host):
    job_id = finished(host, "echo why; exit 3")
    assert logs(host.user, job_id).content == b"why\n"
    silent = finished(host, GLB)
    assert logs(host.user, silent).content == b""


@pytest.mark.parametrize("tail, lines", [(0, []), (1, [99]), (3, [97, 98, 99]), (100, range(100)), (100000, range(100))])
def test_tail(host, tail, lines):
    if not hasattr(host, "hundred"):
        host.hundred = finished(host, "for i in $(seq 0 99); do echo line $i; done; " + GLB)
    assert logs(host.user, host.hundred, tail=tail).text == "".join("line %d\n" % n for n in lines)


def test_tail_of_odd_ends(host):
    job_id = finished(host, "printf 'a\\n\\nb'; " + GLB)
    assert [logs(host.user, job_id, tail=n).text for n in (1, 2, 3, 4)] == ["b", "\nb", "a\n\nb", "a\n\nb"]
    job_id = finished(host, "printf '\\n\\n'; " + GLB)
    assert [logs(host.user, job_id, tail=n).text for n in (1, 2, 3)] == ["\n", "\n\n", "\n\n"]
    job_id = finished(host, "head -c 150000 /dev/zero; printf '\\nlast\\n'; " + GLB)  # a line longer than a block
    assert logs(host.user, job_id, tail=1).content == b"last\n"
    assert logs(host.user, job_id, tail=2).content == bytes(150000) + b"\nlast\n"


@pytest.mark.parametrize("query", [{"tail": -1}, {"tail": 100001}, {"tail": "x"}, {"follow": "perhaps"}, {"tail": ""}])
def test_bad_queries(host, query):
    job_id = finished(host, "exit 0")
    assert logs(host.user, job_id, **query).status_code == 422
    assert logs(host.register("q%d" % id(query)), job_id, **query).status_code == 403


def test_binary_bytes(host):
    job_id = finished(host, "/usr/bin/python3 -c 'import sys; sys.stdout.buffer.write(bytes(range(256)) * 100)'; " + GLB)
    assert logs(host.user, job_id).content == bytes(range(256)) * 100


def test_cap(host):
    job_id = finished(host, "yes aaaaaaa | head -c 1000000; " + GLB)
    assert logs(host.user, job_id).content == b"aaaaaaa\n" * (CAP // 8) + b"\n[log truncated]\n"
    assert host.user.job(job_id)["status"] == "completed"


def test_none_before_the_first_attempt(host):
    gate = Gate(host)
    held = [host.user.submit(gate.wait) for _ in range(2)]
    queued, dropped = host.user.submit("echo x"), host.user.submit("echo y")
    r = logs(host.user, queued)
    assert r.status_code == 404 and r.json()["detail"] == "No log available for this job", r.text
    assert host.user.call("HEAD", "/api/v1/jobs/%s/logs?follow=1" % queued).status_code == 200
    # Who follows waits for it; the head is there at once.
    waiting, in_vain = Follower(host.user, queued), Follower(host.user, dropped)
    until(lambda: waiting.answer is not None and in_vain.answer is not None, 10, "two heads")
    host.user.ok("POST", "/api/v1/jobs/%s/cancel" % dropped)
    assert in_vain.end() == b""
    assert logs(host.user, dropped, follow=1).status_code == 404
    gate.open()
    assert waiting.end() == b"x\n"
    for job_id in held + [queued]:
        host.user.wait(job_id)
    assert logs(host.user, queued).content == b"x\n"


def follow_raw(host, client, job_id):
    """The socket and the status line of a follower."""
    s = socket.create_connection(("127.0.0.1", int(host.base.rsplit(":", 1)[1])), 10)
    s.sendall(("GET /api/v1/jobs/%s/logs?follow=1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n"
               % (job_id, client.token)).encode())
    return s, s.recv(12)


def test_one_account_cannot_have_them_all(host):
    gate = Gate(host)
    eve = host.register("many")
    hers, anns = eve.submit(gate.wait), host.user.submit(gate.wait)
    open_ones = []
    for n in range(100):
        s, status = follow_raw(host, eve, hers)
        assert status == b"HTTP/1.1 200", n
        open_ones.append(s)
    s, status = follow_raw(host, eve, hers)
    s.close()
    assert status == b"HTTP/1.1 503"
    s, status = follow_raw(host, host.user, anns)
    s.close()
    assert status == b"HTTP/1.1 200"
    for one in open_ones:
        one.close()

    def again():
        s, status = follow_raw(host, eve, hers)
        s.close()
        return status == b"HTTP/1.1 200"
    until(again, 10, "room after they went away")
    gate.open()
    host.user.wait(anns), eve.wait(hers)


@pytest.mark.parametrize("behind", [b"\r\n", b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"])
def test_who_leaves_with_bytes_behind_is_let_go(host, behind):
    """Of a job that waits: nothing is written that would tell."""
    eve = host.register("behind%d" % len(behind))
    job_id = eve.ok("POST", "/api/v1/jobs", {"feature": "mesh_generation", "inputs": {"prompt": "exit 3"},
                                             "run_at": "9999-01-01T00:00:00Z"}, status=202)["job_id"]

    def count():
        return len(os.listdir("/proc/%d/fd" % host.pid("serve-1")))
    before, open_ones = count(), []
    for _ in range(20):
        s, status = follow_raw(host, eve, job_id)
        assert status == b"HTTP/1.1 200"
        open_ones.append(s)
    assert count() >= before + 20
    for s in open_ones:
        s.sendall(behind)
    for s in open_ones:
        s.close()
    until(lambda: count() <= before + 3, 5, "closed connections")


def test_for_those_who_may_see_the_job(host):
    job_id = finished(host, "echo secret; " + GLB)
    eve = host.register("eve")
    for query in ({}, {"follow": 1}, {"tail": 1}):
        assert logs(eve, job_id, **query).status_code == 403
        assert logs(host.client(), job_id, **query).status_code == 401
    absent = job_id[:-4] + "0000"
    assert logs(host.user, absent).status_code == 404
    assert logs(host.admin(), job_id).content == b"secret\n"


def test_it_is_no_artifact(host):
    job_id = finished(host, "echo x; " + GLB)
    names = [f["name"] for f in host.user.ok("GET", "/api/v1/jobs/%s/files" % job_id)["files"]]
    assert names == ["r.glb"]
    for name in (".log", "attempt.log"):
        assert host.user.get("/api/v1/jobs/%s/files/%s" % (job_id, name)).status_code == 404
    path = glob.glob(os.path.join(host.data, "jobs", job_id, "*", ".log"))
    assert len(path) == 1 and os.stat(path[0]).st_mode & 0o777 == 0o600


def p3d_streams(host):
    """Logs that the server holds open."""
    pid, n = host.pid("serve-1"), 0
    for fd in os.listdir("/proc/%d/fd" % pid):
        try:
            n += os.readlink("/proc/%d/fd/%s" % (pid, fd)).endswith("/.log")
        except OSError:
            pass
    return n


def test_follow(host):
    gate, second = Gate(host), Gate(host)
    job_id = host.user.submit("echo one; %s; echo two; %s; echo three; %s" % (gate.wait, second.wait, GLB))
    until(lambda: logs(host.user, job_id).content == b"one\n")
    f, tail = Follower(host.user, job_id), Follower(host.client(host.user.token), job_id, tail=0)
    f.sees(b"one\n")
    until(lambda: p3d_streams(host) >= 2)
    assert not f.ended
    gate.open()
    f.sees(b"two\n", 2)
    tail.sees(b"two\n", 2)
    assert logs(host.user, job_id).content == b"one\ntwo\n"  # without follow it ends
    second.open()
    assert f.end() == b"one\ntwo\nthree\n"
    assert tail.end() == b"two\nthree\n"
    assert host.user.job(job_id)["status"] == "completed"
    assert logs(host.user, job_id, follow=1).content == b"one\ntwo\nthree\n"  # final: ends at once


def test_follow_over_attempts(host):
    gate = Gate(host)
    job_id = host.user.submit("echo attempt $P3D_ATTEMPT; printf half; %s; [ $P3D_ATTEMPT = 1 ] && exit 75; %s" %
                              (gate.wait, GLB))
    until(lambda: logs(host.user, job_id).status_code == 200)
    f = Follower(host.user, job_id)
    f.sees(b"attempt 1\nhalf")
    gate.open()
    assert f.end() == b"attempt 1\nhalf\n[p3d: attempt 2]\nattempt 2\nhalf"
    assert logs(host.user, job_id).content == b"attempt 2\nhalf"
    assert len(glob.glob(os.path.join(host.data, "jobs", job_id, "*"))) == 1  # nothing of the first is left


def test_follow_of_a_cancelled_job_ends(host):
    job_id = host.user.submit("echo started; exec sleep 1000")
    until(lambda: logs(host.user, job_id).status_code == 200)
    f = Follower(host.user, job_id)
    f.sees(b"started\n")
    assert host.user.post("/api/v1/jobs/%s/cancel" % job_id).status_code == 200
    assert f.end(5) == b"started\n"
    assert logs(host.user, job_id).content == b"started\n"


def test_many_follow_one(host):
    gate = Gate(host)
    job_id = host.user.submit("for i in $(seq 1000); do echo $i; done; %s; for i in $(seq 1000); do echo $i; done; %s" %
                              (gate.wait, GLB))
    until(lambda: logs(host.user, job_id).status_code == 200)
    many = [Follower(host.client(host.user.token), job_id) for _ in range(30)]
    gate.open()
    whole = b"".join(b"%d\n" % n for n in range(1, 1001)) * 2
    for f in many:
        assert f.end() == whole


def test_who_leaves_costs_nothing_and_who_is_revoked_is_cut(host):
    gate = Gate(host)
    bob = host.register("bob")
    job_id = bob.submit("echo x; %s; %s" % (gate.wait, GLB))
    until(lambda: logs(bob, job_id).status_code == 200)
    gone = Follower(host.client(bob.token), job_id)
    gone.sees(b"x\n")
    before = p3d_streams(host)
    gone.answer.raw._fp.fp.raw._sock.shutdown(socket.SHUT_RDWR)
    until(lambda: p3d_streams(host) < before, 5, "the log to be closed")
    stays = Follower(host.client(bob.token), job_id)
    stays.sees(b"x\n")
    assert bob.post("/api/v1/users/logout").status_code == 200  # its token
    stays.end(10)
    assert logs(bob, job_id).status_code == 401
    gate.open()


def test_a_store_that_takes_no_attempt(host):
    """A file stands where its directory would be: nothing is run that could not be kept, and the error says why, not where."""
    gate = Gate(host)
    held = [host.user.submit(gate.wait) for _ in range(2)]
    job_id = host.user.ok("POST", "/api/v1/jobs", {"feature": "mesh_generation", "inputs": {"prompt": "echo ran; exit 3"},
                                                   "max_attempts": 1}, status=202)["job_id"]
    open(os.path.join(host.data, "jobs", job_id), "w").close()
    gate.open()
    job = host.user.wait(job_id)
    assert job["status"] == "failed" and job["error"] == {
        "code": "IO_ERROR", "message": "the attempt's directory cannot be made: Not a directory"}
    for query in ({}, {"follow": 1}):
        assert logs(host.user, job_id, **query).status_code == 404
    for job_id in held:
        host.user.wait(job_id)


def test_retry_of_a_lost_worker_keeps_one_log():
    with P3D(models={"obey": {"script": OBEY}}, workers=1) as p3d:
        p3d.n = 0
        ann = p3d.register("ann")
        gate = Gate(p3d)
        job_id = ann.submit("echo attempt $P3D_ATTEMPT; %s; %s" % (gate.wait, GLB))
        until(lambda: logs(ann, job_id).status_code == 200)
        f = Follower(ann, job_id)
        f.sees(b"attempt 1\n")
        p3d.kill("work-1")
        f.sees(b"[p3d: attempt 2]\nattempt 2\n", 30)
        gate.open()
        assert f.end() == b"attempt 1\n[p3d: attempt 2]\nattempt 2\n"


def test_a_restart_of_the_server_ends_streams():
    with P3D(models={"obey": {"script": OBEY}}, workers=1, config={"server": {"drain_seconds": 5}}) as p3d:
        p3d.n = 0
        ann = p3d.register("ann")
        gate = Gate(p3d)
        job_id = ann.submit("echo x; %s; %s" % (gate.wait, GLB))
        until(lambda: logs(ann, job_id).status_code == 200)
        f = Follower(ann, job_id)
        f.sees(b"x\n")
        p3d.kill("serve-1", 15)
        assert f.end(10) == b"x\n"
        gate.open()


def test_retention_removes_logs_and_results():
    """What is over the limit goes with its files, whoever of the processes happens to keep house."""
    with P3D(models={"obey": {"script": OBEY}}, workers=2, config={"retention": {"max_jobs": 3}}) as p3d:
        ann = p3d.register("ann")
        ids = [ann.submit("echo %d; %s" % (n, GLB)) for n in range(20)]
        for job_id in ids:
            until(lambda: ann.get("/api/v1/jobs/" + job_id).json().get("status") in (None, "completed"))
        jobs = os.path.join(p3d.data, "jobs")
        left = until(lambda: (lambda names: names if len(names) == 3 else None)(
            [name for name in os.listdir(jobs) if name.startswith("job_")]), 20, "three jobs' files")
        for job_id in left:
            assert logs(ann, job_id).status_code == 200 and ann.download(job_id).status_code == 200
        for job_id in set(ids) - set(left):
            assert logs(ann, job_id).status_code == 404 and ann.download(job_id).status_code == 404
        assert "purge_failed" not in p3d.log()
