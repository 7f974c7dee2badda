# SPDX-License-Identifier: MIT
"""Event streams over raw sockets: many at a time, each with everything that came so far."""
import json
import select
import socket
import time
import urllib.parse


class Stream:
    """One GET of an event stream. events: [(id, event, data object)]; comments: how many; retry: what was asked for."""

    def __init__(self, client, path, last_id=None, receive_buffer=None, **headers):
        where = urllib.parse.urlsplit(client.base)
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(20)
        self.socket.connect((where.hostname, where.port))
        lines = ["GET %s HTTP/1.1" % path, "Host: " + where.netloc, "Accept: text/event-stream"]
        if client.token:
            lines.append("Authorization: Bearer " + client.token)
        if last_id is not None:
            lines.append("Last-Event-ID: %s" % last_id)
        lines += ["%s: %s" % pair for pair in headers.items()]
        self.socket.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
        self.status, self.headers = None, {}
        self.raw, self.body, self.whole = b"", b"", False
        self.events, self.comments, self.retry, self.text = [], 0, None, b""
        self.closed = self.reset = False
        self.arrived = []  # when each event did

    def fileno(self):
        return self.socket.fileno()

    def read(self):
        """What is there now. The socket is readable."""
        try:
            data = self.socket.recv(1 << 18)
        except ConnectionResetError:
            data, self.reset = b"", True
        self.raw += data
        self.closed = not data
        if self.status is None and b"\r\n\r\n" in self.raw:
            head, self.raw = self.raw.split(b"\r\n\r\n", 1)
            lines = head.decode("latin-1").split("\r\n")
            self.status = int(lines[0].split()[1])
            self.headers = {k.lower(): v.strip() for k, v in (line.split(":", 1) for line in lines[1:])}
        if self.status is not None:
            self._unchunk()
        return not self.closed

    def _unchunk(self):
        if self.headers.get("transfer-encoding") != "chunked":
            self.body, self.raw = self.body + self.raw, b""
            return
        while not self.whole and b"\r\n" in self.raw:
            size, rest = self.raw.split(b"\r\n", 1)
            n = int(size, 16)
            if len(rest) < n + 2:
                break
            assert rest[n:n + 2] == b"\r\n"
            self.whole = n == 0
            self.body, self.raw = self.body + rest[:n], rest[n + 2:]
        while b"\n\n" in self.body:
            block, self.body = self.body.split(b"\n\n", 1)
            self._block(block.decode())

    def _block(self, block):
        fields = {}
        for line in block.split("\n"):
            name, _, value = line.partition(":")
            if name == "":
                self.comments += 1
            else:
                assert name not in fields, block
                fields[name] = value[1:] if value.startswith(" ") else value
        if "retry" in fields:
            self.retry = int(fields["retry"])
        if "data" in fields:
            self.events.append((fields["id"], fields["event"], json.loads(fields["data"])))
            self.arrived.append(time.monotonic())

    @property
    def over(self):
        return self.closed or self.whole

    def until(self, probe, seconds=30, what="the expected event"):
        gather([self], lambda: probe(self), seconds, what)
        return self

    def end(self, seconds=30):
        """Up to its end; all events."""
        self.until(lambda s: s.over, seconds, "the end of the stream")
        return self.events

    def close(self):
        self.socket.close()


def gather(streams, done, seconds=30, what="the expected events"):
    """Read all of them until done()."""
    deadline = time.monotonic() + seconds
    poll, by_fd = select.poll(), {}
    for stream in streams:
        if not stream.closed:
            poll.register(stream, select.POLLIN)
            by_fd[stream.fileno()] = stream
    while not done():
        left = deadline - time.monotonic()
        assert left > 0, "waited %s s in vain for %s: %s" % (
            seconds, what, [(s.status, s.body[:300], s.events[-2:]) for s in streams[:3]])
        for fd, _ in poll.poll(min(left, 0.2) * 1000):
            if not by_fd[fd].read():
                poll.unregister(fd)
