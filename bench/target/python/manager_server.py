"""A server of its own for the counters, with a lock around each addition."""

import os
import threading
from multiprocessing.managers import BaseManager


class Counters:
    def __init__(self):
        self.counts = {}
        self.lock = threading.Lock()

    def increment(self, key):
        with self.lock:
            self.counts[key] = self.counts.get(key, 0) + 1
            return self.counts[key]

    def report(self, key):
        return self.counts.get(key, 0)


class Manager(BaseManager):
    pass


if __name__ == "__main__":
    counters = Counters()
    Manager.register("counters", callable=lambda: counters)
    manager = Manager(address=("127.0.0.1", int(os.environ["STORE_PORT"])), authkey=b"bench")
    manager.get_server().serve_forever()
