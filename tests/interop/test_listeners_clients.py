"""Listening on the client's behalf, with clients that we did not write, and the example."""

import asyncio
import hashlib
import os
import re
import socket
import subprocess

import pytest

from clients import Key, Nothing, OpenSSH
from listening import cancel, forward, server, start, unix_path
from servers import PATIENCE, Example, Lines
from test_forwarding import (
    USER,
    Peer,
    check_digest,
    check_digests,
    connect,
    digest_back,
    free_port,
    openssh_command,
    read_all,
    running,
)


# ---- clients that we did not write --------------------------------------------------------------


@pytest.fixture
def openssh(keys):
    def command(server, *more):
        return openssh_command(server, keys.user(), *more)

    return command


def test_openssh_remote_forwarding(server, openssh):
    port = free_port()
    with Peer(digest_back) as peer:
        with running(openssh(server, "-N", "-R", f"{port}:127.0.0.1:{peer.port}")):
            check_digests(("127.0.0.1", port))


def test_openssh_any_port_several_at_once(server, openssh):
    with Peer(digest_back) as one, Peer(digest_back) as two, Peer(digest_back) as three:
        words = [w for p in (one, two, three) for w in ("-R", f"0:127.0.0.1:{p.port}")]
        arguments = openssh(server, "-N", *words)
        arguments[arguments.index("LogLevel=ERROR")] = "LogLevel=INFO"
        process = subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        try:
            said = Lines(process.stderr, re.compile(r"Allocated port (\d+) for remote forward").match)
            said.wait(lambda unused: sum(map(bool, said.items)) == 3)
            ports = [int(found.group(1)) for found in said.items if found]
            assert len(set(ports)) == 3
            for port in ports:
                check_digest(connect(("127.0.0.1", port)), 100_000)
        finally:
            process.kill()
            process.wait()
            process.stderr.close()
    server.wait_for_nothing()


def test_openssh_control_master(server, openssh, tmp_path):
    """-O forward and -O cancel."""
    control = str(tmp_path / "control")
    arguments = openssh(server, "-N", "-M", "-S", control)
    with Peer(digest_back) as peer, running(arguments):
        connect(control).close()

        def tell(*words):
            return subprocess.run(
                ["ssh", "-F", "none", "-S", control, *words, "127.0.0.1"], capture_output=True,
                text=True, timeout=PATIENCE, check=False,
            )

        done = tell("-O", "forward", "-R", f"0:127.0.0.1:{peer.port}")
        port = int(done.stdout)
        check_digest(connect(("127.0.0.1", port)), 100_000)
        other = free_port()
        assert tell("-O", "forward", "-R", f"{other}:127.0.0.1:{peer.port}").returncode == 0
        check_digest(connect(("127.0.0.1", other)), 100_000)
        assert server.count()[2] == 2
        assert tell("-O", "cancel", "-R", f"{other}:127.0.0.1:{peer.port}").returncode == 0
        server.said("closed", port=other)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", other), timeout=PATIENCE)
        check_digest(connect(("127.0.0.1", port)), 100_000)


def test_openssh_refused(server, openssh):
    done = subprocess.run(
        openssh(server, "-N", "-R", "refuse.test:0:127.0.0.1:1"), capture_output=True,
        timeout=2 * PATIENCE, check=False,
    )
    assert done.returncode == 255
    assert b"remote port forwarding failed" in done.stderr


def test_openssh_remote_unix_to_unix(server, openssh, unix_path):
    local = unix_path + ".local"
    with Peer(digest_back, local):
        with running(openssh(server, "-N", "-R", f"{unix_path}:{local}")):
            check_digest(connect(unix_path))
    server.wait_for_nothing()
    assert not os.path.exists(unix_path)


def test_openssh_remote_unix_to_tcp_and_back(server, openssh, unix_path):
    port = free_port()
    local = unix_path + ".local"
    with Peer(digest_back) as peer, Peer(digest_back, local):
        words = ("-R", f"{unix_path}:127.0.0.1:{peer.port}", "-R", f"{port}:{local}")
        with running(openssh(server, "-N", *words)):
            check_digest(connect(("127.0.0.1", port)), 100_000)
            check_digest(connect(unix_path), 100_000)


def test_openssh_remote_dynamic(server, openssh):
    """ssh -R PORT: the client is a SOCKS server at the far end."""
    port = free_port()

    def serve(connection):
        while b"\r\n\r\n" not in (request := connection.recv(65536)):
            assert request
        connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nfunny")

    with Peer(serve) as peer:
        with running(openssh(server, "-N", "-R", str(port))):
            connect(("127.0.0.1", port)).close()
            done = subprocess.run(
                ["curl", "-sS", "--socks5-hostname", f"127.0.0.1:{port}",
                 f"http://127.0.0.1:{peer.port}/"],
                capture_output=True, timeout=PATIENCE, check=False,
            )
            assert (done.stdout, done.returncode) == (b"funny", 0), done


@pytest.mark.parametrize("name", ["plink", "dbclient"])
def test_other_remote_forwarding(all_clients, start, keys, name):
    server = start("--host-key", keys.host())
    client = all_clients[name]
    port = free_port()
    with Peer(digest_back) as peer:
        arguments = client.arguments(server, None, USER, Key(keys.user()), {})
        arguments[1:1] = ["-N", "-R", f"{port}:127.0.0.1:{peer.port}"]
        with running(arguments, client.environment()):
            for _ in range(3):
                check_digest(connect(("127.0.0.1", port)), 500_000)
    server.wait_for_nothing()


def test_asyncssh_listeners(server, unix_path):
    asyncssh = pytest.importorskip("asyncssh")

    def digest_handler(orig_host, orig_port):
        assert orig_host == "127.0.0.1" and orig_port

        async def serve(reader, writer):
            content = await reader.read()
            writer.write(hashlib.sha256(content).hexdigest().encode())
            writer.write_eof()

        return serve

    async def in_thread(function, *arguments):
        await asyncio.get_running_loop().run_in_executor(None, function, *arguments)

    async def all_of_it(peer_port, local):
        async with asyncssh.connect(
            "127.0.0.1", server.port, username=USER, known_hosts=None, client_keys=None
        ) as conn:
            listener = await conn.start_server(digest_handler, "localhost", 0)
            port = listener.get_port()
            await in_thread(lambda: check_digest(connect(("127.0.0.1", port)), 300_000))
            listener.close()
            await listener.wait_closed()
            server.said("closed", port=port)

            listener = await conn.forward_remote_port("", 0, "127.0.0.1", peer_port)
            await in_thread(lambda: check_digest(connect(("127.0.0.1", listener.get_port())), 300_000))
            await conn.forward_remote_path(unix_path, local)
            await in_thread(lambda: check_digest(connect(unix_path), 300_000))
            with pytest.raises(asyncssh.ChannelListenError):
                await conn.start_server(digest_handler, "refuse.test", 0)

            async def own(reader, writer):
                pass

            listener = await conn.start_server(lambda *orig: own, "own.test", 0)
            assert listener.get_port() == 4242
            server.said("create", result=0)

    local = unix_path + ".local"
    with Peer(digest_back) as peer, Peer(digest_back, local):
        asyncio.run(asyncio.wait_for(all_of_it(peer.port, local), 2 * PATIENCE))
    server.wait_for_nothing()


def test_paramiko_port_forward(server):
    paramiko = pytest.importorskip("paramiko")
    transport = paramiko.Transport(("127.0.0.1", server.port))
    try:
        transport.start_client(timeout=PATIENCE)
        transport.auth_none(USER)
        port = transport.request_port_forward("", 0)
        one = connect(("127.0.0.1", port))
        channel = transport.accept(PATIENCE)
        channel.settimeout(PATIENCE)
        one.sendall(b"through")
        one.shutdown(socket.SHUT_WR)
        assert read_all(channel) == b"through"
        channel.sendall(b"and back")
        channel.shutdown_write()
        assert read_all(one) == b"and back"
        one.close()
        transport.cancel_port_forward("", port)
        server.said("closed", port=port)
        with pytest.raises(paramiko.SSHException):
            transport.request_port_forward("refuse.test", 0)
    finally:
        transport.close()
    server.wait_for_nothing()


# ---- the example --------------------------------------------------------------------------------


def test_example_reverse_tunnel(keys, tmp_path):
    with Example("reverse_tunnel") as server, Peer(digest_back) as peer:
        offer = openssh_command(server, keys.user(), "-N", "-R", f"0:127.0.0.1:{peer.port}")
        offer[offer.index(USER)] = "alice"
        with running(offer):
            line = server.out.wait(lambda text: text.endswith(" leads to alice"))
            port = int(line.split()[1])
            check_digest(connect(("127.0.0.1", port)), 100_000)
            told = OpenSSH(tmp_path, keys).run(server, "list", user="bob", auth=Nothing())
            assert (told.code, told.text) == (0, f"port {port} leads to alice\r\n")
        with Peer(lambda connection: connection.sendall(b"who is there?")) as door:
            ring = openssh_command(server, keys.user(), "-N", "-R", f"doorbell:0:127.0.0.1:{door.port}")
            ring[ring.index(USER)] = "carol"
            with running(ring):
                server.out.wait(lambda text: text == "carol says: who is there?")
