# SPDX-License-Identifier: MIT
"""The judge of a storm. judge() looks at Facts and names everything that must not be:

  lost        acknowledged, but it is not there, not in its owner's history, has not ended, or its result is gone
  double      more than one accepted end: what is served is not what the accepted attempt made, an end that somebody saw
              was followed by something else, or an end was announced twice
  duplicates  two jobs for one Idempotency-Key
  ghosts      a job that nobody wanted to submit
  leaks       what is left of attempts that did not count, of jobs that are not there; leases
  broken      an invariant of the queue
  wrong       an end that this job cannot have, a start before its run_at, an answer that nobody should get

A job whose submit was never acknowledged may be there or not: that it was intended is enough. With redis.durability
everysec the last two seconds before Redis died are not promised: what rests on a note of that time is not counted, but
named as `unsynced`. What a worker had copied for an attempt that did not count, when the storm killed that very worker, lies
with its job until this is deleted: named as `orphaned`.
"""
import collections

from facts import FINAL, detail
from plans import right

KINDS = ("lost", "double", "duplicates", "ghosts", "leaks", "broken", "wrong")
EXCUSED = ("unsynced", "orphaned")
UNSYNCED_SECONDS = 2.2  # a sync a second, one second late, and the time to be killed
EARLY_SECONDS = 0.02    # two clocks are read


class Verdict:
    def __init__(self, facts):
        self.facts, self.unsynced, self.orphaned = facts, [], []
        for kind in KINDS:
            setattr(self, kind, [])

    def add(self, kind, what, t=None):
        """t: when the note was written that this rests on."""
        excused = self.facts.durability == "everysec" and t is not None and any(
            t <= kill <= t + UNSYNCED_SECONDS for kill in self.facts.redis_kills)
        (self.unsynced if excused else getattr(self, kind)).append(what)

    def leak_of(self, job, what):
        dead = self.facts.claims.get(job, set()) & self.facts.killed
        (self.orphaned if dead else self.leaks).append(what)

    @property
    def clean(self):
        return not any(getattr(self, kind) for kind in KINDS)

    def figures(self):
        return {kind: len(getattr(self, kind)) for kind in KINDS + EXCUSED}


def judge(facts):
    verdict = Verdict(facts)
    for look in (acknowledged, keys, both, ends, results, announced, observed, leftovers, behaviour):
        look(facts, verdict)
    return verdict


def acknowledged(facts, verdict):
    history = collections.Counter(facts.history)
    for row in facts.acks:
        for job in row["ids"]:
            status, value = facts.jobs[job]
            if status != 200:
                verdict.add("lost", "%s (%s): %s" % (job, row["key"], status), row["t"])
            elif value["status"] not in FINAL:
                verdict.add("lost", "%s (%s) is still %s" % (job, row["key"], value["status"]))
            elif history[job] != 1:
                verdict.add("lost", "%s is %d times in the history" % (job, history[job]))
            elif value["metadata"].get("key") != row["key"]:
                verdict.add("lost", "%s is not what %s submitted" % (job, row["key"]))


def keys(facts, verdict):
    """Of each key and place in its batch there is one job, and each job has a key that was meant."""
    intents = {row["key"]: row for row in facts.intents}
    found = collections.defaultdict(set)
    for job in set(facts.records) | set(facts.history):
        status, value = facts.jobs[job]
        if status != 200:
            verdict.add("ghosts", "%s is known but answers %s" % (job, status))
            continue
        key, n = value["metadata"].get("key"), value["metadata"].get("n")
        if key not in intents or not isinstance(n, int) or not 0 <= n < intents[key]["n"]:
            verdict.add("ghosts", "%s of key %s[%s]" % (job, key, n))
        found[key, n].add(job)
    for row in facts.acks:
        for n, job in enumerate(row["ids"]):
            found[row["key"], n].add(job)
    for (key, n), jobs in found.items():
        if len(jobs) > 1:
            verdict.add("duplicates", "%s[%s]: %s" % (key, n, " ".join(sorted(jobs))))


def both(facts, verdict):
    """The server says what Redis has."""
    for job, record in facts.records.items():
        status, value = facts.jobs[job]
        if status == 200 and (value["status"], value["attempt"]) != (record.state, record.attempt):
            verdict.add("broken", "%s is %s (%d) in Redis, but answers %s (%d)"
                        % (job, record.state, record.attempt, value["status"], value["attempt"]))
    if not facts.acks:
        verdict.add("wrong", "nothing was acknowledged, so nothing was learnt")


def final_face(value):
    return value["status"], value["attempt"], value["completed_at"] or value["failed_at"]


def ends(facts, verdict):
    """An end that a client has seen is the end."""
    plans = {row["key"]: row["plan"] for row in facts.intents}
    for row in facts.seen:
        job = row["id"]
        status, value = facts.jobs.get(job, (None, None))
        if row["state"] == "404":
            verdict.add("lost", "%s was not found for a while" % job, row["t"])
        elif status == 200 and row["state"] in FINAL:
            seen, now = (row["state"], row["attempt"], row["ended"]), final_face(value)
            if seen != now:
                verdict.add("double", "%s was %s, is %s" % (job, seen, now), row["t"])
            served = facts.served.get(job)
            if row.get("sha") and served and (row["sha"], row["etag"]) != (served.sha, served.etag):
                verdict.add("double", "%s had another result before" % job, row["t"])
    first = {}
    for row in facts.seen:  # each job is watched by one client, so its notes are in order
        if row["id"] in first and row["state"] not in FINAL + ("404",):
            verdict.add("double", "%s was %s after it was %s" % (row["id"], row["state"], first[row["id"]][0]),
                        first[row["id"]][1])
        if row["state"] in FINAL:
            first.setdefault(row["id"], (row["state"], row["t"]))
    for job, (status, value) in facts.jobs.items():
        plan = plans.get(value["metadata"].get("key")) if status == 200 else None
        if plan and value["status"] in FINAL:
            code = value["error"]["code"] if value["error"] else None
            if not right(plan, value["status"], code):
                verdict.add("wrong", "%s (%s) ended as %s %s" % (job, plan, value["status"], value["error"]))


def results(facts, verdict):
    """What is served was made by the one attempt that was accepted."""
    for job, served in facts.served.items():
        value, record = facts.jobs[job][1], facts.records.get(job)
        if record is None:
            verdict.add("lost", "%s has no record" % job)
            continue
        accepted = "%s-%s" % (record.fence, record.nonce)
        if value["status"] != "completed":
            if served.status == 200:
                verdict.add("double", "%s is %s and has a result" % (job, value["status"]))
            continue
        result = detail(record).get("result", {})
        if value["model_id"] == "bare" and result.get("attempt") == accepted and not result.get("files"):
            continue
        if value["model_id"] == "bare":
            verdict.add("double", "%s: attempt %s was accepted, %s is recorded" % (job, accepted, result.get("attempt")))
            continue
        if served.status != 200:
            verdict.add("lost", "%s: its result answers %s" % (job, served.status))
            continue
        shas = [row["sha256"] for row in result.get("files", [])]
        if served.job != job:
            verdict.add("double", "%s has the result of %s" % (job, served.job))
        elif served.name not in facts.ran or facts.ran[served.name][0] != job:
            verdict.add("double", "%s has a result of %s, which never ran" % (job, served.name))
        elif served.name != accepted or result.get("attempt") != accepted:
            verdict.add("double", "%s: attempt %s was accepted, %s is recorded, %s is served"
                        % (job, accepted, result.get("attempt"), served.name))
        elif int(served.attempt) != value["attempt"]:
            verdict.add("double", "%s: attempt %d was accepted, %s is served" % (job, value["attempt"], served.attempt))
        elif served.sha != served.etag or shas != [served.sha]:
            verdict.add("double", "%s: the bytes are %s, the ETag %s, the record %s" % (job, served.sha, served.etag, shas))


def announced(facts, verdict):
    """Redis says each change once, with its number. Some are missed; those that are heard are true."""
    for job, events in facts.events.items():
        last, end = 0, None
        for revision, state, t in events:
            if end:
                verdict.add("double", "%s: %s was announced after %s" % (job, state, end[0]), end[1])
            elif revision <= last:
                verdict.add("double", "%s: revision %d was announced after %d" % (job, revision, last), t)
            last = revision
            end = (state, t) if state in FINAL else None


def observed(facts, verdict):
    """The record agrees with what was announced last."""
    for job, events in facts.events.items():
        record = facts.records.get(job)
        revision, state, t = events[-1]
        if record is None:
            verdict.add("lost", "%s was announced as %s and has no record" % (job, state), t)
        elif state in FINAL and (record.state, record.rev) != (state, revision):
            verdict.add("double", "%s was announced as %s (%d), is %s (%d)"
                        % (job, state, revision, record.state, record.rev), t)


def leftovers(facts, verdict):
    for job, attempts in facts.tree.items():
        record = facts.records.get(job)
        if record is None:
            verdict.add("leaks", "files of %s, which is not there" % job)
            continue
        accepted = "%s-%s" % (record.fence, record.nonce)
        for attempt, names in attempts.items():
            if attempt != accepted:
                verdict.leak_of(job, "files of attempt %s of %s; %s counted" % (attempt, job, accepted))
                continue
            wanted = {".log", "result.glb"} if record.state == "completed" else {".log"}
            for name in sorted(set(names) - wanted):
                verdict.leak_of(job, "%s of %s, which is %s" % (name, job, record.state))
    for path in facts.strays:
        verdict.add("leaks", path)
    for ulid in facts.leases:
        verdict.add("leaks", "the lease of %s" % ulid)


def behaviour(facts, verdict):
    if facts.places:
        verdict.add("broken", facts.places)
    for row in facts.odd:
        verdict.add("duplicates" if row["what"].startswith("another answer") else "wrong", str(row))
    run_at = {row["key"]: row["run_at"] for row in facts.intents if row["run_at"]}
    for name, (job, _, at) in facts.ran.items():
        status, value = facts.jobs.get(job, (None, None))
        due = run_at.get(value["metadata"].get("key")) if status == 200 else None
        if due and at < due - EARLY_SECONDS:
            verdict.add("wrong", "%s began %.3f s before its run_at" % (job, due - at))
