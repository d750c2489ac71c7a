"""Transfers that end in the middle: the client is killed, the server is killed, the network is cut, or
falls silent, each after a random number of bytes. Then: nothing that is not whole is called
complete, by the client or in the log; no handle is open and nothing lies about; the next login
works. SALLYPORT_HEAVY=1 (tests/run --heavy): 100 times in place of 12. SALLYPORT_SEED: which
points."""

import os
import random
import signal
import subprocess
import time

import pytest

from cutting_relay import CuttingRelay
from servers import PATIENCE
from test_sftp import digest
from transfer_clients import SSH_OPTIONS, TransferServer, run

HEAVY = os.environ.get("SALLYPORT_HEAVY") == "1"
SEED = int(os.environ.get("SALLYPORT_SEED", random.randrange(1 << 32)))
SIZE = 6 << 20
KEEPALIVE = "keepalive=300"  # milliseconds; how soon a silent network is noticed
# Per client and direction: 5 * 4 * 5 = 100, or 12 in all
CLIENTS = ("sftp put", "sftp get", "scp put", "scp get", "tree put")
FAULTS = ("client", "server", "reset", "silent")
ROUNDS = 5 if HEAVY else 1
CASES = [(c, f) for c in CLIENTS for f in FAULTS]
if not HEAVY:  # each client, and each fault three times
    CASES = [(CLIENTS[i % 5], FAULTS[i % 4]) for i in range(12)]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("kills") / "f"
    path.write_bytes(os.urandom(SIZE))
    return path


def handles(server):
    """What the server has open: how many sockets, and which files."""
    folder = f"/proc/{server.pid}/fd"
    sockets, files = 0, []
    for number in os.listdir(folder):
        try:
            path = os.readlink(os.path.join(folder, number))
        except FileNotFoundError:
            continue
        sockets += path.startswith("socket:")
        if path.startswith("/") and not path.startswith("/dev/"):
            files.append(path)
    return sockets, sorted(files)


class Round:
    def __init__(self, tmp_path, source, what, fault, chance):
        self.source, self.what, self.fault, self.chance = source, what, fault, chance
        self.root, self.local = tmp_path / "root", tmp_path / "local"
        for folder in (self.root, self.local):
            folder.mkdir()
        if what.endswith("get"):
            (self.root / "f").write_bytes(source.read_bytes())
        if what == "tree put":
            (self.local / "tree" / "deep").mkdir(parents=True)
            for i in range(40):
                (self.local / "tree" / ("deep" if i % 2 else ".") / f"n{i}").write_bytes(
                    source.read_bytes()[i * 150_000:(i + 1) * 150_000])
        self.server = TransferServer(self.root, KEEPALIVE)
        self.before = handles(self.server)
        self.process = None

    def words(self, port):
        batch = {"sftp put": f"put {self.source} f", "sftp get": f"get f {self.local}/f",
                 "tree put": f"put -R {self.local}/tree ."}
        if self.what in batch:
            return (["sftp", *SSH_OPTIONS, "-q", "-P", str(port), "-b", "-", "user@127.0.0.1"],
                    batch[self.what] + "\n")
        there = "user@127.0.0.1:f"
        pair = [str(self.source), there] if self.what == "scp put" else [there,
                                                                         f"{self.local}/f"]
        return ["scp", "-O", "-q", *SSH_OPTIONS, "-P", str(port), *pair], ""

    def act(self):
        if self.fault == "client":
            os.killpg(self.process.pid, signal.SIGKILL)  # ssh, too
        elif self.fault == "server":
            self.server.process.kill()
            self.server.process.wait()
        return {"client": "on", "server": "on"}.get(self.fault, self.fault)

    def transfer(self):
        """The client's exit status."""
        # About so many bytes pass; a little more, so that some transfers are done before.
        # Silence before the login would be noticed late.
        least = 20_000 if self.fault == "silent" else 1
        self.point = self.chance.randrange(least, int(SIZE * 1.02))
        relay = CuttingRelay(self.server.port, self.point, self.act)
        words, text = self.words(relay.port)
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            self.process.stdin.write(text.encode())
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        finally:
            self.process.stdin = None
        if self.fault == "silent":
            # The server notices; the client would wait for hours.
            while self.process.poll() is None and not relay.acted.wait(0.05):
                pass
            if relay.acted.is_set():
                self.server_is_clean()
            relay.end()
            return self.process.wait(PATIENCE)
        status = self.process.wait(PATIENCE)
        relay.end()
        return status

    def server_is_clean(self):
        """Soon, what it has open is what it had before."""
        deadline = time.monotonic() + PATIENCE
        while handles(self.server) != self.before:
            assert time.monotonic() < deadline, (handles(self.server), self.before)
            time.sleep(0.02)

    def events(self):
        with self.server.out.condition:
            return [e for e in self.server.out.items
                    if e.get("event") == "transfer" and e["path"] != "/marker"]

    def whole(self, path):
        """Is the copy of a file complete?"""
        if self.what.endswith("get"):
            there = self.local / "f"
        else:
            there = self.root / path.lstrip("/")
        origin = self.local / path.lstrip("/") if self.what == "tree put" else self.source
        return there.exists() and digest(there) == digest(origin)

    def small_login(self):
        """One that leaves nothing but its event, which comes behind all that were before."""
        (self.local / "marker").write_text("marker")
        run(["sftp", *SSH_OPTIONS, "-q", "-P", self.server.port, "-b", "-", "user@127.0.0.1"],
            f"put {self.local}/marker marker\nrm marker\n")
        self.server.wait("transfer", path="/marker", by_client=True)
        (self.local / "marker").unlink()

    def check(self, status):
        killed = self.server.process.poll() is not None
        if killed:
            self.server.finish(lambda: None)
        else:
            self.server_is_clean()
            self.small_login()
        told = [(e["path"], e["read"] + e["written"], e["whole"]) for e in self.events()]
        print(f"after {self.point} bytes: status {status}, {told[-3:]}")
        for event in self.events():
            if event["by_client"] or event["whole"]:
                assert self.whole(event["path"]), event
        if status == 0:
            names = ["f"] if self.what != "tree put" else [
                str(path.relative_to(self.local))
                for path in (self.local / "tree").rglob("*") if path.is_file()]
            assert all(self.whole(name) for name in names)
        # Only what the client has named is there.
        expected = {"f"} if self.what != "tree put" else {
            str(path.relative_to(self.local)) for path in self.local.rglob("*")}
        assert {str(path.relative_to(self.root)) for path in self.root.rglob("*")} <= expected
        if killed:
            self.server = TransferServer(self.root, KEEPALIVE)
            self.before = handles(self.server)

    def next_login(self):
        """The same again, with nothing in the way."""
        words, text = self.words(self.server.port)
        run(words, text)
        paths = ["f"] if self.what != "tree put" else ["tree/n0", "tree/deep/n39"]
        assert all(self.whole(path) for path in paths)
        self.server_is_clean()


@pytest.mark.parametrize("number", range(ROUNDS))
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}-{case[1]}".replace(" ", "_"))
def test_killed(tmp_path, source, case, number):
    what, fault = case
    print(f"SALLYPORT_SEED={SEED}")
    chance = random.Random(f"{SEED} {what} {fault} {number}")
    one = Round(tmp_path, source, what, fault, chance)
    try:
        one.check(one.transfer())
        one.next_login()
    finally:
        if one.process.poll() is None:
            os.killpg(one.process.pid, signal.SIGKILL)
            one.process.wait()
        one.server.close()
