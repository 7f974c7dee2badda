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
import json
import os
import time

import common
from common import CONNECTIONS, Connection, Request, host_of, rank, throughput, total


def arguments():
    p = common.parser(__doc__, build="dev", client=common.best_client())
    p.add_argument("--seconds", type=int, default=2, help="of load for each kind of request")
    return p.parse_args()


def latency(p3d, submit, token, most=60, seconds=4):
    """Milliseconds from a submit to the first answer that says completed, one job at a time."""
    from p3d_test import select_wait
    connection, took, end = Connection(host_of(p3d)), [], time.monotonic() + seconds
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
    connection.close()
    return {"jobs": len(took), "p50_ms": round(rank(took, 50), 1), "p99_ms": round(rank(took, 99), 1)}


def run(args):
    from p3d_test import GATED, P3D, TINY
    # What the load submits waits for a gate: making it would be measured, too.
    models = {"tiny": TINY, "gated": {"script": GATED, "max_workers": 1}}
    with P3D(models=models, config={"limits": {"max_queued_jobs": -1}, "logging": {"level": "warn"}}) as p3d:
        ann, bob = p3d.register("ann"), p3d.register("bob")
        job = common.correct(p3d, ann, bob)
        submit = Request("submit", "POST", "/api/v1/mesh-generation", ann.token, '{"prompt": "bench"}')
        gated = Request("POST submit", "POST", "/api/v1/mesh-generation", bob.token,
                        '{"prompt": "bench", "model_preference": "gated"}')
        waited = latency(p3d, submit, ann.token)
        rows = throughput(p3d, [Request("GET /health", "GET", "/health"),
                                Request("GET job", "GET", "/api/v1/system/jobs/" + job, ann.token), gated],
                          args.client, args.seconds)
        # Every answer was a job; wrk leaves off with one under way on each connection.
        more = total(bob) - rows["POST submit"]["requests"]
        assert 0 <= more <= args.seconds * CONNECTIONS[args.client], (more, rows)
        p3d.open_gate()
    return {"version": common.version(), "build": common.build_name(args), "client": args.client,
            "connections": CONNECTIONS[args.client], "cores": os.cpu_count(), "requests": rows, "idle_job": waited}


def table(out):
    lines = common.rows_table(
        ("request", "req/s", "server CPU µs/req", "Redis CPU µs/req", "requests", "failed"),
        [(name, "%.0f" % r["per_second"], r["serve_us"], r["redis_us"], r["requests"], r["failed"])
         for name, r in out["requests"].items()])
    lines += ["", "Idle, from submit to completed: p50 %.1f ms, p99 %.1f ms (%d jobs)."
              % (out["idle_job"]["p50_ms"], out["idle_job"]["p99_ms"], out["idle_job"]["jobs"]),
              "%s, build %s, one server process, %s with %d connections, %d cores."
              % (out["version"], out["build"], out["client"], out["connections"], out["cores"])]
    return "\n".join(lines)


if __name__ == "__main__":
    common.main(arguments(), run, table)
