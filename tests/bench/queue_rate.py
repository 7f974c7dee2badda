# SPDX-License-Identifier: MIT
"""Part h of bench_queue.py: how many submits for each answer of /health, and how many jobs of no work a second."""
import os
import time

import common
from common import Connection, Request, host_of, rows_table, throughput, total
from p3d_test import GATED, P3D, TINY, until
from probe import cpu_with_children_ms, roles
from queue_share import CONFIG, batches, begun_count, records, W

NOTHING = {"command": ["/bin/true"], "outputs": "none"}


def submits(args):
    seconds, connections = (1, 8) if args.small else (10, 64)
    if args.client == "python":
        connections = min(connections, 8)  # its threads stand in each other's way
    with P3D(models={"tiny": TINY, "gated": {"script": GATED, "max_workers": 1}}, config=CONFIG) as p3d:
        ann, bob = p3d.register("ann"), p3d.register("bob")
        common.correct(p3d, ann, bob)
        gated = Request("POST submit", "POST", "/api/v1/mesh-generation", bob.token,
                        '{"prompt": "bench", "model_preference": "gated"}')
        rows = throughput(p3d, [Request("GET /health", "GET", "/health"), gated], args.client, seconds, connections)
        more = total(bob) - rows["POST submit"]["requests"]
        assert 0 <= more <= seconds * connections, (more, rows)
        with p3d.redis() as r:
            r.flushall()
        p3d.open_gate()
    return {"connections": connections, "client": args.client, "rows": rows,
            "submits_per_health": round(rows["POST submit"]["per_second"] / rows["GET /health"]["per_second"], 3)}


def by_role(p3d):
    spent = {}
    for pid, name in roles(p3d).items():
        role = name.split("-")[0]
        spent[role] = spent.get(role, 0) + cpu_with_children_ms(pid)
    return spent


def jobs(args):
    """From a full queue, so that a worker has the next job with the answer to the last one."""
    n, workers = (40, 2) if args.small else (2000, 2)
    with P3D(models={"slow": NOTHING}, workers=workers, config=CONFIG) as p3d:
        ann, r = p3d.register("ann"), p3d.redis()
        owner, connection = ann.user["user_id"], Connection(host_of(p3d))
        before, begin = by_role(p3d), time.monotonic()
        batches(connection, ann, n)
        until(lambda: r.zcard(W + "ended") == n, 300, "all jobs to end")
        took, spent = time.monotonic() - begin, by_role(p3d)
        connection.close()
        made = records(r, [u.decode() for u in r.zrange(W + "i:" + owner, 0, -1)])
    assert len(made) == n == begun_count_of(made) and {j.state for j in made} == {"completed"}
    span = max(j.ended for j in made) - min(j.started for j in made)
    return {"jobs": n, "workers": workers, "seconds": round(took, 2), "jobs_per_second": round((n - 1) / span * 1000, 1),
            "cpu_ms_per_job": {role: round((spent[role] - before.get(role, 0)) / n, 2) for role in sorted(spent)}}


def begun_count_of(made):
    return sum(j.attempt == 1 for j in made)


def rate(args):
    return {"submits": submits(args), "jobs": jobs(args)}


def rate_table(out):
    s, j = out["submits"], out["jobs"]
    lines = rows_table(("request", "req/s", "server CPU µs/req", "Redis CPU µs/req"),
                       [(name, "%.0f" % r["per_second"], r["serve_us"], r["redis_us"]) for name, r in s["rows"].items()])
    cpu = ", ".join("%s %.2f" % pair for pair in j["cpu_ms_per_job"].items())
    return lines + ["", "%d connections of %s: %.3f submits for each /health." % (s["connections"], s["client"],
                                                                             s["submits_per_health"]),
                    "%d jobs of no work through %d workers: %.1f a second; CPU ms for each: %s."
                    % (j["jobs"], j["workers"], j["jobs_per_second"], cpu)]
