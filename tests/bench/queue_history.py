# SPDX-License-Identifier: MIT
"""Part f of bench_queue.py: pages of a short and of a long history.

The jobs are written by a script that uses the server's own (queue.lua), so that records and indexes are as they always
are; everything about job i follows from i, so every page is checked against what it must be.
"""
import datetime
import json
import os
import statistics
import sys
import time

from common import ROOT, Connection, Request, host_of, rows_table
from p3d_test import P3D, TINY
from private_redis import PrivateRedis
from probe import RedisProbe

sys.path.insert(0, os.path.join(ROOT, "tests", "lua"))
from conftest import Queue  # noqa: E402

LUA = os.path.join(ROOT, "core", "store", "lua")
STATES = ["queued", "processing", "completed", "failed", "cancelled"]
MODELS = ["tiny", "other"]
STEP = 700  # ms between two jobs
# ARGV: owner, first, last, ms of job 0, ms between jobs, spec of each model
FILL = """
local owner, specs = ARGV[1], {ARGV[6], ARGV[7]}
for i = tonumber(ARGV[2]), tonumber(ARGV[3]) do
  local kind, at = i % 3 == 0 and 2 or 1, tonumber(ARGV[4]) + i * tonumber(ARGV[5])
  local state = i % 10 == 7 and FAILED or i % 10 == 8 and CANCELLED or COMPLETED
  local ulid, name = string.format('01ARZ3NDEKTSV4RRFF%08d', i), kind == 1 and 'mesh_generation/tiny' or 'mesh_generation/other'
  local j = {state = state, prio = 5, kind = kind_number(name), attempt = 1, max = 3, losses = 0, confirmed = 1, cancel = 0,
    progress = 10000, rev = 4, fence = at, nonce = string.rep('a', 16), created = at, started = at + 5, ended = at + 50,
    owner = owner, spec = #specs[kind], detail = 0, cost = 1000, token = 0, files = 0, expires = 0}
  call('SET', job_key(ulid), head_format(j) .. specs[kind])
  index(ulid, j)
  call('ZADD', P .. 'ended', num(j.ended), ulid)
end
return {'ok'}
"""


def state_of(i):
    return {7: "failed", 8: "cancelled"}.get(i % 10, "completed")


def model_of(i):
    return MODELS[i % 3 == 0]


class History:
    def __init__(self, redis, p3d, args):
        self.r, self.p3d, self.ann = redis.client(), p3d, p3d.register("ann")
        self.repeats = 3 if args.small else 40
        self.origin = (int(time.time()) - 20 * 86400) * 1000
        self.fill = self.r.register_script("".join(
            open(os.path.join(LUA, name + ".lua")).read() for name in ("common", "work", "queue")) + FILL)
        self.n, self.probe, self.connection = 0, RedisProbe(self.r), None

    def grow(self, n):
        specs = [json.dumps({"feature": "mesh_generation", "model_id": m, "model_preference": m, "metadata": {},
                             "inputs": {"prompt": "a small wooden chair with four legs, carved, made of walnut"}}) for m in MODELS]
        for at in range(self.n, n, 5000):
            last = min(at + 5000, n) - 1
            args = [self.ann.user["user_id"], at, last, self.origin, STEP, *specs]
            assert self.fill(keys=["p3d:{0}:"], args=args) == [b"ok"]
        self.n = n
        if self.connection:
            self.connection.close()  # idle for too long by now
        self.connection = Connection(host_of(self.p3d))

    def date(self, i):
        at = datetime.datetime.fromtimestamp(0, datetime.timezone.utc) + datetime.timedelta(milliseconds=self.origin + i * STEP)
        return at.strftime("%Y-%m-%dT%H:%M:%S.") + "%03d" % (at.microsecond // 1000) + "Z"

    def ask(self, query):
        status, body = self.connection.ask(Request("", "GET", "/api/v1/jobs/history?" + query, self.ann.token).bytes("h"))
        assert status == 200, body
        return json.loads(body)

    def page(self, query, keep=lambda i: True, skip=0, below=None, limit=100):
        """The figures of one page, which must be these jobs: the newest that are kept, below `below`, without the first."""
        wanted, total = [], 0
        answer = self.ask(query)
        for i in range((below if below is not None else self.n) - 1, -1, -1):
            if keep(i):
                if total >= skip:
                    wanted.append("%08d" % i)
                total += 1
            if len(wanted) == limit:
                break
        found = [job["job_id"][-8:] for job in answer["jobs"]]
        assert found == wanted, (query, found[:3], wanted[:3])
        everything = sum(map(keep, range(self.n)))
        assert answer["pagination"]["total"] == everything, (query, answer["pagination"], everything)
        took = []
        for _ in range(self.repeats):
            begin = time.monotonic()
            self.probe.batch(lambda: self.ask(query), 1)
            took.append((time.monotonic() - begin) * 1000)
        return {"script_us": self.probe.figures()["script_us"], "client_ms": round(statistics.median(took), 2),
                "jobs": len(wanted), "total": everything}

    def pages(self):
        n, dates = self.n, "start_date=%s&end_date=%s" % (self.date(self.n // 4), self.date(self.n // 2))
        middle = self.ask("limit=100&offset=%d" % (n // 2))["pagination"]["next_cursor"]

        def between(i):
            return n // 4 <= i <= n // 2
        rows = {
            "first": self.page("limit=100"),
            "offset 500": self.page("limit=100&offset=500", skip=500),
            "middle, by offset": self.page("limit=100&offset=%d" % (n // 2), skip=n // 2),
            "middle, by cursor": self.page("limit=100&cursor=" + middle, below=n - n // 2 - 100),
            "last, by offset": self.page("limit=100&offset=%d" % (n - 100), skip=n - 100),
            "status": self.page("limit=100&status=failed", lambda i: state_of(i) == "failed"),
            "model": self.page("limit=100&model=other", lambda i: model_of(i) == "other"),
            "dates": self.page("limit=100&" + dates, between),
            "status, model, dates": self.page("limit=100&status=completed&model=tiny&" + dates, lambda i: between(i)
                                              and state_of(i) == "completed" and model_of(i) == "tiny"),
            "the total only (limit 1)": self.page("limit=1", limit=1)}
        kept = sum(between(i) for i in range(n))
        rows["dates, last by offset"] = self.page("limit=100&%s&offset=%d" % (dates, kept - 100), between, skip=kept - 100)
        return rows


def history(args):
    sizes, out = (1000, 5000) if args.small else (1000, 1000000), {"sizes": [], "pages": {}}
    redis = PrivateRedis(args=["--appendonly", "no"])
    try:
        config = {"redis": {"url": redis.url}, "retention": {"days": -1, "max_jobs": -1}, "logging": {"level": "error"}}
        with P3D(models={"tiny": TINY, "other": TINY}, workers=0, config=config) as p3d:
            h = History(redis, p3d, args)
            for n in sizes:
                h.grow(n)
                out["sizes"].append(n)
                for name, row in h.pages().items():
                    out["pages"].setdefault(name, []).append(row)
            queue = Queue(h.r)
            assert queue.run("queue_stats", "s", "", "0", "0")[0] == "ok"
            h.connection.close()
    finally:
        redis.close()
    return out


def history_table(out):
    small, large = out["sizes"]
    head = ("page of 100", "%d jobs: Redis µs" % small, "%d jobs: Redis µs" % large, "ratio", "client ms", "client ms")
    return rows_table(head, [
        (name, a["script_us"], b["script_us"], "%.2f" % (b["script_us"] / a["script_us"]), a["client_ms"], b["client_ms"])
        for name, (a, b) in out["pages"].items()])
