#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What accounts cost: times of logins, guessed tokens, other requests while many log in, signed URLs.

    bench_auth.py --build build/release --json out.json

Prints figures and compares none of them; only wrong answers fail it, never a time. 600,000 rounds and 5 free
failures, as by default. One server process. The logins are offered by a process of their own at a steady rate, whatever
becomes of them; idle and loaded spells take turns.
"""
import json
import multiprocessing
import os
import queue
import statistics
import threading
import time

import common
from common import Connection, Request, host_of, rank, throughput

USERS, PASSWORD, PER_SECOND = 10, "correct horse 3", 50


def arguments():
    p = common.parser(__doc__, client=common.best_client())
    p.add_argument("--seconds", type=int, default=10, help="of load for each figure")
    p.add_argument("--logins", type=int, default=60, help="of each kind, for their times")
    p.add_argument("--guesses", type=int, default=1000000)
    p.add_argument("--rounds", type=int, default=600000, help="of a password's hash")
    return p.parse_args()


# ---- how long a login takes

def login_times(p3d, n):
    """Unknown names against wrong passwords, in turns. Their answers must not differ at all."""
    volatile = ("x-request-id", "x-process-time", "date")
    client, took, told = p3d.client(), {"wrong": [], "unknown": []}, set()
    for i in range(n + 2):
        for kind in ("wrong", "unknown") if i % 2 else ("unknown", "wrong"):
            name = "user-0" if kind == "wrong" else "nobody"
            begin = time.perf_counter()
            r = client.post("/api/v1/users/login", {"username": name, "password": "wrong password"})
            took[kind].append((time.perf_counter() - begin) * 1000)
            assert r.status_code == 401, r.text
            said = sorted((k.lower(), v) for k, v in r.headers.items() if k.lower() not in volatile)
            told.add((r.text, repr(said)))
    assert len(told) == 1, told
    wrong, unknown = (statistics.median(took[kind][2:]) for kind in ("wrong", "unknown"))
    return {"logins": n, "wrong_ms": round(wrong, 2), "unknown_ms": round(unknown, 2),
            "differ_percent": round(abs(wrong - unknown) / wrong * 100, 2)}


# ---- guessed tokens

def guesses(p3d, n):
    import flood
    token = p3d.client().ok("POST", "/api/v1/users/login", {"username": "user-0", "password": PASSWORD})["token"]
    with p3d.redis() as r:
        before, begin = flood.script_calls(r), time.monotonic()
        found = flood.pour(p3d.base, flood.texts(n, token, 4711))
        took, asked = time.monotonic() - begin, flood.script_calls(r) - before
    assert found == {401: n}, found
    return {"guesses": n, "accepted": n - found[401], "scripts": asked,
            "without_redis_percent": round(100 - asked * 100 / n, 4), "per_second": round(n / took)}


# ---- others while many log in

def login_once(host, address, body):
    connection = Connection(host, 60, address)
    try:
        return connection.ask(Request("", "POST", "/api/v1/users/login", None, json.dumps(body)).bytes(host))[0]
    finally:
        connection.close()


def offer_logins(host, many, begin, stop, results):
    """A process: PER_SECOND right logins a second from one address or many, until told to stop. -> {status: n}"""
    work, counts, lock = queue.Queue(), {}, threading.Lock()

    def run():
        while True:
            i = work.get()
            if i is None:
                return
            address = "127.0.0.%d" % (2 + i % 250 if many else 2)
            try:
                status = login_once(host, address, {"username": "user-%d" % (i % USERS), "password": PASSWORD})
            except OSError as failure:
                status = type(failure).__name__
            with lock:
                counts[str(status)] = counts.get(str(status), 0) + 1
    threads = [threading.Thread(target=run) for _ in range(4 * PER_SECOND)]
    for thread in threads:
        thread.start()
    begin.wait()
    start, i = time.monotonic(), 0
    while not stop.is_set():
        work.put(i)
        i += 1
        time.sleep(max(0.0, start + i / PER_SECOND - time.monotonic()))
    for _ in threads:
        work.put(None)
    for thread in threads:
        thread.join()
    results.put(counts)


def ask_for(p3d, request, seconds):
    """Milliseconds of each request of one connection, some hundred a second."""
    connection, took = Connection(host_of(p3d)), []
    data, end = request.bytes("h"), time.monotonic() + seconds
    while time.monotonic() < end:
        begin = time.perf_counter()
        status, body = connection.ask(data)
        took.append((time.perf_counter() - begin) * 1000)
        assert status == 200, body
        time.sleep(0.002)
    connection.close()
    return took


def p(took, percent):
    return round(rank(took, percent), 3)


def beside_logins(p3d, request, many, seconds):
    idle, loaded, counts = [], [], {}
    spell = max(1, seconds // 4)
    for _ in range(max(1, seconds // spell)):
        idle += ask_for(p3d, request, spell)
        begin, stop, results = multiprocessing.Event(), multiprocessing.Event(), multiprocessing.Queue()
        process = multiprocessing.Process(target=offer_logins, daemon=True,
                                          args=(host_of(p3d), many, begin, stop, results))
        process.start()
        begin.set()
        ask_for(p3d, request, 0.5)  # until it flows
        loaded += ask_for(p3d, request, spell)
        stop.set()
        for status, n in results.get(timeout=120).items():
            counts[status] = counts.get(status, 0) + n
        process.join()
    assert set(counts) <= {"200", "429", "503"}, counts
    return {"requests": len(idle) + len(loaded), "idle_p50_ms": p(idle, 50), "idle_p99_ms": p(idle, 99),
            "loaded_p50_ms": p(loaded, 50), "loaded_p99_ms": p(loaded, 99),
            "p99_ratio": round(p(loaded, 99) / p(idle, 99), 2), "logins": counts}


# ---- signed URLs

def downloads(p3d, client, seconds):
    """Requests a second and their CPU: with a token, with a signature; a job with URLs in it and one without."""
    body = {"username": "user-0", "password": PASSWORD}
    ann = p3d.client(p3d.client().ok("POST", "/api/v1/users/login", body)["token"])
    done, waits = ann.submit("bench", model_preference="pictured"), ann.submit("bench", model_preference="gated")
    url = ann.wait(done)["mesh_url"]
    assert "mesh_url" not in ann.job(waits)
    assert p3d.client().call("GET", url[len(p3d.base):]).status_code == 200
    path = "/api/v1/system/jobs/"
    rows = throughput(p3d, [
        Request("download by token", "GET", path + done + "/download", ann.token),
        Request("download by URL", "GET", url[len(p3d.base):]),
        Request("GET job with URLs", "GET", path + done, ann.token),
        Request("GET job without", "GET", path + waits, ann.token)], client, seconds)
    p3d.open_gate()
    return rows


def server(args, **security):
    from p3d_test import GATED, P3D, PICTURED
    models = {"pictured": PICTURED, "gated": {"script": GATED, "max_workers": 1}}
    security["password_iterations"] = args.rounds
    return P3D(models=models, config={"security": security, "logging": {"level": "warn"}})


def run(args):
    with server(args, login_free_failures=5) as p3d:
        users = [p3d.register("user-%d" % i, PASSWORD) for i in range(USERS)]
        job = common.correct(p3d, users[0], users[1])
        made = users[0].ok("POST", "/api/v1/users/tokens", {"token_name": "bench"})["token"]  # logins end login tokens
        get = Request("", "GET", "/api/v1/system/jobs/" + job, made)
        out = {"build": common.build_name(args), "cores": os.cpu_count(), "client": args.client}
        out["many_addresses"] = beside_logins(p3d, get, True, args.seconds)
        out["one_address"] = beside_logins(p3d, get, False, args.seconds)
        out["guesses"] = guesses(p3d, args.guesses)
        out["requests"] = downloads(p3d, args.client, args.seconds)
    with server(args, login_free_failures=-1) as p3d:
        p3d.register("user-0", PASSWORD)
        out["login_times"] = login_times(p3d, args.logins)
    return out


def table(out):
    t, g = out["login_times"], out["guesses"]
    lines = ["Login, median of %d: wrong password %.1f ms, unknown name %.1f ms; they differ by %.2f %%."
             % (t["logins"], t["wrong_ms"], t["unknown_ms"], t["differ_percent"]),
             "%d guessed tokens: %d accepted, %d scripts run meanwhile (%.3f %% answered without Redis), %d/s."
             % (g["guesses"], g["accepted"], g["scripts"], g["without_redis_percent"], g["per_second"])]
    for name in ("many_addresses", "one_address"):
        b = out[name]
        logins = ", ".join("%s x %d" % x for x in sorted(b["logins"].items()))
        lines.append("GET job beside %d logins/s, %s: p99 %.2f ms, idle %.2f ms, ratio %.2f (p50 %.2f, idle %.2f); "
                     "logins: %s." % (PER_SECOND, name.replace("_", " "), b["loaded_p99_ms"], b["idle_p99_ms"],
                                      b["p99_ratio"], b["loaded_p50_ms"], b["idle_p50_ms"], logins))
    lines += [""] + common.rows_table(("request", "req/s", "server CPU µs/req", "Redis CPU µs/req"),
                                      [(name, "%.0f" % r["per_second"], r["serve_us"], r["redis_us"])
                                       for name, r in out["requests"].items()])
    lines += ["", "Build %s, one server process, load by %s, %d cores." % (out["build"], out["client"], out["cores"])]
    return "\n".join(lines)


if __name__ == "__main__":
    common.main(arguments(), run, table)
