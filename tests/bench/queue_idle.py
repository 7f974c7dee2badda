# SPDX-License-Identifier: MIT
"""Parts d and g of bench_queue.py: what a P3D costs while nothing happens, and what clients that only listen cost."""
import time

import probe
from common import rows_table
from p3d_test import GATED, P3D, TINY, select_wait, until
from sse import Stream, gather

JOBS = "/api/v1/jobs/"


def processes(p3d):
    return {pid: (role, probe.cpu_ms(pid), probe.wakeups(pid)) for pid, role in probe.roles(p3d).items()}


def idle(args):
    seconds = 1 if args.small else 30
    with P3D(models={"tiny": TINY}, workers=4, processes=2, config={"workers": {"lease_seconds": 30}}) as p3d:
        ann = p3d.register("ann")
        assert ann.wait(ann.submit("right"))["status"] == "completed"
        p3d.hang_up()
        until(lambda: len([r for r in probe.roles(p3d).values() if r.startswith(("serve-", "work-"))]) == 6)
        select_wait(2)  # what the job left to do
        r = p3d.redis()
        calls, begin, before = probe.redis_calls(r), time.monotonic(), processes(p3d)
        select_wait(seconds)
        took, after, now = time.monotonic() - begin, processes(p3d), probe.redis_calls(r)
    assert {pid: row[0] for pid, row in before.items()} == {pid: row[0] for pid, row in after.items()}
    rows = {}
    for pid, (role, cpu, wakes) in sorted(after.items(), key=lambda item: item[1][0]):
        rows["%s %d" % (role, pid)] = {"cpu_ms_per_s": round((cpu - before[pid][1]) / took, 3),
                                       "wakeups_per_s": round((wakes - before[pid][2]) / took, 2)}
    ours = ("info",)  # the calls of this program
    return {"seconds": round(took, 1), "processes": rows,
            "cpu_ms_per_s": round(sum(row["cpu_ms_per_s"] for row in rows.values()), 2),
            "redis_calls_per_s": {name: round((now[name] - calls.get(name, 0)) / took, 2) for name in sorted(now)
                                  if now[name] - calls.get(name, 0) > 0 and not name.startswith(ours)}}


def idle_table(out):
    lines = rows_table(("process", "CPU ms/s", "wake-ups/s"), [
        (name.rsplit(" ", 1)[0], row["cpu_ms_per_s"], row["wakeups_per_s"]) for name, row in out["processes"].items()])
    calls = ", ".join("%s %s" % pair for pair in out["redis_calls_per_s"].items())
    return lines + ["", "%s s; all together %.2f ms/s. Redis commands a second: %s."
                    % (out["seconds"], out["cpu_ms_per_s"], calls)]


# ---- streams

def listen(ann, paths):
    """Open streams, in portions that an accept queue holds; each has sent its snapshot."""
    streams = []
    for at in range(0, len(paths), 100):
        some = [Stream(ann, path) for path in paths[at:at + 100]]
        gather(some, lambda: all(s.events for s in some))
        streams += some
    assert {s.status for s in streams} == {200}
    return streams


def one_round(pid, ann, paths, seconds):
    before = probe.rss_kb(pid), probe.fds(pid), probe.cpu_ms(pid)
    streams = listen(ann, paths)
    opened = probe.cpu_ms(pid)
    full, held = probe.rss_kb(pid), probe.fds(pid)
    assert held - before[1] >= len(streams), (held, before)
    begin = time.monotonic()
    select_wait(seconds)
    spent, took = probe.cpu_ms(pid) - opened, time.monotonic() - begin
    assert not any(s.closed for s in streams)
    for s in streams:
        s.close()
    few = 4  # the server's own come and go
    until(lambda: probe.fds(pid) <= before[1] + few, 60, "the descriptors of the streams to be closed")
    return {"streams": len(streams), "kb_each": round((full - before[0]) / len(streams), 2), "rss_before_kb": before[0],
            "rss_full_kb": full, "rss_after_kb": probe.rss_kb(pid), "fds_before": before[1], "fds_full": held,
            "fds_after": probe.fds(pid), "open_us_each": round((opened - before[2]) * 1000 / len(streams)),
            "idle_cpu_ms_per_s": round(spent / took, 2), "idle_seconds": round(took, 1)}


def told(p3d, pid, ann, job, n):
    """One change for n listeners: CPU for each, and how long until the last one has heard."""
    streams = listen(ann, [JOBS + job + "/events"] * n)
    before, begin = probe.cpu_ms(pid), time.monotonic()
    ann.ok("POST", JOBS + job + "/cancel")
    gather(streams, lambda: all(s.over for s in streams))
    took, spent = time.monotonic() - begin, probe.cpu_ms(pid) - before
    assert all(s.events[-1][2]["status"] == "cancelled" for s in streams)
    for s in streams:
        s.close()
    return {"streams": n, "cpu_us_each": round(spent * 1000 / n, 1), "last_heard_ms": round(took * 1000, 1)}


def streams(args):
    counts, seconds = ((20, 50), 0.2) if args.small else ((1000, 5000), 16)  # longer than a heartbeat takes
    out = {"rounds": {}}
    with P3D(models={"gated": GATED}, workers=0) as p3d:
        ann, pid = p3d.register("ann"), p3d.pid("serve-1")
        jobs = [ann.submit("x") for _ in range(10)]
        for n in counts:
            for name, paths in (("of a job", [JOBS + jobs[i % 10] + "/events" for i in range(n)]),
                                ("of all jobs", [JOBS + "events"] * n)):
                out["rounds"]["%d %s" % (n, name)] = one_round(pid, ann, paths, seconds)
        again = [JOBS + jobs[i % 10] + "/events" for i in range(counts[-1])]
        out["rounds"]["%d of a job, again" % counts[-1]] = one_round(pid, ann, again, 0.1)
        out["told"] = told(p3d, pid, ann, jobs[0], counts[0])
    return out


def streams_table(out):
    lines = rows_table(("streams", "KB each", "RSS before", "open", "after, KB", "fds before", "open", "after", "µs to open",
                        "idle CPU ms/s"), [
        (name, r["kb_each"], r["rss_before_kb"], r["rss_full_kb"], r["rss_after_kb"], r["fds_before"], r["fds_full"],
         r["fds_after"], r["open_us_each"], r["idle_cpu_ms_per_s"]) for name, r in out["rounds"].items()])
    t = out["told"]
    return lines + ["", "One change told to %d streams: %.1f µs of CPU each, the last one heard it after %.1f ms."
                    % (t["streams"], t["cpu_us_each"], t["last_heard_ms"])]
