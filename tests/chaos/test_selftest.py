# SPDX-License-Identifier: MIT
"""The suite against what it must find: binaries without a guard, and facts that were tampered with."""
import concurrent.futures
import copy
import os
import shutil

import pytest

import oracle
import report
import storm
from facts import Served
from p3d_test import BUILD

# What brings the lack of each guard to light; the right binary stands the same.
FENCE = ["--only", "worker-stop", "--seed", "5", "--pause", "0.1-0.3", "--job-seconds", "0.5-0.8", "--mix", "bare=1",
         "--workers", "5", "--processes", "1", "--outstanding", "3", "--kills", "10", "--seconds", "15", "--delete", "10"]
IDEMPOTENCY = ["--only", "serve", "--seed", "6", "--pause", "0.15-0.3", "--mix", "expires=3,batch=1", "--processes", "2",
               "--replay", "0", "--clients", "6", "--outstanding", "300", "--job-seconds", "0.01-0.02", "--kills", "50",
               "--seconds", "12", "--delete", "10"]


def run(schedule, guard=None):
    """(figures, verdict). A storm that had to be bad leaves no folder behind."""
    binary = ["--binary", os.path.join(BUILD, "tests", "p3d-" + guard)] if guard else []
    made = storm.Storm(storm.arguments(schedule + binary))
    figures, verdict = made.run()
    if guard:
        shutil.rmtree(made.folder, ignore_errors=True)
    return figures, verdict


def with_and_without(schedule, guard):
    """The figures and verdicts of the right binary and of the one whose guard is cut, side by side."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(run, schedule), pool.submit(run, schedule, guard)]
        (figures, right), (bad_figures, bad) = [r.result() for r in runs]
    report.show(figures, right)
    report.show(bad_figures, bad)
    assert right.clean, figures["found"]
    return figures, bad


def test_fence():
    """A worker that was given up for lost goes on while another one runs its job: without it both results are accepted. Of
    jobs without files, whose late attempts nothing else stops: their directory is gone when they want to publish."""
    figures, bad = with_and_without(FENCE, "no-fence")
    assert bad.double and not bad.lost and not bad.duplicates, bad.figures()
    assert figures["kinds"]["worker-stop"] >= 4, figures["kinds"]


def test_idempotency():
    """A server dies between Redis and the client: without it the same key makes another job."""
    figures, bad = with_and_without(IDEMPOTENCY, "no-idempotency")
    assert bad.duplicates and not bad.lost and not bad.double, bad.figures()
    assert figures["kinds"]["serve"] >= 8, figures["kinds"]


# ---- the oracle by itself: facts of a storm without faults, each tampered with in one way ----

def first(facts, state):
    return next(job for job, (_, value) in sorted(facts.jobs.items()) if value["status"] == state)


def note_of(facts, job):
    return next(row for row in facts.acks if job in row["ids"])


def lose_job(f):
    job = first(f, "completed")
    f.jobs[job] = (404, {})
    del f.served[job]


def lose_from_history(f):
    f.history.remove(first(f, "completed"))


def twice_in_history(f):
    f.history.append(first(f, "completed"))


def lose_record(f):
    del f.records[first(f, "completed")]


def never_end(f):
    f.jobs[first(f, "completed")][1]["status"] = "processing"


def lose_result(f):
    f.served[first(f, "completed")] = Served(404, "", b"")


def miss_for_a_while(f):
    f.seen.append({"t": 0.0, "id": first(f, "completed"), "state": "404"})


def take_another_submit(f):
    f.jobs[first(f, "completed")][1]["metadata"]["key"] = "c9-9"


def serve_other_attempt(f):
    job = first(f, "completed")
    f.served[job].name = "1-0000000000000000"
    f.ran[f.served[job].name] = (job, 1, 0.0)


def serve_what_never_ran(f):
    del f.ran[f.served[first(f, "completed")].name]


def serve_other_job(f):
    f.served[first(f, "completed")].job = first(f, "failed")


def serve_other_bytes(f):
    f.served[first(f, "completed")].sha = "0" * 64


def serve_other_number(f):
    f.served[first(f, "completed")].attempt = "7"


def accept_other_attempt(f):
    f.records[first(f, "completed")].fence = "1"


def record_other_attempt(f):
    record = f.records[first(f, "completed")]
    record.detail = record.detail.replace('"attempt":"', '"attempt":"1')


def serve_result_of_failure(f):
    f.served[first(f, "failed")].status = 200


def change_result(f):
    next(row for row in f.seen if row.get("sha"))["sha"] = "0" * 64


def end_otherwise(f):
    next(row for row in f.seen if row["state"] == "completed")["state"] = "cancelled"


def go_back(f):
    f.seen.append({"t": 1e9, "id": next(r for r in f.seen if r["state"] == "completed")["id"], "state": "queued", "attempt": 1})


def announce_twice(f):
    events = next(e for e in f.events.values() if e[-1][1] == "completed")
    events.append((events[-1][0] + 1, "completed", 1e9))


def announce_backwards(f):
    events = next(e for e in f.events.values() if len(e) > 2)
    events[1] = events[0]


def announce_other_end(f):
    events = next(e for e in f.events.values() if e[-1][1] == "completed")
    events[-1] = (events[-1][0], "failed", 1e9)


def same_key_twice(f):
    job = first(f, "completed")
    other = job[:-4] + "0000"
    f.jobs[other], f.records[other] = f.jobs[job], f.records[job]
    f.history.append(other)


def answer_another_id(f):
    f.acks.append({**f.acks[0], "ids": [f.acks[-1]["ids"][0]]})


def nobody_wanted(f):
    f.intents = [row for row in f.intents if row["key"] != note_of(f, first(f, "completed"))["key"]]


def beyond_its_batch(f):
    f.jobs[first(f, "completed")][1]["metadata"]["n"] = 500


def keep_other_attempt(f):
    f.tree[first(f, "completed")]["1-0000000000000000"] = [".log"]


def keep_file(f):
    f.tree[first(f, "failed")].popitem()
    f.tree[first(f, "failed")]["%s-%s" % (f.records[first(f, "failed")].fence, f.records[first(f, "failed")].nonce)] = ["result.glb"]


def keep_job(f):
    f.tree["job_00000000000000000000000000"] = {}


def keep_stray(f):
    f.strays.append("x")


def keep_lease(f):
    f.leases.append("x")


def break_place(f):
    f.places = "x"


def another_state_in_redis(f):
    f.records[first(f, "completed")].state = "failed"


def nothing_happened(f):
    for part in (f.acks, f.intents, f.seen, f.history, f.records, f.jobs, f.served, f.tree, f.events, f.ran):
        part.clear()


def end_in_a_wrong_way(f):
    job = first(f, "completed")
    next(row for row in f.intents if row["key"] == note_of(f, job)["key"])["plan"] = "broken"


def answer_oddly(f):
    f.odd.append({"t": 0.0, "what": "submit", "status": 500, "body": ""})


def begin_early(f):
    row = next(row for row in f.intents if row["run_at"])
    job = next(r for r in f.acks if r["key"] == row["key"])["ids"][0]
    f.ran["2-0000000000000000"] = (job, 1, row["run_at"] - 0.5)


TAMPERS = {
    "lost": [lose_job, lose_from_history, twice_in_history, lose_record, never_end, lose_result, miss_for_a_while,
             take_another_submit],
    "double": [serve_other_attempt, serve_what_never_ran, serve_other_job, serve_other_bytes, serve_other_number,
               accept_other_attempt, record_other_attempt, serve_result_of_failure, change_result, end_otherwise, go_back,
               announce_twice, announce_backwards, announce_other_end],
    "duplicates": [same_key_twice, answer_another_id],
    "ghosts": [nobody_wanted, beyond_its_batch],
    "leaks": [keep_other_attempt, keep_file, keep_job, keep_stray, keep_lease],
    "broken": [break_place, another_state_in_redis],
    "wrong": [end_in_a_wrong_way, answer_oddly, begin_early, nothing_happened],
}


@pytest.fixture(scope="module")
def facts():
    """Of a calm P3D."""
    made = storm.Storm(storm.arguments(["--kills", "0", "--seconds", "4", "--only", "flush", "--pause", "99-99", "--seed", "3",
                                        "--mix", "plain=4,broken=1,later=2,batch=1", "--delete", "10"]))
    figures, verdict = made.run()
    assert verdict.clean, figures["found"]
    return made.facts


@pytest.mark.parametrize("kind, tamper", [(kind, tamper) for kind, tampers in TAMPERS.items() for tamper in tampers])
def test_oracle(facts, kind, tamper):
    tampered = copy.deepcopy(facts)
    assert oracle.judge(tampered).clean
    tamper(tampered)
    verdict = oracle.judge(tampered)
    assert getattr(verdict, kind), verdict.figures()


def test_what_everysec_does_not_promise(facts):
    """Excused is only what rests on a note of the last seconds before Redis died, and only with everysec."""
    for durability, died, excused in (("everysec", 1.0, True), ("everysec", 3.0, False), ("everysec", -1.0, False),
                                      ("always", 1.0, False)):
        tampered = copy.deepcopy(facts)
        tampered.durability, tampered.redis_kills = durability, [died]
        miss_for_a_while(tampered)  # at 0
        verdict = oracle.judge(tampered)
        assert verdict.clean == excused and bool(verdict.unsynced) == excused


def test_what_a_killed_worker_may_leave(facts):
    """Excused are files of attempts of the job that a killed worker had, nothing else."""
    for tamper, excusable in ((keep_other_attempt, True), (keep_file, True), (keep_job, False), (keep_stray, False)):
        tampered = copy.deepcopy(facts)
        tamper(tampered)
        tampered.killed = {pid for pids in tampered.claims.values() for pid in pids}
        verdict = oracle.judge(tampered)
        assert verdict.clean == excusable and bool(verdict.orphaned) == excusable, (tamper, verdict.figures())
        tampered.killed = {1}
        assert oracle.judge(tampered).leaks
