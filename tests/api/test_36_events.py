# SPDX-License-Identifier: MIT
"""Event streams: nothing is lost, nothing comes twice or goes back, and nobody hears what is not theirs."""
import concurrent.futures
import os
import signal
import socket
import time

import pytest

import shapes
from p3d_test import FAILING, GATED, P3D, TINY, alive, until
from raw_http import Raw
from sse import Stream, gather

JOBS = "/api/v1/system/jobs/"
FINAL = ("completed", "failed", "cancelled")


@pytest.fixture(scope="module")
def own():
    """A server of this file: its process is measured."""
    models = {"tiny": TINY, "failing": FAILING, "gated": {"script": GATED, "max_workers": 1}}
    with P3D(models=models, default="tiny", workers=2,
             environment={"P3D_SERVER__MAX_CONNECTIONS": "4000"}) as server:
        server.boss = server.admin()
        yield server


def serve_pid(p3d):
    return next(pid for name, pid in p3d.pids().items() if name.startswith("serve"))


def rss(pid):
    with open("/proc/%d/status" % pid) as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))


def fds(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


def revisions(stream, job_id=None):
    """Of one job; checks the ids of a stream of all when job_id is given."""
    found = []
    for event_id, name, job in stream.events:
        assert name == "job"
        if job_id is not None:
            assert event_id.split(":")[0] == job["job_id"]
            if job["job_id"] != job_id:
                continue
        found.append(int(event_id.split(":")[-1]))
    return found


def grows(numbers):
    return all(a < b for a, b in zip(numbers, numbers[1:]))


@pytest.fixture
def gate(own):
    """Closed; at the end it is open again and nothing waits behind it."""
    own.close_gate()
    yield own
    own.empty_gate(own.boss)


def test_one_job_from_queued_to_completed(own, gate):
    ann = own.register(shapes.unique("ann"))
    job_id = ann.submit("x", model_preference="gated")
    ann.wait(job_id, ("processing",))
    for path in (JOBS + job_id + "/events", "/api/v1/jobs/" + job_id + "/events", JOBS + "events", "/api/v1/jobs/events"):
        with Raw(own.base) as raw:
            head = raw.request("HEAD", path, Authorization="Bearer " + ann.token).response(True)
            assert head.status == 200 and head.headers["content-type"] == "text/event-stream"
            assert raw.request("GET", "/health").response().status == 200
    s = Stream(ann, JOBS + job_id + "/events").until(lambda x: x.events)
    assert s.status == 200 and s.headers["content-type"] == "text/event-stream"
    assert s.headers["cache-control"] == "no-store" and s.headers["x-accel-buffering"] == "no"
    assert s.events[0][2]["status"] == "processing"
    own.open_gate()
    events = s.end()
    assert s.whole and events[-1][2]["status"] == "completed"
    assert grows(revisions(s))
    shapes.job(events[-1][2])
    now = ann.job(job_id)
    assert {k: v for k, v in events[-1][2].items() if "url" not in k and k != "result"} == \
        {k: v for k, v in now.items() if "url" not in k and k != "result"}
    assert ann.call("GET", events[-1][2]["mesh_url"].replace(own.base, "")).status_code == 200
    s.close()

    last = events[-1][0]
    again = Stream(ann, JOBS + job_id + "/events", last_id=last).until(lambda x: x.status)
    assert again.status == 204
    for other in (int(last) - 1, int(last) + 1, "nonsense", ""):
        old = Stream(ann, JOBS + job_id + "/events", last_id=other)
        assert [e[0] for e in old.end()] == [last]


def test_who_may_not(own):
    ann, bob = own.register(shapes.unique("ann")), own.register(shapes.unique("bob"))
    job_id = ann.submit("x")
    shapes.error(bob.get(JOBS + job_id + "/events"), 403, shapes.NOT_YOURS)
    shapes.error(own.client().get(JOBS + job_id + "/events"), 401, shapes.NO_TOKEN)
    shapes.error(own.client().get(JOBS + "events"), 401, shapes.NO_TOKEN)
    shapes.error(own.client("nonsense").get(JOBS + "events"), 401, shapes.BAD_TOKEN)
    shapes.error(ann.get(JOBS + shapes.ABSENT_JOB + "/events"), 404, shapes.NO_JOB)
    shapes.error(ann.get(JOBS + "nonsense/events"), 404, shapes.NO_JOB)
    assert [e[2]["job_id"] for e in Stream(own.boss, JOBS + job_id + "/events").end()][-1] == job_id


def test_200_jobs_while_they_run(own):
    """Each has a stream of its own from the start, and one stream sees them all."""
    ann = own.register(shapes.unique("many"))
    every = Stream(ann, JOBS + "events").until(lambda x: x.status)
    assert every.status == 200
    streams = {}
    for i in range(200):
        job_id = ann.submit("job %d" % i, model_preference="failing" if i % 10 == 0 else "tiny")
        streams[job_id] = Stream(ann, JOBS + job_id + "/events")

    def final(x):
        return {e[2]["job_id"] for e in x.events if e[2]["status"] in FINAL}
    gather(list(streams.values()) + [every], lambda: all(s.over for s in streams.values()) and
           final(every) == set(streams), 120, "200 ends")
    total = 0
    for i, (job_id, s) in enumerate(streams.items()):
        assert grows(revisions(s)), s.events
        assert s.events[-1][2]["status"] == ("failed" if i % 10 == 0 else "completed")
        assert {e[2]["job_id"] for e in s.events} == {job_id}
        assert grows(revisions(every, job_id)), revisions(every, job_id)
        assert revisions(every, job_id)[-1] == revisions(s)[-1]
        total += len(s.events)
        s.close()
    print("200 jobs: %d events on their own streams, %d on that of all" % (total, len(every.events)))
    assert not every.over
    every.close()


def test_snapshot_of_all(own, gate):
    """The unfinished ones and the newest 100 finished ones; an administrator has everybody's, others their own."""
    ann, bob = own.register(shapes.unique("snap")), own.register(shapes.unique("snap"))
    bodies = [{"feature": "mesh_generation", "model": "tiny", "inputs": {"prompt": "x"}}] * 120
    made = [j["job_id"] for j in ann.ok("POST", "/api/v1/jobs/batch", {"jobs": bodies}, status=202)["jobs"]]
    until(lambda: ann.ok("GET", JOBS + "history?status=completed&limit=1")["pagination"]["total"] == 120, 120)
    waiting = [ann.submit("g", model_preference="gated") for _ in range(60)]
    theirs = bob.submit("bob's")
    bob.wait(theirs)
    s = Stream(ann, JOBS + "events").until(lambda x: len(x.events) >= 160)
    seen = [e[2]["job_id"] for e in s.events]
    assert set(waiting) <= set(seen) and len(set(seen)) == 160
    assert set(seen) - set(waiting) == set(made[20:])
    everybody = Stream(own.boss, JOBS + "events").until(lambda x: theirs in [e[2]["job_id"] for e in x.events])
    assert set(waiting) <= {e[2]["job_id"] for e in everybody.events}
    cancelled = ann.ok("POST", JOBS + waiting[-1] + "/cancel")
    assert cancelled["status"] == "cancelled"
    for stream in (s, everybody):
        stream.until(lambda x: any(e[2]["job_id"] == waiting[-1] and e[2]["status"] == "cancelled" for e in x.events))
        stream.close()
    assert theirs not in [e[2]["job_id"] for e in s.events]
    for job_id in waiting:
        ann.post(JOBS + job_id + "/cancel")


def test_reconnect_loses_nothing(own, gate):
    """A client that comes and goes: the newest revision is never older than what happened before it connected."""
    ann = own.register(shapes.unique("flaky"))
    job_id, last, statuses = ann.submit("x", model_preference="gated"), None, []
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        later = None
        for i in range(30):
            s = Stream(ann, JOBS + job_id + "/events", last_id=last).until(lambda x: x.events or x.over)
            if s.status == 204:
                break
            numbers = revisions(s)
            assert grows(numbers) and (last is None or numbers[0] >= int(last))
            last = s.events[-1][0]
            statuses.append(s.events[-1][2]["status"])
            s.close()
            if i == 10:
                later = pool.submit(own.open_gate)
            if i > 10 and statuses[-1] != "completed":
                ann.wait(job_id)
        later.result()
    assert s.status == 204 and statuses[-1] == "completed"


def ends_within(streams, seconds):
    began = time.monotonic()
    gather(streams, lambda: all(s.over for s in streams), seconds, "the end of what may not go on")
    return time.monotonic() - began


@pytest.mark.parametrize("how", ["token", "suspended", "deleted", "logout"])
def test_credential_ends(own, gate, how):
    ann = own.register(shapes.unique("ends"))
    minted = ann.ok("POST", "/api/v1/users/tokens", {"token_name": "x"})
    text = minted["token"]
    limited = own.client(text)
    job_id = ann.submit("x", model_preference="gated")
    ann.wait(job_id, ("processing", "queued"))
    paths = [JOBS + job_id + "/events", JOBS + "events"]
    streams = [Stream(limited, path) for path in paths]
    admins = [Stream(own.boss, path) for path in paths]
    waits = Raw(own.base).request("GET", JOBS + job_id + "?wait=60", Authorization="Bearer " + text)
    gather(streams + admins, lambda: all(s.events for s in streams + admins))
    user_id = ann.user["user_id"]
    if how == "token":
        assert ann.delete("/api/v1/users/tokens/" + text).status_code == 200
    elif how == "suspended":
        assert own.boss.delete("/api/users/" + user_id).status_code == 204
    elif how == "deleted":
        assert own.boss.delete("/api/v1/users/admin/users/" + user_id).status_code == 200
    else:
        assert limited.post("/api/v1/users/logout").status_code == 200
    took = ends_within(streams, 10)
    print("%s: ended after %.3f s" % (how, took))
    assert took < 3
    assert waits.response().status in (401, 404)
    assert not admins[1].over
    for s in streams + admins:
        s.close()


def test_deleted_job_ends_its_streams(own, gate):
    ann = own.register(shapes.unique("gone"))
    blocker = ann.submit("first", model_preference="gated")
    ann.wait(blocker, ("processing",))
    job_id = ann.submit("x", model_preference="gated")
    s = Stream(ann, JOBS + job_id + "/events").until(lambda x: x.events)
    assert ann.delete(JOBS + job_id).status_code == 200
    assert ends_within([s], 10) < 3


def test_heartbeat(own, gate):
    ann = own.register(shapes.unique("beat"))
    job_id = ann.submit("x", model_preference="gated")
    streams = [Stream(ann, JOBS + job_id + "/events"), Stream(ann, JOBS + "events")]
    began = time.monotonic()
    gather(streams, lambda: all(s.comments for s in streams), 25, "a comment")
    assert 13 < time.monotonic() - began
    assert not any(s.over for s in streams)
    own.open_gate()
    assert streams[0].end()[-1][2]["status"] == "completed"
    for s in streams:
        s.close()


def test_1000_idle_streams(own, gate):
    """Their memory, that all hear one event, and that all is freed when they go."""
    ann = own.register(shapes.unique("crowd"))
    job_id = ann.submit("x", model_preference="gated")
    ann.wait(job_id, ("processing",))
    pid, n = serve_pid(own), 1000
    before, open_before = rss(pid), fds(pid)
    streams = []
    for _ in range(n // 50):
        batch = [Stream(ann, JOBS + job_id + "/events") for _ in range(50)]
        gather(batch, lambda: all(s.events for s in batch))
        streams += batch
    during = rss(pid)
    print("%d idle streams: %.1f KB of RSS each (sanitizers included)" % (n, (during - before) / n))
    assert fds(pid) >= open_before + n
    began = time.monotonic()
    assert ann.post(JOBS + job_id + "/cancel").status_code == 200
    gather(streams, lambda: all(s.over for s in streams), 60)
    print("a change reaches the last of them after %.2f s" % (max(s.arrived[-1] for s in streams) - began))
    assert {s.events[-1][2]["status"] for s in streams} == {"cancelled"}
    for s in streams:
        assert grows(revisions(s))
        s.close()
    own.open_gate()
    until(lambda: fds(pid) <= open_before + 5, 30, "closed connections")
    for _ in range(3):  # who leaves in the middle is let go, too
        job_id = ann.submit("x", model_preference="tiny")
        ann.wait(job_id)
        batch = [Stream(ann, JOBS + "events") for _ in range(100)]
        gather(batch, lambda: all(s.events for s in batch))
        for i, s in enumerate(batch):
            if i % 2:
                s.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            s.close()
        until(lambda: fds(pid) <= open_before + 5, 30, "closed connections")


@pytest.mark.parametrize("behind", [b"\r\n", b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"])
def test_who_leaves_with_bytes_behind_is_let_go(own, behind):
    """Long before the next comment, whose writing would tell."""
    ann = own.register(shapes.unique("behind"))
    job_id = ann.submit("x", model_preference="tiny")
    ann.wait(job_id)
    pid, n = serve_pid(own), 20
    before = fds(pid)
    batch = [Stream(ann, JOBS + "events") for _ in range(n)]
    gather(batch, lambda: all(s.events for s in batch))
    assert fds(pid) >= before + n
    for s in batch:
        s.socket.sendall(behind)
    for s in batch:
        s.close()
    until(lambda: fds(pid) <= before + 3, 5, "closed connections")


def test_slow_reader_is_sent_away(own):
    """It reads nothing of the stream of all: it is cut."""
    ann = own.register(shapes.unique("slow"))
    slow = Stream(ann, JOBS + "events", receive_buffer=4096)
    bodies = [{"feature": "mesh_generation", "model": "tiny", "inputs": {"prompt": "x" * 2000},
               "metadata": {"pad": "y" * 16000}, "run_at": "2099-01-01T00:00:00Z"}] * 500
    until(lambda: server_holds(slow), what="its connection")
    for _ in range(6):
        ann.ok("POST", "/api/v1/jobs/batch", {"jobs": bodies}, status=202)
    until(lambda: not server_holds(slow), 60, "the end of a slow reader")
    slow.close()


def server_holds(stream):
    """The server's end of the connection is open, whatever the client has read."""
    ends = stream.socket.getpeername()[1], stream.socket.getsockname()[1]
    with open("/proc/net/tcp") as f:
        for line in list(f)[1:]:
            _, here, there, state = line.split()[:4]
            if tuple(int(end.split(":")[1], 16) for end in (here, there)) == ends:
                return state == "01"  # ESTABLISHED
    return False


def test_lost_subscriptions(own, gate):
    """What happens while nobody is subscribed is seen when somebody is again."""
    ann = own.register(shapes.unique("pause"))
    blocker = ann.submit("first", model_preference="gated")
    ann.wait(blocker, ("processing",))
    job_id = ann.submit("x", model_preference="gated")
    streams = [Stream(ann, JOBS + job_id + "/events"), Stream(ann, JOBS + "events")]
    gather(streams, lambda: all(s.events for s in streams))
    r = own.redis()
    for client in r.client_list(_type="pubsub"):
        r.client_kill_filter(_id=client["id"])
    assert ann.ok("POST", JOBS + job_id + "/cancel")["status"] == "cancelled"
    gather(streams, lambda: all(any(e[2]["status"] == "cancelled" for e in s.events) for s in streams), 30)
    assert grows(revisions(streams[0])) and grows(revisions(streams[1], job_id))
    streams[0].end()
    streams[1].close()


def test_redis_is_started_again():
    """Streams and waits of final jobs survive a Redis that goes and comes back."""
    with P3D(models={"gated": {"script": GATED, "max_workers": 1}}) as p3d:
        ann = p3d.register("ann")
        blocker = ann.submit("first")
        ann.wait(blocker, ("processing",))
        job_id = ann.submit("x")
        streams = [Stream(ann, JOBS + job_id + "/events"), Stream(ann, JOBS + "events")]
        gather(streams, lambda: all(s.events for s in streams))
        redis = p3d.redis()
        redis.bgrewriteaof()
        until(lambda: not redis.info("persistence")["aof_rewrite_in_progress"])
        p3d.kill("redis")
        until(lambda: ann.get(JOBS + job_id).status_code == 200, 30, "Redis again")
        assert ann.ok("POST", JOBS + job_id + "/cancel")["status"] == "cancelled"
        gather(streams, lambda: all(any(e[2]["status"] == "cancelled" for e in s.events) for s in streams), 30)
        assert grows(revisions(streams[0])) and grows(revisions(streams[1], job_id))
        streams[0].end()
        streams[1].close()
        p3d.open_gate()


def test_drain_ends_streams_with_a_spread():
    with P3D(models={"gated": GATED}, workers=1) as p3d:
        ann = p3d.register("ann")
        job_id = ann.submit("x")
        ann.wait(job_id, ("processing",))
        streams = [Stream(ann, JOBS + (job_id + "/events" if i % 2 else "events")) for i in range(60)]
        gather(streams, lambda: all(s.events for s in streams))
        wait = Raw(p3d.base).request("GET", JOBS + job_id + "?wait=60", Authorization="Bearer " + ann.token)
        p3d.hang_up()
        pid = serve_pid(p3d)
        began = time.monotonic()
        os.kill(pid, signal.SIGTERM)
        gather(streams, lambda: all(s.over for s in streams), 20)
        took = time.monotonic() - began
        assert wait.response().json()["status"] == "processing"
        assert took < 6, took
        retries = {s.retry for s in streams}
        assert None not in retries and len(retries) > 30 and all(1000 <= r < 7000 for r in retries)
        until(lambda: not alive(pid), 10, "the end of the process")
        print("drain: 60 streams ended after %.2f s, the process after %.2f s" % (took, time.monotonic() - began))
        p3d.open_gate()
        for s in streams:
            s.close()


def test_simple_mode_sees_all():
    with P3D(models={"tiny": TINY}, environment={"P3D_USER_AUTH_ENABLED": "false"}) as p3d:
        caller = p3d.client()
        every = Stream(caller, JOBS + "events").until(lambda x: x.status)
        job_id = caller.submit("x")
        assert Stream(caller, JOBS + job_id + "/events").end()[-1][2]["status"] == "completed"
        every.until(lambda x: any(e[2]["job_id"] == job_id and e[2]["status"] == "completed" for e in x.events))
        assert grows(revisions(every, job_id))
        every.close()
