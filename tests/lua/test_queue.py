# SPDX-License-Identifier: MIT
"""Jobs: every script, every transition, stale fences, repeats after a lost answer."""
import random

import pytest

from conftest import KIND, OTHER, Record


def test_submit_claim_complete(q):
    out = q.submit(spec='{"prompt":"cat"}')
    assert out[0] == "ok" and out[3] == 0 and out[6] == 1
    ulid, rec = q.claim()
    assert rec.state == "processing" and rec.attempt == 1
    assert q.run("heartbeat", *q.lease(ulid, rec), 30000) == ["ok", 0]
    assert q.run("progress", *q.lease(ulid, rec), 2500, '{"progress_message":"quarter"}') == ["ok"]
    job = q.job(ulid)
    assert job.progress == 2500 and job.detail == '{"progress_message":"quarter"}'
    assert q.run("complete", *q.lease(ulid, rec), '{"result":1}', 0, "0") == ["ok"]
    job = q.job(ulid)
    assert (job.state, job.progress, job.detail) == ("completed", 10000, '{"result":1}') and job.ended >= job.started
    assert q.places() == {ulid: "completed"}


def test_nothing_to_claim_and_wake_token(q):
    assert q.claim() == (None, "NOT_FOUND")
    q.submit()
    q.submit()
    assert q.r.llen("p3d:{0}:wake:" + KIND) == 1
    q.r.lpop("p3d:{0}:wake:" + KIND)
    assert q.claim()[0]
    assert q.r.llen("p3d:{0}:wake:" + KIND) == 1, "one job is left: the next worker must be woken"


def test_priority_orders_one_owners_jobs_then_age(q):
    first, low, high = [q.submit(priority=p)[4] for p in (5, 0, 9)]
    second = q.submit(priority=5)[4]
    assert [q.claim()[0] for _ in range(4)] == [high, first, second, low]


def test_claim_repeated_with_its_nonce_gives_the_same_job(q):
    q.submit()
    q.submit()
    args = q.claim_args(nonce="a" * 16)
    assert q.run("claim", *args)[1] == q.run("claim", *args)[1]
    assert sorted(q.places().values()) == ["processing", "queued"]


def test_stale_pairs_change_nothing(q):
    q.submit()
    ulid, rec = q.claim()
    before = q.r.get("p3d:{0}:job:" + ulid)
    for fence, nonce in ((rec.fence, "f" * 16), (str(int(rec.fence) + 1), rec.nonce), ("0", "0" * 16)):
        for name, rest in (("heartbeat", (30000,)), ("progress", (1, "{}")), ("complete", ("{}", 0, "0")),
                           ("fail", ("{}", "1", 0, "0")), ("release", ())):
            assert q.run(name, ulid, fence, nonce, *rest) == ["STALE"], name
    assert q.r.get("p3d:{0}:job:" + ulid) == before
    assert q.r.zscore("p3d:{0}:leases", ulid) > 1e12


def test_complete_is_idempotent_and_claims_the_next(q):
    q.submit()
    nxt = q.submit()[4]
    ulid, rec = q.claim()
    args = [*q.lease(ulid, rec), '{"r":1}', 0, "1", *q.claim_args(nonce="b" * 16)]
    out = q.run("complete", *args)
    assert out[0] == "ok" and out[1] == nxt
    assert q.run("complete", *args)[1] == nxt, "a lost answer is repeated, not a third job handed out"
    assert q.places() == {ulid: "completed", nxt: "processing"}


def test_late_completion_after_loss_is_refused_and_second_attempt_wins(q):
    q.submit()
    ulid, old = q.claim()
    q.run("heartbeat", *q.lease(ulid, old), 30000)
    q.expire_leases()
    assert q.reap() == ["ok", 1]
    again, new = q.claim(worker="w2")
    assert again == ulid and new.attempt == 2 and new.losses == 1 and int(new.fence) > int(old.fence)
    assert q.run("complete", *q.lease(ulid, old), '{"from":"old"}', 0, "0") == ["STALE"]
    assert q.run("complete", *q.lease(ulid, new), '{"from":"new"}', 0, "0") == ["ok"]
    assert q.run("complete", *q.lease(ulid, old), '{"from":"old"}', 0, "0") == ["STALE"]
    assert q.job(ulid).detail == '{"from":"new"}'


def test_an_unconfirmed_lease_goes_back_free_of_charge(q):
    q.submit()
    ulid, _ = q.claim()
    q.expire_leases()
    q.reap()
    job = q.job(ulid)
    assert (job.state, job.attempt, job.losses) == ("queued", 0, 0)


def test_three_losses_fail_the_job(q):
    ulid = q.submit(attempts=100)[4]
    for _ in range(3):
        got, rec = q.claim()
        assert got == ulid
        q.run("heartbeat", *q.lease(ulid, rec), 30000)
        q.expire_leases()
        q.reap()
    job = q.job(ulid)
    assert job.state == "failed" and "WORKER_LOST" in job.detail and job.losses == 3
    q.places()


def test_heartbeat_renews_an_expired_lease_that_was_not_reaped(q):
    q.submit()
    ulid, rec = q.claim()
    q.expire_leases()
    assert q.run("heartbeat", *q.lease(ulid, rec), 30000) == ["ok", 0]
    assert q.reap() == ["ok", 0]


def test_a_gap_in_the_rounds_gives_grace(q):
    q.submit()
    ulid, _ = q.claim()
    q.expire_leases()
    q.r.delete("p3d:{0}:reap", "p3d:{0}:reaper")
    assert q.run("reap", 30000, -1, -1, -1) == ["ok", 0], "Redis was away: leases get one lease time"
    q.r.delete("p3d:{0}:reap")
    assert q.run("reap", 30000, -1, -1, -1) == ["ok", 0]
    q.r.hset("p3d:{0}:reaper", "grace", 1)
    q.r.delete("p3d:{0}:reap")
    assert q.run("reap", 30000, -1, -1, -1) == ["ok", 1]


def test_only_one_reaper_gets_through(q):
    q.submit()
    q.claim()
    q.expire_leases()
    q.reap(grace=True)
    assert q.run("reap", 30000, -1, -1, -1) == ["ok", 0]


def test_fail_retries_with_backoff_then_is_final(q):
    ulid = q.submit(attempts=2)[4]
    _, rec = q.claim()
    assert q.run("fail", *q.lease(ulid, rec), '{"error":{"code":"X"}}', "1", 500, "0") == ["ok"]
    assert q.job(ulid).state == "queued" and q.claim() == (None, "NOT_FOUND"), "not before its time"
    q.places()
    assert q.run("fail", *q.lease(ulid, rec), "{}", "1", 500, "0") == ["ok"], "a repeat is answered, not counted"
    q.r.zadd("p3d:{0}:scheduled", {ulid: 1})
    q.reap()
    got, rec = q.claim()
    assert got == ulid and rec.attempt == 2
    assert q.run("fail", *q.lease(ulid, rec), '{"error":{"code":"Y"}}', "1", 500, "0") == ["ok"]
    job = q.job(ulid)
    assert job.state == "failed" and "Y" in job.detail
    q.places()


def test_fail_without_retry_is_final_and_may_claim_next(q):
    ulid = q.submit()[4]
    nxt = q.submit()[4]
    _, rec = q.claim()
    out = q.run("fail", *q.lease(ulid, rec), "{}", "0", 0, "1", *q.claim_args())
    assert out[0] == "ok" and out[1] == nxt
    assert q.places() == {ulid: "failed", nxt: "processing"}


def test_release_restores_place_and_counts_nothing(q):
    first = q.submit()[4]
    q.submit()
    ulid, rec = q.claim()
    assert ulid == first
    assert q.run("release", *q.lease(ulid, rec)) == ["ok"]
    job = q.job(ulid)
    assert (job.state, job.attempt, job.losses) == ("queued", 0, 0)
    again, rec2 = q.claim()
    assert again == first and int(rec2.fence) > int(rec.fence)
    q.places()


def test_max_workers_bounds_running_jobs(q):
    for _ in range(3):
        q.submit()
    kinds = ((KIND, 1),)
    ulid, rec = q.claim(kinds=kinds)
    q.r.delete("p3d:{0}:wake:" + KIND)
    assert q.claim(worker="w2", kinds=kinds) == (None, "NOT_FOUND")
    assert q.r.llen("p3d:{0}:wake:" + KIND) == 0, "no token while no slot is free: workers would spin"
    q.run("complete", *q.lease(ulid, rec), "{}", 0, "0")
    assert q.r.llen("p3d:{0}:wake:" + KIND) == 1, "the slot is free again: somebody must be woken"


def test_a_flood_of_one_owner_does_not_hold_up_another(q):
    _, ann = q.user("ann")
    bob_id, bob = q.user("bob")
    for _ in range(200):
        q.submit(ann)
    for _ in range(5):
        ulid, rec = q.claim()
        q.run("complete", *q.lease(ulid, rec), "{}", 0, "0")
    q.submit(bob)
    owners = [q.claim()[1].owner for _ in range(2)]
    assert bob_id in owners


@pytest.mark.parametrize("workers", [2, 8])
def test_what_was_charged_too_much_does_not_put_those_who_come_later_behind(q, workers):
    """The first jobs are charged a guess that is far too high; most of it is given back when they end."""
    _, ann = q.user("ann")
    bob_id, bob = q.user("bob")
    for _ in range(100):
        q.submit(ann)
    running = [q.claim(worker="w%d" % i) for i in range(workers)]
    for _ in range(2 * workers):
        ulid, rec = running.pop(0)
        q.run("complete", *q.lease(ulid, rec), "{}", 0, "0")
        running.append(q.claim())
    for _ in range(20):
        q.submit(bob)
    more = [q.claim(worker="v%d" % i) for i in range(2)]
    assert bob_id in [rec.owner for _, rec in more], "at most one more of hers begins before his"
    running, begun = running + more, []
    for _ in range(20):
        ulid, rec = running.pop(0)
        q.run("complete", *q.lease(ulid, rec), "{}", 0, "0")
        running.append(q.claim())
        begun.append(running[-1][1].owner)
    assert begun.count(bob_id) >= 8, begun


def test_isolation_of_jobs(q):
    ann_id, ann = q.user("ann")
    _, bob = q.user("bob")
    _, root = q.user("root", role="admin")
    ulid = q.submit(ann)[4]
    ownerless = q.submit()[4]
    assert q.job(ulid, ann).owner == ann_id
    assert q.job(ulid, bob) == "JOB_FORBIDDEN" and q.job(ownerless, ann) == "JOB_FORBIDDEN"
    assert q.job(ulid, root).owner == ann_id and q.job(ownerless, root).owner == "-"
    assert q.job("01ARZ3NDEKTSV4RRFFQ6ZZZZZZ", bob) == "JOB_NOT_FOUND"
    assert q.job(ulid, ("t", "nobody", "0", "0")) == "TOKEN_INVALID"
    assert [q.run("access", *who, ulid)[0] for who in (ann, bob, root)] == ["ok", "JOB_FORBIDDEN", "ok"]
    assert q.run("access", *ann, "01ARZ3NDEKTSV4RRFFQ6ZZZZZZ")[0] == "JOB_NOT_FOUND"
    assert [q.run("history", *who, 100, 0, 0, "", "", 0, 0, "", "")[3] for who in (ann, bob, root)] == [1, 0, 2]
    assert q.run("history", *bob, 100, 0, 0, "", "", 0, 0, "", ann_id)[0] == "FORBIDDEN"
    assert q.run("history", *root, 100, 0, 0, "", "", 0, 0, "", ann_id)[3] == 1


def test_queue_limit_and_idempotency_key(q):
    _, ann = q.user("ann")
    first = q.submit(ann, queued=2, key="k" * 32, body="b" * 32)
    again = q.submit(ann, queued=2, key="k" * 32, body="b" * 32)
    assert again[3] == 1 and again[4] == first[4]
    assert q.submit(ann, queued=2, key="k" * 32, body="c" * 32)[0] == "IDEMPOTENCY_REUSED"
    assert q.submit(ann, queued=2)[0] == "ok"
    assert q.submit(ann, queued=2)[0] == "QUEUE_FULL"
    assert q.submit(ann, queued=2, key="k" * 32, body="b" * 32)[4] == first[4], "a replay is no new job"
    assert len(q.places()) == 2


def test_history_pages_by_cursor_and_offset_are_complete_and_ordered(q):
    rng = random.Random(7)
    kinds = [KIND, "mesh_generation/other", "relief/relief"]
    made = []
    for i in range(137):
        made.append(q.submit(kind=rng.choice(kinds))[4])
        if i % 3 == 0:
            ulid, rec = q.claim(kinds=[(k, -1) for k in kinds])
            q.run(*(("complete", *q.lease(ulid, rec), "{}", 0, "0") if i % 2 else
                    ("fail", *q.lease(ulid, rec), "{}", "0", 0, "0")))

    def page(limit, offset=0, cursor="", states=0, feature="", model=""):
        return q.run("history", *q.OPEN, limit, offset, states, feature, model, 0, 0, cursor, "")
    whole = page(500)
    assert whole[3] == 137 and whole[4] == ""
    order = whole[5::4]
    assert sorted(order) == sorted(made)
    created = [Record(r).created for r in whole[6::4]]
    assert created == sorted(created, reverse=True)
    seen, cursor = [], ""
    while True:
        out = page(10, cursor=cursor)
        seen += out[5::4]
        cursor = out[4]
        if not cursor:
            break
    assert seen == order
    assert sum((page(20, offset=o)[5::4] for o in range(0, 140, 20)), []) == order
    for states, name in ((1, "queued"), (4, "completed"), (8, "failed")):
        out = page(500, states=states)
        assert out[3] == len(out[5::4]) and all(Record(r).state == name for r in out[6::4])
    assert page(500, feature="relief")[3] + page(500, model="lettering")[3] + page(500, model="other")[3] == 137


def test_a_deep_offset_gives_the_same_page(q):
    for _ in range(620):
        q.submit()
    whole = q.run("history", *q.OPEN, 500, 0, 0, "", "", 0, 0, "", "")[5::4]
    rest = q.run("history", *q.OPEN, 500, 500, 0, "", "", 0, 0, "", "")[5::4]
    assert q.run("history", *q.OPEN, 50, 550, 0, "", "", 0, 0, "", "")[5::4] == rest[50:100]
    assert len(whole) == 500 and len(rest) == 120 and not set(whole) & set(rest)


def commands(q, *call):
    """What a script asked Redis: [[word, ...], ...]."""
    q.r.ping()
    with q.r.monitor() as monitor:
        q.run(*call)
        q.r.echo("over")
        seen = []
        for line in monitor.listen():
            if line["client_type"] == "lua":
                seen.append(line["command"].split())
            elif line["command"] == "ECHO over":
                return seen


@pytest.mark.parametrize("ended, each", [(True, 1), (False, 2)])
def test_a_page_asks_once_for_each_job_and_skips_without_reading(q, ended, each):
    _, ann = q.user("ann")
    for at in range(0, 900, 100):
        q.batch([q.new(kind=(KIND, OTHER)[i % 2]) for i in range(100)], ann)
    some = q.r.zrange("p3d:{0}:i", 0, -1)
    for ulid in some if ended else []:
        q.run("job_cancel", *ann, ulid)
    for offset in (0, 60, 400, 700):
        seen = commands(q, "history", *ann, 100, offset, 0, "", "", 0, 0, "", "")
        rows = [c for c in seen if c[0] == "ZREVRANGEBYSCORE"]
        assert 1 <= len(rows) <= 2
        for row in rows:  # a batch has one millisecond
            assert int(row[-1].strip('"')) <= 100 + 1 + 100, (offset, row)
        searched = sum(c[0] == "ZCOUNT" for c in seen)
        assert len(seen) - searched <= 100 * each + 20, (offset, len(seen), searched)


def test_a_submit_costs_few_commands(q):
    _, ann = q.user("ann")
    jobs = [q.new() for _ in range(4)]
    assert q.batch(jobs[:1], ann)[0] == "ok"
    seen = commands(q, "submit", *ann, 100, "", "", *jobs[1])
    assert len(seen) <= 17, seen
    ulid, rec = q.claim()
    q.run("complete", *q.lease(ulid, rec), "{}", 0, 0)  # what jobs take is known: there are estimates
    assert len(commands(q, "submit", *ann, 100, "", "", *jobs[2])) <= 18
    many = [q.new() for _ in range(100)]
    assert len(commands(q, "submit", *ann, 200, "", "", *[x for job in many for x in job])) <= 100 * 10 + 10
    assert q.batch(jobs[1:2], ann)[0] == "CONFLICT" and len(q.places()) == 103


def test_full_memory_refuses_submits_while_finishing_goes_on(q):
    q.submit()
    ulid, rec = q.claim()
    q.r.config_set("maxmemory", "1mb")
    try:
        try:
            out = q.submit()
        except Exception as e:  # the client library raises on an error reply
            out = str(e)
        assert "OOM" in str(out) or "maxmemory" in str(out)
        assert q.run("heartbeat", *q.lease(ulid, rec), 30000) == ["ok", 0]
        assert q.run("complete", *q.lease(ulid, rec), "{}", 0, "1", *q.claim_args()) == ["ok"]
        assert q.run("reap", 30000, -1, -1, -1)[0] == "ok"
    finally:
        q.r.config_set("maxmemory", 0)
    assert q.places() == {ulid: "completed"}


def test_stats_count_what_is_there(q):
    for _ in range(4):
        q.submit()
    ulid, rec = q.claim()
    q.run("complete", *q.lease(ulid, rec), "{}", 0, "0")
    q.claim(worker="w2")
    out = q.run("queue_stats", *q.OPEN)
    assert out[5:] == [KIND, 2, 1, 1, 0, 0] and out[4] == 1
    assert q.run("ping") == ["ok", 1, 1]
    q.claim(worker="w3", kinds=(("none/none", -1),))
    assert q.run("ping") == ["ok", 2, 1]


def test_random_walk_keeps_every_job_in_one_place(q):
    for seed in range(12):
        q.r.flushall()
        rng = random.Random(seed)
        users = [q.OPEN, q.user("ann")[1], q.user("bob")[1]]
        running = []
        for step in range(120):
            op = rng.randrange(9)
            if op <= 2:
                q.submit(rng.choice(users), kind=rng.choice([KIND, "a/b"]), priority=rng.randrange(10), attempts=2)
            elif op <= 4:
                got, rec = q.claim(worker="w%d" % rng.randrange(3), kinds=((KIND, 2), ("a/b", -1)))
                running += [(got, rec)] if got else []
            elif op == 5 and running:
                q.run("heartbeat", *q.lease(*rng.choice(running)), 30000)
            elif op == 6 and running:
                q.run("complete", *q.lease(*running.pop(rng.randrange(len(running)))), "{}", 0, "0")
            elif op == 7 and running:
                lease = q.lease(*running.pop(rng.randrange(len(running))))
                q.run(*rng.choice([("release", *lease), ("fail", *lease, "{}", "1", 3, "0")]))
            elif op == 8:
                if rng.random() < 0.5:
                    q.expire_leases()
                for ulid in q.r.zrange("p3d:{0}:scheduled", 0, -1):
                    q.r.zadd("p3d:{0}:scheduled", {ulid: 1})
                q.reap()
            for kind in (KIND, "a/b"):  # a woken worker's token is gone until its claim has answered
                if q.r.exists("p3d:{0}:ready:" + kind) and q.r.llen("p3d:{0}:wake:" + kind) == 0:
                    running_now = sum(1 for u, s in q_states(q).items() if s == "processing")
                    assert kind == KIND and running_now >= 2, (seed, step, kind)
                    q.r.rpush("p3d:{0}:wake:" + kind, "1")
            q.places()


def q_states(q):
    return {k.decode().rsplit(":", 1)[1]: Record(q.r.get(k).decode()).state for k in q.r.scan_iter("p3d:{0}:job:*")}


def test_release_after_the_reaper_has_been_through_a_deleted_owner(q):
    uid, ann = q.user("ann")
    root = q.user("root", "admin")[1]
    q.submit(ann)
    ulid, rec = q.claim()
    q.run("account_drop", uid)
    while q.r.scard("p3d:{0}:tombs"):
        q.reap()
    assert q.run("release", *q.lease(ulid, rec)) == ["ok"]
    assert q.job(ulid, root).state == "cancelled"
    assert q.places() == {ulid: "cancelled"}, "queued again it would wait for ever: nobody claims or empties it any more"
    assert q.run("queue_stats", *root)[-5:] == [0, 0, 0, 0, 1]


def test_claim_leaves_a_token_for_the_kinds_behind_the_one_it_takes_from(q):
    other = "mesh_generation/other"
    q.submit()
    q.submit(kind=other)
    q.r.lpop("p3d:{0}:wake:" + other)  # it woke this worker
    assert q.claim(kinds=((KIND, -1), (other, -1)))[0]
    assert q.r.llen("p3d:{0}:wake:" + other) == 1, "a worker that serves only the other kind sleeps on"
    q.r.delete("p3d:{0}:wake:" + other)
    q.submit(kind=other)
    assert q.claim(worker="w2", kinds=((other, 1),))[0]
    q.r.delete("p3d:{0}:wake:" + other)
    q.submit()
    assert q.claim(worker="w3", kinds=((KIND, -1), (other, 1)))[0]
    assert q.r.llen("p3d:{0}:wake:" + other) == 0, "no free slot, no token"


def test_a_slot_freed_by_a_lost_job_of_a_deleted_owner_wakes_the_next(q):
    uid, ann = q.user("ann")
    q.submit(ann)
    ulid, _ = q.claim(kinds=((KIND, 1),))
    q.submit()
    q.r.delete("p3d:{0}:wake:" + KIND)
    assert q.claim(worker="w2", kinds=((KIND, 1),))[1] == "NOT_FOUND"
    q.run("account_drop", uid)
    q.expire_leases()
    q.reap()
    assert q.r.llen("p3d:{0}:wake:" + KIND) == 1


def test_a_page_of_big_records_ends_early_and_goes_on_by_cursor(q):
    uid, ann = q.user("ann")
    made = [q.submit(ann, spec='{"a":"%s"}' % ("x" * 1000000))[4] for _ in range(12)]
    found, cursor, pages = [], "", 0
    while pages == 0 or cursor:
        out = q.run("history", *ann, 500, 0, 0, "", "", 0, 0, cursor, "")
        assert out[0] == "ok" and out[3] == 12 and sum(map(len, out[6::4])) < 6000000
        found, cursor, pages = found + out[5::4], out[4], pages + 1
    assert found == made[::-1] and pages == 3


def test_a_clock_that_was_set_back_spoils_neither_submits_nor_fairness(q):
    """The owner's virtual time was written by a clock that was ahead."""
    now = int(q.r.time()[0] * 1000)
    for vt, days in ((500, 1), (500, 30), (0, 30)):
        q.r.flushall()
        uid, ann = q.user("ann")
        assert q.submit(ann)[0] == "ok" and q.claim()[0]
        q.r.hset("p3d:{0}:vt:" + KIND, uid, "%d %d 1000" % (vt, now + days * 86400000))
        assert q.submit(ann)[0] == "ok"
        assert q.r.zscore("p3d:{0}:ready:" + KIND, uid) <= 500


def test_ids_of_dead_workers_are_forgotten(q):
    now = int(q.r.time()[0] * 1000)
    q.r.zadd("p3d:{0}:workers", {"dead": now - 3600000, "idle": now - 5000})
    q.reap()
    assert q.r.zrange("p3d:{0}:workers", 0, -1) == [b"idle"]


def test_grace_of_the_reaper_does_not_outlive_a_clock_that_was_set_back(q):
    q.submit()
    ulid, rec = q.claim()
    now = int(q.r.time()[0] * 1000)
    q.r.hset("p3d:{0}:reaper", mapping={"last": now + 86400000, "grace": now + 86400000})
    q.expire_leases()
    q.r.delete("p3d:{0}:reap")
    q.run("reap", 1, -1, -1, -1)
    assert int(q.r.hget("p3d:{0}:reaper", "grace")) <= now + 60000
