# SPDX-License-Identifier: MIT
"""HTTP/1.1 by hand, for what a good client never sends: broken heads, bodies that stop, pipelines."""
import socket
import urllib.parse


class Response:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        import json
        return json.loads(self.body)


class Raw:
    """One connection. Header names come back in lower case."""

    def __init__(self, base, timeout=20):
        where = urllib.parse.urlsplit(base)
        self.host = where.netloc
        self.socket = socket.create_connection((where.hostname, where.port), timeout)
        self.kept = b""

    def send(self, data):
        self.socket.sendall(data)
        return self

    def request(self, method, path, body=b"", **headers):
        lines = ["%s %s HTTP/1.1" % (method, path), "Host: " + self.host]
        if body:
            headers.setdefault("Content_Length", len(body))
        lines += ["%s: %s" % (name.replace("_", "-"), value) for name, value in headers.items()]
        return self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def _more(self):
        data = self.socket.recv(65536)
        if not data:
            raise EOFError("closed after %r" % self.kept[:300])
        self.kept += data

    def _take(self, n):
        while len(self.kept) < n:
            self._more()
        data, self.kept = self.kept[:n], self.kept[n:]
        return data

    def _line(self):
        while b"\r\n" not in self.kept:
            self._more()
        line, self.kept = self.kept.split(b"\r\n", 1)
        return line

    def response(self, head=False):
        """The next answer; head: it belongs to a HEAD request and has no body."""
        version, status = self._line().split(b" ", 2)[:2]
        assert version == b"HTTP/1.1", version
        headers = {}
        while True:
            line = self._line()
            if not line:
                break
            name, value = line.decode("latin-1").split(":", 1)
            headers[name.strip().lower()] = value.strip()
        body = b""
        if not head and int(status) not in (204, 304):
            if headers.get("transfer-encoding") == "chunked":
                size = int(self._line().split(b";")[0], 16)
                while size:
                    body += self._take(size)
                    assert self._take(2) == b"\r\n"
                    size = int(self._line().split(b";")[0], 16)
                assert self._line() == b""
            else:
                body = self._take(int(headers["content-length"]))
        return Response(int(status), headers, body)

    def at_end(self):
        """The server has closed, and sent nothing more."""
        try:
            return not self.kept and self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
