"""Algorithms beyond the common ones, with real clients: curve448, Diffie-Hellman in fixed and asked-for
groups, UMAC, HMAC-SHA-1, compression before login, and host-bound authentication. The server offers
just the one that is tested."""

import os
import re
import subprocess

import pytest

from clients import AsyncSSH, Dropbear, Key, Libssh, Libssh2, OpenSSH, Paramiko, Plink
from rawssh import Closed, Raw, Reader, u32
from test_algorithms import check

GROUP14 = "diffie-hellman-group14-sha256"
GROUP16 = "diffie-hellman-group16-sha512"
GROUP18 = "diffie-hellman-group18-sha512"
EXCHANGE = "diffie-hellman-group-exchange-sha256"
# plink takes what it is offered; the others are told.
KEX = {
    OpenSSH.name: (GROUP14, GROUP16, GROUP18, EXCHANGE),
    Plink.name: ("curve448-sha512", GROUP14, GROUP16, GROUP18, EXCHANGE),
    Dropbear.name: (GROUP14,),
    AsyncSSH.name: ("curve448-sha512", GROUP14, GROUP16, GROUP18, EXCHANGE),
    Paramiko.name: (GROUP14, GROUP16, EXCHANGE),
    Libssh.name: (GROUP14, GROUP16, GROUP18, EXCHANGE),
    Libssh2.name: (GROUP14, GROUP16, GROUP18, EXCHANGE),
}
UMAC = ("umac-64@openssh.com", "umac-128@openssh.com", "umac-64-etm@openssh.com",
        "umac-128-etm@openssh.com")
SHA1 = ("hmac-sha1", "hmac-sha1-etm@openssh.com")
MACS = {
    OpenSSH.name: UMAC + SHA1,
    Plink.name: SHA1,
    Dropbear.name: SHA1[:1],
    AsyncSSH.name: UMAC + SHA1,
    Paramiko.name: SHA1[:1],
    Libssh.name: SHA1,
    Libssh2.name: SHA1[:1],
}


@pytest.mark.parametrize("kex", ["curve448-sha512", GROUP14, GROUP16, GROUP18, EXCHANGE])
def test_kex(client, start_server, keys, kex):
    if kex not in KEX[client.name]:
        pytest.skip("has it not")
    check(client, start_server("--kex", kex), keys, {"kex": kex}, kex=kex)


@pytest.mark.parametrize("mac", UMAC + SHA1)
def test_mac(client, start_server, keys, mac):
    if mac not in MACS[client.name]:
        pytest.skip("has it not")
    server = start_server("--ciphers", "aes128-ctr", "--macs", mac)
    check(client, server, keys, {"mac_in": mac, "mac_out": mac}, mac=mac)


@pytest.mark.parametrize("kex", [GROUP16, EXCHANGE])
def test_rekeying_with_a_group(all_clients, start_server, keys, kex):
    """New keys in the midst of a transfer, worked out on the thread pool while data flows."""
    client = all_clients["openssh"]
    server = start_server("--kex", kex)
    data = os.urandom(4 << 20)
    result = client.run(server, "echo", auth=Key(keys.user()), input=data, kex=kex,
                        rekey_bytes=1 << 20)
    assert result.code == 0, str(result)[-3000:]
    assert result.out == data
    assert result.err.count("SSH2_MSG_NEWKEYS received") >= 4


def test_compression_before_login(start_server, all_clients, keys):
    """zlib of RFC 4253, where it is asked for by name. AsyncSSH is the one that has it."""
    server = start_server("--compressions", "zlib")
    client = all_clients["asyncssh"]
    check(client, server, keys, {"compression_in": "zlib", "compression_out": "zlib"},
          compression="zlib")


@pytest.mark.parametrize("preset", ["modern", "compatible", "fips"])
def test_compression_before_login_is_off(start_server, keys, all_clients, preset):
    server = start_server("--preset", preset)
    result = all_clients["asyncssh"].run(server, "echo", auth=Key(keys.user()), input=b"x",
                                         compression="zlib")
    assert result.code != 0


def test_host_bound_authentication(start_server, all_clients, keys):
    """OpenSSH's client uses it wherever it is announced; the signature then covers the host key."""
    result = all_clients["openssh"].run(start_server(), "echo", auth=Key(keys.user()), input=b"x",
                                        log_level="DEBUG3")
    assert result.out == b"x"
    assert "publickey-hostbound@openssh.com=<0>" in result.err
    assert re.search(r"sign_and_send_pubkey: using publickey-hostbound-v00@openssh.com",
                     result.err), result.err[-3000:]


def test_host_bound_to_each_kind_of_key(start_server, all_clients, keys):
    """The key that counts is the exchange's, when the server has several."""
    for algorithm in ("ssh-ed25519", "rsa-sha2-512", "ecdsa-sha2-nistp256"):
        result = all_clients["openssh"].run(start_server(), "echo", auth=Key(keys.user()), input=b"x",
                                            host_key=algorithm)
        assert result.code == 0, result.err[-2000:]


# ---- by a client of our own ----

def test_sizes_of_groups(start_server):
    """RFC 4419 and 8270: whatever is asked for, 2048 to 8192 bits, or nothing."""
    server = start_server("--kex", EXCHANGE)
    for least, wanted, most, expected in (
        (2048, 2048, 8192, 2048), (1024, 1024, 8192, 2048), (1024, 3000, 8192, 4096),
        (2048, 8192, 8192, 8192), (4096, 4096, 4096, 4096), (2048, 100000, 2**32 - 1, 8192),
        (0, 0, 2**32 - 1, 2048), (1024, 1024, 2000, None), (3072, 3072, 3072, None),
        (8193, 8193, 9000, None), (4096, 2048, 8192, None), (2048, 8192, 4096, None),
    ):
        with Raw(server.port) as client:
            client.exchange_versions()
            client.send_kexinit(kex=EXCHANGE)
            client.take_kexinit()
            client.send(bytes([34]) + u32(least) + u32(wanted) + u32(most))
            if expected is None:
                with pytest.raises(Closed):
                    client.expect(31)
                continue
            reader = Reader(client.expect(31)[1:])
            prime = int.from_bytes(reader.string(), "big")
            assert prime.bit_length() == expected, (least, wanted, most)
            assert reader.string() == b"\2" and not reader.rest()
