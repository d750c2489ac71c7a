"""Keys are changed while data flows in both directions."""

import pytest

from clients import Key
from servers import PATIENCE


def skip_if_it_writes(client):
    """libssh2 1.10 now and then never answers a KEXINIT that comes while it writes."""
    if client.name == "libssh2":
        pytest.skip("may stop in a key exchange while it writes")


def echo(client, server, keys, random_file, **options):
    if client.name == "paramiko":
        pytest.skip("its threads may wait for each other when it reads and writes in a rekeying")
    path, digest, _ = random_file
    result = client.run(server, "echo", auth=Key(keys.user()), input_path=path, **options)
    assert result.code == 0, str(result)[-3000:]
    assert result.sha256 == digest
    return result


def exchanges(server):
    """How often keys were exchanged, from the server's log."""
    return sum("new keys:" in line for line in list(server.err.items))


def expected(random_file):
    """At least: what is in flight while keys are exchanged counts for the keys before."""
    return random_file[2] >> 24


def test_server_rekeys(client, start_server, keys, random_file):
    """The server asks for new keys after each mebibyte, in either direction."""
    skip_if_it_writes(client)
    server = start_server("--rekey-bytes", 1 << 20, "--log", 4)
    echo(client, server, keys, random_file)
    server.wait("lost")
    assert exchanges(server) > expected(random_file)


@pytest.mark.parametrize(
    "cipher", ["aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes128-ctr"]
)
def test_server_rekeys_with(client, start_server, keys, random_file, cipher):
    if cipher not in client.ciphers:
        pytest.skip("has it not")
    skip_if_it_writes(client)
    server = start_server("--rekey-bytes", 1 << 20, "--ciphers", cipher, "--log", 4)
    result = client.run(
        server, "sink", auth=Key(keys.user()), input_path=random_file[0], cipher=cipher
    )
    assert result.text == f"{random_file[2]} {random_file[1]}\n", result
    server.wait("lost")
    assert exchanges(server) > expected(random_file)


def test_server_rekeys_while_it_sends(client, start_server, keys, random_file):
    server = start_server("--rekey-bytes", 1 << 20, "--log", 4)
    size = random_file[2]
    result = client.run(server, f"source {size}", auth=Key(keys.user()))
    assert result.code == 0, str(result)[-3000:]
    assert f"sha256 {result.sha256}" in result.err
    server.wait("lost")
    assert exchanges(server) > expected(random_file)


def test_client_rekeys(client, start_server, keys, random_file):
    if not client.rekey:
        pytest.skip("cannot be told to")
    server = start_server("--log", 4)
    echo(client, server, keys, random_file, rekey_bytes=1 << 20)
    server.wait("lost")
    assert exchanges(server) > expected(random_file)


def test_both_rekey(client, start_server, keys, random_file):
    if not client.rekey:
        pytest.skip("cannot be told to")
    server = start_server("--rekey-bytes", 1 << 20, "--log", 4)
    echo(client, server, keys, random_file, rekey_bytes=1 << 20)
    server.wait("lost")
    assert exchanges(server) > expected(random_file)


def test_server_rekeys_with_compression(client, start_server, keys, random_file):
    if client.name in ("dbclient", "libssh2"):
        pytest.skip("chooses compression by itself")
    server = start_server(
        "--rekey-bytes", 1 << 20, "--compressions", "zlib@openssh.com", "--log", 4
    )
    echo(client, server, keys, random_file, compression="zlib@openssh.com")
    server.wait("lost")
    assert exchanges(server) > expected(random_file)


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
