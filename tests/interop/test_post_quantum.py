"""Hybrid key exchange: ML-KEM-768 and sntrup761, each with X25519. Other implementations of the two
methods against the library's, real clients, and values that are none.

npm's packages are installed where npm and its registry are within reach, or taken from the folder
that SALLYPORT_NODE_MODULES names; without either those tests are skipped."""

import os
import shutil
import struct
import subprocess
import threading

import pytest

import kem
import rawssh
from clients import Key
from rawssh import KEX_INIT, NEWKEYS, string
from servers import PATIENCE, built

MLKEM = "mlkem768x25519-sha256"
SNTRUP = ("sntrup761x25519-sha512", "sntrup761x25519-sha512@openssh.com")
NAMES = (MLKEM, *SNTRUP)
PACKAGES = {"@noble/post-quantum": "0.7.1", "russh": "0.1.38", "rxjs": "7"}
USER = ("user", "secret")
EXCHANGES = int(os.environ.get("SALLYPORT_EXCHANGES", "1000"))
# OpenSSH takes about 0.1 s of CPU time to make a key of sntrup761.
CLIENT_EXCHANGES = EXCHANGES // 20


def Raw(port, kex):
    return rawssh.Raw(port, kex=kex, cipher="aes128-gcm@openssh.com")


# ---- the methods themselves
class Peer:
    """The library's encapsulation, as a program."""

    def __init__(self):
        self.process = subprocess.Popen([built("tools", "kem_peer")], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.process.stdin.close()
        self.process.stdout.close()
        assert self.process.wait(PATIENCE) == 0

    def ask(self, method, key):
        self.process.stdin.write(f"{method} {key.hex()}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().split()


@pytest.mark.parametrize("method", ["mlkem", "sntrup"])
def test_python_agrees(method):
    """Against kem.py; a fresh key for each ML-KEM exchange and for every 50th of sntrup761, whose
    keys are slow to make there."""
    agreed, pair = 0, None
    with Peer() as peer:
        for i in range(EXCHANGES):
            if method == "mlkem" or i % 50 == 0:
                pair = kem.MlKem() if method == "mlkem" else kem.Sntrup761()
            ciphertext, secret = peer.ask(method, pair.public)
            agreed += pair.secret(bytes.fromhex(ciphertext)).hex() == secret
    assert agreed == EXCHANGES
    print(f"{method}: {agreed} exchanges agree with kem.py")


def test_peer_refuses():
    with Peer() as peer:
        public = bytearray(kem.MlKem().public)
        public[0], public[1] = 0x01, public[1] & 0xF0 | 0x0D  # q itself
        assert peer.ask("mlkem", bytes(public)) == ["refused"]
        assert peer.ask("mlkem", bytes(1183)) == ["refused"]
        assert len(peer.ask("mlkem", bytes(1184))) == 2


def npm_folder(tmp_path_factory):
    given = os.environ.get("SALLYPORT_NODE_MODULES")
    if given:
        return given
    if not shutil.which("npm") or not shutil.which("node"):
        pytest.skip("there is no npm")
    folder = tmp_path_factory.mktemp("npm")
    wanted = [f"{name}@{version}" for name, version in PACKAGES.items()]
    try:
        done = subprocess.run(
            ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", *wanted], cwd=folder,
            capture_output=True, text=True, timeout=180, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip("npm's registry does not answer")
    if done.returncode != 0:
        pytest.skip("npm can't install: " + done.stderr[-200:])
    return str(folder / "node_modules")


@pytest.fixture(scope="session")
def node(tmp_path_factory):
    """Runs a module of JavaScript among the packages; gives back its output."""
    modules = npm_folder(tmp_path_factory)

    def run(script, *arguments, timeout=300):
        path = os.path.join(os.path.dirname(modules), f"test_{os.getpid()}.mjs")
        with open(path, "w", encoding="utf-8") as file:
            file.write(script)
        try:
            done = subprocess.run(["node", path, *map(str, arguments)], capture_output=True,
                                  text=True, timeout=timeout, check=False)
        finally:
            os.unlink(path)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    return run


NOBLE = """
import { ml_kem768 } from '@noble/post-quantum/ml-kem.js';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
const [peer, count] = process.argv.slice(2);
const hex = bytes => Buffer.from(bytes).toString('hex');
const child = spawn(peer, [], { stdio: ['pipe', 'pipe', 'inherit'] });
const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
let agreed = 0;
for (let i = 0; i < Number(count); i++) {
    const pair = ml_kem768.keygen();
    child.stdin.write(`mlkem ${hex(pair.publicKey)}\\n`);
    const [ciphertext, secret] = (await lines.next()).value.split(' ');
    const ours = ml_kem768.decapsulate(Buffer.from(ciphertext, 'hex'), pair.secretKey);
    agreed += hex(ours) === secret ? 1 : 0;
}
child.stdin.end();
console.log(agreed);
"""


def test_noble_agrees(node):
    """@noble/post-quantum, with a fresh key each time."""
    assert int(node(NOBLE, built("tools", "kem_peer"), EXCHANGES)) == EXCHANGES


# ---- clients
RUSSH = """
import { SSHClient, AuthenticatedSSHClient, KeyPair, SshTransport } from 'russh';
import { readFileSync } from 'node:fs';
const [port, kex, keyPath, user] = process.argv.slice(2);
const transport = await SshTransport.newSocket(`127.0.0.1:${port}`);
const client = await SSHClient.connect(transport, async () => true, { preferred: { kex: [kex] } });
const key = await KeyPair.parse(readFileSync(keyPath, 'utf8'));
const session = await client.authenticateWithKeyPair(user, key, null);
if (!(session instanceof AuthenticatedSSHClient)) throw new Error('not let in');
const channel = await session.activateChannel(await session.openSessionChannel());
let text = '';
const ended = new Promise(resolve => channel.closed$.subscribe(resolve));
channel.data$.subscribe(data => { text += Buffer.from(data).toString(); });
await channel.requestExec('info');
await ended;
process.stdout.write(text);
process.exit(0);
"""


def test_russh(node, start_server, keys):
    server = start_server()
    text = node(RUSSH, server.port, MLKEM, keys.user(), USER[0])
    assert f"kex={MLKEM}" in text.splitlines(), text
    assert server.wait("login")["kex"] == MLKEM


def test_openssh_by_default(all_clients, start_server, keys):
    """Debian's client offers sntrup761 first."""
    client = all_clients["openssh"]
    server = start_server()
    result = client.run(server, "echo", auth=Key(keys.user()), input=b"text")
    assert result.out == b"text"
    assert server.wait("login")["kex"] in SNTRUP  # newer ones have the short name


def test_openssh_agrees(all_clients, start_server, keys):
    """One connection exchanges keys for each line that goes to and fro: with a fresh key of
    OpenSSH's sntrup761, and nothing comes through unless both sides agree."""
    server = start_server("--kex", SNTRUP[1], "--rekey-bytes", 16, "--log", 4)
    process = all_clients["openssh"].start(server, "echo", auth=Key(keys.user()))
    threading.Thread(target=process.stderr.read, daemon=True).start()
    try:
        for i in range(CLIENT_EXCHANGES):
            line = f"line {i}\n".encode()
            process.stdin.write(line)
            process.stdin.flush()
            assert process.stdout.readline() == line
        process.stdin.close()
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    server.wait("lost")
    count = sum(f"new keys: {SNTRUP[1]} " in line for line in list(server.err.items))
    print(f"sntrup761: {count} exchanges agree with OpenSSH")
    assert count >= CLIENT_EXCHANGES


@pytest.mark.parametrize("name", NAMES)
def test_by_hand(start_server, name):
    """The client in rawssh.py, with the KEMs of kem.py: two exchanges, then a login."""
    server = start_server()
    with Raw(server.port, kex=name) as raw:
        raw.handshake()
        raw.service()
        assert raw.password(*USER)[0] == 52
        raw.send_kexinit()
        raw.take_kexinit()
        raw.finish_exchange()
        raw.run("exit 3")
    assert server.wait("login")["kex"] == name


# ---- what is no public value
def refused(server, name, change):
    with Raw(server.port, kex=name) as raw:
        raw.exchange_versions()
        raw.send_kexinit()
        raw.take_kexinit()
        raw.send_kex_init(change(bytearray(fresh(name))))
        closed = raw.expect_closed()
        assert closed.code == 3, closed
        assert raw.receive_seq <= 2  # KEXINIT and DISCONNECT: no reply
    # The server is well.
    with Raw(server.port, kex=name) as raw:
        raw.handshake()


def fresh(name):
    pair = kem.MlKem() if name == MLKEM else kem.Sntrup761()
    return pair.public + os.urandom(32)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "change",
    [
        lambda value: value[:-1],
        lambda value: value + b"\0",
        lambda value: value[:-32],  # no X25519 value
        lambda value: value[-32:],  # that alone
        lambda value: b"\0",
        lambda value: value[:-32] + bytes(32),  # an all-zero X25519 secret
        lambda value: value[:-32] + b"\1" + bytes(31),
        lambda value: value * 2,
    ],
    ids=["short", "long", "no x25519", "only x25519", "one byte", "zero", "order 1", "double"],
)
def test_bad_values(start_server, name, change):
    refused(start_server("--kex", ",".join(NAMES)), name, lambda value: bytes(change(value)))


@pytest.mark.parametrize("place", [0, 1, 383, 767])
def test_mlkem_modulus(start_server, place):
    """One coefficient is q (FIPS 203 7.2)."""
    def change(value):
        at = place // 2 * 3
        pair = int.from_bytes(value[at : at + 3], "little")
        shift = 12 * (place % 2)
        pair = pair & ~(4095 << shift) | 3329 << shift
        value[at : at + 3] = pair.to_bytes(3, "little")
        return bytes(value)

    refused(start_server(), MLKEM, change)


@pytest.mark.parametrize("name", NAMES)
def test_vanishes(start_server, name):
    """The client goes in the middle of its message, and after it."""
    server = start_server()
    for part in (0.5, 1):
        with Raw(server.port, kex=name) as raw:
            raw.exchange_versions()
            raw.send_kexinit()
            raw.take_kexinit()
            packet = raw.packet(bytes([KEX_INIT]) + string(fresh(name)))
            raw.send_bytes(packet[: int(len(packet) * part)])
    with Raw(server.port, kex=name) as raw:
        raw.handshake()


def test_newkeys_too_early(start_server):
    with Raw(start_server().port, kex=MLKEM) as raw:
        raw.exchange_versions()
        raw.send_kexinit()
        raw.take_kexinit()
        raw.send(struct.pack("B", NEWKEYS))
        assert raw.expect_closed().code in (2, 3)
