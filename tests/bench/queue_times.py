# SPDX-License-Identifier: MIT
"""Parts b and c of bench_queue.py: how long an idle P3D takes for a job, and a cancelled job to die.

By the client's clock, over loopback; the client is this interpreter and adds some tenths of a millisecond.
"""
import datetime
import json
import os
import random
import select
import time

from common import Connection, Request, host_of, rank, rows_table
from p3d_test import P3D, TINY, TINY_GLB, alive, select_wait, until
from sse import Stream

# Speaks at once, then needs longer than an event stream does to tell of it.
PACED = r"""
printf '{"event":"progress","value":0.5}\n' >&3
sleep 0.03
""" + TINY
# One process that does nothing until it is told to end.
SLEEPER = r"""
echo $$ > "$(dirname "$0")/$P3D_JOB_ID.part"
mv "$(dirname "$0")/$P3D_JOB_ID.part" "$(dirname "$0")/$P3D_JOB_ID.pid"
exec sleep 1000
"""
JOBS = "/api/v1/jobs/"


def spread(took):
    return {"n": len(took), **{"p%d" % p: round(rank(took, p), 2) for p in (50, 90, 99)}, "max": round(max(took), 2)}


def submit_bytes(client, model):
    return Request("", "POST", "/api/v1/mesh-generation", client.token,
                   json.dumps({"prompt": "bench", "model_preference": model})).bytes("h")


def pause(rng, least=0.02):
    """So that no job meets the same moment of anybody's ticks."""
    select_wait(rng.uniform(least, least + 0.05))


def post(connection, data):
    status, body = connection.ask(data)
    assert status == 200, body
    return json.loads(body)["job_id"]


def watched(p3d, ann, n, rng):
    """Jobs one at a time, seen in an event stream: milliseconds to each thing seen."""
    stream, connection = Stream(ann, JOBS + "events"), Connection(host_of(p3d))
    stream.until(lambda s: s.status == 200)
    data = submit_bytes(ann, "paced")
    took = {"processing": [], "first progress": [], "completed": []}
    for _ in range(n):
        pause(rng, 0.26)  # a worker tells progress four times a second at most, whosever it is
        seen, begin = len(stream.events), time.monotonic()
        job = post(connection, data)

        def first(what):
            for (_, _, event), at in zip(stream.events[seen:], stream.arrived[seen:]):
                if event["job_id"] == job and what(event):
                    return at
            return None
        stream.until(lambda s: first(lambda e: e["status"] == "completed"))
        for name, what in (("processing", lambda e: e["status"] != "queued"), ("first progress", lambda e: e["progress"] > 0),
                           ("completed", lambda e: e["status"] == "completed")):
            took[name].append((first(what) - begin) * 1000)
    stream.close()
    connection.close()
    return took


def waited(p3d, ann, n, rng):
    """Jobs of no work one at a time, by GET ?wait: to completed; and created to started by Redis' clock."""
    connection, data, took, started = Connection(host_of(p3d)), submit_bytes(ann, "tiny"), [], []
    for _ in range(n):
        pause(rng)
        begin = time.monotonic()
        job = post(connection, data)
        status, body = connection.ask(Request("", "GET", JOBS + job + "?wait=30", ann.token).bytes("h"))
        took.append((time.monotonic() - begin) * 1000)
        answer = json.loads(body)
        assert status == 200 and answer["status"] == "completed", body
        begun, made = (datetime.datetime.fromisoformat(answer[key]) for key in ("started_at", "created_at"))
        started.append((begun - made).total_seconds() * 1000)
    connection.close()
    return took, started


def latency(args):
    rng, n = random.Random(4711), 5 if args.small else 300
    with P3D(models={"tiny": TINY, "paced": PACED}, workers=2, config={"workers": {"lease_seconds": 30}}) as p3d:
        ann = p3d.register("ann")
        assert ann.wait(ann.submit("right"))["status"] == "completed"
        seen = watched(p3d, ann, n, rng)
        took, started = waited(p3d, ann, n, rng)
    return {"submit to processing (event)": spread(seen["processing"]),
            "submit to the first progress (event)": spread(seen["first progress"]),
            "submit to completed, 30 ms of work (event)": spread(seen["completed"]),
            "submit to completed, no work (?wait)": spread(took),
            "created to started, Redis' clock": spread(started)}


def latency_table(out):
    return rows_table(("milliseconds", "jobs", "p50", "p90", "p99", "max"),
                      [(name, f["n"], f["p50"], f["p90"], f["p99"], f["max"]) for name, f in out.items()])


# ---- cancel

def cancel(args):
    rng, deaths, ends = random.Random(4711), [], []
    with P3D(models={"sleeper": SLEEPER}, workers=2, config={"workers": {"lease_seconds": 30}}) as p3d:
        ann, connection = p3d.register("ann"), Connection(host_of(p3d))
        for _ in range(5 if args.small else 120):
            job = post(connection, submit_bytes(ann, "sleeper"))
            path = os.path.join(p3d.folder, job + ".pid")
            until(lambda: os.path.exists(path), 20, "the job to run")
            pause(rng)
            with open(path) as f:
                pid = int(f.read())
            assert alive(pid)
            fd = os.pidfd_open(pid)
            begin = time.monotonic()
            status, body = connection.ask(Request("", "POST", JOBS + job + "/cancel", ann.token).bytes("h"))
            dead, _, _ = select.select([fd], [], [], 20)
            deaths.append((time.monotonic() - begin) * 1000)
            os.close(fd)
            assert status == 200 and dead, body
            status, body = connection.ask(Request("", "GET", JOBS + job + "?wait=30", ann.token).bytes("h"))
            ends.append((time.monotonic() - begin) * 1000)
            assert json.loads(body)["status"] == "cancelled", body
        connection.close()
    return {"POST to the death of the process": spread(deaths), "POST to cancelled (?wait)": spread(ends)}


cancel_table = latency_table
