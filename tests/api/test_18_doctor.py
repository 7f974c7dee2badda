# SPDX-License-Identifier: MIT
"""`p3d doctor` on a real P3D: clean when idle and under load, what is broken by hand is named with exit status 1, repaired
with --repair while everything goes on, and the jobs that were broken run, once."""
import json
import os
import signal
import subprocess
import threading

import pytest

import shapes
from p3d_test import BINARY, FAILING, GATED, P3D, TINY, until
from private_redis import PrivateRedis
from test_17_operator import run

MODELS = {"tiny": TINY, "failing": FAILING, "gated": {"script": GATED, "max_workers": 1}}
W = "p3d:{0}:"


@pytest.fixture(scope="module")
def p3d():
    with P3D(MODELS, workers=2, default="tiny") as server:
        yield server


@pytest.fixture
def ann(p3d):
    return p3d.register(shapes.unique("ann"))


@pytest.fixture
def gate(p3d):
    p3d.close_gate()
    yield p3d
    p3d.open_gate()


def doctor(p3d, *words, status=0, config=True):
    place = ("--config", p3d.config, "--data-dir", p3d.data) if config else ()
    out = p3d.cli("doctor", *words, *place, stdin=subprocess.DEVNULL)
    assert out.returncode == status, (words, out.returncode, out.stdout, out.stderr)
    assert "Sanitizer" not in out.stderr and "runtime error" not in out.stderr, out.stderr
    return out.stdout


def told(p3d, *words, **kw):
    out = json.loads(doctor(p3d, "--json", *words, **kw))
    assert sorted(out) == ["complete", "found", "jobs", "keys", "notes", "problems", "repaired"]
    assert out["complete"] is True and all(sorted(x) == ["detail", "repaired", "what", "where"] for x in out["problems"])
    return out


def ulid(job):
    return job[5:]


def test_clean(p3d, ann):
    jobs = [ann.submit(str(i)) for i in range(5)] + [ann.submit(model_preference="failing")]
    for job in jobs:
        ann.wait(job)
    out = told(p3d)
    assert out["problems"] == [] and out["found"] == out["repaired"] == 0
    assert out["jobs"] >= 6 and out["keys"] > out["jobs"]
    text = doctor(p3d)
    assert text.splitlines()[-1].endswith(" 0 problems, 0 repaired")
    notes = "\n".join(out["notes"])
    assert "append-only file, appendfsync everysec, maxmemory-policy noeviction, schema 3" in notes
    assert "workers: 2 idle, 0 with a job" in notes and "housekeeping" not in notes and "artifact store" not in notes
    assert doctor(p3d, "--repair").splitlines()[-1] == text.splitlines()[-1]
    assert not [e for e in audit(p3d) if e["action"] == "repaired"], "nothing was"


def audit(p3d):
    return json.loads(run(p3d, "audit", "--limit", "100", "--json").stdout)["entries"]


def test_clean_under_load(p3d, ann):
    """Jobs come, run, fail, are cancelled and deleted all the time."""
    over, made = threading.Event(), []

    def load(client, i):
        while not over.is_set():
            job = client.submit(model_preference="failing" if len(made) % 5 == 0 else "tiny")
            made.append(job)
            if len(made) % 3 == 0:
                client.post("/api/v1/jobs/%s/cancel" % job)
            if len(made) % 7 == 0:
                client.delete("/api/v1/jobs/%s" % made[max(0, len(made) - 20)])
            until(lambda: over.is_set() or client.job(job)["status"] != "queued", what="its turn")

    threads = [threading.Thread(target=load, args=(p3d.register(shapes.unique("load")), i)) for i in range(4)]
    for t in threads:
        t.start()
    try:
        until(lambda: len(made) > 20)
        before = len(made)
        for _ in range(8):
            assert told(p3d)["problems"] == []
            assert told(p3d, "--repair")["problems"] == []
        assert len(made) > before
    finally:
        over.set()
        for t in threads:
            t.join()
    assert told(p3d)["problems"] == []


def test_broken_named_repaired_and_run(gate, ann):
    p3d, r = gate, gate.redis()
    owner, kind = ann.user["user_id"], "mesh_generation/gated"
    running = ann.submit(model_preference="gated")
    until(lambda: running in p3d.ran(), what="the attempt")
    lost, odd, sane = (ann.submit(model_preference="gated") for _ in range(3))
    done = ann.submit()
    ann.wait(done)
    r.zrem(W + "q:%s:%s" % (kind, owner), ulid(lost))                # in no queue
    r.zadd(W + "i", {ulid(odd): 1})                                  # the index lies
    r.zadd(W + "leases", {"01ARZ3NDEKTSV4RRFFQ6999999": 1e15})       # nothing
    r.zrem(W + "ended", ulid(done))
    r.incrby(W + "bytes", 1000)
    r.zrem(W + "ready:" + kind, owner)
    want = {("nowhere", lost), ("index_wrong", odd), ("nothing", "leases"), ("ended_missing", done), ("bytes", "bytes"),
            ("unready", "q:%s:%s" % (kind, owner))}
    text = doctor(p3d, status=1)
    assert lost + ": queued, but in no queue\n" in text, text
    assert "bytes: is not the sum of all files, which is more by -1000\n" in text, text
    assert text.splitlines()[-1].endswith(", 6 problems, 0 repaired")
    out = told(p3d, status=1)
    assert {(x["what"], x["where"]) for x in out["problems"]} == want and out["found"] == 6
    text = doctor(p3d, "--repair")
    assert lost + ": queued, but in no queue — put back\n" in text, text
    assert text.splitlines()[-1].endswith(" repaired") and " left as it is" not in text
    assert told(p3d)["problems"] == []
    entry = audit(p3d)[0]
    assert (entry["action"], entry["actor"], entry["address"]) == ("repaired", "operator", "local")
    assert entry["detail"] in text.splitlines()[-1] or entry["detail"].split()[0] in text.splitlines()[-1]
    p3d.open_gate()
    for job in (running, lost, odd, sane):
        assert ann.wait(job)["status"] == "completed"
    assert [p3d.ran().count(job) for job in (running, lost, odd, sane)] == [1, 1, 1, 1], "once"
    assert told(p3d)["problems"] == []


def test_a_lost_lease(gate, ann):
    """The worker still works on it: it gets its lease back and ends the job; nobody runs it a second time."""
    p3d, r = gate, gate.redis()
    job = ann.submit(model_preference="gated")
    until(lambda: job in p3d.ran(), what="the attempt")
    r.execute_command("EVAL", "redis.call('ZREM', KEYS[1], ARGV[1])", 1, W + "leases", ulid(job))
    found = told(p3d, "--repair")["problems"]
    assert found in ([], [{"what": "leases_missing", "where": job, "detail": "", "repaired": True}]), found
    p3d.open_gate()
    assert ann.wait(job)["status"] == "completed" and p3d.ran().count(job) == 1


def test_nobody_is_woken():
    """No token and no worker: it stays so, and is said; with --repair the token is there."""
    with P3D(MODELS, workers=0, default="tiny") as p3d:
        ann, r = p3d.register("ann"), p3d.redis()
        ann.submit()
        wake = W + "wake:mesh_generation/tiny"
        assert r.llen(wake) == 1
        assert told(p3d)["problems"] == []
        r.delete(wake)
        out = told(p3d, status=1)
        assert [(x["what"], x["where"]) for x in out["problems"]] == [("wake", "ready:mesh_generation/tiny")]
        assert r.llen(wake) == 0
        assert told(p3d, "--repair")["repaired"] == 1 and r.llen(wake) == 1
        # Away for a moment, as between a worker's token and its claim: not a problem.
        r.delete(wake)
        r.config_resetstat()
        call = subprocess.Popen([BINARY, "doctor", "--json", "--config", p3d.config, "--data-dir", p3d.data], text=True,
                                env=p3d.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        until(lambda: "cmdstat_llen" in r.info("commandstats"), what="the first look")
        r.rpush(wake, "1")
        out, err = call.communicate(timeout=60)
        assert (call.returncode, json.loads(out)["problems"], err) == (0, [], "")


def test_beyond_repair(p3d, ann):
    """A record that cannot be read is told and stays; what it says reaches no terminal."""
    r = p3d.redis()
    r.set(W + "job:01ARZ3NDEKTSV4RRFFQ69G5FA\x1b", "3 \x1b[2J")
    try:
        for words in ([], ["--repair"]):
            text = doctor(p3d, *words, status=1)
            assert "job_001ARZ3NDEKTSV4RRFFQ69G5FA?: its record cannot be read" in text and "\x1b" not in text
        assert ("left as it is" in text) and r.get(W + "job:01ARZ3NDEKTSV4RRFFQ69G5FA\x1b") == b"3 \x1b[2J"
        assert told(p3d, status=1)["found"] == 1
    finally:
        r.delete(W + "job:01ARZ3NDEKTSV4RRFFQ69G5FA\x1b")


def test_very_much_is_wrong(p3d, ann):
    r = p3d.redis()
    now = r.time()[0] * 1000  # not what retention would look at next
    r.zadd(W + "ended", {"01X%06d" % i: now for i in range(2500)})
    out = told(p3d, status=1)
    assert out["found"] == 2500 and len(out["problems"]) == 1000
    lines = doctor(p3d, "--repair").splitlines()
    assert "… and 1500 more" in lines and lines[-1].endswith(" 2500 problems, 2500 repaired")
    assert told(p3d)["problems"] == []


def test_where_nothing_runs():
    """The embedded Redis is started for the call, and taken down."""
    with P3D(MODELS, default="tiny") as p3d:
        ann = p3d.register("ann")
        ann.wait(ann.submit())
        assert p3d.stop() == 0
        out = told(p3d)
        assert out["problems"] == [] and out["jobs"] == 1
        assert any(note.startswith("workers: ") for note in out["notes"])
        assert not p3d.processes()
        # The folder of results is another one.
        root = os.path.join(p3d.data, "jobs")
        os.rename(os.path.join(root, ".store-id"), os.path.join(root, ".kept"))
        notes = told(p3d)["notes"]
        assert "there is no artifact store at %s, and this Redis knows one" % root in notes, notes
        assert not os.path.exists(os.path.join(root, ".store-id")), "looking makes nothing"
        with open(os.path.join(root, ".store-id"), "w") as f:
            f.write("0" * 32 + "\n")
        assert "the artifact store %s is not the one that this Redis knows" % root in told(p3d)["notes"]
        with open(os.path.join(root, ".store-id"), "w") as f:
            f.write("x")
        assert any("does not hold 32 hexadecimal digits" in note for note in told(p3d)["notes"])
        os.replace(os.path.join(root, ".kept"), os.path.join(root, ".store-id"))
        p3d.start()


def test_a_redis_of_its_own():
    external = PrivateRedis()
    try:
        r = external.client()
        with P3D(MODELS, {"redis": {"url": external.url}}, start=False) as p3d:
            out = told(p3d)
            assert out["problems"] == [] and r.dbsize() == 0, "looking writes nothing"
            notes = "\n".join(out["notes"])
            assert "the housekeeping has never run" in notes and "nothing is here yet" in notes
            r.hset(W + "reaper", "last", r.time()[0] * 1000 - 3 * 3600 * 1000)
            r.config_set("maxmemory-policy", "allkeys-lru")
            r.config_set("appendonly", "no")
            notes = "\n".join(told(p3d)["notes"])
            assert "the housekeeping last ran 3 h ago: is a server or a worker running?" in notes
            assert "may throw jobs away" in notes and "set appendonly yes" in notes
            r.config_set("maxmemory-policy", "noeviction")
            r.set("p3d:{a}:schema", 2)
            r.zadd(W + "ended", {"01X": 1})
            out = run(p3d, "doctor", "--repair", status=1)
            assert out.stderr == "the data in Redis has schema 2, this program works with 3\n"
            assert r.zcard(W + "ended") == 1, "what is not understood is not repaired"
    finally:
        external.close()


def test_exit_statuses():
    with P3D(MODELS, start=False) as p3d:
        out = p3d.cli("doctor", "--redis-url", "redis://me:hush@127.0.0.1:1/0", "--config", p3d.config)
        assert (out.returncode, out.stdout) == (3, "") and "hush" not in out.stderr
        out = p3d.cli("doctor", "--rapair")
        assert (out.returncode, out.stdout) == (2, "")
        out = p3d.cli("doctor", "--help")
        assert out.returncode == 0 and "--repair" in out.stdout


def test_stopped(p3d):
    """Ctrl-C, here before the first page: what was found is said, and that it is not all."""
    def interrupted():
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        os.kill(os.getpid(), signal.SIGINT)  # waits, also behind exec

    call = subprocess.run([BINARY, "doctor", "--json", "--config", p3d.config, "--data-dir", p3d.data], text=True,
                          env=p3d.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60,
                          preexec_fn=interrupted)
    assert (call.returncode, call.stderr) == (1, "Stopped.\n")
    assert json.loads(call.stdout)["complete"] is False
