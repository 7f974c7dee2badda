# SPDX-License-Identifier: MIT
"""Where the time and the memory went: of processes by /proc, of Redis by INFO.

CPU of a process is the sum over its threads, in nanoseconds where the kernel counts them (schedstat), else in ticks.
Redis' CPU is that of its main thread. Rates of a busy machine mean little; these figures do not count its waiting.
"""
import os

from common import TICK


def threads(pid):
    try:
        return os.listdir("/proc/%d/task" % pid)
    except OSError:
        return []


def read(path):
    try:
        with open(path) as f:
            return f.read()
    except OSError:
        return ""  # it has ended meanwhile


def stat(pid):
    """Fields of /proc/<pid>/stat behind the name: 11..14 are utime, stime, cutime, cstime."""
    return read("/proc/%d/stat" % pid).rpartition(")")[2].split()


def cpu_ms(pid):
    spent = [read("/proc/%d/task/%s/schedstat" % (pid, t)).split() for t in threads(pid)]
    if any(spent):
        return sum(int(s[0]) for s in spent if s) / 1e6
    fields = stat(pid)
    return (int(fields[11]) + int(fields[12])) / TICK * 1000 if fields else 0.0


def cpu_with_children_ms(pid):
    fields = stat(pid)
    return sum(map(int, fields[11:15])) / TICK * 1000 if fields else 0.0


def wakeups(pid):
    """Voluntary context switches: how often it waited for something."""
    found = 0
    for t in threads(pid):
        for line in read("/proc/%d/task/%s/status" % (pid, t)).splitlines():
            if line.startswith("voluntary_ctxt_switches"):
                found += int(line.split()[1])
    return found


def rss_kb(pid):
    return next(int(line.split()[1]) for line in read("/proc/%d/status" % pid).splitlines() if line.startswith("VmRSS"))


def fds(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


def roles(p3d):
    """pid -> role, of every process of a P3D: by its pid file, else by the words of its command line."""
    names = {pid: name for name, pid in p3d.pids().items()}
    for pid, line in p3d.processes().items():
        if pid not in names:
            words = line.split()
            names[pid] = words[1] if len(words) > 1 else words[0]
    return names


class RedisProbe:
    """What a batch of calls costs. Scripts are timed by Redis around each of them, so a batch that was interrupted shows
    too much: take the median over batches."""

    def __init__(self, client):
        self.r, self.batches = client, []

    def look(self):
        cpu, stats, calls = self.r.info("cpu"), self.r.info("stats"), self.r.info("commandstats")
        script = calls.get("cmdstat_evalsha", {"calls": 0, "usec": 0})
        main = [cpu.get("used_cpu_%s_main_thread" % kind, cpu["used_cpu_" + kind]) for kind in ("user", "sys")]
        return {"calls": script["calls"], "usec": script["usec"], "cpu": sum(main) * 1e6,
                "in": stats["total_net_input_bytes"], "out": stats["total_net_output_bytes"],
                "aof": self.r.info("persistence").get("aof_current_size", 0)}

    def batch(self, work, n):
        """n operations are done by work(); returns what it returns."""
        before = self.look()
        answer = work()
        after = self.look()
        spent = {key: after[key] - before[key] for key in before}
        self.batches.append({"script_us": spent["usec"] / max(1, spent["calls"]), "cpu_us": spent["cpu"] / n,
                             "in": spent["in"] / n, "out": spent["out"] / n, "log": spent["aof"] / n})
        return answer

    def figures(self):
        """Medians over the batches so far, which are forgotten."""
        taken, self.batches = self.batches, []

        def middle(key):
            values = sorted(b[key] for b in taken)
            return round(values[len(values) // 2], 1)
        return {key: middle(key) for key in taken[0]}


def redis_memory(r):
    """Bytes of data: without the buffers of clients and of the log."""
    m = r.info("memory")
    return m["used_memory"] - m.get("mem_clients_normal", 0) - m.get("mem_aof_buffer", 0)


def redis_calls(r):
    return {name[len("cmdstat_"):]: row["calls"] for name, row in r.info("commandstats").items()}
