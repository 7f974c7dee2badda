# SPDX-License-Identifier: MIT
"""What a Redis of P3D must look like at any moment, by docs/redis-schema.md: the record of a job, and the invariants of
the work family. It only reads, so it may be asked of a live one, when nothing changes meanwhile."""

W = "p3d:{0}:"
STATES = ["queued", "processing", "completed", "failed", "cancelled"]


class Record:
    """The fixed head of a job record, by the layout of docs/redis-schema.md."""
    FIELDS = [("version", 1), ("state", 1), ("priority", 1), ("kind", 3), ("attempt", 3), ("max_attempts", 3),
              ("losses", 3), ("confirmed", 1), ("cancel", 1), ("progress", 5), ("rev", 10), ("fence", 15),
              ("nonce", 16), ("created", 15), ("started", 15), ("ended", 15), ("owner", 21), ("spec_len", 8),
              ("detail_len", 8), ("cost", 9), ("token", 10),
              ("files", 15), ("expires", 15)]

    def __init__(self, raw):
        at = 0
        for name, width in self.FIELDS:
            value = raw[at:at + width]
            setattr(self, name, value.strip() if name in ("nonce", "owner") else int(value))
            at += width
        self.state = STATES[self.state]
        self.spec = raw[at:at + self.spec_len]
        self.detail = raw[at + self.spec_len:at + self.spec_len + self.detail_len]
        self.fence = str(self.fence)


def zset(r, key):
    return {name.decode(): score for name, score in r.zrange(key, 0, -1, withscores=True)}


def tails(r, prefix):
    return {key.decode()[len(prefix):] for key in r.scan_iter(prefix + "*", count=1000)}


def records(r):
    """ulid -> Record of every job that is there."""
    ulids = sorted(tails(r, W + "job:"))
    found = {}
    for at in range(0, len(ulids), 500):
        part = ulids[at:at + 500]
        for ulid, raw in zip(part, r.mget([W + "job:" + u for u in part])):
            if raw is not None:
                found[ulid] = Record(raw.decode())
    return found


def places(r):
    """The invariants of docs/redis-schema.md, on everything there is. Returns ulid -> state."""
    jobs = records(r)
    kinds = {int(k[1:]): v.decode() for k, v in r.hgetall(W + "kinds").items() if k[:1] == b"#" and len(k) > 1}
    leases, scheduled, ended, deadlines, purge = (zset(r, W + n) for n in ("leases", "scheduled", "ended", "deadlines", "purge"))
    index = zset(r, W + "i")
    of_owner = {o: zset(r, W + "i:" + o) for o in tails(r, W + "i:")}
    queues = {q: zset(r, W + "q:" + q) for q in tails(r, W + "q:")}
    ready = {k: zset(r, W + "ready:" + k) for k in tails(r, W + "ready:")}
    parked = {o: {k.decode() for k in r.smembers(W + "parked:" + o)} for o in tails(r, W + "parked:")}
    owners_parked = {o.decode() for o in r.smembers(W + "parked")}
    for ulid, rec in jobs.items():
        queue = kinds[rec.kind] + ":" + rec.owner
        queued = ulid in queues.get(queue, {})
        place = queued + (ulid in leases) + (ulid in scheduled)
        assert place == (rec.state in ("queued", "processing")), (ulid, rec.state, place)
        assert (ulid in leases) == (rec.state == "processing")
        score = (STATES.index(rec.state) * 512 + rec.kind) * 2 ** 41 + rec.created - 1577836800000
        assert index[ulid] == score and of_owner[rec.owner][ulid] == score, ulid
        assert (ulid in ended) == (rec.state in ("completed", "failed", "cancelled")), (ulid, rec.state)
        assert (ulid in deadlines) == (rec.state == "queued" and rec.expires > 0 and rec.attempt == 0), ulid
    for name, found in [("i", index), ("leases", leases), ("scheduled", scheduled), ("ended", ended),
                        ("deadlines", deadlines), *of_owner.items(), *queues.items()]:
        assert set(found) <= set(jobs), "%s points to nothing" % name
    for queue in queues:
        kind, owner = queue.rsplit(":", 1)
        is_ready, is_parked = owner in ready.get(kind, {}), kind in parked.get(owner, set())
        assert is_ready != is_parked, (queue, is_ready, is_parked)
    assert set(parked) <= owners_parked
    for kind in ready:
        assert r.llen(W + "wake:" + kind) == 1, "nobody is woken for " + kind
    assert tails(r, W + "gone:") == set(purge)
    assert set(zset(r, W + "large")) == {u for u, rec in jobs.items() if rec.state == "completed" and rec.files}
    assert int(r.get(W + "bytes") or 0) == sum(rec.files for rec in jobs.values() if rec.state == "completed")
    return {ulid: rec.state for ulid, rec in jobs.items()}
