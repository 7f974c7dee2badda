# SPDX-License-Identifier: MIT
"""Jobs: cancelled, deleted, put off, expired, in batches, retried, no longer kept; and what watchers are told."""
import pytest

from conftest import KIND, OTHER, Record


def record(out):
    return Record(out[3])


def claim(q, **kw):
    ulid, rec = q.claim(**kw)
    assert ulid
    return ulid, rec


# ---- cancel

def test_a_queued_job_is_cancelled_at_once(q):
    _, who = q.user("ann")
    first, second = q.submit(who)[4], q.submit(who)[4]
    out = q.run("job_cancel", *who, first)
    assert out[0] == "ok" and record(out).state == "cancelled" and record(out).ended > 0
    assert q.places() == {first: "cancelled", second: "queued"}
    assert q.run("job_cancel", *who, first)[0] == "JOB_FINAL"
    assert claim(q)[0] == second
    later = q.submit(who, run_at=q.now() + 60000)[4]
    assert q.run("job_cancel", *who, later)[0] == "ok" and q.places()[later] == "cancelled"


def test_cancelling_the_last_queued_job_leaves_no_ready_owner(q):
    _, who = q.user("ann")
    job = q.submit(who)[4]
    q.run("job_cancel", *who, job)
    assert not q.r.exists("p3d:{0}:ready:" + KIND)
    again = q.submit(who)[4]
    assert q.r.llen("p3d:{0}:wake:" + KIND) == 1 and claim(q)[0] == again


@pytest.mark.parametrize("end, state", [("complete", "completed"), ("fail", "cancelled"), ("retry", "cancelled"),
                                        ("release", "cancelled"), ("lost", "cancelled")])
def test_a_running_job_is_told_and_its_end_decides(q, end, state):
    _, who = q.user("ann")
    job = q.submit(who)[4]
    ulid, rec = claim(q)
    assert q.run("heartbeat", *q.lease(ulid, rec), 30000) == ["ok", 0]
    out = q.run("job_cancel", *who, job)
    assert record(out).state == "processing" and record(out).cancel == 1
    ctl = "p3d:{0}:ctl:" + rec.nonce
    assert q.r.llen(ctl) == 1 and 0 < q.r.ttl(ctl) <= 60
    assert q.run("job_cancel", *who, job)[0] == "ok" and q.r.llen(ctl) == 1, "asking again does not heap up"
    assert q.run("heartbeat", *q.lease(ulid, rec), 30000) == ["ok", 1]
    if end == "complete":
        q.run("complete", *q.lease(ulid, rec), "{}", 0, "0")
    elif end in ("fail", "retry"):
        q.run("fail", *q.lease(ulid, rec), "{}", "1" if end == "retry" else "0", 0, "0")
    elif end == "release":
        q.run("release", *q.lease(ulid, rec))
    else:
        q.expire_leases()
        q.reap()
    assert q.places() == {job: state}
    assert q.run("job_cancel", *who, job)[0] == "JOB_FINAL"


def test_a_cancel_never_reaches_a_later_attempt(q):
    _, who = q.user("ann")
    job = q.submit(who, attempts=5)[4]
    ulid, old = claim(q)
    q.run("job_cancel", *who, job)
    ctl = "p3d:{0}:ctl:" + old.nonce
    q.run("fail", *q.lease(ulid, old), "{}", "1", 0, "0")
    assert q.places() == {job: "cancelled"}
    other = q.submit(who)[4]
    _, new = claim(q)
    assert new.nonce != old.nonce and new.cancel == 0
    assert q.r.exists(ctl) and not q.r.exists("p3d:{0}:ctl:" + new.nonce)
    assert q.job(other, who).state == "processing"


def test_only_who_may(q):
    _, who = q.user("ann")
    _, other = q.user("bob")
    _, root = q.user("root", role="admin")
    job = q.submit(who)[4]
    for name, rest in (("job_cancel", ()), ("job_delete", ()), ("result_drop", (1, "{}")), ("job_retry", ("x" * 26, "{}", 1, "{}"))):
        assert q.run(name, *other, job, *rest)[0] == "JOB_FORBIDDEN", name
        assert q.run(name, *who, "0" * 26, *rest)[0] == "JOB_NOT_FOUND", name
        assert q.run(name, "t", "nobody", "0", "0", job, *rest)[0] == "TOKEN_INVALID", name
    q.r.hset("p3d:{0}:token:" + who[1], "scopes", "1")
    assert q.run("job_cancel", "t", who[1], "2", "0", job)[0] == "SCOPE_MISSING"
    assert q.job(job, root).state == "queued"
    assert q.run("job_cancel", *root, job)[0] == "ok"


def test_an_attempt_that_has_ended_cannot_fail(q):
    _, who = q.user("ann")
    for _ in range(2):
        q.submit(who)
    ulid, rec = claim(q)
    q.run("complete", *q.lease(ulid, rec), "{}", 0, "0")
    assert q.run("fail", *q.lease(ulid, rec), "{}", "1", 0, "0") == ["STALE"]
    ulid, rec = claim(q)
    q.run("job_cancel", *who, ulid)
    q.run("fail", *q.lease(ulid, rec), "{}", "1", 0, "0")
    assert q.run("fail", *q.lease(ulid, rec), "{}", "1", 0, "0") == ["ok"], "a lost answer is given again"
    assert q.job(ulid, who).state == "cancelled"


# ---- delete, retention

def test_a_deleted_job_is_gone_at_once_and_its_files_are_asked_for(q):
    _, who = q.user("ann")
    jobs = [q.submit(who)[4] for _ in range(3)]
    ulid, rec = claim(q)
    assert q.run("job_delete", *who, jobs[0])[0] == "JOB_RUNNING"
    q.run("complete", *q.lease(ulid, rec), '{"r":1}', 700, "0")
    assert int(q.r.get("p3d:{0}:bytes")) == 700
    assert record(q.run("job_delete", *who, jobs[0])).state == "completed"
    assert record(q.run("job_delete", *who, jobs[1])).state == "queued"
    assert q.places() == {jobs[2]: "queued"}
    assert q.job(jobs[0], who) == q.run("job_delete", *who, jobs[0])[0] == "JOB_NOT_FOUND"
    assert q.run("history", *who, 10, 0, 0, "", "", 0, 0, "", "")[3] == 1
    out = q.reap()
    assert sorted(out[2:]) == sorted(jobs[:2])
    assert q.reap()[2:] == [], "whoever was asked has a minute"
    for ulid in jobs[:2]:
        q.r.zadd("p3d:{0}:purge", {ulid: 1})
    assert sorted(q.reap()[2:]) == sorted(jobs[:2]), "then another one is asked"
    for ulid in jobs[:2]:
        assert q.run("purged", ulid) == ["ok"]
    q.places()
    assert not q.r.keys("p3d:{0}:gone:*") and not q.r.exists("p3d:{0}:purge")
    assert claim(q)[0] == jobs[2]


def ended(q, who, n, size=100):
    made = []
    for i in range(n):
        q.submit(who)
        ulid, rec = claim(q)
        q.run("complete", *q.lease(ulid, rec), "{}", size, "0")
        for key in ("ended", "large") if size else ("ended",):
            q.r.zadd("p3d:{0}:" + key, {ulid: q.now() - 1000000 + i})
        made.append(ulid)
    return made


@pytest.mark.parametrize("keep, left", [({"jobs": 3}, 3), ({"size": 450}, 4), ({"size": 0}, 1), ({"jobs": 0}, 0), ({}, 10),
                                        ({"age": 10 ** 12}, 10), ({"age": 1000}, 0), ({"jobs": 8, "size": 200}, 2)])
def test_the_oldest_finished_jobs_go(q, keep, left):
    _, who = q.user("ann")
    made = ended(q, who, 10)
    waiting = q.submit(who)[4]
    running, _ = claim(q)
    for _ in range(3):
        q.reap(**keep)
    states = q.places()
    assert sorted(u for u in states if u in made) == sorted(made[10 - left:])
    assert states[running] == "processing" and running == waiting


def test_bytes_are_saved_by_what_has_files(q):
    _, who = q.user("ann")
    empty = ended(q, who, 3, 0)
    large = ended(q, who, 3, 1000)
    q.reap(size=2500)
    assert sorted(q.places()) == sorted(empty + large[1:])


def test_a_round_of_retention_is_bounded(q):
    _, who = q.user("ann")
    ended(q, who, 200)
    assert q.reap(jobs=0)[1] == 64
    assert len(q.places()) == 136


def test_dropping_a_result_needs_the_revision_that_was_read(q):
    _, who = q.user("ann")
    job = ended(q, who, 1, 500)[0]
    rev = q.job(job, who).rev
    assert q.run("result_drop", *who, job, rev + 1, "{}")[0] == "CONFLICT"
    assert q.run("result_drop", *who, job, rev, '{"x":1}')[0] == "ok"
    rec = q.job(job, who)
    assert (rec.state, rec.detail, rec.files) == ("completed", '{"x":1}', 0)
    q.places()
    assert q.run("result_drop", *who, job, rev, "{}")[0] == "CONFLICT"
    waiting = q.submit(who)[4]
    assert q.run("result_drop", *who, waiting, 1, "{}")[0] == "CONFLICT"


# ---- time

def test_a_job_put_off_waits_until_then(q):
    _, who = q.user("ann")
    out = q.submit(who, run_at=q.now() + 3600000)
    later, now = out[4], q.submit(who)[4]
    assert out[6:8] == [0, -1]
    q.places()
    assert claim(q)[0] == now and q.claim(worker="w2")[0] is None
    q.r.zadd("p3d:{0}:scheduled", {later: 1})
    q.reap()
    q.places()
    assert claim(q, worker="w3")[0] == later
    past = q.submit(who, run_at=1000)[4]
    assert claim(q, worker="w4")[0] == past, "in the past is now"


def test_a_job_that_waits_too_long_fails(q):
    _, who = q.user("ann")
    job, late = q.submit(who, expires=q.now() + 3600000)[4], q.submit(who, expires=q.now() + 3600000, run_at=q.now() + 10 ** 9)[4]
    q.places()
    for ulid in (job, late):
        q.r.zadd("p3d:{0}:deadlines", {ulid: 1})
    q.reap()
    assert q.places() == {job: "failed", late: "failed"}
    assert '"EXPIRED"' in q.job(job, who).detail
    assert q.claim() == (None, "NOT_FOUND") and not q.r.exists("p3d:{0}:ready:" + KIND)


def test_a_claim_does_not_begin_what_is_over(q):
    _, who = q.user("ann")
    ends = q.now() + 30
    dead, good = q.submit(who, expires=ends)[4], q.submit(who)[4]
    while q.now() <= ends:
        pass
    assert claim(q)[0] == good
    assert q.places() == {dead: "failed", good: "processing"}


def test_a_deadline_that_is_over_is_refused_but_not_a_repeat(q):
    ann, who = q.user("ann")
    ends = q.now() + 30
    jobs = [q.new(), q.new(expires=ends)]
    made = q.batch(jobs, who, key="k", body="b")
    assert made[0] == "ok"
    while q.now() <= ends:
        pass
    assert q.batch(jobs, who, key="k", body="b")[3:5] == [1, made[4]]
    assert q.batch([q.new(), q.new(), q.new(expires=ends)], who) == ["EXPIRES_PAST", ann, "0", 2]
    assert q.batch([q.new(expires=1)], who, key="k2", body="b")[0] == "EXPIRES_PAST" and len(q.places()) == 2


def test_what_has_begun_does_not_expire(q):
    _, who = q.user("ann")
    job = q.submit(who, expires=q.now() + 3600000, attempts=3)[4]
    ulid, rec = claim(q)
    q.places()
    q.run("release", *q.lease(ulid, rec))
    q.places()
    assert q.r.zscore("p3d:{0}:deadlines", job), "it never began, after all"
    ulid, rec = claim(q)
    q.run("heartbeat", *q.lease(ulid, rec), 30000)
    q.run("fail", *q.lease(ulid, rec), "{}", "1", 0, "0")
    q.places()
    assert not q.r.zscore("p3d:{0}:deadlines", job) and q.places() == {job: "queued"}
    q.r.zadd("p3d:{0}:scheduled", {job: 1})
    q.reap()
    assert claim(q)[0] == job


def test_an_estimate_comes_from_what_jobs_took(q):
    _, who = q.user("ann")
    assert q.submit(who)[7] == -1, "nobody knows yet"
    ulid, rec = claim(q)
    raw = q.r.get("p3d:{0}:job:" + ulid).decode()
    q.r.set("p3d:{0}:job:" + ulid, raw[:78] + "%015d" % (rec.started - 20000) + raw[93:])  # it began 20 s ago
    q.run("complete", *q.lease(ulid, rec), "{}", 0, "0")
    first, second = q.submit(who), q.submit(who)
    assert 18000 <= first[7] <= 22000 and second[7] == 2 * first[7]
    assert q.run("job_get", *who, second[4])[4:6] == second[6:8]
    claim(q)
    claim(q, worker="w2")
    third = q.submit(who)
    assert third[6] == 1 and third[7] == first[7]


# ---- batches

def test_a_batch_is_all_or_nothing(q):
    _, who = q.user("ann")
    jobs = [q.new(priority=i % 10) for i in range(50)]
    out = q.batch(jobs, who)
    assert out[0] == "ok" and out[4::4] == [j[0] for j in jobs]
    assert len(q.places()) == 50
    assert q.batch([q.new() for _ in range(50)], who, queued=99)[0] == "QUEUE_FULL" and len(q.places()) == 50
    assert q.batch([q.new() for _ in range(50)], who, queued=100)[0] == "ok"
    assert q.batch([q.new(), jobs[0]], who)[0] == "CONFLICT" and len(q.places()) == 100
    assert q.batch([q.new(kind="a/%d" % i) for i in range(600)], who)[0] == "BUSY" and len(q.places()) == 100
    assert claim(q)[0] == jobs[9][0]


def test_a_batch_is_repeated_by_its_key(q):
    _, who = q.user("ann")
    jobs = [q.new() for _ in range(5)]
    first = q.batch(jobs, who, key="k" * 32, body="b" * 32)
    again = q.batch([q.new() for _ in range(5)], who, key="k" * 32, body="b" * 32)
    assert again[3] == 1 and again[4::4] == first[4::4] and len(q.places()) == 5
    assert q.batch([q.new()], who, key="k" * 32, body="c" * 32)[0] == "IDEMPOTENCY_REUSED"
    assert 0 < q.r.ttl("p3d:{0}:batch:" + jobs[0][0]) <= 172800
    for job in (jobs[0], jobs[2]):
        assert q.run("job_delete", *who, job[0])[0] == "ok"
    again = q.batch([q.new() for _ in range(5)], who, key="k" * 32, body="b" * 32)
    assert again[3] == 1 and again[4::4] == first[4::4] and len(q.places()) == 3, "what was deleted is not made again"


def test_full_memory_refuses_a_batch_before_anything_has_changed(q):
    _, who = q.user("ann")
    ulid = q.submit(who)[4]
    lease = claim(q)
    q.r.config_set("maxmemory", 1)
    try:
        import redis
        for jobs in ([q.new()], [q.new(kind="new/one"), q.new()]):
            with pytest.raises(redis.exceptions.ResponseError, match="OOM|maxmemory"):
                q.batch(jobs, who)
        assert q.run("heartbeat", *q.lease(ulid, lease[1]), 30000) == ["ok", 0]
        assert q.run("job_cancel", *who, ulid)[0] == "ok"
        assert q.run("fail", *q.lease(ulid, lease[1]), "{}", "0", 0, "0") == ["ok"]
        assert q.run("job_delete", *who, ulid)[0] == "ok"
        assert q.run("reap", 30000, -1, -1, -1)[0] == "ok"
    finally:
        q.r.config_set("maxmemory", 0)
    assert q.places() == {} and not q.r.hexists("p3d:{0}:kinds", "new/one")


# ---- retry by an administrator

NEW = "01ARZ3NDEKTSV4RRFFQ69G5FA0"
SPEC = '{"prompt":"x","retried_from":"job_0"}'


def retry(q, root, job, rev=None, new=NEW, spec=SPEC, detail='{"retried_as":"job_0"}'):
    if rev is None:
        rev = q.job(job, root).rev
    return q.run("job_retry", root[0], root[1], "0", "1", job, new, spec, rev, detail)


def test_retrying_a_failed_job_makes_a_new_one_for_its_owner(q):
    ann, who = q.user("ann")
    _, root = q.user("root", role="admin")
    job = q.submit(who, spec='{"prompt":"x"}', priority=7, attempts=2)[4]
    assert retry(q, root, job)[0] == "NOT_RETRIABLE"
    assert retry(q, who, job, rev=1)[0] == "ADMIN_REQUIRED"
    ulid, rec = claim(q)
    assert retry(q, root, job)[0] == "NOT_RETRIABLE"
    q.run("fail", *q.lease(ulid, rec), '{"error":1}', "0", 0, "0")
    old = q.job(job, root)
    out = retry(q, root, job)
    assert out[0] == "ok" and out[4] == NEW and out[6] == 1
    rec = q.job(NEW, who)
    assert (rec.state, rec.owner, rec.priority, rec.spec, rec.detail, rec.attempt) == ("queued", ann, 7, SPEC, "", 0)
    assert (rec.max_attempts, rec.expires, rec.kind) == (2, 0, old.kind)
    now = q.job(job, who)
    assert (now.state, now.detail, now.spec) == ("failed", '{"retried_as":"job_0"}', '{"prompt":"x"}')
    assert (now.rev, now.created, now.ended, now.attempt) == (old.rev + 1, old.created, old.ended, 1)
    assert q.places() == {job: "failed", NEW: "queued"}
    assert retry(q, root, job, spec="{}")[0] == "CONFLICT", "that ULID is taken"
    assert q.job(NEW, who).spec == SPEC and q.job(job, who).rev == now.rev
    assert claim(q)[0] == NEW


def test_of_two_that_retry_the_same_one_wins(q):
    _, root = q.user("root", role="admin")
    _, who = q.user("ann")
    job = q.submit(who)[4]
    q.run("job_cancel", *who, job)
    rev = q.job(job, who).rev
    assert retry(q, root, job, rev=rev)[0] == "ok"
    assert retry(q, root, job, rev=rev, new=NEW[:-1] + "1")[0] == "CONFLICT"
    assert q.places() == {job: "cancelled", NEW: "queued"}
    assert retry(q, root, job, new=NEW[:-1] + "2")[0] == "ok", "who has seen that may do it again"


def test_what_cannot_be_retried(q):
    ann, who = q.user("ann")
    _, root = q.user("root", role="admin")
    done, gone = (q.submit(who)[4] for _ in range(2))
    ulid, rec = claim(q)
    q.run("complete", *q.lease(ulid, rec), "{}", 0, "0")
    assert retry(q, root, done)[0] == "NOT_RETRIABLE"
    q.run("job_cancel", *who, gone)
    rev = q.job(gone, who).rev
    assert q.run("user_delete", ann, "operator", "local")[0] == "ok"
    assert q.run("account_drop", ann)[0] == "ok"
    assert retry(q, root, gone)[0] == "USER_NOT_FOUND"
    q.run("job_delete", *root, gone)
    assert retry(q, root, gone, rev=rev)[0] == "JOB_NOT_FOUND"
    assert q.places() == {done: "completed"}


def test_a_retry_is_beyond_the_owners_limit(q):
    """An administrator does not have to wait for room in somebody's queue."""
    ann, who = q.user("ann")
    _, root = q.user("root", role="admin")
    job = q.submit(who)[4]
    q.run("job_cancel", *who, job)
    q.change(ann, "max_queued_jobs", "0")
    assert q.submit(who)[0] == "QUEUE_FULL"
    assert retry(q, root, job)[0] == "ok"


def test_full_memory_refuses_a_retry_as_a_whole(q):
    import redis
    _, who = q.user("ann")
    _, root = q.user("root", role="admin")
    job = q.submit(who)[4]
    q.run("job_cancel", *who, job)
    before = q.job(job, who)
    q.r.config_set("maxmemory", 1)
    try:
        with pytest.raises(redis.exceptions.ResponseError, match="OOM|maxmemory"):
            retry(q, root, job, rev=before.rev)
    finally:
        q.r.config_set("maxmemory", 0)
    assert q.places() == {job: "cancelled"} and q.job(job, who).rev == before.rev


# ---- watchers

def test_every_change_is_told_once_with_its_revision(q):
    ann, who = q.user("ann")
    sub = q.r.pubsub()
    sub.subscribe("p3d:{0}:ev:" + ann, "p3d:{0}:ev")
    assert [sub.get_message(timeout=5)["type"] for _ in range(2)] == ["subscribe"] * 2
    job = q.submit(who)[4]
    ulid, rec = claim(q)
    q.run("heartbeat", *q.lease(ulid, rec), 30000)
    q.run("progress", *q.lease(ulid, rec), 100, "{}")
    q.run("complete", *q.lease(ulid, rec), "{}", 0, "0")
    q.run("job_delete", *who, job)
    q.change(ann, "status", "suspended")
    told = {}
    while True:
        m = sub.get_message(timeout=0.3)
        if m is None:
            break
        told.setdefault(m["channel"].decode(), []).append(m["data"].decode())
    want = ["%s %s %d %d" % (job, ann, rev, state) for rev, state in [(1, 0), (2, 1), (3, 1), (4, 1), (5, 2), (6, 2)]]
    assert told == {c: want + ["account " + ann] for c in ("p3d:{0}:ev:" + ann, "p3d:{0}:ev")}
    sub.close()


@pytest.mark.parametrize("end, state", [("complete", "completed"), ("fail", "failed"), ("release", "cancelled")])
def test_a_finished_record_takes_the_room_that_it_needs(q, end, state):
    """It lives for a month; Redis keeps room behind a string that was written into."""
    spec, detail = '{"a":"%s"}' % ("s" * 180), '{"b":"%s"}' % ("d" * 320)
    ulid = q.submit(spec=spec)[4]
    _, rec = claim(q)
    assert q.run("progress", *q.lease(ulid, rec), 5000, '{"message":"%s"}' % ("p" * 300)) == ["ok"]
    if end == "release":
        q.run("job_cancel", *q.OPEN, ulid)
    q.run(end, *q.lease(ulid, rec), *{"complete": (detail, 48, 0), "fail": (detail, 0, 0, 0), "release": ()}[end])
    job = q.job(ulid)
    assert (job.state, job.spec) == (state, spec) and job.detail == (detail if end != "release" else '{"message":"%s"}' % ("p" * 300))
    key = "p3d:{0}:job:" + ulid
    assert q.r.strlen(key) == 194 + job.spec_len + job.detail_len
    assert q.r.memory_usage(key) < q.r.strlen(key) * 1.25 + 128


def test_a_repeat_is_the_first_answer_whatever_has_happened_since(q):
    _, who = q.user("ann")
    first = [q.submit(who, key="k%d" % n, body="b") for n in range(3)]
    assert [out[6] for out in first] == [1, 2, 3]
    many = [q.new() for _ in range(3)]
    batch = q.batch(many, who, key="many", body="b")
    claim(q)
    q.run("job_delete", *who, first[1][4])
    again = q.submit(who, key="k1", body="b")
    assert again[3] == 1 and (again[4], again[6:]) == (first[1][4], first[1][6:])
    again = q.batch(many, who, key="many", body="b")
    assert again[3] == 1 and [again[i] for i in range(4, 16) if i % 4 != 1] == [batch[i] for i in range(4, 16) if i % 4 != 1]


def test_who_is_suspended_waits_and_goes_on(q):
    ann, who = q.user("ann")
    job = q.submit(who)[4]
    q.change(ann, "status", "suspended")
    assert q.claim() == (None, "NOT_FOUND")
    assert q.places() == {job: "queued"}
    q.reap()
    assert q.claim() == (None, "NOT_FOUND")
    q.change(ann, "status", "active")
    assert claim(q)[0] == job


def test_nobody_knows_when_the_job_of_one_who_may_run_none_begins(q):
    ann, who = q.user("ann")
    ulid, rec = q.submit(who)[4], None
    _, rec = claim(q)
    q.run("complete", *q.lease(ulid, rec), "{}", 0, 0)
    waits = q.submit(who)[4]
    assert int(q.run("job_get", *who, waits)[5]) >= 0
    q.change(ann, "max_concurrent_jobs", "0")
    assert q.claim() == (None, "NOT_FOUND")
    assert q.run("job_get", *who, waits)[4:] == [1, -1]


def test_nothing_is_kept_of_an_owner_that_was_deleted_while_a_job_ran(q):
    for end, args in (("complete", ("{}", 0, 0)), ("fail", ("{}", 0, 0, 0))):
        ann, who = q.user("ann" + end)
        ulid = q.submit(who)[4]
        _, rec = claim(q)
        q.run("user_delete", ann, "operator", "local")
        q.run("account_drop", ann)
        q.reap(), q.reap()
        assert not q.r.hexists("p3d:{0}:vt:" + KIND, ann)
        q.run(end, *q.lease(ulid, rec), *args)
        assert not q.r.hexists("p3d:{0}:vt:" + KIND, ann)


def test_deleted_jobs_go_as_fast_as_there_is_room(q):
    jobs = [q.submit()[4] for _ in range(150)]
    for job in jobs:
        q.run("job_delete", *q.OPEN, job)
    q.r.delete("p3d:{0}:reap")
    seen = set()
    for room, many in ((10, 10), (64, 64), (0, 0), (64, 64), (64, 12)):
        out = q.run("reap", 30000, -1, -1, -1, room)
        if room == 0:  # the gate is shut behind it
            q.r.delete("p3d:{0}:reap")
        assert len(out) - 2 == many and (out[1] == 64) == (many > 12 or many == 10), (room, out[:2])
        seen |= set(out[2:])
    assert seen == set(jobs)
