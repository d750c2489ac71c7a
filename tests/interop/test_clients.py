"""Every client logs in by every method that it has, runs commands, and moves bytes both ways."""

import re

import pytest

from clients import Kbdint, Key, Nothing, Password, Several


def assert_refused(client, server, result):
    assert result.code != 7, result
    assert result.code != 0 or not client.codes, result
    assert not server.seen("login")
    server.wait("lost")
    assert not server.seen("question", handler="session_requested")


# ---- logging in ---------------------------------------------------------------------------------


def test_login_none(client, server):
    result = client.run(server, "exit 7", user="begin-accept", auth=Nothing())
    assert result.code == 7, result
    server.wait("login", username="begin-accept")


def test_login_none_refused(client, server):
    result = client.run(server, "exit 7", user="begin-reject.pw-reject", auth=Nothing())
    assert_refused(client, server, result)


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa256", "ecdsa384", "ecdsa521", "rsa"])
def test_login_public_key(client, server, keys, kind):
    result = client.run(server, "exit 7", auth=Key(keys.user(kind)))
    if kind not in client.key_types:
        assert result.code != 7, "RSA with SHA-1 was accepted"
        assert not server.seen("login")
        return
    assert result.code == 7, result
    server.wait("question", handler="validate_public_key", signed=True)


def test_login_public_key_refused(client, server, keys):
    result = client.run(server, "exit 7", auth=Key(keys.stranger()))
    assert_refused(client, server, result)


@pytest.mark.parametrize("size", ["256", "512"])
def test_login_rsa_signature(client, start_server, keys, size):
    if client.rsa_sha1_only:
        pytest.skip("signs with SHA-1 only")
    server = start_server("--signatures", "rsa-sha2-" + size)
    result = client.run(server, "exit 7", auth=Key(keys.user("rsa")))
    if result.code != 7 and client.name in ("dbclient",) and size == "512":
        pytest.skip("signs with SHA-256 only")
    assert result.code == 7, result


def test_login_password(client, server):
    result = client.run(server, "exit 7", auth=Password("secret"))
    assert result.code == 7, result
    server.wait("question", handler="validate_password", text="secret")


def test_login_password_refused(client, server):
    result = client.run(server, "exit 7", auth=Password("wrong"))
    assert_refused(client, server, result)


def test_login_password_utf8(client, server):
    """Sent as it is typed; prepared by the library (RFC 4013)."""
    result = client.run(server, "exit 7", user="pw-accept", auth=Password("pässwörd"))
    assert result.code == 7, result
    server.wait("question", handler="validate_password", text="pässwörd")


def test_login_password_change(client, server):
    if not client.password_change:
        pytest.skip("cannot change passwords")
    result = client.run(
        server, "exit 7", user="pw-required.change-accept", auth=Password("secret", new="better")
    )
    assert result.code == 7, result
    server.wait("question", handler="change_password", text="secret", new="better")


def test_login_password_change_again(client, server):
    if client.name not in ("openssh", "plink", "libssh2"):
        pytest.skip("asks once")
    result = client.run(
        server,
        "exit 7",
        user="pw-required.change-again",
        auth=Password("secret", new="worse", again="better"),
    )
    if client.name == "libssh2":
        # Its callback gives the same new password each time, which is refused in the end.
        server.wait("question", handler="change_password", text="secret", new="worse")
        return
    assert result.code == 7, result
    server.wait("question", handler="change_password", new="worse")
    server.wait("question", handler="change_password", new="better")


def test_login_kbdint_as_password(client, server):
    result = client.run(server, "exit 7", auth=Kbdint(["secret"]))
    assert result.code == 7, result
    server.wait("question", handler="validate_password", text="secret")


def test_login_kbdint_as_password_refused(client, server):
    result = client.run(server, "exit 7", auth=Kbdint(["wrong"]))
    assert_refused(client, server, result)


def test_login_kbdint_one(client, server):
    result = client.run(server, "exit 7", user="kbd-one", auth=Kbdint(["123456"]))
    assert result.code == 7, result


def test_login_kbdint_wrong(client, server):
    result = client.run(server, "exit 7", user="kbd-one", auth=Kbdint(["654321"]))
    assert_refused(client, server, result)


def test_login_kbdint_two_rounds(client, server):
    result = client.run(server, "exit 7", user="kbd-two", auth=Kbdint(["blue", "fish", "654321"]))
    assert result.code == 7, result
    assert len(server.seen("question", handler="validate_kbdint_response")) == 2


def test_login_kbdint_five_rounds(client, server):
    result = client.run(server, "exit 7", user="kbd-many", auth=Kbdint(list("abcde")))
    assert result.code == 7, result
    assert len(server.seen("question", handler="validate_kbdint_response")) == 5


def test_login_kbdint_empty_round(client, server):
    """A challenge without prompts shows a message and comes back with no responses."""
    result = client.run(server, "exit 7", user="kbd-empty", auth=Kbdint(["123456"]))
    assert result.code == 7, result
    server.wait("question", handler="validate_kbdint_response", text="0")
    if client.name in ("openssh", "plink"):
        assert "Nothing to type here" in result.prompts + result.err


def test_login_key_then_password(client, server, keys):
    """Partial success: the key is right, and a password must follow."""
    result = client.run(
        server, "exit 7", user="pk-partial.pw-check", auth=Several(key=keys.user(), password="secret")
    )
    assert result.code == 7, result


def test_login_key_then_kbdint(client, server, keys):
    result = client.run(
        server,
        "exit 7",
        user="pk-partial.kbd-one",
        auth=Several(key=keys.user(), responses=["123456"]),
    )
    assert result.code == 7, result


def test_banner(client, server):
    result = client.run(server, "exit 7", user="pw-accept.banner", auth=Password("x"))
    assert result.code == 7, result
    if client.name == "libssh2":
        return  # 1.10 has no way to see it
    assert "Banner for you" in result.err + result.prompts + str(result.report)


# ---- commands -----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [0, 1, 2, 77, 127, 128, 254, 255])
def test_exit_status(client, server, keys, status):
    result = client.run(server, f"exit {status}", auth=Key(keys.user()))
    assert result.code == status, result
    server.wait("channel_lost", error=None)


@pytest.mark.parametrize("name", ["TERM", "KILL", "SEGV", "USR1"])
def test_exit_signal(client, server, keys, name):
    result = client.run(server, f"kill {name}", auth=Key(keys.user()))
    assert result.code != 0 or not client.exit_signal, result
    if client.exit_signal:
        assert client.seen_signal(result) in ("?", name), result
    if "core" in result.report:
        assert result.report["core"] == (name == "SEGV")


def test_stderr_is_separate(client, server, keys):
    result = client.run(server, "stderr", auth=Key(keys.user()))
    assert result.code == 3, result
    assert result.out == b"to stdout\n"
    assert "to stderr" in result.err
    assert "to stdout" not in result.err


def test_environment(client, server, keys):
    if not client.env:
        pytest.skip("sends no environment")
    result = client.run(server, "env", auth=Key(keys.user()), env="COLOUR=dark blue".replace(" ", "_"))
    assert "COLOUR=dark_blue\n" in result.text, result


def test_subsystem(client, server, keys):
    result = client.run(server, auth=Key(keys.user()), subsystem="echo", input=b"through it")
    assert result.out == b"through it", result
    server.wait("question", handler="subsystem_requested", text="echo")


def test_shell_without_terminal(client, server, keys):
    result = client.run(server, auth=Key(keys.user()), input=b"line\n")
    assert result.out == b"line\n", result
    server.wait("question", handler="shell_requested")


def test_session_refused(client, server, keys):
    result = client.run(server, "exit 0", user="pk-check.open-reject", auth=Key(keys.user()))
    assert result.code != 0 or not client.codes, result
    server.wait("lost")


def test_exec_refused(client, server, keys):
    if not client.asks_for_replies:
        pytest.skip("waits for ever")
    result = client.run(server, "exit 0", user="pk-check.exec-reject", auth=Key(keys.user()))
    assert result.code != 0, result
    server.wait("lost")


# ---- bytes --------------------------------------------------------------------------------------


def test_upload(client, server, keys, random_file):
    path, digest, size = random_file
    result = client.run(server, "sink", auth=Key(keys.user()), input_path=path)
    assert result.code == 0, result
    assert result.text == f"{size} {digest}\n"


def test_download(client, server, keys, random_file):
    size = random_file[2]
    result = client.run(server, f"source {size}", auth=Key(keys.user()))
    assert result.code == 0, result
    told = re.search(r"^sha256 (\w{64})\r?$", result.err, re.M).group(1)
    assert result.sha256 == told


def test_both_ways(client, server, keys, random_file):
    path, digest, _ = random_file
    result = client.run(server, "echo", auth=Key(keys.user()), input_path=path)
    assert result.code == 0, result
    assert result.sha256 == digest


def test_stdout_and_stderr_interleaved(client, server, keys):
    size = 4 << 20
    result = client.run(server, f"both {size}", auth=Key(keys.user()))
    assert result.code == 0, str(result)[:2000]
    assert len(result.out) == size // 2


def test_slow_reader(client, server, keys):
    """The application pauses reading at each piece; nothing is lost and memory stays bounded."""
    data = bytes(range(256)) * 4096
    result = client.run(server, "slowsink", auth=Key(keys.user()), input=data)
    assert result.code == 0, result
    assert result.text.startswith(f"{len(data)} ")


def test_small_window(client, server, keys):
    """A window of 16384 and packets of 4096 bytes."""
    data = bytes(range(256)) * 1024
    result = client.run(server, "echo", user="pk-check.open-small", auth=Key(keys.user()), input=data)
    assert result.code == 0, str(result)[:2000]
    assert result.out == data


def test_server_closes_without_status(client, server, keys):
    result = client.run(server, "close", auth=Key(keys.user()))
    server.wait("channel_lost", command="close")
    assert result.code != "timed out"


@pytest.mark.parametrize("command", ["connclose", "connabort", "disconnect 11"])
def test_server_drops_connection(client, server, keys, command):
    result = client.run(server, command, auth=Key(keys.user()))
    assert result.code != 0 or client.name == "libssh2" or not client.codes, result
    server.wait("lost")
