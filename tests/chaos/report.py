# SPDX-License-Identifier: MIT
"""What a storm says: a line while it goes on, figures and a table behind it."""
import bisect
import collections
import os
import sys
import time

import notes
from faults import KINDS
from oracle import EXCUSED, KINDS as FOUND

PIPE_SECONDS, TERMINAL_SECONDS = 5, 0.2


class Watch:
    """How far it is, by what the clients have written down."""

    def __init__(self, folder, kills):
        self.folder, self.kills, self.tails = folder, kills, {}
        self.acked, self.done = set(), set()
        self.began, self.said, self.over, self.busy = time.monotonic(), 0.0, None, False
        self.recent = collections.deque()

    def look(self):
        for name in os.listdir(self.folder):
            if name.startswith(("ledger.", "seen.")):
                tail = self.tails.setdefault(name, notes.Tail(os.path.join(self.folder, name)))
                for line in tail.new():
                    row = notes.json.loads(line)
                    if "ids" in row:
                        self.acked.update(row["ids"])
                    elif row["state"] in ("completed", "failed", "cancelled"):
                        self.done.add(row["id"])
        return len(self.acked)

    def storm_over(self):
        self.over = time.monotonic()

    def say(self, events):
        now, terminal = time.monotonic(), sys.stdout.isatty()
        if now - self.said < (TERMINAL_SECONDS if terminal else PIPE_SECONDS):
            return
        self.said = now
        self.look()
        self.recent.append((now, len(self.done)))
        while len(self.recent) > 2 and now - self.recent[1][0] > 5:
            self.recent.popleft()
        span = now - self.recent[0][0]
        rate = (len(self.done) - self.recent[0][1]) / span if span else 0.0
        count = collections.Counter(e["kind"] for e in events)
        line = "%4.0f s  kills %d%s  acked %d  done %d  %.0f/s  %s" % (
            now - self.began, sum(count[k] for k in KINDS), "/%d" % self.kills if self.kills else "", len(self.acked),
            len(self.done), rate, "settling" if self.over else " ".join("%s %d" % kv for kv in sorted(count.items())))
        print("\r\033[K" + line[:160] if terminal else line, end="" if terminal else "\n", flush=True)
        self.busy = terminal

    def end(self):
        if self.busy:
            print(flush=True)
            self.busy = False


def spread(values):
    """p50, p99 and max, in s."""
    v = sorted(values)
    if not v:
        return None
    return {"n": len(v), "p50": round(v[len(v) // 2], 3), "p99": round(v[min(len(v) - 1, int(len(v) * 0.99))], 3),
            "max": round(v[-1], 3)}


def recovery(facts, faults):
    """From a kill to the first 2xx read after it (worker: to the next start of its job)."""
    ok = sorted(float(line) for line in notes.lines(os.path.dirname(faults.base_file), "ok"))
    starts = collections.defaultdict(list)
    for job, _, at in facts.ran.values():
        starts[job].append(at)
    found = collections.defaultdict(list)
    for event in faults.events:
        if event["kind"] in ("redis", "serve", "supervisor", "redis-stop", "serve-stop"):
            at = bisect.bisect(ok, event["t"])
            if at < len(ok):
                found[event["kind"]].append(ok[at] - event["t"])
        elif event["kind"] == "worker" and event["job"]:
            later = [at for at in starts[event["job"]] if at > event["wall"]]
            if later:
                found["worker"].append(min(later) - event["wall"])
    return {kind: spread(values) for kind, values in sorted(found.items())}


def figures(options, facts, faults, watch):
    kills = collections.Counter(e["kind"] for e in faults.events)
    acked = {job for row in facts.acks for job in row["ids"]}
    states = collections.Counter(value["status"] for status, value in facts.jobs.values() if status == 200)
    seconds = (watch.over or time.monotonic()) - watch.began
    return {"seed": options.seed, "durability": options.durability, "seconds": round(seconds, 1),
            "kills": sum(kills[k] for k in KINDS), "kinds": dict(sorted(kills.items())), "jobs": len(facts.jobs),
            "acked": len(acked), "unacknowledged": len(facts.jobs) - len(acked), "attempts": len(facts.ran),
            "states": dict(sorted(states.items())), "heard": sum(map(len, facts.events.values())),
            "recovery_seconds": recovery(facts, faults)}


def show(figures, verdict):
    print("\nseed %(seed)d, redis.durability %(durability)s, %(seconds).0f s of storm" % figures)
    print("  kills %d: %s" % (figures["kills"], ", ".join("%s %d" % kv for kv in figures["kinds"].items())))
    print("  jobs %(jobs)d (acked %(acked)d, unacknowledged %(unacknowledged)d), attempts %(attempts)d, " % figures
          + ", ".join("%s %d" % kv for kv in figures["states"].items()))
    for kind, row in figures["recovery_seconds"].items():
        print("  recovery %-11s n %-4d p50 %.3f s  p99 %.3f s  max %.3f s" % (kind, row["n"], row["p50"], row["p99"], row["max"]))
    print("  " + "  ".join("%s %d" % (kind, figures[kind]) for kind in FOUND + EXCUSED))
    for kind in FOUND:
        for what in getattr(verdict, kind)[:10]:
            print("    %s: %s" % (kind, what))
    if "folder" in figures:
        print("  kept: " + figures["folder"])
    print("clean" if verdict.clean else "NOT CLEAN", flush=True)
