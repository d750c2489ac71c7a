#!/usr/bin/python3
"""Compares servers in one run: CPU time per login, CPU time per GiB received and sent, memory per
idle login, one upload over a long way, and SFTP. Two groups: programs that run real commands (sallyportd,
sshd, dropbear) and servers that read and write inside (the library, libssh). Each figure comes with
its ratio to the group's first peer. CPU time is user + system of the server and of what it reaped,
less that of a server that did nothing.

    compare.py --build BUILD [--mib N] [--logins N] [--held N] [--repeat N] [--only WORDS]
               [--files DIRECTORY] [--small-files N] [--servers NAMES]
"""
import argparse
import json
import os
import pwd
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import transfer

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CIPHERS = ("aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com")
USER = pwd.getpwuid(os.getuid()).pw_name


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(port):
    """Until somebody listens: the listening sockets are asked, no connection is made."""
    wanted = f":{port:04X}"
    end = time.monotonic() + 20
    while time.monotonic() < end:
        with open("/proc/net/tcp", encoding="ascii") as table:
            for line in table:
                field = line.split()
                if field[1].endswith(wanted) and field[3] == "0A":
                    return
        time.sleep(0.01)
    raise RuntimeError("the server does not listen")


def family(pid):
    """The process and its descendants."""
    found, queue = [], [pid]
    while queue:
        one = queue.pop()
        found.append(one)
        try:
            with open(f"/proc/{one}/task/{one}/children", encoding="ascii") as text:
                queue += [int(word) for word in text.read().split()]
        except OSError:
            pass
    return found


def memory(pid, kind="Pss:"):
    """Private and shared pages of the family, each shared page counted once in all (Pss), in KiB.
    "Pss_Anon:" leaves out what is mapped from files."""
    total = 0
    for one in family(pid):
        try:
            with open(f"/proc/{one}/smaps_rollup", encoding="ascii") as text:
                total += sum(int(line.split()[1]) for line in text if line.startswith(kind))
        except OSError:
            pass
    return total


class Server:
    """One server process; `sink` and `source` are the commands that it runs."""
    def __init__(self, name, folder, build, group):
        self.name, self.folder, self.build, self.group = name, folder, build, group
        self.key = os.path.join(folder, "client")
        self.port = None
        self.process = None

    sink = "cat >/dev/null"
    ciphers = CIPHERS
    user = USER
    has_sftp = False

    def remote(self, path):
        return path

    def source(self, size):
        return f"head -c {size} /dev/zero"

    def command(self):
        raise NotImplementedError

    def start(self):
        self.port = free_port()
        log = open(os.path.join(self.folder, self.name + ".log"), "wb")
        self.process = subprocess.Popen(self.command(), stdout=log, stderr=log,
                                        stdin=subprocess.DEVNULL)
        wait_for(self.port)

    def stop(self):
        """Returns the CPU seconds of the server and of the children that it reaped."""
        end = time.monotonic() + 10
        while len(family(self.process.pid)) > 1 and time.monotonic() < end:
            time.sleep(0.02)
        self.process.send_signal(signal.SIGTERM)
        _, _, used = os.wait4(self.process.pid, 0)
        self.process.returncode = 0
        return used.ru_utime + used.ru_stime

    def ssh(self, cipher, command, port=None):
        return ["ssh", "-F", "none", "-p", str(port or self.port), "-i", self.key, "-c", cipher,
                "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no", "-o",
                "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
                f"{USER}@127.0.0.1", command]


class Sallyportd(Server):
    has_sftp = True

    def command(self):
        return [f"{self.build}/sallyportd", "-D", "-e", "-q", "-p", str(self.port), "-h",
                f"{self.folder}/host", "-o", f"AuthorizedKeysFile={self.key}.pub", "-o",
                "StrictModes=no", "-o", "PermitRootLogin=yes", "-o", "MaxStartups=5000"]


class Sshd(Server):
    has_sftp = True

    def command(self):
        return ["/usr/sbin/sshd", "-D", "-e", "-f", "/dev/null", "-p", str(self.port), "-h",
                f"{self.folder}/host", "-o", f"AuthorizedKeysFile={self.key}.pub", "-o",
                "StrictModes=no", "-o", "ListenAddress=127.0.0.1", "-o", "MaxStartups=5000", "-o",
                "PidFile=none", "-o", "UsePAM=no", "-o", "PermitRootLogin=yes", "-o",
                "Subsystem=sftp internal-sftp"]


class Dropbear(Server):
    """Reads the keys from the user's home: in a mount namespace of its own that home is ours."""
    ciphers = CIPHERS[1:]  # it has no AES-GCM

    def command(self):
        home = os.path.join(self.folder, "home")
        os.makedirs(home + "/.ssh", exist_ok=True)
        os.chmod(home, 0o700)
        os.chmod(home + "/.ssh", 0o700)
        shutil.copy(self.key + ".pub", home + "/.ssh/authorized_keys")
        os.chmod(home + "/.ssh/authorized_keys", 0o600)
        users = os.path.join(self.folder, "passwd")
        with open("/etc/passwd", encoding="utf-8") as old, open(users, "w", encoding="utf-8") as new:
            for line in old:
                field = line.rstrip("\n").split(":")
                if field[0] == USER:
                    field[5] = home
                new.write(":".join(field) + "\n")
        host = os.path.join(self.folder, "dropbear_host")
        if not os.path.exists(host):
            subprocess.run(["dropbearkey", "-t", "ed25519", "-f", host], check=True,
                           capture_output=True)
        run = (f"mount --bind {users} /etc/passwd && "
               f"exec dropbear -F -E -r {host} -p 127.0.0.1:{self.port}")
        return ["unshare", "-m", "sh", "-c", run]


class Library(Server):
    sink = "sink"
    has_sftp = True

    def source(self, size):
        return f"source {size}"

    def command(self):
        return [f"{self.build}/bench/server_sallyport", str(self.port)]


class Libssh(Library):
    has_sftp = False

    def command(self):
        return [f"{self.build}/bench/server_libssh", str(self.port), f"{self.folder}/host"]


def check(done, what):
    if done.returncode != 0:
        raise RuntimeError(f"{what} failed: {done.stderr}")


def receive(server, cipher, mib):
    """Upload through a client."""
    with subprocess.Popen(["head", "-c", f"{mib}M", "/dev/zero"], stdout=subprocess.PIPE) as zeros:
        check(subprocess.run(server.ssh(cipher, server.sink), stdin=zeros.stdout,
                             capture_output=True, check=False), "upload")


def send(server, cipher, mib):
    done = subprocess.run(server.ssh(cipher, server.source(mib << 20)), stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    check(done, "download")


def login(server, count):
    done = subprocess.run([f"{server.build}/tools/login_load", str(server.port), USER, server.key,
                           str(count)], capture_output=True, text=True, check=False)
    check(done, "logins")


def used(server, work):
    """CPU seconds of `work` alone."""
    server.start()
    idle = server.stop()
    server.start()
    work()
    return max(0.0, server.stop() - idle)


def held(server, count):
    """KiB per idle login with `count` of them."""
    server.start()
    login(server, 3)
    before = memory(server.process.pid)
    with subprocess.Popen([f"{server.build}/tools/login_load", str(server.port), USER, server.key,
                           str(count), "hold"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as client:
        line = json.loads(client.stdout.readline())
        after = memory(server.process.pid)
        client.stdin.close()
        client.wait()
    server.stop()
    return (after - before) / max(1, line["logins"])


def peak(server, work):
    """MiB that the family has at most during `work`, beyond what an idle server has."""
    server.start()
    anonymous = "Pss_Anon:"  # the clients map the same libraries
    before = most = memory(server.process.pid, anonymous)
    thread = threading.Thread(target=work)
    thread.start()
    while thread.is_alive():
        most = max(most, memory(server.process.pid, anonymous))
        thread.join(0.02)
    server.stop()
    return (most - before) / 1024


def upload_far(server, mib, delay):
    """MB/s of one upload through a relay that delays each byte by `delay` ms each way."""
    server.start()
    port = free_port()
    with subprocess.Popen([f"{server.build}/tools/delay_relay", str(server.port), str(delay),
                           str(port)], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as relay:
        wait_for(port)
        start = time.monotonic()
        with subprocess.Popen(["head", "-c", f"{mib}M", "/dev/zero"],
                              stdout=subprocess.PIPE) as zeros:
            check(subprocess.run(server.ssh(CIPHERS[0], server.sink, port), stdin=zeros.stdout,
                                 capture_output=True, check=False), "far upload")
        seconds = time.monotonic() - start
        relay.stdin.close()
    server.stop()
    return mib * 1.048576 / seconds


def measure_sftp(servers, options, note):
    able = [server for server in servers if server.has_sftp]
    with tempfile.TemporaryDirectory(dir=options.files) as folder:
        files = transfer.Files(folder, options.mib, options.small_files)
        for _ in range(options.repeat):
            for what, units, work, source in transfer.transfers(files):
                for server in able:
                    note(server, what, used(server, lambda s=server, w=work: w(s)) / units)
                    files.same(source)
        for what, _, work, source in transfer.transfers(files):
            for server in able:
                note(server, what.replace("CPU s", "peak MiB"),
                     peak(server, lambda s=server, w=work: w(s)))
                files.same(source)


def measure(servers, options):
    results = {server.name: {} for server in servers}

    def note(server, what, value):
        results[server.name].setdefault(what, []).append(value)
        print(f"  {server.name:12} {what:34} {value:10.3f}", file=sys.stderr, flush=True)

    for _ in range(options.repeat):
        for server in servers:
            forks = isinstance(server, (Sshd, Dropbear))
            if "login" in options.only:
                count = options.logins // (4 if forks else 1)
                note(server, "login, CPU ms", used(server, lambda s=server, c=count:
                                                   login(s, c)) * 1000 / count)
            if "data" in options.only:
                for cipher in server.ciphers:
                    short = cipher.split("@")[0]
                    for name, work in (("received", receive), ("sent", send)):
                        seconds = used(server, lambda s=server, c=cipher, w=work:
                                       w(s, c, options.mib))
                        note(server, f"GiB {name}, {short}, CPU s", seconds * 1024 / options.mib)
    for server in servers:
        forks = isinstance(server, (Sshd, Dropbear))
        if "memory" in options.only:
            note(server, "idle login, KiB", held(server, options.held // (5 if forks else 1)))
        if "far" in options.only and isinstance(server, (Sallyportd, Sshd, Library)) \
                and not isinstance(server, Libssh):
            mib = 64 if isinstance(server, Sshd) else options.far_mib
            note(server, "upload, 50 ms each way, MB/s", upload_far(server, mib, 50))
    if "sftp" in options.only:
        measure_sftp(servers, options, note)
    return {name: {what: statistics.median(values) for what, values in figures.items()}
            for name, figures in results.items()}


def table(servers, figures):
    def is_sftp(what):
        return any(word in what for word in (" got", " put"))

    for group in dict.fromkeys([server.group for server in servers] + ["files"]):
        names = [server.name for server in servers
                 if server.group == group or (group == "files" and server.has_sftp)]
        base = names[-1] if group == "inside" else "sshd"
        rows = [what for what in dict.fromkeys(w for name in names for w in figures[name])
                if is_sftp(what) == (group == "files")]
        if not rows:
            continue
        print(f"\n{group}: ratios to {base}")
        print(f"{'':36}" + "".join(f"{name:>22}" for name in names))
        for what in rows:
            row = f"{what:36}"
            for name in names:
                value = figures[name].get(what)
                against = figures.get(base, {}).get(what)
                if value is None:
                    row += f"{'-':>22}"
                elif not against:
                    row += f"{value:>22.3f}"
                else:
                    row += f"{value:>12.3f} ({value / against:5.2f}x)"
            print(row)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--logins", type=int, default=1000)
    parser.add_argument("--held", type=int, default=1000)
    parser.add_argument("--far-mib", type=int, default=1024)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", default="login,data,memory,far,sftp")
    parser.add_argument("--files", help="where SFTP's files are; a directory in memory if not given",
                        default="/dev/shm" if os.path.isdir("/dev/shm") else None)
    parser.add_argument("--small-files", type=int, default=10000)
    parser.add_argument("--servers", default="sallyportd,sshd,dropbear,sallyport,libssh")
    options = parser.parse_args()
    build = os.path.abspath(options.build)
    kinds = {"sallyportd": (Sallyportd, "programs"), "sshd": (Sshd, "programs"),
             "dropbear": (Dropbear, "programs"), "sallyport": (Library, "inside"),
             "libssh": (Libssh, "inside")}
    with tempfile.TemporaryDirectory() as folder:
        for name in ("host", "client"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f",
                            os.path.join(folder, name)], check=True)
        if os.getuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)
        servers = [kinds[name][0](name, folder, build, kinds[name][1])
                   for name in options.servers.split(",")]
        figures = measure(servers, options)
        table(servers, figures)
        out = os.path.join(build, "bench", "results.json")
        with open(out, "w", encoding="utf-8") as text:
            json.dump(figures, text, indent=1)
        print(f"\nwritten to {os.path.relpath(out, ROOT)}")


if __name__ == "__main__":
    main()
