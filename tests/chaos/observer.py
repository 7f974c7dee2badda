# SPDX-License-Identifier: MIT
"""Listens to what Redis announces about jobs, beside the clients and the server. It misses what is said while Redis is
away; what it hears was true."""
import threading
import time

import redis

import queue_state


class Observer(threading.Thread):
    """events: id -> [(revision, state, monotonic s)], in the order of arrival."""

    def __init__(self, connect):
        super().__init__(daemon=True)
        self.connect, self.events, self.ended = connect, {}, False

    def run(self):
        while not self.ended:
            try:
                with self.connect() as r, r.pubsub(ignore_subscribe_messages=True) as channel:
                    channel.subscribe(queue_state.W + "ev")
                    while not self.ended:
                        message = channel.get_message(timeout=0.2)
                        if message:
                            self.hear(message["data"].decode().split())
            except (redis.RedisError, OSError):
                threading.Event().wait(0.05)

    def hear(self, words):
        if len(words) == 4 and words[0] != "account":
            ulid, _, revision, state = words
            row = (int(revision), queue_state.STATES[int(state)], time.monotonic())
            self.events.setdefault("job_0" + ulid, []).append(row)

    def stop(self):
        self.ended = True
        self.join(5)
