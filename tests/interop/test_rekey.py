"""Keys are changed while data flows in both directions."""

import hashlib

import pytest

from clients import Key
from servers import PATIENCE


def skip_if_it_writes(client):
    """libssh2 1.10 now and then never answers a KEXINIT that comes while it writes."""
    if client.name == "libssh2":
        pytest.skip("may stop in a key exchange while it writes")


@pytest.fixture(scope="session")
def some_bytes(tmp_path_factory, random_file):
    """For the other clients, some of which are slow: up to 16 MiB, and so as many exchanges."""
    size = min(random_file[2], 16 << 20)
    path = tmp_path_factory.mktemp("some") / "bytes"
    with open(random_file[0], "rb") as file:
        data = file.read(size)
    path.write_bytes(data)
    return str(path), hashlib.sha256(data).hexdigest(), size


@pytest.fixture
def carried(client, random_file, some_bytes):
    return random_file if client.name == "openssh" else some_bytes


def echo(client, server, keys, carried, **options):
    if client.name == "paramiko":
        pytest.skip("its threads may wait for each other when it reads and writes in a rekeying")
    path, digest, _ = carried
    result = client.run(server, "echo", auth=Key(keys.user()), input_path=path, **options)
    assert result.code == 0, str(result)[-3000:]
    assert result.sha256 == digest
    return result


def exchanges(server):
    """How often keys were exchanged, from the server's log."""
    return sum("new keys:" in line for line in list(server.err.items))


def expected(carried):
    """At least: what is in flight while keys are exchanged counts for the keys before."""
    return carried[2] >> 24


def test_server_rekeys(client, start_server, keys, carried):
    """The server asks for new keys after each mebibyte, in either direction."""
    skip_if_it_writes(client)
    server = start_server("--rekey-bytes", 1 << 20, "--log", 4)
    echo(client, server, keys, carried)
    server.wait("lost")
    assert exchanges(server) > expected(carried)


@pytest.mark.parametrize(
    "cipher", ["aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes128-ctr"]
)
def test_server_rekeys_with(client, start_server, keys, carried, cipher):
    if cipher not in client.ciphers:
        pytest.skip("has it not")
    skip_if_it_writes(client)
    server = start_server("--rekey-bytes", 1 << 20, "--ciphers", cipher, "--log", 4)
    result = client.run(
        server, "sink", auth=Key(keys.user()), input_path=carried[0], cipher=cipher
    )
    assert result.text == f"{carried[2]} {carried[1]}\n", result
    server.wait("lost")
    assert exchanges(server) > expected(carried)


def test_server_rekeys_while_it_sends(client, start_server, keys, carried):
    server = start_server("--rekey-bytes", 1 << 20, "--log", 4)
    size = carried[2]
    result = client.run(server, f"source {size}", auth=Key(keys.user()))
    assert result.code == 0, str(result)[-3000:]
    assert f"sha256 {result.sha256}" in result.err
    server.wait("lost")
    assert exchanges(server) > expected(carried)


def test_client_rekeys(client, start_server, keys, carried):
    if not client.rekey:
        pytest.skip("cannot be told to")
    server = start_server("--log", 4)
    echo(client, server, keys, carried, rekey_bytes=1 << 20)
    server.wait("lost")
    assert exchanges(server) > expected(carried)


def test_both_rekey(client, start_server, keys, carried):
    if not client.rekey:
        pytest.skip("cannot be told to")
    server = start_server("--rekey-bytes", 1 << 20, "--log", 4)
    echo(client, server, keys, carried, rekey_bytes=1 << 20)
    server.wait("lost")
    assert exchanges(server) > expected(carried)


def test_server_rekeys_with_compression(client, start_server, keys, some_bytes):
    if client.name in ("dbclient", "libssh2"):
        pytest.skip("chooses compression by itself")
    server = start_server(
        "--rekey-bytes", 1 << 20, "--compressions", "zlib@openssh.com", "--log", 4
    )
    echo(client, server, keys, some_bytes, compression="zlib@openssh.com")
    server.wait("lost")
    assert exchanges(server) > expected(some_bytes)


def test_rekey_at_once(client, server, keys):
    """The application asks, while the session starts."""
    result = client.run(server, "rekey", auth=Key(keys.user()), input=b"after")
    assert result.out == b"rekey ok\nafter", result


def test_rekey_by_time(client, start_server, keys):
    server = start_server("--rekey-seconds", 1, "--log", 4)
    process = client.start(server, "echo", auth=Key(keys.user()))
    try:
        server.wait("started")
        server.err.wait(lambda line: "new keys:" in line, PATIENCE)
        server.err.wait(lambda line: "new keys:" in line, PATIENCE, start=_after_first(server))
        out, _ = process.communicate(b"still here", timeout=PATIENCE)
        assert out == b"still here"
    finally:
        process.kill()
        process.wait()


def _after_first(server):
    for number, line in enumerate(list(server.err.items)):
        if "new keys:" in line:
            return number + 1
    return 0
