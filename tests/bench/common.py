# SPDX-License-Identifier: MIT
"""What all benchmarks share: arguments and main(), keep-alive connections, load, CPU clocks, figures.

A benchmark is a file with run(args) -> figures and table(figures) -> Markdown. Figures are printed, never judged: only wrong
answers fail a benchmark, no time does. main() chooses the build before anything of tests/support is loaded, so imports
of it belong into functions, or into modules that run() loads.
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


def parser(doc, build="release", client=None):
    """With what every benchmark takes. client: which program loads, unless told; None: no such choice."""
    p = argparse.ArgumentParser(description=doc.splitlines()[0], epilog="\n".join(doc.splitlines()[1:]),
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", default=os.environ.get("P3D_BUILD_DIR", os.path.join(ROOT, "build", build)))
    p.add_argument("--json", help="file for the figures")
    p.add_argument("--report", help="file for the table, else it is printed")
    if client:
        p.add_argument("--client", choices=sorted(CONNECTIONS), default=client)
    return p


def best_client():
    return "wrk" if shutil.which("wrk") else "python"


def main(args, run, table):
    os.environ["P3D_BUILD_DIR"] = os.path.abspath(args.build)
    sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
    out = run(args)
    if args.report:
        with open(args.report, "w") as f:
            f.write(table(out) + "\n")
    else:
        print(table(out))
    if args.json:
        with open(args.json, "w") as f:
            json.dump(out, f, indent=1)


def version():
    from p3d_test import BINARY
    return subprocess.run([BINARY, "--version"], capture_output=True, text=True).stdout.strip()


def build_name(args):
    return os.path.basename(os.path.normpath(args.build))


def rank(took, percent):
    """The value that `percent` of them do not exceed."""
    return sorted(took)[min(len(took) - 1, len(took) * percent // 100)]


def rows_table(head, rows):
    """Markdown: the first column is words, the others are numbers."""
    lines = ["| %s |" % " | ".join(head), "|---|" + "--:|" * (len(head) - 1)]
    return lines + ["| %s |" % " | ".join(str(cell) for cell in row) for row in rows]


# ---- requests

class Request:
    """What is asked for again and again."""

    def __init__(self, name, method, path, token=None, body=None, **headers):
        self.name, self.method, self.path, self.body = name, method, path, body
        self.headers = {"Authorization": "Bearer " + token} if token else {}
        if body:
            self.headers["Content-Type"] = "application/json"
        self.headers.update((name.replace("_", "-"), value) for name, value in headers.items())

    def bytes(self, host):
        body = (self.body or "").encode()
        lines = ["%s %s HTTP/1.1" % (self.method, self.path), "Host: " + host]
        lines += ["%s: %s" % h for h in self.headers.items()]
        lines += ["Content-Length: %d" % len(body)] if body else []
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Connection:
    """Keep-alive, answers in the order of the requests. address: to come from."""

    def __init__(self, host, timeout=30, address=None):
        name, port = host.rsplit(":", 1)
        self.socket = socket.create_connection((name, int(port)), timeout, (address, 0) if address else None)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.kept = b""

    def ask(self, data):
        """Status and body of the answer."""
        self.socket.sendall(data)
        return self.answer()

    def ask_all(self, requests):
        """Pipelined: the answers to all of them."""
        self.socket.sendall(b"".join(requests))
        return [self.answer() for _ in requests]

    def answer(self):
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

    def close(self):
        self.socket.close()


def host_of(p3d):
    return p3d.base[len("http://"):]


# ---- load: each returns (answers, of them not 2xx, seconds)

def load_python(host, request, seconds, folder, connections):
    data, results, start = request.bytes(host), [], time.monotonic()

    def run():
        done = bad = 0
        connection = Connection(host)
        while time.monotonic() < start + seconds:
            status, _ = connection.ask(data)
            done += 1
            bad += status // 100 != 2
        connection.close()
        results.append((done, bad))

    threads = [threading.Thread(target=run) for _ in range(connections)]
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


def load_wrk(host, request, seconds, folder, connections):
    script = os.path.join(folder, "wrk.lua")
    headers = "\n".join("wrk.headers[%s] = %s" % (json.dumps(k), json.dumps(v)) for k, v in request.headers.items())
    with open(script, "w") as f:
        f.write(WRK % (json.dumps(request.method), json.dumps(request.body) if request.body else "nil", headers))
    out = subprocess.run(["wrk", "-t", "1", "-c", str(connections), "-d", "%ds" % seconds, "-s", script,
                          "http://%s%s" % (host, request.path)], capture_output=True, text=True, timeout=seconds + 60)
    found = re.search(r"^figures (\d+) (\d+) (\d+)$", out.stdout, re.M)
    assert out.returncode == 0 and found, out.stdout + out.stderr
    return int(found[1]), int(found[2]), int(found[3]) / 1e6


LOADS = {"wrk": load_wrk, "python": load_python}


# ---- CPU

class Cpu:
    """Seconds of CPU that the server and Redis have used."""

    def __init__(self, p3d):
        self.pid, self.redis = p3d.pid("serve-1"), p3d.redis()

    def now(self):
        with open("/proc/%d/stat" % self.pid) as f:
            fields = f.read().rsplit(")", 1)[1].split()
        info = self.redis.info("cpu")
        return (int(fields[11]) + int(fields[12])) / TICK, info["used_cpu_user"] + info["used_cpu_sys"]


def throughput(p3d, requests, client, seconds, connections=None):
    """All requests in turns of one second. A row for each."""
    cpu, host = Cpu(p3d), host_of(p3d)
    rows = {r.name: {"requests": 0, "failed": 0, "seconds": 0.0, "serve_cpu": 0.0, "redis_cpu": 0.0} for r in requests}
    for _ in range(seconds):
        for r in requests:
            before = cpu.now()
            done, failed, took = LOADS[client](host, r, 1, p3d.folder, connections or CONNECTIONS[client])
            serve, redis = (b - a for a, b in zip(before, cpu.now()))
            for key, value in zip(rows[r.name], (done, failed, took, serve, redis)):
                rows[r.name][key] += value
    for row in rows.values():
        serve, redis, n = row.pop("serve_cpu"), row.pop("redis_cpu"), max(row["requests"], 1)
        row.update(per_second=round(n / row["seconds"], 1), serve_us=round(serve / n * 1e6, 1),
                   redis_us=round(redis / n * 1e6, 1), seconds=round(row["seconds"], 2))
    assert not [name for name, row in rows.items() if row["failed"] or not row["requests"]], rows
    return rows


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
