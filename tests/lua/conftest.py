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
KIND = "mesh_generation/lettering"
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
              ("detail_len", 8), ("cost", 9), ("token", 10)]

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

    def submit(self, who=OPEN, kind=KIND, priority=5, attempts=3, queued=-1, spec='{"a":1}', key="", body=""):
        ulid = "01ARZ3NDEKTSV4RRFFQ6%06d" % next(self.serial)
        return self.run("submit", *who, ulid, kind, priority, attempts, queued, spec, key, body)

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

    def reap(self, lease=30000, grace=False):
        self.r.delete("p3d:{0}:reap")
        if not grace:
            now = int(self.r.time()[0] * 1000)
            self.r.hset("p3d:{0}:reaper", mapping={"last": now, "grace": 0})
        return self.run("reap", lease)

    def places(self):
        """Every job is in exactly one place; the indexes agree with the records. Returns ulid -> state."""
        found = {}
        for key in self.r.scan_iter("p3d:{0}:job:*"):
            ulid = key.decode().rsplit(":", 1)[1]
            rec = Record(self.r.get(key).decode())
            kind = self.r.hget("p3d:{0}:kinds", "#%d" % rec.kind).decode()
            queued = self.r.zscore("p3d:{0}:q:%s:%s" % (kind, rec.owner), ulid) is not None
            leased = self.r.zscore("p3d:{0}:leases", ulid) is not None
            scheduled = self.r.zscore("p3d:{0}:scheduled", ulid) is not None
            want = {"queued": 1, "processing": 1}.get(rec.state, 0)
            assert queued + leased + scheduled == want, (ulid, rec.state, queued, leased, scheduled)
            assert leased == (rec.state == "processing")
            score = (STATES.index(rec.state) * 512 + rec.kind) * 2 ** 41 + rec.created - 1577836800000
            for index in ("p3d:{0}:i", "p3d:{0}:i:" + rec.owner):
                assert self.r.zscore(index, ulid) == score, (index, ulid)
            if queued:
                ready = self.r.zscore("p3d:{0}:ready:" + kind, rec.owner) is not None
                parked = self.r.sismember("p3d:{0}:parked:" + rec.owner, kind)
                assert ready != parked, (ulid, ready, parked)
                assert self.r.sismember("p3d:{0}:parked", rec.owner) or not parked
                assert self.r.llen("p3d:{0}:wake:" + kind) == 1 or not ready
            found[ulid] = rec.state
        return found


@pytest.fixture(scope="session")
def server():
    redis_server = PrivateRedis()
    yield redis_server
    redis_server.close()


@pytest.fixture
def q(server):
    client = server.client()
    client.flushall()
    return Queue(client)
