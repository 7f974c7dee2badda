# SPDX-License-Identifier: MIT
"""One client of a storm, a process of its own: `clients.py FILE N`, FILE the JSON that storm.py writes. It submits with
an Idempotency-Key and says the same again until it is acknowledged, keeps an eye on all of its jobs, and writes down
what it was told (notes.py). It judges nothing but answers that cannot be right.
"""
import collections
import hashlib
import http.client
import json
import os
import random
import select
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import notes  # noqa: E402
import plans  # noqa: E402

FINAL = ("completed", "failed", "cancelled")
WAIT = (429, 503)  # told to come again
BROKEN = (OSError, http.client.HTTPException)


class Caller:
    """HTTP to wherever the server is by now."""

    def __init__(self, notes_at, token, timeout, ok):
        self.base_file, self.token, self.timeout = notes_at("base"), token, timeout
        self.connection, self.where, self.ok, self.ok_at = None, None, ok, 0.0

    def _connect(self):
        with open(self.base_file) as f:
            where = f.read().strip().split("//")[1]
        if where != self.where:
            self.hang_up()
            self.where = where
        if self.connection is None:
            self.connection = http.client.HTTPConnection(where, timeout=self.timeout)

    def hang_up(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def call(self, method, path, body=None, **headers):
        """(status, body bytes, headers); status 0: no answer, which may mean anything."""
        headers["Authorization"] = "Bearer " + self.token
        data = None
        if body is not None:
            data = json.dumps(body)
            headers["Content-Type"] = "application/json"
        try:
            self._connect()
            self.connection.request(method, path, data, headers)
            answer = self.connection.getresponse()
            whole = answer.read()
        except BROKEN:
            self.hang_up()
            return 0, b"", {}
        if answer.will_close:
            self.hang_up()
        now = time.monotonic()
        if 200 <= answer.status < 300 and now - self.ok_at > 0.005:
            self.ok_at = now
            self.ok.line("%.4f" % now)
        return answer.status, whole, answer.headers


class Client:
    def __init__(self, setup, number):
        self.setup, self.number, self.folder = setup, number, setup["notes"]
        self.dice = random.Random("%s/%d" % (setup["seed"], number))
        log = lambda kind, **kw: notes.Log(self.at("%s.%d" % (kind, number)), **kw)
        self.intent, self.ledger, self.seen, self.odd = log("intent"), log("ledger", durable=True), log("seen"), log("odd")
        self.caller = Caller(self.at, setup["tokens"][number % len(setup["tokens"])], setup["timeout"], log("ok"))
        self.open = collections.deque()  # [id, plan, when to cancel or None]
        self.ended = []                  # ids
        self.serial = 0

    def at(self, name):
        return os.path.join(self.folder, name)

    def told(self, name):
        return os.path.exists(self.at(name))

    def pause(self, seconds):
        select.select([], [], [], seconds)

    def strange(self, what, status, whole):
        self.odd.add(t=time.monotonic(), what=what, status=status, body=whole[:300].decode(errors="replace"))

    # -- submitting
    def submit(self):
        plan = plans.choose(self.dice, self.setup["mix"])
        self.serial += 1
        key = "c%d-%d" % (self.number, self.serial)
        path, body, n, run_at = plans.make(self.dice, plan, key, time.time(), self.setup["job_seconds"])
        self.intent.add(t=time.monotonic(), key=key, plan=plan, n=n, run_at=run_at)
        ids = self.acknowledged(path, body, key, plan, n)
        for job in ids or []:
            cancel_at = time.monotonic() + self.dice.uniform(0, 0.6) if plan == "cancel" else None
            self.open.append([job, plan, cancel_at])
        if ids and self.dice.random() < self.setup["replay"]:
            again = self.acknowledged(path, body, key, plan, n)
            if again and again != ids:
                self.strange("another answer to the same key %s: %s, %s" % (key, ids, again), 202, b"")

    def acknowledged(self, path, body, key, plan, n):
        """The ids, or None when the storm is over or the answer was wrong."""
        while not self.told("end"):
            status, whole, _ = self.caller.call("POST", path, body, **{"Idempotency-Key": key})
            if status == 202:
                try:
                    answer = json.loads(whole)
                    ids = [job["job_id"] for job in answer["jobs"]] if plan == "batch" else [answer["job_id"]]
                except (ValueError, KeyError, TypeError):
                    return self.strange("submit: no ids", status, whole)
                self.ledger.add(t=time.monotonic(), key=key, plan=plan, ids=ids)
                return ids if len(ids) == n else self.strange("submit: not as many ids", status, whole)
            if status == 422 and plan == "expires":
                return None  # it took so long to get through that the deadline is over
            if status and status not in WAIT:
                return self.strange("submit", status, whole)
            self.pause(0.03)
        return None

    # -- watching
    def look(self, job):
        """The job as it is said to be, or None when nothing could be learnt."""
        status, whole, _ = self.caller.call("GET", "/api/v1/system/jobs/" + job)
        if status == 200:
            return json.loads(whole)
        if status == 404:
            self.seen.add(t=time.monotonic(), id=job, state="404")
        elif status and status not in WAIT:
            self.strange("job " + job, status, whole)
        return None

    def result(self, job):
        """ETag and digest of the download."""
        for _ in range(5):
            status, whole, headers = self.caller.call("GET", "/api/v1/system/jobs/%s/download" % job)
            if status == 200:
                return {"etag": headers.get("ETag", "").strip('"'), "sha": hashlib.sha256(whole).hexdigest()}
            if status and status not in WAIT:
                self.strange("download " + job, status, whole)
                break
        return {}

    def note(self, job, value):
        row = {"t": time.monotonic(), "id": job, "state": value["status"], "attempt": value["attempt"]}
        if value["status"] in FINAL:
            row["ended"] = value["completed_at"] or value["failed_at"]
        if value["status"] == "completed" and value["model_id"] != "bare":
            row.update(self.result(job))
        self.seen.add(**row)

    def watch(self):
        entry = self.open.popleft()
        job, _, cancel_at = entry
        if cancel_at is not None and time.monotonic() >= cancel_at:
            status, whole, _ = self.caller.call("POST", "/api/v1/jobs/%s/cancel" % job)
            if status and status not in WAIT:
                entry[2] = None
                if status not in (200, 202, 409):
                    self.strange("cancel " + job, status, whole)
        value = self.look(job)
        if value is not None and value["status"] in FINAL:
            self.note(job, value)
            self.ended.append(job)
            return
        if value is not None:
            self.note(job, value)
        self.open.append(entry)

    def watch_ended(self):
        job = self.dice.choice(self.ended[-200:])
        value = self.look(job)
        if value is not None:
            self.note(job, value)

    def run(self):
        halted = False
        parent = os.getppid()
        while not self.told("end") and os.getppid() == parent:
            if not halted and self.told("halt"):
                halted = True
                notes.replace(self.at("halted.%d" % self.number), "")
            room = not halted and len(self.open) < self.setup["outstanding"]
            if room:
                self.submit()
            for _ in range(min(len(self.open), 2)):
                self.watch()
            if self.ended and self.dice.random() < 0.1:
                self.watch_ended()
            if not room or self.setup.get("pace", 0):
                self.pause(self.setup.get("pace", 0) or 0.05)


def main():
    with open(sys.argv[1]) as f:
        setup = json.load(f)
    Client(setup, int(sys.argv[2])).run()


if __name__ == "__main__":
    main()
