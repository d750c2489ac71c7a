"""File transfer for compare.py: OpenSSH's sftp, one large file and many small ones each way. A
server's `remote(path)` says how its clients name a file of this machine."""
import os
import subprocess

SMALL = 4096
CIPHER = "aes128-gcm@openssh.com"
# What the client asks for at once: as the server's limits@openssh.com says, and as it always was.
REQUESTS = {"": [], " of 32 KiB": ["-B", "32768"]}


class Files:
    """What is transferred: `large` is a file, `small` a directory of small ones. All of it has been
    written just now and lies in the kernel's memory."""
    def __init__(self, folder, mib, count):
        self.folder = folder
        self.large = os.path.join(folder, "large")
        self.small = os.path.join(folder, "small")
        self.there = os.path.join(folder, "there")
        self.mib, self.count = mib, count
        self.done = 0
        block = os.urandom(1 << 20)
        with open(self.large, "wb") as file:
            for _ in range(mib):
                file.write(block)
        os.mkdir(self.small)
        for i in range(count):
            with open(os.path.join(self.small, f"{i:06}"), "wb") as file:
                file.write(block[i % 1000:i % 1000 + SMALL])
        os.sync()

    def same(self, source):
        """The last transfer arrived whole. Puts it out of the way. Many small files are removed at
        the end: ext4 is slow to make files where some were removed in the last five seconds."""
        done = subprocess.run(["diff", "-qr", source, self.there], check=False,
                              stdout=subprocess.DEVNULL)
        if done.returncode != 0:
            raise RuntimeError("what arrived differs from what was sent")
        if os.path.isdir(self.there):
            self.done += 1
            os.rename(self.there, os.path.join(self.folder, f"done{self.done}"))
        else:
            os.unlink(self.there)


def sftp(server, commands, requests=()):
    args = ["sftp", "-q", "-F", "none", "-P", str(server.port), "-i", server.key, "-c", CIPHER,
            "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no", "-o",
            "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", *requests, "-b", "-",
            f"{server.user}@127.0.0.1"]
    done = subprocess.run(args, input=commands, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"sftp failed: {done.stderr}")


def transfers(files):
    """Name, number of units, work(server), and what to compare afterwards."""
    for words, requests in REQUESTS.items():
        yield (f"GiB got{words}, CPU s", files.mib / 1024, lambda s, r=requests: sftp(
            s, f"get {s.remote(files.large)} {files.there}\n", r), files.large)
        yield (f"GiB put{words}, CPU s", files.mib / 1024, lambda s, r=requests: sftp(
            s, f"put {files.large} {s.remote(files.there)}\n", r), files.large)
    thousands = files.count / 10000
    yield ("10,000 files got, CPU s", thousands, lambda s: sftp(
        s, f"get -r {s.remote(files.small)} {files.there}\n"), files.small)
    yield ("10,000 files put, CPU s", thousands, lambda s: sftp(
        s, f"mkdir {s.remote(files.there)}\nput -r {files.small}/. {s.remote(files.there)}\n"),
           files.small)
