#!/usr/bin/python3
"""What a key exchange costs: CPU time of each method and of each kind of host key's signature alone
(bench/crypto), then the server's CPU time of a whole login by method, beside that with
curve25519-sha256. The client is the one of tests/interop/rawssh.py: it is slow, but not counted.

    kex.py --build BUILD [--logins N] [--repeat N] [--seconds N]
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

from compare import ROOT, USER, Library, used

BASE = "curve25519-sha256"
METHODS = (BASE, "mlkem768x25519-sha256", "sntrup761x25519-sha512")


def alone(build, seconds):
    done = subprocess.run([f"{build}/bench/crypto", str(seconds)], check=True, capture_output=True,
                          text=True)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    base = next(row["us"] for row in rows if row["name"] == BASE)
    for row in rows:
        ratio = f" ({row['us'] / base:5.2f}x)" if row["what"] == "kex" else ""
        print(f"{row['what']:10} {row['name']:40} {row['us']:10.1f} us{ratio}")
    return rows


def log_in(server, kex, count):
    """The client takes as long to think with each method: a server that has waited longer has lost
    more of its caches to others, which would count for the method otherwise."""
    import kem
    import rawssh

    class Slow(rawssh.Raw):
        def take_kex_reply(self):
            if self.kem is None:
                kem.encrypt(bytes(1184), bytes(32), bytes(32))
            super().take_kex_reply()

    for _ in range(count):
        with Slow(server.port, kex=kex, cipher="aes128-gcm@openssh.com") as raw:
            raw.handshake()
            raw.service()
            assert raw.public_key(USER, server.key)[0] == 52


def whole(server, options):
    """Milliseconds of the server's CPU time per login: the methods take turns."""
    figures = {kex: [] for kex in METHODS}
    for _ in range(options.repeat):
        for kex in METHODS:
            seconds = used(server, lambda k=kex: log_in(server, k, options.logins))
            figures[kex].append(seconds * 1000 / options.logins)
    medians = {kex: statistics.median(values) for kex, values in figures.items()}
    for kex, value in medians.items():
        print(f"login      {kex:40} {value:10.3f} ms ({value / medians[BASE]:5.2f}x)")
    return medians


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--logins", type=int, default=300)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5)
    options = parser.parse_args()
    build = os.path.abspath(options.build)
    sys.path.insert(0, os.path.join(ROOT, "tests", "interop"))
    os.environ["SALLYPORT_BUILD"] = build
    import rawssh

    # One key each for all logins: sntrup761's are slow to make there.
    for name in METHODS[1:]:
        kind, digest = rawssh.HYBRIDS[name]
        pair = kind()
        rawssh.HYBRIDS[name] = (lambda pair=pair: pair, digest)
    alone(build, options.seconds)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f",
                        os.path.join(folder, "client")], check=True)
        whole(Library("sallyport", folder, build, "inside"), options)


if __name__ == "__main__":
    main()
