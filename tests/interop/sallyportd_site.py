"""What the tests of sallyportd's file transfer share: a server with one key, folders on both sides,
clients, and the log's lines of such sessions."""

import os
import re
import shlex
import shutil
import subprocess

import pytest

from sallyportd_tools import USER
from test_sallyportd_keys import keys, start  # noqa: F401 (fixtures)

__all__ = ["ONLY_SFTP", "PORT", "SIZE", "Site", "keys", "needs", "site", "start"]

PORT = r"port \d+"
SIZE = 700_001
ONLY_SFTP = "This service allows sftp connections only.\n"


def needs(program):
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"no {program}")


class Site:
    """A server, a folder on it, a folder of ours, and clients."""

    def __init__(self, server, keys, folder):
        self.server = server
        self.keys = keys
        self.there = folder / "there"
        self.here = folder / "here"
        for path in (self.there, self.here):
            path.mkdir(exist_ok=True)
        words = shlex.split(server.command)
        self.target = words[-1]
        self.options = ["-F", "none", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o",
                        words[words.index("-o") + 1], "-i", str(keys.key())]

    def run(self, words, given="", **extra):
        return subprocess.run([*map(str, words)], text=True, input=given, capture_output=True,
                              timeout=120, cwd=self.here, **extra)

    def sftp(self, *orders, more=()):
        return self.run(["sftp", "-q", "-b", "-", *self.options, "-P", self.server.port, *more,
                         self.target], "\n".join(orders) + "\n")

    def scp(self, source, target, *more, old=True):
        """A path that begins with : is the server's."""
        paths = [self.target + str(p) if str(p).startswith(":") else str(p)
                 for p in (source, target)]
        return self.run(["scp", "-q", *(["-O"] if old else []), *self.options, "-P",
                         self.server.port, *more, *paths])

    def file(self, name="file", size=SIZE):
        path = self.here / name
        path.write_bytes(os.urandom(size))
        return path

    def lines(self, kind="sftp"):
        """The log's lines of such sessions, without what stands before."""
        found = re.findall(rf"^(?:debug: )?{kind} {USER} from 127\.0\.0\.1 {PORT}: (.*)$",
                           self.server.err.read_text(), re.M)
        return [re.sub(r"in \d+\.\d{3} seconds", "in S seconds", line) for line in found]

    def closed(self, kind="sftp", status=0):
        """All lines of the one session, when it has ended."""
        self.server.log(rf"^{kind} {USER} from 127\.0\.0\.1 {PORT}: session closed, status {status}$")
        return self.lines(kind)


@pytest.fixture
def site(start, keys, tmp_path):  # noqa: F811
    def run(*lines, key_options="", **more):
        keys.allow(key_options)
        return Site(start(*lines, **more), keys, tmp_path)
    return run
