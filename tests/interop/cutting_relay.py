"""A relay between a client and a server that does something when so many bytes have passed, exactly
there: it stops between two bytes, calls a function, and goes on, or cuts both sides off, or says
nothing more."""

import os
import select
import socket
import struct
import threading

CHUNK = 64 * 1024


class CuttingRelay:
    """Takes one connection to `port`. After `point` bytes, of both directions together, `action` is
    called, and what it returns says how it goes on: "on", "reset" (both get a reset), "close" (both
    get an end) or "silent" (nothing moves any more; `end` closes)."""

    def __init__(self, port, point, action):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.target, self.point, self.action = port, point, action
        self.passed = 0
        self.acted = threading.Event()
        self.wake, self.wake_end = os.pipe()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        ready, _, _ = select.select([self.listener, self.wake], [], [])
        if self.listener not in ready:
            return
        client, _ = self.listener.accept()
        with client:
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                return
            with server:
                self._carry(client, server)

    def _carry(self, client, server):
        other = {client: server, server: client}
        sources = [client, server]
        while sources:
            ready, _, _ = select.select([*sources, self.wake], [], [])
            if self.wake in ready:
                return
            for source in ready:
                left = self.point - self.passed
                try:
                    piece = source.recv(CHUNK if left <= 0 else min(CHUNK, left))
                    if piece:
                        other[source].sendall(piece)
                    else:
                        sources.remove(source)
                        other[source].shutdown(socket.SHUT_WR)
                except OSError:
                    return
                self.passed += len(piece)
                if self.passed >= self.point and not self.acted.is_set():
                    how = self.action()
                    self.acted.set()
                    if how == "silent":
                        select.select([self.wake], [], [])
                        return
                    if how == "reset":
                        for side in (client, server):
                            side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                            struct.pack("ii", 1, 0))
                    if how != "on":
                        return

    def end(self):
        os.write(self.wake_end, b"x")
        self.thread.join()
        self.listener.close()
        os.close(self.wake)
        os.close(self.wake_end)
