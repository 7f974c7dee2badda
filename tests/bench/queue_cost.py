# SPDX-License-Identifier: MIT
"""Part a of bench_queue.py: what one job costs Redis, in CPU, in bytes sent and logged, in memory.

Submits and looks go through a server over one connection, one script each. Claims and ends are the workers' scripts,
called with what a worker sends; a worker has made the one real job whose spec and detail all the others get.
"""
import itertools
import json
import os
import sys

from common import ROOT, Connection, Request, host_of, total
from p3d_test import P3D, TINY, TINY_GLB
from probe import RedisProbe, redis_memory

sys.path.insert(0, os.path.join(ROOT, "tests", "lua"))
from conftest import Queue, Record  # noqa: E402

PROMPT = "a small wooden chair with four legs, carved, made of walnut"  # 59 bytes
KIND = "mesh_generation/tiny"
W = "p3d:{0}:"
SUBMIT = "/api/v1/mesh-generation"


def real_job():
    """The record of a job as a worker left it."""
    with P3D(models={"tiny": TINY}, workers=1) as p3d:
        ann = p3d.register("ann")
        job = ann.submit(PROMPT)
        assert ann.wait(job)["status"] == "completed"
        assert ann.download(job).content == TINY_GLB
        with p3d.redis() as r:
            return Record(r.get(W + "job:" + job[-26:]).decode())


class Scene:
    """A server without workers, and an owner."""

    def __init__(self, p3d, args, record):
        self.p3d, self.batch, self.record = p3d, 50 if args.small else 500, record
        self.ann, self.r = p3d.register("ann"), p3d.redis()
        self.probe, self.queue = RedisProbe(self.r), Queue(self.r)
        self.connection = Connection(host_of(p3d))
        self.serial = itertools.count(1)

    def ask(self, requests, status=200):
        answers = self.connection.ask_all([request.bytes("h") for request in requests])
        wrong = [answer for answer in answers if answer[0] != status]
        assert not wrong, wrong[0]
        return [json.loads(body) for _, body in answers]

    def submits(self, n, keys):
        for _ in range(n):
            extra = {"Idempotency-Key": "bench-%032d" % next(self.serial)} if keys else {}
            yield Request("", "POST", SUBMIT, self.ann.token, json.dumps({"prompt": PROMPT}), **extra)

    def repeat(self, requests):
        """Batches of requests; their figures and the last answers."""
        for batch in requests:
            answers = self.probe.batch(lambda: self.ask(batch), len(batch))
        return self.probe.figures(), answers

    def gets(self, path, times):
        return self.repeat([[Request("", "GET", path, self.ann.token)] * (self.batch // 5) for _ in range(times)])


def fill(scene, n, keys):
    """n queued jobs. Their CPU, and bytes of memory each, from half of them on."""
    empty, bytes_each = redis_memory(scene.r), []
    for at in range(0, n, scene.batch):
        batch = list(scene.submits(scene.batch, keys))
        scene.probe.batch(lambda: scene.ask(batch), scene.batch)
        if (at + scene.batch) * 2 >= n:
            bytes_each.append((redis_memory(scene.r) - empty) / (at + scene.batch))
    assert total(scene.ann) == n == scene.r.zcard(W + "i")
    if keys:  # the same ones again are no new jobs
        scene.serial = itertools.count(1)
        again = scene.connection.ask_all([request.bytes("h") for request in scene.submits(10, True)])
        assert {status for status, _ in again} == {200} and total(scene.ann) == n, again
    return scene.probe.figures(), {"jobs": n, "least": round(min(bytes_each)), "most": round(max(bytes_each)),
                                   "at_end": round(bytes_each[-1])}, empty


def worker_args(queue):
    return queue.claim_args("bench-worker", kinds=((KIND, -1),))


def ends(scene, n):
    """Every job claimed and completed. -> operation -> figures"""
    queue, probe, out, detail = scene.queue, scene.probe, {}, scene.record.detail
    leases, k = [], scene.batch

    def each(name, work, items):
        for at in range(0, len(items), k):
            part = items[at:at + k]
            probe.batch(lambda: [work(item) for item in part], len(part))
        out[name] = probe.figures()

    def claim(_):
        answer = queue.run("claim", *worker_args(queue))
        assert answer[0] == "ok", answer
        leases.append((answer[1], Record(answer[2])))

    def beat(lease):
        assert queue.run("heartbeat", *queue.lease(*lease), 30000) == ["ok", 0]

    def progress(lease):
        assert queue.run("progress", *queue.lease(*lease), 5000, '{"message":"half"}') == ["ok"]

    def complete(lease):
        assert queue.run("complete", *queue.lease(*lease), detail, scene.record.files, 0) == ["ok"]

    def complete_and_claim(_):
        answer = queue.run("complete", *queue.lease(*leases[0]), detail, scene.record.files, 1, *worker_args(queue))
        leases[0] = (answer[1], Record(answer[2])) if len(answer) > 1 else None

    some = 4 * k if n >= 10 * k else k
    each("claim", claim, list(range(some)))
    each("first heartbeat", beat, leases)
    each("heartbeat", beat, leases)
    each("progress", progress, leases)
    each("complete", complete, leases)
    leases.clear()
    claim(None)
    each("complete and claim", complete_and_claim, list(range(n - some)))
    assert leases == [None] and count_of(scene.r, 2) == n
    last = scene.r.zrange(W + "i", -1, -1)[0].decode()
    assert Record(scene.r.get(W + "job:" + last).decode()[:1 << 16]).detail == detail
    return out


def count_of(r, state):
    return r.zcount(W + "i", state * 512 * 2 ** 41, (state + 1) * 512 * 2 ** 41 - 1)


def looks(scene, job, name):
    jobs = "/api/v1/jobs/"
    out = {}
    out["look at a %s job" % name], answers = scene.gets(jobs + job, 10)
    assert answers[0]["job_id"] == job and answers[0]["inputs"] == {"prompt": PROMPT}
    for n in (20, 100):
        out["page of %d %s jobs" % (n, name)], answers = scene.gets(jobs + "history?limit=%d" % n, 3)
        assert len(answers[0]["jobs"]) == n
    return out


def cost(args):
    record, out = real_job(), {"operations": {}, "memory": {}}
    out["spec_bytes"], out["detail_bytes"] = record.spec_len, record.detail_len
    n = 200 if args.small else 40000
    for keys in (False, True):
        config = {"limits": {"max_queued_jobs": -1}, "logging": {"level": "warn"}, "retention": {"days": -1, "max_jobs": -1}}
        with P3D(models={"tiny": TINY}, workers=0, config=config) as p3d:
            scene = Scene(p3d, args, record)
            word = " with a key" if keys else ""
            operations, (out["operations"]["submit" + word], queued, empty) = out["operations"], fill(scene, n, keys)
            ulid = scene.r.zrange(W + "i", 0, 0)[0].decode()
            job = scene.ann.ok("GET", "/api/v1/jobs/history?limit=1")["jobs"][0]["job_id"]
            assert len(ulid) == 26 and job.startswith("job_")
            if not keys:
                operations.update(looks(scene, job, "queued"))
            scene.connection.close()  # it would be idle for too long
            done = ends(scene, n)
            scene.connection = Connection(host_of(p3d))
            if not keys:
                operations.update(done)
                operations.update(looks(scene, job, "finished"))
            finished = round((redis_memory(scene.r) - empty) / n)
            out["memory"]["with a key" if keys else "without"] = {"queued": queued, "finished": finished}
            scene.connection.close()
    return out


def cost_table(out):
    from common import rows_table
    rows = [(name, f["script_us"], f["cpu_us"], round(f["in"]), round(f["out"]), round(f["log"]))
            for name, f in out["operations"].items()]
    lines = rows_table(("operation", "script µs", "Redis CPU µs", "bytes to Redis", "bytes from it", "bytes logged"), rows)
    lines += [""] + rows_table(
        ("memory of a job, bytes", "queued, least", "most", "at the end", "finished"),
        [(name + (" an Idempotency-Key" if name == "without" else ""), m["queued"]["least"], m["queued"]["most"],
          m["queued"]["at_end"], m["finished"]) for name, m in out["memory"].items()])
    n = out["memory"]["without"]["queued"]["jobs"]
    return lines + ["", "%d jobs; spec %d bytes, detail of a finished one %d bytes."
                    % (n, out["spec_bytes"], out["detail_bytes"])]
