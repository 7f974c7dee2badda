# SPDX-License-Identifier: MIT
"""The scripts by themselves, on a real Redis: Queue wraps each one with its arguments by name."""
import itertools
import os
import re
import sys

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
from private_redis import PrivateRedis  # noqa: E402

LUA = os.path.join(ROOT, "core", "store", "lua")
KIND, OTHER = "mesh_generation/lettering", "mesh_generation/other"
STATES = ["queued", "processing", "completed", "failed", "cancelled"]


def text(x):
    if isinstance(x, bytes):
        return x.decode()
    return [text(y) for y in x] if isinstance(x, list) else x


class Record:
    """The fixed head of a job record, by the layout of docs/redis-schema.md."""
    FIELDS = [("version", 1), ("state", 1), ("priority", 1), ("kind", 3), ("attempt", 3), ("max_attempts", 3),
              ("losses", 3), ("confirmed", 1), ("cancel", 1), ("progress", 5), ("rev", 10), ("fence", 15),
              ("nonce", 16), ("created", 15), ("started", 15), ("ended", 15), ("owner", 21), ("spec_len", 8),
              ("detail_len", 8), ("cost", 9), ("token", 10),
              ("files", 15), ("expires", 15)]

    def __init__(self, raw):
        at = 0
        for name, width in self.FIELDS:
            value = raw[at:at + width]
            setattr(self, name, value.strip() if name in ("nonce", "owner") else int(value))
            at += width
        self.state = STATES[self.state]
        self.spec = raw[at:at + self.spec_len]
        self.detail = raw[at + self.spec_len:at + self.spec_len + self.detail_len]
        self.fence = str(self.fence)


class Queue:
    def __init__(self, client):
        self.r = client
        self.scripts = {}
        read = lambda name: open(os.path.join(LUA, name + ".lua")).read()
        rows = re.findall(r"^P3D_SCRIPT\((\w+), ([\w ]+)\)", open(os.path.join(LUA, "..", "scripts.def")).read(), re.M)
        self.family = {name: {"directory": "a", "work": "0"}[preludes.split()[0]] for name, preludes in rows}
        for name, preludes in rows:
            self.scripts[name] = client.register_script("".join(map(read, ["common", *preludes.split(), name])))
        self.serial = itertools.count()

    def run(self, name, *args):
        return text(self.scripts[name](keys=["p3d:{%s}:" % self.family[name]], args=args))

    # -- accounts
    def user(self, name="ann", role="user", token=None):
        uid = "user_%016x" % next(self.serial)
        token = token or "5ad" + name
        out = self.run("user_add", uid, name, name + "@example.com", "hash", role, "1", "", "192.0.2.1")
        if out[0] != "ok":
            return out[0], None
        assert self.run("account_apply", *out[1:13], "", "1", *self.token(token, out[13], login=10)) == ["ok"]
        assert self.run("outbox", "done", uid, out[12]) == ["ok"]
        return uid, ("t", token, "0", "0")

    def token(self, sha, number, scopes=0, login=0, expires=0, prefix="p3d_0AbCdEfG"):
        """As put_token wants it."""
        return sha, prefix, "t", expires, number, scopes, login

    def change(self, uid, *pairs, actor="operator"):
        out = self.run("user_change", uid, actor, "local", *pairs)
        if out[0] == "ok":
            assert self.run("account_apply", *out[1:13], "", "0") == ["ok"]
            self.run("outbox", "done", uid, out[12])
        return out

    # -- jobs
    OPEN = ("o", "", "0", "0")

    def new(self, kind=KIND, priority=5, attempts=3, run_at=0, expires=0, spec='{"a":1}'):
        """As add_job wants it."""
        return "01ARZ3NDEKTSV4RRFFQ6%06d" % next(self.serial), kind, priority, attempts, run_at, expires, spec

    def submit(self, who=OPEN, queued=-1, key="", body="", **job):
        return self.run("submit", *who, queued, key, body, *self.new(**job))

    def batch(self, jobs, who=OPEN, queued=-1, key="", body=""):
        return self.run("submit", *who, queued, key, body, *[x for job in jobs for x in job])

    def now(self):
        seconds, micros = self.r.time()
        return seconds * 1000 + micros // 1000

    def job(self, ulid, who=OPEN):
        out = self.run("job_get", *who, ulid)
        return Record(out[3]) if out[0] == "ok" else out[0]

    def claim_args(self, worker="w1", nonce=None, lease=30000, kinds=((KIND, -1),), running=-1):
        nonce = nonce or "%016x" % (next(self.serial) + 1)
        return [worker, nonce, lease, running, len(kinds), *[x for pair in kinds for x in pair]]

    def claim(self, *args, **kw):
        out = self.run("claim", *self.claim_args(*args, **kw))
        return (out[1], Record(out[2])) if out[0] == "ok" else (None, out[0])

    def lease(self, ulid, record):
        return ulid, record.fence, record.nonce

    def expire_leases(self):
        for ulid in self.r.zrange("p3d:{0}:leases", 0, -1):
            self.r.zadd("p3d:{0}:leases", {ulid: 1})

    def reap(self, lease=30000, grace=False, age=-1, jobs=-1, size=-1):
        self.r.delete("p3d:{0}:reap")
        if not grace:
            now = self.now()
            self.r.hset("p3d:{0}:reaper", mapping={"last": now, "grace": 0})
        return self.run("reap", lease, age, jobs, size)

    def zset(self, key):
        return {name.decode(): score for name, score in self.r.zrange(key, 0, -1, withscores=True)}

    def tails(self, prefix):
        return {key.decode()[len(prefix):] for key in self.r.scan_iter(prefix + "*", count=1000)}

    def places(self):
        """The invariants of docs/redis-schema.md, on everything there is. Returns ulid -> state."""
        W = "p3d:{0}:"
        ulids = sorted(self.tails(W + "job:"))
        records = {u: Record(raw.decode()) for u, raw in zip(ulids, self.r.mget([W + "job:" + u for u in ulids]) if ulids else [])}
        kinds = {int(k[1:]): v.decode() for k, v in self.r.hgetall(W + "kinds").items() if k[:1] == b"#" and len(k) > 1}
        leases, scheduled, ended, deadlines, purge = (self.zset(W + n) for n in ("leases", "scheduled", "ended", "deadlines", "purge"))
        index = self.zset(W + "i")
        of_owner = {o: self.zset(W + "i:" + o) for o in self.tails(W + "i:")}
        queues = {q: self.zset(W + "q:" + q) for q in self.tails(W + "q:")}
        ready = {k: self.zset(W + "ready:" + k) for k in self.tails(W + "ready:")}
        parked = {o: {k.decode() for k in self.r.smembers(W + "parked:" + o)} for o in self.tails(W + "parked:")}
        owners_parked = {o.decode() for o in self.r.smembers(W + "parked")}
        for ulid, rec in records.items():
            queue = kinds[rec.kind] + ":" + rec.owner
            queued = ulid in queues.get(queue, {})
            place = queued + (ulid in leases) + (ulid in scheduled)
            assert place == (rec.state in ("queued", "processing")), (ulid, rec.state, place)
            assert (ulid in leases) == (rec.state == "processing")
            score = (STATES.index(rec.state) * 512 + rec.kind) * 2 ** 41 + rec.created - 1577836800000
            assert index[ulid] == score and of_owner[rec.owner][ulid] == score, ulid
            assert (ulid in ended) == (rec.state in ("completed", "failed", "cancelled")), (ulid, rec.state)
            assert (ulid in deadlines) == (rec.state == "queued" and rec.expires > 0 and rec.attempt == 0), ulid
        for name, found in [("i", index), ("leases", leases), ("scheduled", scheduled), ("ended", ended),
                            ("deadlines", deadlines), *of_owner.items(), *queues.items()]:
            assert set(found) <= set(records), "%s points to nothing" % name
        for queue in queues:
            kind, owner = queue.rsplit(":", 1)
            is_ready, is_parked = owner in ready.get(kind, {}), kind in parked.get(owner, set())
            assert is_ready != is_parked, (queue, is_ready, is_parked)
        assert set(parked) <= owners_parked
        for kind in ready:
            assert self.r.llen(W + "wake:" + kind) == 1, "nobody is woken for " + kind
        assert self.tails(W + "gone:") == set(purge)
        assert set(self.zset(W + "large")) == {u for u, rec in records.items() if rec.state == "completed" and rec.files}
        assert int(self.r.get(W + "bytes") or 0) == sum(rec.files for rec in records.values() if rec.state == "completed")
        return {ulid: rec.state for ulid, rec in records.items()}


@pytest.fixture(scope="session")
def server():
    with PrivateRedis() as redis_server:
        yield redis_server


@pytest.fixture
def q(server):
    client = server.client()
    client.flushall()
    return Queue(client)
