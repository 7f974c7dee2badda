# SPDX-License-Identifier: MIT
"""Tokens that nobody was given, by the thousand, and a client that pours them over a server."""
import itertools
import random
import re
import socket
import threading
import urllib.parse

BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
AT_ONCE = 100  # requests that are sent before the answers are read


def texts(n, known, seed):
    """n wrong tokens: in turn any 54 characters, the form with a wrong sum, a changed real one, another length."""
    rng = random.Random(seed)

    def some(k, alphabet=BASE64):
        return "".join(rng.choices(alphabet, k=k))

    def changed():
        at, text = rng.randrange(4, len(known)), list(known)
        for i in range(at, min(at + rng.randint(1, 4), len(known))):  # a burst: no sum of 32 bits misses it
            text[i] = rng.choice([c for c in BASE62 if c != text[i]])
        return "".join(text)
    kinds = (lambda: some(54), lambda: "p3d_0" + some(43) + some(6, BASE62), changed,
             lambda: some(rng.choice((1, 12, 20, 43, 53, 55, 64))))
    for _, make in zip(range(n), itertools.cycle(kinds)):
        yield make()


def pour(base, tokens, connections=4, path="/api/v1/users/me"):
    """{status: answers} of one GET with each token, pipelined."""
    where, found, lock = urllib.parse.urlsplit(base), {}, threading.Lock()
    source = iter(tokens)

    def take():
        with lock:
            return list(itertools.islice(source, AT_ONCE))

    def run():
        counts = {}
        with socket.create_connection((where.hostname, where.port), 60) as s:
            while True:
                batch = take()
                if not batch:
                    break
                s.sendall("".join("GET %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n"
                                  % (path, where.netloc, token) for token in batch).encode())
                for status in answers(s, len(batch)):
                    counts[status] = counts.get(status, 0) + 1
        with lock:
            for status, n in counts.items():
                found[status] = found.get(status, 0) + n
            done.append(True)
    done = []
    threads = [threading.Thread(target=run) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == connections, "a connection of the flood was lost"
    return found


def answers(s, n):
    """The status of each of the next n answers; all of them are read to their end."""
    data, at = b"", 0
    for _ in range(n):
        while True:
            end = data.find(b"\r\n\r\n", at)
            if end >= 0:
                length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", data[at:end])
                stop = end + 4 + int(length[1])
                if len(data) >= stop:
                    break
            more = s.recv(262144)
            assert more, "closed in the middle"
            data += more
        yield int(data[at + 9:at + 12])
        at = stop
    assert at == len(data), "more answers than requests"


def script_calls(redis):
    """How often the server has asked Redis to run a script, until now."""
    stats = redis.info("commandstats")
    return sum(stats.get("cmdstat_" + name, {"calls": 0})["calls"] for name in ("evalsha", "eval", "fcall"))
