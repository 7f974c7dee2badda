#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""How long `p3d migrate` takes for a large 3DAIGC: one line of JSON.

  tests/bench/bench_migrate.py [--users 10000] [--jobs 100000] [--rounds 10000] [--broken 0.03] [--files 0.0]

The old server is generated into a private Redis; the new one is empty; then the same once more (nothing to do), and
--dry-run into nothing. --files: the share of the completed jobs whose files are there. Checked on the way: every broken record is named, every good one is here.
"""
import json
import os
import subprocess
import sys
import time

import common


def arguments():
    p = common.parser(__doc__, build="dev")
    p.add_argument("--users", type=int, default=10000)
    p.add_argument("--jobs", type=int, default=100000)
    p.add_argument("--rounds", type=int, default=10000)
    p.add_argument("--broken", type=float, default=0.03)
    p.add_argument("--files", type=float, default=0.0)
    return p.parse_args()


def migrate(p3d, redis, *flags):
    from p3d_test import BINARY
    begun = time.monotonic()
    process = subprocess.Popen([BINARY, "migrate", "--config", p3d.config, "--data-dir", p3d.data, "--from", redis.tcp_url,
                                "--json", *flags], stdout=subprocess.PIPE, stderr=sys.stderr, cwd=p3d.folder,
                               env=p3d.environment)
    out = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    assert status == 0, status
    return json.loads(out), {"seconds": round(time.monotonic() - begun, 2), "cpu_seconds": round(used.ru_utime + used.ru_stime, 2),
                             "max_rss_mb": used.ru_maxrss // 1024}


def check(old, report):
    counts = report["counts"]
    assert {(r["kind"], r["id"]) for r in report["not_taken"]} == old.broken
    assert counts["users"]["made"] + counts["users"]["there_already"] == len(old.good_users)
    assert counts["tokens"]["made"] + counts["tokens"]["there_already"] == len(old.good_tokens)
    states = ("queued", "completed", "failed", "cancelled", "there_already")
    assert sum(counts["jobs"][s] for s in states) == len(old.good_jobs)


def run(args):
    from daigc import Daigc
    from p3d_test import P3D
    from private_redis import PrivateRedis
    redis = PrivateRedis(tcp=True)
    folder = os.path.join(redis.folder, "results")
    os.mkdir(folder)
    flags = ["--files", folder] if args.files else []
    try:
        old = Daigc(redis.client())
        old.fill(args.users, args.jobs, args.broken, folder, args.files)
        with P3D(config={"security": {"password_iterations": args.rounds}}, start=False) as p3d:
            dry, dry_figures = migrate(p3d, redis, "--dry-run", *flags)
            first, first_figures = migrate(p3d, redis, *flags)
            again, again_figures = migrate(p3d, redis, *flags)
            for report in (dry, first, again):
                check(old, report)
            assert dry["counts"] == first["counts"]
            assert again["counts"]["users"]["made"] == again["counts"]["tokens"]["made"] == 0
        return {"bench": "migrate", "users": args.users, "jobs": args.jobs, "rounds": args.rounds,
                "not_taken": len(first["not_taken"]), "cores": os.cpu_count(), "dry_run": dry_figures,
                "first": first_figures, "again": again_figures, "counts": first["counts"]}
    finally:
        redis.close()


if __name__ == "__main__":
    common.main(arguments(), run, json.dumps)
