# SPDX-License-Identifier: MIT
"""A model with children of every kind, that says at each of its beginnings who of an earlier attempt still lives.

What an attempt leaves is told by the environment, which every process of it has inherited: /proc/PID/environ.
"""
import json
import os
import signal

from p3d_test import TINY, alive, until

# The kinds: forked twice and thereby nobody's child; with a session of its own and deaf to SIGTERM and SIGHUP; with
# stdout and descriptor 3 kept open; a plain child. Each writes its pid. Then the gate of GATED.
FAMILY = r"""
here="$(dirname "$0")"
/usr/bin/python3 "$here/begin.py" "$here/begun"
( ( echo $BASHPID > pid.twice; exec sleep 1000 ) >/dev/null 2>&1 3>&- & )
setsid bash -c 'trap "" TERM HUP INT; echo $$ > pid.deaf; while :; do sleep 1000; done' >/dev/null 2>&1 3>&- &
( exec -a keeps-open setsid sleep 1000 ) & echo $! > pid.open
sleep 1000 & echo $! > pid.plain
until [ -s pid.twice ] && [ -s pid.deaf ]; do sleep 0.02; done
cat pid.* | tr '\n' ' ' > "$here/pids.new.$$"
echo >> "$here/pids.new.$$"
cat "$here/pids.new.$$" >> "$here/pids.$P3D_JOB_ID"
rm "$here/pids.new.$$"
while [ ! -e "$here/go" ] && [ ! -e "$here/go.$P3D_JOB_ID" ]; do sleep 0.05; done
""" + TINY

BEGIN = r"""
import json, os, sys
job, own, found = os.environ["P3D_JOB_ID"], os.environ["P3D_ATTEMPT"], []
for name in filter(str.isdigit, os.listdir("/proc")):
    try:
        with open("/proc/%s/environ" % name, "rb") as f:
            env = dict(x.split(b"=", 1) for x in f.read().split(b"\0") if b"=" in x)
        with open("/proc/%s/stat" % name) as f:
            dead = f.read().rsplit(")", 1)[1].split()[0] in "ZX"
    except OSError:
        continue
    start = os.environ["P3D_OUTPUT_DIR"].encode()
    if env.get(b"P3D_JOB_ID") == job.encode() and env.get(b"P3D_OUTPUT_DIR") != start and not dead:
        found.append(int(name))
with open(sys.argv[1], "a") as f:
    f.write(json.dumps({"job": job, "attempt": int(own), "slot": os.environ["P3D_OUTPUT_DIR"].split("/")[-3],
                        "pid": os.getppid(), "others": found}) + "\n")
"""


def model(p3d_folder):
    """The row of the model; its helper goes to the folder of the P3D."""
    with open(os.path.join(p3d_folder, "begin.py"), "w") as f:
        f.write(BEGIN)
    return FAMILY


def begun(p3d, job=None):
    """One row for each attempt that began, oldest first."""
    try:
        with open(os.path.join(p3d.folder, "begun")) as f:
            rows = [json.loads(line) for line in f.read().split("\n")[:-1]]
    except FileNotFoundError:
        rows = []
    return [row for row in rows if job in (None, row["job"])]


def pids(p3d, job):
    """The members of each attempt that are known by their pids, oldest attempt first."""
    try:
        with open(os.path.join(p3d.folder, "pids." + job)) as f:
            return [[int(pid) for pid in line.split()] for line in f.read().split("\n")[:-1]]
    except FileNotFoundError:
        return []


def settled(p3d, job, attempts, seconds=30):
    """Until so many attempts have all their children; returns those of the last."""
    until(lambda: len(pids(p3d, job)) == attempts, seconds, "attempt %d of %s" % (attempts, job))
    last = pids(p3d, job)[-1]
    assert len(last) == 4
    return last


def living(members):
    return [pid for pid in members if alive(pid)]


def parent(pid):
    with open("/proc/%d/stat" % pid) as f:
        return int(f.read().rsplit(")", 1)[1].split()[1])


def kill_together(*victims):
    """As near to one moment as signals allow: stopped first, so that none sees another one's end."""
    for sig in (signal.SIGSTOP, signal.SIGKILL):
        for pid in victims:
            os.kill(pid, sig)
