# SPDX-License-Identifier: MIT
"""Everything there is to know behind a storm, when all is quiet: what the clients wrote down, what the server answers,
what Redis and the artifact store hold. Gathers; does not judge (oracle.py)."""
import hashlib
import json
import os
import re

import notes
import queue_state
from plans import GLB_HEAD

FINAL = ("completed", "failed", "cancelled")


class Served:
    """A download: the three words behind the GLB are the attempt's own."""

    def __init__(self, status, etag, content):
        self.status, self.etag, self.sha = status, etag, hashlib.sha256(content).hexdigest()
        words = content[GLB_HEAD:].decode(errors="replace").split()
        self.job, self.attempt, self.name = words if status == 200 and len(words) == 3 else (None, None, None)


class Facts:
    """intents, acks, seen, odd: the notes. ran: attempt name -> (job, number, wall s). jobs: id -> (status, JSON) of
    every id that anybody knows. history: ids. served: id -> Served of all final ones. records: id -> queue_state.Record.
    tree: id -> attempt -> names. strays: what else is in the store. leases. places: what breaks an invariant, or None.
    claims: id -> pids of the workers that had it. killed: pids that the storm killed. events: id -> [(revision, state, t)].
    redis_kills: monotonic s. durability."""

    def __init__(self, folder):
        for name, kind in (("intents", "intent"), ("acks", "ledger"), ("seen", "seen"), ("odd", "odd")):
            setattr(self, name, notes.rows(folder, kind))
        self.events, self.redis_kills, self.killed, self.durability = {}, [], set(), "always"

    def gather(self, p3d, admin):
        self.ran = read_ran(p3d.folder)
        self.claims = {}
        for pid, job in re.findall(r"work-\d+\[(\d+)\] job_claimed job=(\S+)", p3d.log()):
            self.claims.setdefault(job, set()).add(int(pid))
        with p3d.redis() as r:
            self.records = {"job_0" + ulid: record for ulid, record in queue_state.records(r).items()}
            self.leases = [ulid.decode() for ulid in r.zrange(queue_state.W + "leases", 0, -1)]
            try:
                queue_state.places(r)
                self.places = None
            except (AssertionError, KeyError) as broken:
                self.places = "%s %s" % (type(broken).__name__, broken)
        self.history = history(admin)
        known = {job for row in self.acks for job in row["ids"]} | set(self.history) | set(self.records)
        self.jobs, self.served = {}, {}
        for job in sorted(known):
            answer = admin.get("/api/v1/system/jobs/" + job)
            value = answer.json()
            self.jobs[job] = (answer.status_code, value)
            if answer.status_code == 200 and value["status"] in FINAL:
                got = admin.download(job)
                self.served[job] = Served(got.status_code, got.headers.get("ETag", "").strip('"'), got.content)
        self.tree, self.strays = tree(os.path.join(p3d.data, "jobs"))
        return self


def read_ran(folder):
    found = {}
    try:
        with open(os.path.join(folder, "ran")) as f:
            for line in f:
                job, number, name, at = line.split()
                found[name] = (job, int(number), float(at))
    except FileNotFoundError:
        pass
    return found


def history(admin):
    """All ids, by pages that follow the cursor."""
    found, cursor = [], None
    while True:
        path = "/api/v1/system/jobs/history?limit=500" + ("&cursor=" + cursor if cursor else "")
        page = admin.ok("GET", path)
        found += [job["job_id"] for job in page["jobs"]]
        cursor = page["pagination"]["next_cursor"]
        if not cursor:
            return found


def tree(root):
    """(job -> attempt -> names, other paths)."""
    jobs, strays = {}, []
    for job in os.listdir(root):
        path = os.path.join(root, job)
        if not job.startswith("job_") or not os.path.isdir(path):
            if job not in (".store-id", ".store-key"):
                strays.append(path)
            continue
        jobs[job] = {}
        for attempt in os.listdir(path):
            below = os.path.join(path, attempt)
            if os.path.isdir(below):
                jobs[job][attempt] = sorted(os.listdir(below))
            else:
                strays.append(below)
    return jobs, strays


def detail(record):
    try:
        return json.loads(record.detail) if record.detail else {}
    except ValueError:
        return {"unreadable": record.detail}
