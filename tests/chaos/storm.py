#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A storm: clients submit jobs to a real `p3d up` while its processes are killed and stopped; behind it everything that
was acknowledged must be there, once. Exit status 0 clean, 1 the oracle found something (or nothing was learnt), 2 usage.

  scripts/chaos                                   40 faults of all kinds, about a minute
  scripts/chaos --kills 500 --seed 7              by hand, about nine minutes
  scripts/chaos --kills 200 --only worker,worker-stop --report storm.json
  scripts/chaos --seconds 600 --kills 0 --durability everysec --keep
"""
import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time

import redis  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
for folder in (HERE, os.path.join(os.path.dirname(HERE), "support")):
    if folder not in sys.path:
        sys.path.insert(0, folder)
import notes  # noqa: E402
import oracle  # noqa: E402
import plans  # noqa: E402
import queue_state  # noqa: E402
import report  # noqa: E402
from facts import Facts  # noqa: E402
from faults import KINDS, Faults  # noqa: E402
from observer import Observer  # noqa: E402
from p3d_test import BINARY, P3D, select_wait, until  # noqa: E402

OWNERS = ("ann", "bob", "cyd", "dan")
LIMITED = "cyd"  # may run one job at a time


def arguments(argv=None):
    p = argparse.ArgumentParser(prog="scripts/chaos", description=__doc__.split("\n\n")[0],
                                epilog="examples:\n" + __doc__.split("\n\n")[1],
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--kills", type=int, default=40, metavar="N", help="faults to do (40); 0 = as many as --seconds has room for")
    p.add_argument("--seconds", type=float, default=0, metavar="S", help="longest storm; 0 = until the faults are done")
    p.add_argument("--seed", type=int, default=None, metavar="S", help="of the schedule and the jobs; default: a new one")
    p.add_argument("--only", default=",".join(KINDS), metavar="KINDS", help="of " + ",".join(KINDS))
    p.add_argument("--durability", choices=("always", "everysec"), default="always", help="redis.durability (always)")
    p.add_argument("--report", metavar="FILE", help="the figures as JSON")
    p.add_argument("--keep", action="store_true", help="keep the folder; it is kept anyway when the oracle finds something")
    p.add_argument("--pause", default="0.3-1.5", metavar="A-B", help="seconds between faults (0.3-1.5)")
    p.add_argument("--workers", type=int, default=3, metavar="N")
    p.add_argument("--processes", type=int, default=2, metavar="N", help="server processes (2)")
    p.add_argument("--clients", type=int, default=4, metavar="N", help="client processes (4)")
    p.add_argument("--outstanding", type=int, default=6, metavar="N", help="jobs that a client has open before it waits (6)")
    p.add_argument("--lease", type=int, default=1, metavar="S", help="workers.lease_seconds (1)")
    p.add_argument("--job-seconds", default="0.05-0.3", metavar="A-B", help="what a job takes (0.05-0.3)")
    p.add_argument("--mix", default="", metavar="PLAN=N,…", help="of " + ",".join(plans.MIX) + "; default: all")
    p.add_argument("--replay", type=float, default=0.1, metavar="P", help="share of submits that are said again when acknowledged (0.1)")
    p.add_argument("--delete", type=int, default=300, metavar="N", help="jobs to delete behind it, and to see leave no trace (300)")
    p.add_argument("--quiet", type=float, default=120, metavar="S", help="longest wait for the queue to be empty behind it (120)")
    p.add_argument("--binary", default=BINARY, metavar="FILE", help="p3d to be tested; default: of P3D_BUILD_DIR")
    o = p.parse_args(argv)
    try:
        o.pause, o.job_seconds = (tuple(map(float, text.split("-"))) for text in (o.pause, o.job_seconds))
        o.mix = {k: int(v) for k, v in (pair.split("=") for pair in o.mix.split(","))} if o.mix else dict(plans.MIX)
    except ValueError:
        p.error("a range is A-B, a mix PLAN=N,PLAN=N")
    o.only, o.binary = o.only.split(","), os.path.abspath(o.binary)
    unknown = [x for x in o.only if x not in KINDS] + [x for x in o.mix if x not in plans.MIX]
    if unknown or len(o.pause) != 2 or len(o.job_seconds) != 2:
        p.error("not known: " + " ".join(unknown) if unknown else "a range is A-B")
    if not o.kills and not o.seconds:
        p.error("--kills 0 needs --seconds")
    o.seed = random.SystemRandom().randrange(10 ** 9) if o.seed is None else o.seed
    return o


class Storm:
    def __init__(self, options):
        self.o = options
        self.folder = tempfile.mkdtemp(prefix="p3d-chaos-")
        self.notes = os.path.join(self.folder, "notes")
        os.mkdir(self.notes)
        os.mkdir(os.path.join(self.folder, "p3d"))
        self.clients, self.admin = [], None
        self.watch = report.Watch(self.notes, options.kills)
        self.p3d = P3D(models=plans.MODELS, folder=os.path.join(self.folder, "p3d"), binary=options.binary, default="plain",
                       workers=options.workers, processes=options.processes, start=False, config={
                           "redis": {"timeout_ms": 1000, "durability": options.durability},
                           "server": {"host": "127.0.0.1", "port": 0, "processes": options.processes, "drain_seconds": 2},
                           "workers": {"count": options.workers, "lease_seconds": options.lease, "kill_grace_seconds": 1,
                                       "drain_seconds": 10}})
        self.faults = Faults(self.p3d, random.Random(options.seed), options.only, options.lease, self.at("base"))

    def at(self, name):
        return os.path.join(self.notes, name)

    # -- the storm itself
    def begin(self):
        self.p3d.start()
        notes.replace(self.at("base"), self.p3d.base)
        self.admin = self.p3d.admin()
        owners = [self.p3d.register(name) for name in OWNERS]
        out = self.p3d.cli("users", "update", LIMITED, "--max-concurrent-jobs", "1", "--config", self.p3d.config,
                           "--data-dir", self.p3d.data)
        assert out.returncode == 0, out.stderr
        self.observer = Observer(self.faults.client)
        self.observer.start()
        o = self.o
        setup = {"notes": self.notes, "tokens": [a.token for a in owners], "seed": o.seed, "mix": o.mix,
                 "outstanding": o.outstanding, "job_seconds": o.job_seconds, "replay": o.replay, "timeout": 2.5}
        path = self.at("setup.json")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as f:
            json.dump(setup, f)
        for n in range(o.clients):
            self.clients.append(subprocess.Popen(["/usr/bin/python3", os.path.join(HERE, "clients.py"), path, str(n)],
                                                 cwd=self.notes, stdin=subprocess.DEVNULL))
        until(lambda: self.watch.look() >= o.clients, 30, "the first jobs")

    def blow(self):
        o, begin, next_at = self.o, time.monotonic(), 0.0
        while True:
            now = time.monotonic()
            done = sum(e["kind"] in KINDS for e in self.faults.events)
            if (o.kills and done >= o.kills) or (o.seconds and now - begin >= o.seconds):
                return
            if now >= next_at and self.faults.strike():
                next_at = time.monotonic() + self.faults.dice.uniform(*o.pause)
            self.faults.tick()
            self.check_clients()
            self.watch.say(self.faults.events)
            select_wait(0.02)

    def check_clients(self):
        for n, client in enumerate(self.clients):
            assert client.poll() is None, "client %d ended with %s" % (n, client.returncode)

    def wait(self, probe, seconds, what):
        """until(), while the faults' consequences are looked after."""
        def look():
            self.faults.tick()
            self.watch.say(self.faults.events)
            return probe()
        return until(look, seconds, what)

    # -- behind it
    def quiet(self):
        """Nothing is queued, nothing runs, and that stays so for a lease and two seconds. Returns what does not end."""
        self.faults.calm()
        self.wait(lambda: not self.faults.waits_ready, 60, "p3d up to be ready")
        notes.replace(self.at("halt"), "")
        self.wait(lambda: all(os.path.exists(self.at("halted.%d" % n)) for n in range(self.o.clients)), 90,
                  "the clients' last acknowledgements")
        state = {"since": None, "left": None}

        def calm():
            try:
                with self.faults.client() as r:
                    state["left"] = [u for u, j in queue_state.records(r).items() if j.state in ("queued", "processing")]
            except redis.RedisError:  # not yet started again
                state["left"] = ["?"]
            now = time.monotonic()
            state["since"] = None if state["left"] else state["since"] or now
            select_wait(0.1)
            return state["since"] and now - state["since"] > self.o.lease + 2
        try:
            self.wait(calm, self.o.quiet, "the queue to be empty")
        except AssertionError:
            return state["left"]  # the oracle finds them
        return []

    def dismiss_clients(self):
        notes.replace(self.at("end"), "")
        for client in self.clients:
            try:
                client.wait(20)
            except subprocess.TimeoutExpired:
                client.kill()
                client.wait()

    def judge(self):
        self.dismiss_clients()
        self.observer.stop()
        facts = Facts(self.notes)
        facts.events = self.observer.events
        facts.durability = self.o.durability
        facts.redis_kills = [e["t"] for e in self.faults.events if e["kind"] == "redis"]
        facts.killed = {e["pid"] for e in self.faults.events if e["kind"] == "worker"}
        self.facts = facts.gather(self.p3d, self.p3d.client(self.admin.token))
        return oracle.judge(self.facts)

    def delete(self, verdict):
        """Nothing may stay of jobs that are deleted."""
        admin, root = self.p3d.client(self.admin.token), os.path.join(self.p3d.data, "jobs")
        jobs = sorted(job for job, (status, _) in self.facts.jobs.items() if status == 200)
        if len(jobs) > self.o.delete:
            jobs = random.Random(self.o.seed).sample(jobs, self.o.delete)
        for job in jobs:
            r = admin.delete("/api/v1/jobs/" + job)
            if r.status_code not in (200, 204):
                verdict.add("wrong", "DELETE of %s: %d %s" % (job, r.status_code, r.text))

        def left():
            with self.faults.client() as r:
                keys = [k for job in jobs for k in ("job:" + job[5:], "gone:" + job[5:]) if r.exists(queue_state.W + k)]
                return keys + ["purge"] * bool(r.zcard(queue_state.W + "purge")) + sorted(set(jobs) & set(os.listdir(root)))
        try:
            until(lambda: not left(), 60 + len(jobs) / 8, "deleted jobs to be gone")
        except AssertionError:
            verdict.add("leaks", "behind deletion: %s" % left())

    def end(self, verdict):
        """Stopped in order, nothing is left: no process, nothing in the workers' folders, no sanitizer's report."""
        status = self.p3d.stop()
        if status != 0:
            verdict.add("wrong", "p3d up ended with %s" % status)
        try:
            until(lambda: not self.p3d.processes(), 15, "the last process to leave")
        except AssertionError:
            verdict.add("leaks", "processes: %s" % self.p3d.processes())
        work = os.path.join(self.p3d.data, "work")
        for slot in os.listdir(work):
            path = os.path.join(work, slot)
            if os.path.isdir(path):
                for name in os.listdir(path):
                    verdict.add("leaks", os.path.join(path, name))
        try:
            self.p3d.check_log()
        except AssertionError as said:
            verdict.add("wrong", "the log: %s" % said)

    def run(self):
        """(report, verdict)."""
        kept = True
        try:
            self.begin()
            self.blow()
            self.watch.storm_over()
            left = self.quiet()
            verdict = self.judge()
            figures = report.figures(self.o, self.facts, self.faults, self.watch)
            if not left:
                self.delete(verdict)
            self.end(verdict)
            figures.update(verdict.figures(), clean=verdict.clean,
                           found={kind: getattr(verdict, kind)[:50] for kind in oracle.KINDS + oracle.EXCUSED})
            kept = self.o.keep or not verdict.clean
            if kept:
                figures["folder"] = self.folder
                with open(os.path.join(self.folder, "report.json"), "w") as f:
                    json.dump({**figures, "events": self.faults.events}, f, indent=1)
            return figures, verdict
        finally:
            self.watch.end()
            for client in self.clients:
                if client.poll() is None:
                    client.kill()
                    client.wait()
            self.p3d.kill_all()
            if not kept:
                shutil.rmtree(self.folder, ignore_errors=True)
            elif sys.exc_info()[0]:
                print("kept:", self.folder, file=sys.stderr)


def main():
    options = arguments()
    print("seed %d, %s" % (options.seed, options.binary), flush=True)
    figures, verdict = Storm(options).run()
    if options.report:
        with open(options.report, "w") as f:
            json.dump(figures, f, indent=1)
    report.show(figures, verdict)
    return 0 if verdict.clean else 1


if __name__ == "__main__":
    sys.exit(main())
