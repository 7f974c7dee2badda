#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A small benchmark of one real P3D: requests per second and CPU time per request, and how long an idle one takes for a
job that needs no time.

  /usr/bin/python3 tests/bench/bench_smoke.py [--seconds 3] [--build build/release] [--json FILE]

First it checks that answers are right (a job completes, its bytes, 403 for a stranger), then it measures all requests in
turns of one second, so that what else the machine does meets all alike. Only wrong answers fail it, never a time. The
load comes from wrk when there is one, else from threads of this program, which saturate before the server does: then
read the CPU time, not the requests per second. One server process, one connection to Redis.
"""
import argparse
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TICK = os.sysconf("SC_CLK_TCK")
CONNECTIONS = {"wrk": 16, "python": 4}


def arguments():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--seconds", type=int, default=2, help="of load for each kind of request")
    p.add_argument("--build", default=os.environ.get("P3D_BUILD_DIR", os.path.join(ROOT, "build", "dev")))
    p.add_argument("--json", help="file for the figures")
    p.add_argument("--client", choices=sorted(CONNECTIONS), default="wrk" if shutil.which("wrk") else "python")
    return p.parse_args()


class Request:
    """What is asked for again and again."""

    def __init__(self, name, method, path, token=None, body=None):
        self.name, self.method, self.path, self.body = name, method, path, body
        self.headers = {"Authorization": "Bearer " + token} if token else {}
        if body:
            self.headers["Content-Type"] = "application/json"

    def bytes(self, host):
        body = (self.body or "").encode()
        lines = ["%s %s HTTP/1.1" % (self.method, self.path), "Host: " + host]
        lines += ["%s: %s" % h for h in self.headers.items()]
        lines += ["Content-Length: %d" % len(body)] if body else []
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Connection:
    """Keep-alive, one request at a time."""

    def __init__(self, host):
        name, port = host.rsplit(":", 1)
        self.socket = socket.create_connection((name, int(port)), 30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.kept = b""

    def ask(self, data):
        """Status and body of the answer."""
        self.socket.sendall(data)
        while b"\r\n\r\n" not in self.kept:
            self.more()
        head, self.kept = self.kept.split(b"\r\n\r\n", 1)
        n = int(re.search(rb"(?i)\r\ncontent-length: *(\d+)", head).group(1))
        while len(self.kept) < n:
            self.more()
        body, self.kept = self.kept[:n], self.kept[n:]
        return int(head[9:12]), body

    def more(self):
        data = self.socket.recv(65536)
        assert data, "closed in the middle"
        self.kept += data


# ---- load: each returns (answers, of them not 2xx, seconds)
def load_python(host, request, seconds, folder):
    data, results, start = request.bytes(host), [], time.monotonic()

    def run():
        done = bad = 0
        connection = Connection(host)
        while time.monotonic() < start + seconds:
            status, _ = connection.ask(data)
            done += 1
            bad += status // 100 != 2
        connection.socket.close()
        results.append((done, bad))

    threads = [threading.Thread(target=run) for _ in range(CONNECTIONS["python"])]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(results) == len(threads), "a connection of the load was lost"
    return sum(r[0] for r in results), sum(r[1] for r in results), time.monotonic() - start


WRK = """wrk.method = %s
wrk.body = %s
%s
done = function(s) local e = s.errors
  print(string.format("figures %%d %%d %%d", s.requests, e.status + e.connect + e.read + e.write + e.timeout, s.duration))
end
"""


def load_wrk(host, request, seconds, folder):
    script = os.path.join(folder, "wrk.lua")
    headers = "\n".join("wrk.headers[%s] = %s" % (json.dumps(k), json.dumps(v)) for k, v in request.headers.items())
    with open(script, "w") as f:
        f.write(WRK % (json.dumps(request.method), json.dumps(request.body) if request.body else "nil", headers))
    out = subprocess.run(["wrk", "-t", "1", "-c", str(CONNECTIONS["wrk"]), "-d", "%ds" % seconds, "-s", script,
                          "http://%s%s" % (host, request.path)], capture_output=True, text=True, timeout=seconds + 60)
    found = re.search(r"^figures (\d+) (\d+) (\d+)$", out.stdout, re.M)
    assert out.returncode == 0 and found, out.stdout + out.stderr
    return int(found[1]), int(found[2]), int(found[3]) / 1e6


LOADS = {"wrk": load_wrk, "python": load_python}


# ---- measuring
class Cpu:
    """Seconds of CPU that the server and Redis have used."""

    def __init__(self, p3d):
        self.pid, self.redis = p3d.pid("serve-1"), p3d.redis()

    def now(self):
        with open("/proc/%d/stat" % self.pid) as f:
            fields = f.read().rsplit(")", 1)[1].split()
        info = self.redis.info("cpu")
        return (int(fields[11]) + int(fields[12])) / TICK, info["used_cpu_user"] + info["used_cpu_sys"]


def throughput(p3d, requests, client, seconds):
    """All requests in turns of one second. A row for each."""
    cpu, host = Cpu(p3d), p3d.base[len("http://"):]
    rows = {r.name: {"requests": 0, "failed": 0, "seconds": 0.0, "serve_cpu": 0.0, "redis_cpu": 0.0} for r in requests}
    for _ in range(seconds):
        for r in requests:
            before = cpu.now()
            done, failed, took = LOADS[client](host, r, 1, p3d.folder)
            serve, redis = (b - a for a, b in zip(before, cpu.now()))
            for key, value in zip(rows[r.name], (done, failed, took, serve, redis)):
                rows[r.name][key] += value
    for row in rows.values():
        serve, redis, n = row.pop("serve_cpu"), row.pop("redis_cpu"), max(row["requests"], 1)
        row.update(per_second=round(n / row["seconds"], 1), serve_us=round(serve / n * 1e6, 1),
                   redis_us=round(redis / n * 1e6, 1), seconds=round(row["seconds"], 2))
    return rows


def latency(p3d, submit, token, most=60, seconds=4):
    """Milliseconds from a submit to the first answer that says completed, one job at a time."""
    from p3d_test import select_wait
    connection, took, end = Connection(p3d.base[len("http://"):]), [], time.monotonic() + seconds
    while len(took) < most and (time.monotonic() < end or len(took) < 5):
        start = time.monotonic()
        status, body = connection.ask(submit.bytes("h"))
        assert status == 200, body
        look = Request("", "GET", "/api/v1/system/jobs/" + json.loads(body)["job_id"], token).bytes("h")
        while True:
            status, body = connection.ask(look)
            state = json.loads(body)["status"]
            assert status == 200 and state in ("queued", "processing", "completed"), body
            if state == "completed":
                break
            assert time.monotonic() < start + 30, body
            select_wait(0.001)
        took.append((time.monotonic() - start) * 1000)
    connection.socket.close()
    took.sort()
    return {"jobs": len(took), "p50_ms": round(took[len(took) // 2], 1),
            "p99_ms": round(took[min(len(took) - 1, len(took) * 99 // 100)], 1)}


def correct(p3d, ann, bob):
    """Nothing is measured of a server that is wrong. Returns a completed job."""
    from p3d_test import TINY_GLB
    job = ann.submit("bench")
    assert ann.wait(job)["status"] == "completed"
    got = ann.download(job)
    assert got.status_code == 200 and got.content == TINY_GLB, got.status_code
    for path in ("", "/info", "/download"):
        refused = bob.get("/api/v1/system/jobs/" + job + path)
        assert refused.status_code == 403, (path, refused.status_code, refused.text)
    assert p3d.client().get("/api/v1/system/jobs/" + job).status_code == 401
    return job


def total(client):
    return client.ok("GET", "/api/v1/system/jobs/history?limit=1")["pagination"]["total"]


def run(args):
    from p3d_test import BINARY, GATED, P3D, TINY
    # What the load submits waits for a gate: making it would be measured, too.
    models = {"tiny": TINY, "gated": {"script": GATED, "max_workers": 1}}
    with P3D(models=models, config={"limits": {"max_queued_jobs": -1}, "logging": {"level": "warn"}}) as p3d:
        ann, bob = p3d.register("ann"), p3d.register("bob")
        job = correct(p3d, ann, bob)
        submit = Request("submit", "POST", "/api/v1/mesh-generation", ann.token, '{"prompt": "bench"}')
        gated = Request("POST submit", "POST", "/api/v1/mesh-generation", bob.token,
                        '{"prompt": "bench", "model_preference": "gated"}')
        waited = latency(p3d, submit, ann.token)
        rows = throughput(p3d, [Request("GET /health", "GET", "/health"),
                                Request("GET job", "GET", "/api/v1/system/jobs/" + job, ann.token), gated],
                          args.client, args.seconds)
        assert not [name for name, row in rows.items() if row["failed"] or not row["requests"]], rows
        # Every answer was a job; wrk leaves off with one under way on each connection.
        more = total(bob) - rows["POST submit"]["requests"]
        assert 0 <= more <= args.seconds * CONNECTIONS[args.client], (more, rows)
        p3d.open_gate()
        version = subprocess.run([BINARY, "--version"], capture_output=True, text=True).stdout.strip()
    return {"version": version, "build": os.path.basename(os.path.normpath(args.build)), "client": args.client,
            "connections": CONNECTIONS[args.client], "cores": os.cpu_count(), "requests": rows, "idle_job": waited}


def table(out):
    lines = ["| request | req/s | server CPU µs/req | Redis CPU µs/req | requests | failed |", "|---|--:|--:|--:|--:|--:|"]
    lines += ["| %s | %.0f | %.1f | %.1f | %d | %d |" % (name, r["per_second"], r["serve_us"], r["redis_us"], r["requests"],
                                                     r["failed"]) for name, r in out["requests"].items()]
    lines += ["", "Idle, from submit to completed: p50 %.1f ms, p99 %.1f ms (%d jobs)."
              % (out["idle_job"]["p50_ms"], out["idle_job"]["p99_ms"], out["idle_job"]["jobs"]),
              "%s, build %s, one server process, %s with %d connections, %d cores."
              % (out["version"], out["build"], out["client"], out["connections"], out["cores"])]
    return "\n".join(lines)


def main():
    args = arguments()
    os.environ["P3D_BUILD_DIR"] = os.path.abspath(args.build)
    sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
    out = run(args)
    print(table(out))
    if args.json:
        with open(args.json, "w") as f:
            json.dump(out, f, indent=1)


if __name__ == "__main__":
    main()
