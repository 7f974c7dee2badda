# SPDX-License-Identifier: MIT
"""What the clients of a storm write down, outside of Redis and of data_dir: the only thing the oracle believes.

A folder of append-only files, one line of JSON for each note, one file for each kind and client:
  intent   before a submit is sent: the key and what the jobs are to be
  ledger   after its 2xx was read, on disk before anything else happens: the key and the ids
  seen     a state of a job as a client read it, and what the download of a finished one was
  odd      an answer that nobody should get
  ok       when a 2xx was read (one number a line)
and the files `base` (where the server is), `halt` (submit no more), `end`, `halted.<n>`.
"""
import glob
import json
import os


class Log:
    """durable: on disk when add() returns."""

    def __init__(self, path, durable=False):
        self.fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.durable = durable

    def add(self, **row):
        self.line(json.dumps(row, separators=(",", ":")))

    def line(self, text):
        data = text.encode() + b"\n"
        if os.write(self.fd, data) != len(data):
            raise OSError("a note was cut")
        if self.durable:
            os.fsync(self.fd)


def replace(path, text):
    with open(path + ".new", "w") as f:
        f.write(text)
    os.rename(path + ".new", path)


def lines(folder, kind):
    """Whole lines of all files of a kind: what a killed writer left half is no note."""
    for path in sorted(glob.glob(os.path.join(folder, kind + ".*"))):
        with open(path) as f:
            for line in f:
                if line.endswith("\n"):
                    yield line


def rows(folder, kind):
    return [json.loads(line) for line in lines(folder, kind)]


class Tail:
    """The lines that have come since the last look, of a file that may not be there yet."""

    def __init__(self, path):
        self.path, self.at = path, 0

    def new(self):
        try:
            with open(self.path) as f:
                f.seek(self.at)
                text = f.read()
        except FileNotFoundError:
            return []
        whole = text[:text.rfind("\n") + 1]
        self.at += len(whole.encode())
        return whole.splitlines()
