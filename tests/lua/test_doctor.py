# SPDX-License-Identifier: MIT
"""`p3d doctor`'s scripts: every invariant broken by hand is named, and repaired so that Queue.places() holds and the job
is still there; what is sound is never reported, neither between two steps of a random walk nor in the middle of one."""
import os
import random
import re
import threading

import pytest

import test_model
from conftest import KIND, OTHER, ROOT, STATES, Queue, Record
from test_model import World

W = "p3d:{0}:"
ROWS = re.findall(r'^P3D_AILMENT\((\w+), "[^"]*", (NULL|".*")\)', open(os.path.join(ROOT, "include/p3d/doctor.def")).read(),
                  re.M)
MENDED = {name for name, repair in ROWS if repair != "NULL"}


class Doctor:
    def __init__(self, q, repair=False, lease=30000):
        self.q, self.args = q, ("1" if repair else "0", lease)
        self.problems, self.jobs, self.keys, self.calls = [], 0, 0, 0

    def page(self, script, *args):
        out = self.q.run(script, *self.args, *args)
        assert out[0] == "ok", out
        self.calls += 1
        self.keys += out[2]
        self.jobs += out[3]
        found = out[5 + out[4]:]
        assert len(found) % 4 == 0
        return str(out[1]), out[5:5 + out[4]], [tuple(found[i:i + 4]) for i in range(0, len(found), 4)]

    def walk(self, script, *args):
        cursor, walks, found = "0", [], []
        while True:
            cursor, more, problems = self.page(script, cursor, *args)
            walks += more
            found += problems
            if cursor in ("0", "changed", "unread"):
                return cursor, walks, found

    def look(self):
        """As the verb does it, with one look at the wake tokens."""
        _, walks, self.problems = self.walk("doctor_keys")
        for key in walks:
            self.problems += self.walk("doctor_members", key)[2]
            if key.startswith("ready:"):
                self.problems += self.page("doctor_wake", key[6:], -1)[2]
        return self

    def sums(self):
        end, _, found = self.walk("doctor_bytes", "")
        if found:
            end, _, found = self.walk("doctor_bytes", found[0][2])
        self.problems += found
        return self


def diagnose(q, repair=False):
    return Doctor(q, repair).look().sums().problems


def healthy(q):
    """A bit of everything, all of it sound. Returns it by what it is."""
    uid, who = q.user("ann")
    _, other = q.user("bob", token="5adbob")
    root = q.user("root", role="admin", token="5adroot")
    far = q.now() + 10 ** 9
    have = {"owner": uid, "queued": q.submit(who)[4], "second": q.submit(who)[4], "scheduled": q.submit(who, run_at=far)[4],
            "deadline": q.submit(who, kind=OTHER, expires=far)[4], "bobs": q.submit(other)[4]}
    have["open"] = q.submit(kind=OTHER)[4]
    for name, finish in [("completed", "complete"), ("failed", "fail"), ("processing", None), ("kept", "complete")]:
        ulid = q.submit(who, kind="f/" + name)[4]
        got, record = q.claim(worker=name, kinds=(("f/" + name, -1),))
        assert got == ulid
        if finish == "complete":
            q.run("complete", *q.lease(ulid, record), "{}", 100, "0")
        elif finish:
            q.run("fail", *q.lease(ulid, record), "{}", "0", 0, "0")
        have[name] = ulid
    have["gone"] = q.submit(who, kind="f/gone")[4]
    assert q.run("job_delete", *root[1], have["gone"])[0] == "ok"
    q.change(uid, "max_concurrent_jobs", "0")
    have["parked"] = q.submit(who, kind="f/parked")[4]
    assert q.claim(worker="w9", kinds=(("f/parked", -1),))[0] is None  # parks it
    q.reap()
    assert q.claim(worker="w9", kinds=(("f/parked", -1),))[0] is None
    q.places()
    return have


def test_nothing_is_wrong_where_nothing_is_wrong(q):
    assert diagnose(q) == []
    healthy(q)
    before = {key: q.r.dump(key) for key in q.r.scan_iter("*")}
    doctor = Doctor(q).look().sums()
    assert doctor.problems == [] and doctor.jobs == len(q.tails(W + "job:"))
    assert doctor.keys >= len(list(q.r.scan_iter(W + "*")))
    assert {key: q.r.dump(key) for key in q.r.scan_iter("*")} == before, "looking changes nothing"
    assert diagnose(q, repair=True) == []


# ---- every invariant, broken

def rewrite(q, ulid, at, text):
    q.r.setrange(W + "job:" + ulid, at, text)


def q_of(have, kind=KIND):
    return W + "q:%s:%s" % (kind, have["owner"])


def add(key, which=None, score=1):
    return lambda q, have: q.r.zadd(W + key, {have[which] if which else "01ARZ3NDEKTSV4RRFFQ6999999": score})


def rem(key, which):
    return lambda q, have: q.r.zrem(W + key.replace("@", have["owner"]), have[which])


def two_tokens(q, have):
    q.r.rpush(W + "wake:" + KIND, "1", "1")


def lost_owner(q, have):
    q.r.zrem(W + "ready:" + KIND, have["owner"])


def ready_and_parked(q, have):
    q.r.zadd(W + "ready:f/parked", {have["owner"]: 1})
    q.r.rpush(W + "wake:f/parked", "1")


def forgotten_gone(q, have):
    q.r.set(W + "gone:01ARZ3NDEKTSV4RRFFQ6999998", "x")


def alive_in_purge(q, have):
    q.r.zadd(W + "purge", {have["completed"]: 1})


def alive_and_gone(q, have):
    q.r.set(W + "gone:" + have["completed"], "x")
    q.r.zadd(W + "purge", {have["completed"]: 1})


def tombless(q, have):
    uid, who = q.user("eve", token="5adeve")
    q.submit(who)
    q.run("account_drop", uid)
    q.r.srem(W + "tombs", uid)


def buried_alive(q, have):
    q.r.sadd(W + "tombs", have["owner"])


def hidden_token(q, have):
    q.r.zrem(W + "tokens:" + have["owner"], "5adann:p3d_0AbCdEfG")


def unfound_token(q, have):
    q.r.delete(W + "prefixes:" + have["owner"])


def lost_grave(q, have):
    q.r.zadd(W + "grave:%s:7" % have["owner"], {"5adold:p3d_0AbCdEfG": 1})


def immortal(q, have):
    q.r.hset(W + "d:20000:" + have["owner"], "k", "v")


def nameless_kind(q, have):
    q.r.hdel(W + "kinds", "#%d" % int(q.r.hget(W + "kinds", "f/failed")))


def numberless_kind(q, have):
    q.r.hdel(W + "kinds", "f/failed")


def low_counter(q, have):
    q.r.hset(W + "kinds", "#", 1)


BROKEN = {
    # name: (what is said, where: "job:<which>" or a key, how it is broken)
    "no index": ("index_missing", "job:queued", rem("i", "queued")),
    "no index of the owner": ("index_missing", "job:completed", rem("i:@", "completed")),
    "wrong index": ("index_wrong", "job:processing", add("i", "processing")),
    "wrong index of the owner": ("index_wrong", "job:queued",
                                 lambda q, have: q.r.zadd(W + "i:" + have["owner"], {have["queued"]: 5})),
    "in no queue": ("nowhere", "job:queued", rem("q:%s:@" % KIND, "queued")),
    "the only one, in no queue": ("nowhere", "job:parked", rem("q:f/parked:@", "parked")),
    "not scheduled": ("nowhere", "job:scheduled", rem("scheduled", "scheduled")),
    "queued and scheduled for later": ("twice", "job:queued", add("scheduled", "queued", 9e15)),
    "queued and due": ("twice", "job:queued", add("scheduled", "queued", 1)),
    "queued in a wrong place": ("order", "job:queued", lambda q, have: q.r.zadd(q_of(have), {have["queued"]: 7})),
    "queued with a lease": ("stray", "job:queued", add("leases", "queued")),
    "no lease": ("leases_missing", "job:processing", rem("leases", "processing")),
    "processing, queued": ("stray", "job:processing", lambda q, have: (
        q.r.zadd(q_of(have, "f/processing"), {have["processing"]: 1}), q.r.sadd(W + "parked:" + have["owner"], "f/processing"))),
    "processing, scheduled": ("stray", "job:processing", add("scheduled", "processing")),
    "processing, ended": ("stray", "job:processing", add("ended", "processing")),
    "final, leased": ("stray", "job:failed", add("leases", "failed")),
    "final, scheduled": ("stray", "job:failed", add("scheduled", "failed")),
    "final, queued": ("stray", "job:failed", lambda q, have: (
        q.r.zadd(q_of(have, "f/failed"), {have["failed"]: 1}), q.r.sadd(W + "parked:" + have["owner"], "f/failed"))),
    "final, with a deadline": ("stray", "job:failed", add("deadlines", "failed")),
    "not ended": ("ended_missing", "job:completed", rem("ended", "completed")),
    "not large": ("large_missing", "job:completed", rem("large", "completed")),
    "large without files": ("stray", "job:failed", add("large", "failed")),
    "no deadline": ("deadlines_missing", "job:deadline", rem("deadlines", "deadline")),
    "wrong deadline": ("deadlines_wrong", "job:deadline", add("deadlines", "deadline")),
    "deadline of nobody's wish": ("stray", "job:queued", add("deadlines", "queued")),
    **{"nothing in " + key: ("nothing", key, add(key)) for key in ("i", "leases", "scheduled", "ended", "large", "deadlines")},
    "nothing in an owner's index": ("nothing", "i:@", lambda q, have: q.r.zadd(W + "i:" + have["owner"], {"01X": 1})),
    "nothing in a queue": ("nothing", "q:%s:@" % KIND, lambda q, have: q.r.zadd(q_of(have), {"01X": 1})),
    "another owner's job": ("other", "q:%s:@" % KIND, lambda q, have: q.r.zadd(q_of(have), {have["bobs"]: 1})),
    "another kind's job": ("other", "q:%s:@" % OTHER, lambda q, have: q.r.zadd(q_of(have, OTHER), {have["queued"]: 1})),
    "another owner's history": ("other", "i:@", lambda q, have: q.r.zadd(W + "i:" + have["owner"], {have["bobs"]: 1})),
    "neither ready nor parked": ("unready", "q:%s:@" % KIND, lost_owner),
    "ready and parked": ("both", "q:f/parked:@", ready_and_parked),
    "ready without jobs": ("ready_empty", "ready:" + KIND, lambda q, have: q.r.zadd(W + "ready:" + KIND, {"user_x": 1})),
    "parked, and nobody knows": ("parked", "parked:@", lambda q, have: q.r.srem(W + "parked", have["owner"])),
    "nobody is woken": ("wake", "ready:" + KIND, lambda q, have: q.r.delete(W + "wake:" + KIND)),
    "two tokens": ("wakes", "wake:" + KIND, two_tokens),
    "gone for ever": ("gone", "gone:01ARZ3NDEKTSV4RRFFQ6999998", forgotten_gone),
    "purged alive": ("purge_alive", "job:completed", alive_in_purge),
    "gone and there": ("purge_alive", "job:completed", alive_and_gone),
    "purge without a record": ("purge_nothing", "purge", add("purge")),
    "bytes": ("bytes", "bytes", lambda q, have: q.r.incrby(W + "bytes", 17)),
    "bytes away": ("bytes", "bytes", lambda q, have: q.r.delete(W + "bytes")),
    "no tomb": ("tomb_missing", "u:", tombless),
    "a tomb of the living": ("tomb_alive", "tombs", buried_alive),
    "a token nobody sees": ("token_hidden", "tokens:@", hidden_token),
    "a token nobody finds": ("token_hidden", "tokens:@", unfound_token),
    "a grave nobody knows": ("grave", "grave:@:7", lost_grave),
    "a key for ever": ("lasts", "d:20000:@", immortal),
    "a kind without a number": ("kinds", "kinds", numberless_kind),
    "a counter that gives again": ("kinds", "kinds", low_counter),
}


def where_of(have, where):
    return "job_0" + have[where[4:]] if where.startswith("job:") else where.replace("@", have["owner"])


@pytest.mark.parametrize("name", BROKEN)
def test_broken_named_repaired(q, name):
    what, where, breaks = BROKEN[name]
    have = healthy(q)
    jobs = q.places()
    breaks(q, have)
    after = {key: q.r.dump(key) for key in q.r.scan_iter("*")}
    found = diagnose(q)
    assert any(f[0] == what and f[1].startswith(where_of(have, where)) for f in found), found
    assert all(f[3] == "0" for f in found)
    assert {key: q.r.dump(key) for key in q.r.scan_iter("*")} == after, "without --repair nothing is changed"
    mended = diagnose(q, repair=True)
    assert any(f[0] == what for f in mended) and all(f[3] == "1" for f in mended), mended
    assert diagnose(q) == []
    still = q.places()
    assert {u: still.get(u) for u in jobs} == jobs, "every job is what it was"


def test_every_row_is_tested():
    tested = {what for what, _, _ in BROKEN.values()}
    assert tested == MENDED, (MENDED - tested, tested - MENDED)


def test_a_job_put_back_runs_once(q):
    have = healthy(q)
    rem("q:%s:@" % KIND, "queued")(q, have)
    rem("q:%s:@" % KIND, "second")(q, have)
    assert {f[:2] for f in diagnose(q, repair=True)} == {("nowhere", "job_0" + have[w]) for w in ("queued", "second")}
    q.change(have["owner"], "max_concurrent_jobs", "")
    ran = []
    while True:
        ulid, record = q.claim(worker="w%d" % len(ran), kinds=((KIND, -1),))
        if not ulid:
            break
        ran.append(ulid)
    assert sorted(ran) == sorted([have["queued"], have["second"], have["bobs"]])


def test_not_before_it_is_due(q):
    """Queued and scheduled at once: the later one counts, the job is there."""
    have = healthy(q)
    add("scheduled", "queued", q.now() + 10 ** 9)(q, have)
    diagnose(q, repair=True)
    assert q.r.zscore(W + "scheduled", have["queued"]) and not q.r.zscore(q_of(have), have["queued"])
    add("scheduled", "second", 1)(q, have)
    diagnose(q, repair=True)
    assert q.r.zscore(q_of(have), have["second"]) and not q.r.zscore(W + "scheduled", have["second"])
    q.places()


def test_a_lease_given_back_is_the_workers(q):
    """The worker goes on as if nothing had been; without one the reaper takes it after the lease time."""
    have = healthy(q)
    record = q.job(have["processing"])
    rem("leases", "processing")(q, have)
    Doctor(q, repair=True, lease=5000).look()
    left = q.r.zscore(W + "leases", have["processing"]) - q.now()
    assert 0 < left <= 5000
    assert q.run("heartbeat", *q.lease(have["processing"], record), 30000) == ["ok", 0]
    rem("leases", "processing")(q, have)
    diagnose(q, repair=True)
    q.expire_leases()
    q.reap()
    assert q.job(have["processing"]).state == "queued"
    q.places()


def test_a_job_taken_out_leaves_no_owner_behind(q):
    """The last one of its queue: its owner is not ready any more."""
    have = healthy(q)
    q.r.zadd(q_of(have, "f/failed"), {have["failed"]: 1})
    q.r.zadd(W + "ready:f/failed", {have["owner"]: 1})  # its token is there still
    assert diagnose(q, repair=True) == [("stray", "job_0" + have["failed"], "failed, in its queue", "1")]
    assert diagnose(q) == []


def test_ended_anew_is_not_retired_at_once(q):
    have = healthy(q)
    rewrite(q, have["completed"], 93, "%015d" % 1)  # ended in 1970
    rem("ended", "completed")(q, have)
    diagnose(q, repair=True)
    q.reap(age=86400000)
    assert q.job(have["completed"]).state == "completed"


@pytest.mark.parametrize("at, text", [(0, "2"), (1, "7"), (4, "x"), (47, "g"), (80, "-"), (108, "who"), (129, "00999999"),
                                      (170, " ")])
def test_a_record_that_cannot_be_read_is_told_and_not_touched(q, at, text):
    have = healthy(q)
    rewrite(q, have["completed"], at, text)
    before = {key: q.r.dump(key) for key in q.r.scan_iter("*")}
    for repair in (False, True):
        found = diagnose(q, repair)
        assert [f for f in found if f[0] != "bytes"] == [("record", "job_0" + have["completed"], "", "0")], found
    before.pop(b"p3d:{0}:nothing", None)
    assert {key: q.r.dump(key) for key in q.r.scan_iter("*")} == before


def test_the_sum_with_a_record_that_cannot_be_read(q):
    have = healthy(q)
    rewrite(q, have["completed"], 0, "2")
    assert Doctor(q).walk("doctor_bytes", "")[0] == "unread"


def test_a_kind_without_a_name(q):
    have = healthy(q)
    rewrite(q, have["completed"], 3, "444")
    found = diagnose(q, repair=True)
    assert ("kind", "job_0" + have["completed"], "444", "0") in found
    q.r.zadd(W + "q:no/such:" + have["owner"], {have["queued"]: 1})
    assert any(f[:2] == ("kind", "q:no/such:" + have["owner"]) for f in diagnose(q, repair=True))


def test_two_kinds_of_one_number(q):
    healthy(q)
    number = int(q.r.hget(W + "kinds", KIND))
    q.r.hset(W + "kinds", "f/twin", number)
    before = q.r.hgetall(W + "kinds")
    assert ("kinds", "kinds", "f/twin", "0") in diagnose(q, repair=True)
    q.r.hdel(W + "kinds", "#%d" % number)
    before.pop(b"#%d" % number)
    found = diagnose(q, repair=True)
    assert {f[2] for f in found if f[0] == "kinds"} == {"f/twin", KIND} and q.r.hgetall(W + "kinds") == before


def test_a_nameless_kind_gets_its_name_back(q):
    have = healthy(q)
    nameless_kind(q, have)
    assert ("kinds", "kinds", "f/failed", "1") in diagnose(q, repair=True)
    assert diagnose(q) == []
    q.places()


def test_keys_of_another_type(q):
    have = healthy(q)
    for key, value in [("leases", "x"), ("q:%s:%s" % (KIND, have["owner"]), "x"), ("kinds", "x"), ("bytes", None)]:
        kept = q.r.dump(W + key)
        q.r.delete(W + key)
        q.r.set(W + key, value) if value else q.r.hset(W + key, "a", "b")
        for repair in (False, True):
            found = diagnose(q, repair)
            assert any(f[0] == "unchecked" for f in found), (key, found)
        q.r.restore(W + key, 0, kept, replace=True)
    assert diagnose(q) == []


def test_a_token_of_nobody(q):
    q.r.hset(W + "token:" + "ab" * 32, mapping={"owner": "user_0000000000000000", "prefix": "p3d_0AbCdEfG", "number": 3})
    q.r.hset(W + "token:" + "cd" * 32, mapping={"number": 3})
    found = diagnose(q, repair=True)
    assert sorted(f[:3] for f in found) == [("token", "token:cdcdcdcd", ""),
                                            ("token", "tokens:user_0000000000000000", "p3d_0AbCdEfG")]


def test_what_is_legal(q):
    """States that look odd and are not."""
    have = healthy(q)
    uid, who = q.user("eve", token="5adeve")
    q.submit(who)
    q.submit(who, kind=OTHER)
    finished = q.submit(who, kind="f/eves")[4]
    ulid, record = q.claim(worker="w7", kinds=(("f/eves", -1),))
    assert ulid == finished
    q.run("complete", *q.lease(ulid, record), "{}", 5, "0")
    running = q.submit(who, kind="f/eves")[4]
    assert q.claim(worker="w8", kinds=(("f/eves", -1),))[0] == running
    once = q.submit(who, kind="f/once", expires=q.now() + 10 ** 9)[4]  # has begun: its deadline counts no more
    ulid, record = q.claim(worker="w5", kinds=(("f/once", -1),))
    assert ulid == once and q.run("fail", *q.lease(ulid, record), "{}", "1", 0, "0") == ["ok"]
    assert q.job(once).state == "queued" and diagnose(q) == []
    q.run("account_drop", uid)
    assert diagnose(q) == []
    q.r.delete(W + "wake:" + KIND)
    q.claim(worker="w7", kinds=((KIND, 0),))  # no free slot: nobody need be woken
    assert Doctor(q).page("doctor_wake", KIND, 0)[2] == []
    q.run("claim", *q.claim_args(worker="w6", kinds=((OTHER, -1),)))  # pops eve: gone
    for _ in range(6):
        q.reap()
        assert [f for f in diagnose(q) if f[0] != "wake"] == []
    assert uid not in {o.decode() for o in q.r.smembers(W + "tombs")}
    # A password that was changed: the rows of old tokens wait for the reaper.
    row = q.run("user_find", have["owner"])[1:13]
    row[10:12] = [str(int(row[10] or 0) + 1), str(int(row[11]) + 1)]
    assert q.run("account_apply", *row, "", "0") == ["ok"]
    assert q.r.exists(W + "token:5adann") and [f for f in diagnose(q) if f[0] != "wake"] == []
    q.claim(worker="w9", kinds=(("f/parked", -1),))  # parks it again
    q.r.zremrangebyrank(W + "q:f/parked:" + have["owner"], 0, -1)
    q.r.delete(W + "job:" + have["parked"])
    for key in ("i", "i:" + have["owner"]):
        q.r.zrem(W + key, have["parked"])
    assert [f for f in diagnose(q) if f[0] != "wake"] == [], "parked with nothing queued"


def test_pages_are_bounded_and_whole(q):
    """Many jobs of one owner: their sets are walked by members, and each of them is looked at."""
    for _ in range(6):
        q.batch([q.new() for _ in range(200)])
    lost = sorted(q.tails(W + "job:"))[::100]
    q.r.delete(*[W + "job:" + u for u in lost])
    doctor = Doctor(q).look()
    assert doctor.jobs == 1200 - len(lost)
    for key in ("i", "i:-", "q:%s:-" % KIND):
        assert {f[2] for f in doctor.problems if f[:2] == ("nothing", key)} == set(lost)
    assert doctor.calls > 1200 // 256
    assert len(Doctor(q, repair=True).look().problems) == 3 * len(lost)
    assert diagnose(q) == []
    assert len(q.places()) == 1200 - len(lost)


def test_the_sum_of_many(q):
    for i in range(600):
        q.run("import_job", "01ARZ3NDEKTSV4RRFFQ7%06d" % i, KIND, "", "2", 5, 1, 3, 1600000000000, 1, 2, "{}", "{}", i + 1)
    total = int(q.r.get(W + "bytes"))
    assert total == 600 * 601 // 2
    assert Doctor(q).sums().problems == []
    q.r.set(W + "bytes", 5)
    assert Doctor(q).sums().problems == [("bytes", "bytes", str(total - 5), "0")]
    repair = Doctor(q, repair=True)
    cursor, _, _ = repair.page("doctor_bytes", "0", str(total - 5))
    q.run("import_job", "01ARZ3NDEKTSV4RRFFQ8000000", KIND, "", "2", 5, 1, 3, 1600000000000, 1, 2, "{}", "{}", 7)
    assert repair.page("doctor_bytes", cursor, str(total - 5))[0] == "changed", "what changes meanwhile ends it"
    assert repair.walk("doctor_bytes", str(total - 6))[2] == [("bytes", "bytes", str(total - 5), "0")], "not the same twice"
    assert int(q.r.get(W + "bytes")) == 12
    repair.sums()
    assert int(q.r.get(W + "bytes")) == total + 7 and diagnose(q) == []


# ---- nothing is seen that is not there

class Quiet(World):
    """time_passes moves the end of deadlines by hand, which is one of the things that the doctor looks for."""

    def time_passes(self):
        for which in ("leases", "scheduled"):
            for ulid in self.q.r.zrange(W + which, 0, -1):
                if self.dice.random() < 0.5:
                    self.q.r.zadd(W + which, {ulid: 1})

    OPERATIONS = [row for row in World.OPERATIONS if row[0] is not World.time_passes] + [(time_passes, 6)]


class Watched(Quiet):
    def check(self, what):
        super().check(what)
        found = diagnose(self.q)
        assert found == [], (what, found)


class Unchecked(Quiet):
    """Accounts are deleted, too: what is left of them is for the reaper, and until then in nobody's way."""

    def drop(self):
        if len(self.users) < 4:
            self.users.append(self.q.user("extra%d" % self.step, token="5ad%d" % self.step))
        else:
            self.q.run("account_drop", self.users.pop(2)[0])

    OPERATIONS = Quiet.OPERATIONS + [(drop, 5)]

    def check(self, what):
        self.seen = {u: None for u in self.q.tails(W + "job:")}


class Dropping(Unchecked):
    def check(self, what):
        super().check(what)
        found = diagnose(self.q)
        assert found == [], (what, found)


@pytest.mark.parametrize("kind", [Watched, Dropping])
def test_sound_after_every_step_of_random_walks(q, kind):
    for seed in range(int(os.environ.get("P3D_DOCTOR_WALKS", "24"))):
        world = kind(q, seed)
        try:
            for _ in range(25):
                world.go()
        except Exception:
            print("seed %d, step %d" % (seed, world.step))
            raise


def test_broken_at_random_repaired_at_once(q):
    """Some keys at random lose members or get others: repaired, the walk goes on and every job ends."""
    for seed in range(int(os.environ.get("P3D_DOCTOR_WALKS", "24"))):
        world, dice = Quiet(q, seed), random.Random(seed)
        for _ in range(25):
            world.go()
        jobs = {u: None for u in q.places()}
        sets = sorted(k for k in q.r.scan_iter(W + "*") if q.r.type(k) == b"zset" and b"tokens:" not in k
                      and b"prefixes" not in k and b"logins" not in k and b"purge" not in k)
        for key in dice.sample(sets, min(4, len(sets))):
            for member in q.r.zrange(key, 0, -1):
                if dice.random() < 0.5:
                    q.r.zrem(key, member) if dice.random() < 0.5 else q.r.zadd(key, {member: dice.randrange(100)})
        mended = diagnose(q, repair=True)
        assert all(f[3] == "1" for f in mended), (seed, mended)
        assert diagnose(q) == [], seed
        assert set(q.places()) == set(jobs), seed
        world.leases = []
        world.quiet()


def test_no_false_alarm_while_a_walk_goes_on(q, server):
    """A random walk in another connection, as fast as it can; a sound queue is sound in every page."""
    other = Queue(server.client())
    over, failure, steps = threading.Event(), [], [0]

    def live():
        try:
            seed = 0
            while not over.is_set():
                world = Unchecked(other, 1000 + seed)
                while not over.is_set():
                    world.go()
                    steps[0] += 1
        except Exception as e:  # pragma: no cover
            failure.append(e)

    walker = threading.Thread(target=live)
    walker.start()
    doctor = Doctor(q)
    try:
        for _ in range(int(os.environ.get("P3D_DOCTOR_LOOKS", "60"))):
            before = steps[0]
            doctor.look()
            assert [f for f in doctor.problems if f[0] != "wake"] == []
            end, _, found = doctor.walk("doctor_bytes", "")
            assert end == "0" and not found or end == "changed"
            while steps[0] == before and walker.is_alive():
                pass
    finally:
        over.set()
        walker.join()
    assert not failure and steps[0] > 100, failure
