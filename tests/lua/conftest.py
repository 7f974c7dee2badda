# SPDX-License-Identifier: MIT
"""The scripts by themselves, on a real Redis: Queue wraps each one with its arguments by name."""
import itertools
import os
import re
import sys

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
import queue_state  # noqa: E402
from private_redis import PrivateRedis  # noqa: E402
from queue_state import STATES, Record  # noqa: E402,F401

LUA = os.path.join(ROOT, "core", "store", "lua")
KIND, OTHER = "mesh_generation/lettering", "mesh_generation/other"


def text(x):
    if isinstance(x, bytes):
        return x.decode()
    return [text(y) for y in x] if isinstance(x, list) else x


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
        return queue_state.zset(self.r, key)

    def tails(self, prefix):
        return queue_state.tails(self.r, prefix)

    def places(self):
        """The invariants of docs/redis-schema.md, on everything there is. Returns ulid -> state."""
        return queue_state.places(self.r)


@pytest.fixture(scope="session")
def server():
    with PrivateRedis() as redis_server:
        yield redis_server


@pytest.fixture
def q(server):
    client = server.client()
    client.flushall()
    return Queue(client)
