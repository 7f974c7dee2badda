# SPDX-License-Identifier: MIT
"""A redis-server of a test's own: unix socket in a temp folder, a TCP port of the kernel's choice only when asked for,
killed by its pid only."""
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import redis


class PrivateRedis:
    def __init__(self, folder=None, args=(), fsync="no", tcp=False):
        self.own_folder = folder is None
        self.folder = folder or tempfile.mkdtemp(prefix="p3d-redis-")
        self.socket = os.path.join(self.folder, "redis.sock")
        self.args = list(args)
        self.fsync = fsync
        self.process = None
        self.port = 0
        if tcp:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self.port = probe.getsockname()[1]
        self.start()

    @property
    def tcp_url(self):
        return "redis://127.0.0.1:%d" % self.port

    @property
    def url(self):
        return "unix://" + self.socket

    def start(self):
        with open(os.path.join(self.folder, "redis.log"), "ab") as log:
            self.process = subprocess.Popen(
                ["redis-server", "--bind", "127.0.0.1", "--port", str(self.port), "--unixsocket", "redis.sock",
                 "--dir", self.folder, "--appendonly", "yes", "--appendfsync", self.fsync, "--save", "",
                 "--maxmemory-policy", "noeviction", *self.args],
                cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + 30
        while True:
            try:
                self.client().ping()
                return
            except redis.exceptions.RedisError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise
                select_wait(0.01)

    def client(self, **options):
        return redis.Redis(unix_socket_path=self.socket, **options)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()
        if self.own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)


def select_wait(seconds):
    """A pause between two looks at something observable."""
    import select
    select.select([], [], [], seconds)
