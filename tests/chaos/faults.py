# SPDX-License-Identifier: MIT
"""The harm that a storm does to a running P3D, one fault at a time, each written down with its time and victim. Only
processes of that P3D's folder are ever touched."""
import os
import select
import signal
import time

import redis

import notes
from facts import read_ran
from p3d_test import alive, descendants

RESTARTED = {"worker", "serve", "redis"}  # what a supervisor starts again, later after each death
RELIEF_SECONDS = 1.5
STOP_DEADLINE = 4.0  # s over the lease, for a stopped worker whose job nobody begins again


def job_of(pid):
    """The job that this worker runs now, by the environment of its runner."""
    for below in descendants(pid):
        try:
            with open("/proc/%d/environ" % below, "rb") as f:
                for pair in f.read().split(b"\0"):
                    if pair.startswith(b"P3D_JOB_ID="):
                        return pair.split(b"=", 1)[1].decode()
        except OSError:
            continue
    return None


class Faults:
    """only: the kinds that may happen (names of KINDS). base_file: told where the server is after each new `p3d up`."""

    def __init__(self, p3d, dice, only, lease_seconds, base_file):
        self.p3d, self.dice, self.lease, self.base_file = p3d, dice, lease_seconds, base_file
        self.kinds = {name: row for name, row in KINDS.items() if name in only}
        self.events, self.stopped, self.idle_since = [], {}, None
        self.waits_ready = False

    # -- victims
    def ours(self, pid):
        try:
            with open("/proc/%d/cmdline" % pid, "rb") as f:
                line = f.read().decode(errors="replace")
            cwd = os.readlink("/proc/%d/cwd" % pid)
        except OSError:
            return False
        return alive(pid) and (self.p3d.folder in line or (cwd + "/").startswith(self.p3d.folder + "/"))

    def victims(self, role, stopped=True):
        found = [(name, pid) for name, pid in sorted(self.p3d.pids().items()) if name.split("-")[0] == role]
        return [(name, pid) for name, pid in found if self.ours(pid) and (stopped or pid not in self.stopped)]

    def note(self, kind, victim, pid, **more):
        event = {"kind": kind, "victim": victim, "pid": pid, "t": time.monotonic(), "wall": time.time(), **more}
        self.events.append(event)
        return event

    # -- faults: each gives True when it did something
    def kill(self, kind, role=None, busy_share=0.0):
        victims = self.victims(role or kind)
        if not victims:
            return False
        busy = [(name, pid, job) for name, pid in victims for job in [job_of(pid)] if job] if busy_share else []
        name, pid, job = self.dice.choice(busy) if busy and self.dice.random() < busy_share else \
            (*self.dice.choice(victims), None)
        self.note(kind, name, pid, job=job)
        os.kill(pid, signal.SIGKILL)
        return True

    def kill_worker(self):
        return self.kill("worker", "work", busy_share=0.8)

    def kill_supervisor(self):
        if self.p3d.process is None or self.p3d.process.poll() is not None:
            return False
        self.note("supervisor", "supervisor", self.p3d.process.pid)
        self.p3d.kill_supervisor()
        self.up()
        return True

    def stop(self, role, seconds, **more):
        victims = self.victims(role, stopped=False)
        if not victims:
            return False
        name, pid = self.dice.choice(victims)
        self.freeze(role + "-stop", name, pid, seconds, **more)
        return True

    def freeze(self, kind, name, pid, seconds, until=None):
        """until: let it go on as soon as this says so."""
        event = self.note(kind, name, pid)
        os.kill(pid, signal.SIGSTOP)
        self.stopped[pid] = (event["t"] + seconds, until)

    def stop_worker(self):
        """In the middle of a job, past its lease: until somebody else has begun that job."""
        free = self.victims("work", stopped=False)
        victims = [(name, pid, job) for name, pid in free for job in [job_of(pid)] if job]
        if not victims or len(free) - 1 < len(self.victims("work")) / 2:  # most go on, or nobody takes the job
            return False
        name, pid, job = self.dice.choice(victims)
        had = self.attempts(job)
        self.freeze("worker-stop", name, pid, self.lease + STOP_DEADLINE, until=lambda: self.attempts(job) > had)
        return True

    def attempts(self, job):
        return sum(row[0] == job for row in read_ran(self.p3d.folder).values())

    def stop_serve(self):
        return self.stop("serve", self.dice.uniform(0.3, 3.0))

    def stop_redis(self):
        return self.stop("redis", self.dice.uniform(0.3, 2.5))

    def flush(self):
        try:
            with self.client() as r:
                r.script_flush()
        except redis.RedisError:
            return False
        self.note("flush", "redis", 0)
        return True

    def client(self):
        return redis.Redis(unix_socket_path=os.path.join(self.p3d.data, "run", "redis.sock"), socket_timeout=1)

    def strike(self):
        """One fault, or False when there is nobody to be hit just now."""
        names = sorted(self.kinds)
        while names:
            name = self.dice.choices(names, [self.kinds[n][0] for n in names])[0]
            if self.kinds[name][1](self):
                self.idle_since = None
                return True
            names.remove(name)
        return self.relieve()

    def relieve(self):
        """What was killed too often comes back later each time. A new supervisor begins anew."""
        now = time.monotonic()
        self.idle_since = self.idle_since or now
        if now - self.idle_since < RELIEF_SECONDS or self.waits_ready or not RESTARTED & set(self.kinds):
            return False
        self.idle_since = None
        self.kill_supervisor()
        self.events[-1]["kind"] = "relief"
        return False

    # -- between faults
    def up(self):
        self.p3d.start(wait=False)
        self.waits_ready = True

    def tick(self):
        now = time.monotonic()
        for pid, (due, until) in list(self.stopped.items()):
            if now >= due or (until and until()):
                self.go_on(pid)
        process = self.p3d.process
        if process.poll() is not None:
            self.note("up-exit", "supervisor", process.pid, status=process.returncode)
            process.stdout.close()
            self.up()
        elif self.waits_ready and select.select([process.stdout], [], [], 0)[0]:
            line = process.stdout.readline().decode()
            if line.startswith("ready http://"):
                self.p3d.base = line.split()[1]
                notes.replace(self.base_file, self.p3d.base)
                self.waits_ready = False

    def go_on(self, pid):
        del self.stopped[pid]
        if self.ours(pid):
            os.kill(pid, signal.SIGCONT)

    def calm(self):
        for pid in list(self.stopped):
            self.go_on(pid)


# name -> (how often, what is done)
KINDS = {
    "worker": (6, Faults.kill_worker),
    "serve": (4, lambda f: f.kill("serve")),
    "supervisor": (2, Faults.kill_supervisor),
    "redis": (3, lambda f: f.kill("redis")),
    "worker-stop": (3, Faults.stop_worker),
    "serve-stop": (2, Faults.stop_serve),
    "redis-stop": (2, Faults.stop_redis),
    "flush": (1, Faults.flush),
}
