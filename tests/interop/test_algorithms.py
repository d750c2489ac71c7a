"""Each algorithm in turn with each client that has it. The server offers just one, so nothing else
can have been used; the server's own word on what was negotiated is checked as well."""

import os

import pytest

from clients import OpenSSH
from clients import Key

DATA = os.urandom(300_000)
HOST_KEY_KIND = {
    "ssh-ed25519": "ed25519",
    "ecdsa-sha2-nistp256": "ecdsa256",
    "ecdsa-sha2-nistp384": "ecdsa384",
    "ecdsa-sha2-nistp521": "ecdsa521",
    "rsa-sha2-256": "rsa",
    "rsa-sha2-512": "rsa",
}


def check(client, server, keys, names, **options):
    result = client.run(server, "echo", auth=Key(keys.user()), input=DATA, **options)
    assert result.code == 0, str(result)[-3000:]
    assert result.out == DATA
    login = server.wait("login")
    for name, value in names.items():
        assert login[name] == value, login
    return login


@pytest.mark.parametrize("kex", OpenSSH.kex)
def test_kex(client, start_server, keys, kex):
    if kex not in client.kex:
        pytest.skip("has it not")
    check(client, start_server("--kex", kex), keys, {"kex": kex}, kex=kex)


@pytest.mark.parametrize("algorithm", OpenSSH.host_keys)
def test_host_key(client, start_server, keys, algorithm):
    if algorithm not in client.host_keys:
        pytest.skip("has it not")
    server = start_server("--host-key-algorithms", algorithm)
    check(client, server, keys, {"host_key": algorithm}, host_key=algorithm)


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa256", "ecdsa384", "ecdsa521", "rsa"])
def test_only_one_host_key(client, start_server, keys, kind):
    """The server has just this key; the client must find an algorithm for it."""
    if not any(HOST_KEY_KIND[a] == kind for a in client.host_keys):
        pytest.skip("has it not")
    server = start_server(host_keys=[keys.host(kind)])
    login = check(client, server, keys, {})
    assert HOST_KEY_KIND[login["host_key"]] == kind


@pytest.mark.parametrize("cipher", OpenSSH.ciphers)
def test_cipher(client, start_server, keys, cipher):
    if cipher not in client.ciphers:
        pytest.skip("has it not")
    server = start_server("--ciphers", cipher)
    check(client, server, keys, {"cipher_in": cipher, "cipher_out": cipher}, cipher=cipher)


@pytest.mark.parametrize("mac", OpenSSH.macs)
def test_mac(client, start_server, keys, mac):
    if mac not in client.macs:
        pytest.skip("has it not")
    server = start_server("--ciphers", "aes128-ctr", "--macs", mac)
    check(client, server, keys, {"mac_in": mac, "mac_out": mac}, mac=mac)


def test_compression(client, start_server, keys):
    if not client.compression:
        pytest.skip("has it not")
    name = "zlib@openssh.com"
    login = check(client, start_server(), keys, {}, compression=name)
    if client.name in ("dbclient", "libssh2"):
        return  # they choose by themselves
    assert (login["compression_in"], login["compression_out"]) == (name, name)


def test_compression_only(client, start_server, keys):
    """The server insists."""
    if client.name not in ("openssh", "plink", "asyncssh", "paramiko", "libssh", "libssh2"):
        pytest.skip("has it not")
    name = "zlib@openssh.com"
    server = start_server("--compressions", name)
    check(
        client, server, keys, {"compression_in": name, "compression_out": name}, compression=name
    )


def test_strict_key_exchange(client, server, keys):
    """The counter-measure to Terrapin is used with every client that has it."""
    login = check(client, server, keys, {})
    assert login["strict"] == (client.name in ("openssh", "plink", "dbclient", "libssh", "asyncssh"))
    assert login["client"].startswith("SSH-2.0-")
