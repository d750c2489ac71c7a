"""The presets of algorithms: what each offers, which clients log in by it, and the words of sallyportd
that choose and change them. docs/guide/algorithms.md says the same as the program."""

import re
from pathlib import Path

import pytest

from clients import Key
from rawssh import EXT_INFO, PK_OK, USERAUTH_FAILURE, Raw, Reader, boolean, string, u32
from sallyportd_tools import *  # fixtures come by their names, too

PRESETS = ("modern", "compatible", "fips")
WORDS = {
    "Key exchange": "kexalgorithms",
    "Host keys": "hostkeyalgorithms",
    "Ciphers": "ciphers",
    "MACs": "macs",
    "Users' keys": "pubkeyacceptedalgorithms",
    "Certificates' signers": "casignaturealgorithms",
}
# libssh2 1.10 has MACs of the old kind only, and no authenticated cipher.
CANNOT = {"modern": ("libssh2",), "compatible": (), "fips": ()}
GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guide" / "algorithms.md"


# ---- real clients, as they come ----

@pytest.mark.parametrize("preset", PRESETS)
def test_login(client, start_server, keys, preset):
    """No client is told anything: what both sides have in common is enough."""
    server = start_server("--preset", preset)
    kind = "ecdsa256" if preset == "fips" else "ed25519"
    result = client.run(server, "exit 3", auth=Key(keys.user(kind)))
    if client.name in CANNOT[preset]:
        assert result.code not in (0, 3)
        return
    assert result.code == 3, str(result)[-3000:]
    login = server.wait("login")
    if preset == "modern":
        assert "nistp" not in login["kex"] and "diffie" not in login["kex"]
        assert login["mac_in"] == "<implicit>" or "-etm@" in login["mac_in"]
    if preset == "fips":
        assert "25519" not in login["kex"] + login["host_key"]
        assert "chacha" not in login["cipher_in"]


def offered(server):
    with Raw(server.port) as raw:
        raw.exchange_versions()
        raw.send_kexinit()
        return raw.take_kexinit()


@pytest.mark.parametrize("preset", PRESETS)
def test_nothing_else_is_offered(start_server, call, preset):
    lists = offered(start_server("--preset", preset))
    found = settings(call("-T", *options(f"AlgorithmPreset {preset}")).stdout)
    signals = ["ext-info-s", "kex-strict-s-v00@openssh.com"]
    assert lists[0] == found["kexalgorithms"][0].split(",") + signals
    assert lists[2] == lists[3] == found["ciphers"][0].split(",")
    assert lists[4] == lists[5] == found["macs"][0].split(",")
    assert lists[6] == lists[7] == ["none", "zlib@openssh.com"]
    possible = found["hostkeyalgorithms"][0].split(",")
    assert lists[1] == [name for name in possible if name in lists[1]] and lists[1]


# ---- the guide ----

def guide_lists():
    """{preset: {heading: [names]}} of the guide's tables."""
    found = {}
    for preset, text in re.findall(r"^## `(\w+)`.*?$(.*?)(?=^## |\Z)", GUIDE.read_text(), re.M | re.S):
        rows = re.findall(r"^\| ([^|]+) \| (`[^|]+`) \|$", text, re.M)
        found[preset] = {head.strip(): re.findall(r"`([^`]+)`", names) for head, names in rows}
    return found


@pytest.mark.parametrize("preset", PRESETS)
def test_the_guide_is_right(call, preset):
    found = settings(call("-T", *options(f"AlgorithmPreset {preset}")).stdout)
    told = guide_lists()[preset]
    for heading, word in WORDS.items():
        assert told[heading] == found[word][0].split(","), heading


# ---- sallyportd's words ----

def test_modern_is_the_default(call):
    plain = settings(call("-T").stdout)
    assert plain["algorithmpreset"] == ["modern"]
    assert plain == settings(call("-T", *options("AlgorithmPreset modern")).stdout)


@pytest.mark.parametrize("order", [1, -1])
def test_changes_are_to_the_preset(call, order):
    """In whichever order the lines come."""
    lines = ["AlgorithmPreset compatible", "MACs -umac-*,hmac-sha1*", "Ciphers ^aes*-gcm@openssh.com",
             "KexAlgorithms diffie-hellman-group1?-sha*,curve*"][::order]
    plain = settings(call("-T", *options("AlgorithmPreset compatible")).stdout)
    found = settings(call("-T", *options(*lines)).stdout)
    assert found["macs"][0].split(",") == [
        n for n in plain["macs"][0].split(",") if not n.startswith(("umac-", "hmac-sha1"))]
    gcm = ["aes128-gcm@openssh.com", "aes256-gcm@openssh.com"]
    assert found["ciphers"][0].split(",") == gcm + [
        n for n in plain["ciphers"][0].split(",") if n not in gcm]
    kex = found["kexalgorithms"][0].split(",")
    assert kex[:3] == ["diffie-hellman-group16-sha512", "diffie-hellman-group18-sha512",
                       "diffie-hellman-group14-sha256"]
    assert "curve448-sha512" in kex[3:] and not any("nistp" in name for name in kex)


def test_additions_to_modern(call):
    found = settings(call("-T", *options("KexAlgorithms +ecdh-*", "MACs +hmac-sha2-256")).stdout)
    assert found["kexalgorithms"][0].endswith(
        ",ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521")
    assert found["macs"][0].endswith(",hmac-sha2-256")


@pytest.mark.parametrize("line,words", [
    ("AlgorithmPreset ancient", "ancient"), ("Ciphers nothing*", "nothing*"),
    ("KexAlgorithms +curve25519", "curve25519"), ("MACs -*", "is empty"), ("MACs +", "is empty"),
])
def test_mistakes(call, line, words):
    run = call("-t", *options(line))
    assert run.returncode != 0 and words in run.stderr


def test_what_a_preset_leaves(call):
    """Right by itself, but with this preset there is nothing left."""
    line = "MACs -hmac-sha2-*-etm@openssh.com,umac-*"
    assert call("-t", *options(line, "AlgorithmPreset compatible")).returncode == 0
    run = call("-t", *options(line))
    assert run.returncode != 0 and "is empty" in run.stderr


def test_moduli_file(serve, tmp_path):
    """Its primes are what a client gets; without the file there are the built-in ones."""
    prime = 2**3072 - 2**3008 - 1 + 2**64 * (pi_bits(2942) + 1690314)  # RFC 3526 4
    path = tmp_path / "moduli"
    path.write_text(f"# comment\n\nnonsense\n20260101000000 2 6 100 3071 2 {prime:X}\n"
                    f"20260101000000 2 6 100 4095 2 {prime:X}\n")
    more = "AlgorithmPreset compatible"
    assert asked_size(serve(more, f"ModuliFile {path}"), 3072) == 3072
    assert asked_size(serve(more, f"ModuliFile {path}"), 2048) == 3072
    assert asked_size(serve(more, "ModuliFile none"), 3072) == 4096
    assert asked_size(serve(more, f"ModuliFile {tmp_path}/none"), 3072) == 4096


def pi_bits(bits):
    """floor(2^bits * pi), which is how RFC 3526 makes its primes."""
    precision = bits + 64
    def arctan(x):
        total = term = (1 << precision) // x
        n, sign = 3, -1
        while term:
            term //= x * x
            total += sign * (term // n)
            n, sign = n + 2, -sign
        return total
    return 4 * (4 * arctan(5) - arctan(239)) >> 64


def asked_size(server, bits):
    kex = "diffie-hellman-group-exchange-sha256"
    with Raw(server.port) as raw:
        raw.exchange_versions()
        raw.send_kexinit(kex=kex)
        raw.take_kexinit()
        raw.send(bytes([34]) + u32(2048) + u32(bits) + u32(8192))
        return int.from_bytes(Reader(raw.expect(31)[1:]).string(), "big").bit_length()


# ---- what a user may sign with, told during authentication ----

def ext_info(payload):
    reader = Reader(payload[1:])
    return {reader.text(): reader.string() for _ in range(reader.u32())}


@pytest.mark.parametrize("asks", [True, False])
def test_news_of_a_users_algorithms(serve, tmp_path, asks):
    """ext-info-in-auth@openssh.com: a second EXT_INFO behind the first request, for who asks."""
    path = tmp_path / "config"
    path.write_text(f"AlgorithmPreset compatible\nMatch user {USER}\n"
                    "PubkeyAcceptedAlgorithms rsa-sha2-256,rsa-sha2-512\n")
    server = serve(arguments=["-f", path])
    with Raw(server.port) as raw:
        raw.handshake()
        first = ext_info(raw.expect(EXT_INFO, skip=()))
        assert first["publickey-hostbound@openssh.com"] == b"0"
        assert b"ssh-ed25519" in first["server-sig-algs"].split(b",")
        if asks:
            raw.send(bytes([EXT_INFO]) + u32(1) + string("ext-info-in-auth@openssh.com") + string("0"))
        raw.service()
        raw.request(USER, "none")
        if asks:
            second = ext_info(raw.expect(EXT_INFO, skip=()))
            assert second == {"server-sig-algs": b"rsa-sha2-512,rsa-sha2-256"}
        raw.expect(USERAUTH_FAILURE, skip=())
        raw.request(USER, "publickey", boolean(False), string("ssh-ed25519"),
                    string(string("ssh-ed25519") + string(b"k" * 32)))
        assert raw.expect(USERAUTH_FAILURE, PK_OK, skip=())[0] == USERAUTH_FAILURE
