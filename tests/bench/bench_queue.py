#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What the queue costs: CPU and memory of a job, latencies, fairness, history, idle processes and streams, throughput.

  tests/bench/bench_queue.py [--only cost,history] [--small] [--json FILE] [--report FILE]

Parts (a letter or the name):
  a cost      Redis CPU and bytes of a submit, claim, complete, heartbeat, look, page; memory of a queued and a finished job
  b latency   of an idle P3D: submit to processing, to the first progress, to completed
  c cancel    from the request to the death of the process
  d idle      CPU and wake-ups of every process while nothing happens
  e fairness  one job behind another owner's 100,000; two owners with as much to do
  f history   pages of 1,000 and of 1,000,000 jobs
  g streams   memory and CPU of 1,000 and 5,000 idle event streams
  h rate      submits against /health with 64 connections; jobs of no work through two workers

Each part starts servers of its own in a temporary folder and checks that what it measures is right before it measures.
Figures are printed, never judged: only wrong answers fail it. Redis CPU is that of its main thread, or the time of a script by
Redis' own clock, medians over batches; rates depend on what else the machine does, so they come as ratios, too. All of it
takes some six minutes and 1 GB of memory; --small is a look whether everything works, not a measurement.
"""
import importlib
import os

import common

# letter, name, module, function
PARTS = [("a", "cost", "queue_cost", "cost"), ("b", "latency", "queue_times", "latency"),
         ("c", "cancel", "queue_times", "cancel"), ("d", "idle", "queue_idle", "idle"),
         ("e", "fairness", "queue_share", "fairness"), ("f", "history", "queue_history", "history"),
         ("g", "streams", "queue_idle", "streams"), ("h", "rate", "queue_rate", "rate")]


def arguments():
    p = common.parser(__doc__, client=common.best_client())
    p.add_argument("--only", help="parts, by letter or name, with commas between")
    p.add_argument("--small", action="store_true", help="few of everything")
    args = p.parse_args()
    wanted = args.only.split(",") if args.only else [name for _, name, _, _ in PARTS]
    args.parts = [part for part in PARTS if part[0] in wanted or part[1] in wanted]
    unknown = [w for w in wanted if not any(w in part[:2] for part in PARTS)]
    if unknown:
        p.error("no such part: " + ", ".join(unknown))
    return args


def run(args):
    out = {"version": common.version(), "build": common.build_name(args), "cores": os.cpu_count(), "small": args.small,
           "client": args.client, "parts": {}}
    for _, name, module, function in args.parts:
        out["parts"][name] = getattr(importlib.import_module(module), function)(args)
    return out


def table(out):
    lines = []
    for letter, name, module, function in PARTS:
        if name in out["parts"]:
            lines += ["## %s. %s" % (letter, name), ""]
            lines += getattr(importlib.import_module(module), function + "_table")(out["parts"][name]) + [""]
    return "\n".join(lines + ["%s, build %s, %d cores%s." % (out["version"], out["build"], out["cores"],
                                                              ", --small" if out["small"] else "")])


if __name__ == "__main__":
    common.main(arguments(), run, table)
