"""Who may log in to sallyportd with a key, and what for: options of authorized_keys, user CAs and
principals, revoked keys, forced commands, environment. Keys and certificates are ssh-keygen's, the
client is ssh."""

import os
import re
import shlex
import shutil
import subprocess

import pytest

from sallyportd_tools import *  # fixtures come by their names, too

pytestmark = needs_ssh


class Keys:
    """A folder with an authorized_keys file, and keys on demand."""

    def __init__(self, folder):
        self.folder = folder
        self.file = folder / "authorized_keys"
        self.file.write_text("")

    def key(self, name="id", kind="ed25519", *more):
        path = self.folder / name
        if not path.exists():
            keygen("-t", kind, "-N", "", "-f", path, *more)
        return path

    def public(self, name="id"):
        return self.key(name).with_name(name + ".pub").read_text().strip()

    def allow(self, line_options="", name="id"):
        self.file.write_text(f"{line_options} {self.public(name)}\n".lstrip())

    def certify(self, *words, name="id", ca="ca", principals=USER, serial=1):
        """Makes NAME-cert.pub, which ssh finds beside the key."""
        self.key(name)
        principals = [] if principals is None else ["-n", principals]
        keygen("-s", self.key(ca), "-I", "the id", "-z", serial, *principals, *words,
               self.folder / (name + ".pub"))
        return self.folder / (name + "-cert.pub")


@pytest.fixture
def keys(tmp_path):
    folder = tmp_path / "keys"
    folder.mkdir()
    return Keys(folder)


@pytest.fixture
def start(serve, keys):
    """A server that looks into that file, and `ssh` to it with the key."""
    def run(*lines, **more):
        server = serve(f"AuthorizedKeysFile={keys.file}", "StrictModes=no", *lines, **more)
        words = shlex.split(server.command)
        known = words[words.index("-o") + 1]
        target = words[-1]

        def ssh(*command, name="id", more=(), given="", **extra):
            return subprocess.run(
                ["ssh", "-F", "none", "-p", str(server.port), "-o", "BatchMode=yes", "-o",
                 "IdentitiesOnly=yes", "-o", known, "-i", str(keys.key(name)), *more, target,
                 *command], text=True, input=given, capture_output=True, timeout=60, **extra)
        server.ssh = ssh
        return server
    return run


# ---- options of authorized_keys -----------------------------------------------------------------

def test_a_plain_line(start, keys):
    server = start()
    assert server.ssh("true").returncode == 255
    keys.allow()
    assert server.ssh("echo in").stdout == "in\n"


def test_command(start, keys):
    keys.allow('command="echo \\"forced: $SSH_ORIGINAL_COMMAND\\""')
    server = start("Subsystem sub echo 'not this'")
    assert server.ssh("rm -rf x").stdout == "forced: rm -rf x\n"
    assert server.ssh(more=["-T"]).stdout == "forced: \n"
    assert server.ssh("sub", more=["-s"]).stdout == "forced: echo 'not this'\n"
    assert server.ssh("missing", more=["-s"]).returncode == 255


def test_force_command_comes_before_the_keys(start, keys):
    keys.allow('command="echo the key\'s"')
    server = start('ForceCommand echo "the file\'s: $SSH_ORIGINAL_COMMAND"')
    assert server.ssh("original").stdout == "the file's: original\n"


@pytest.mark.parametrize("value, inside", [
    ("127.0.0.1", True), ("127.0.0.0/8", True), ("10.0.0.0/8", False), ("*,!127.0.0.1", False),
])
def test_from(start, keys, value, inside):
    keys.allow(f'from="{value}"')
    server = start()
    assert (server.ssh("true").returncode == 0) == inside


@pytest.mark.parametrize("value, inside", [("20200101", False), ("20990101", True)])
def test_expiry_time(start, keys, value, inside):
    keys.allow(f'expiry-time="{value}"')
    server = start()
    assert (server.ssh("true").returncode == 0) == inside
    if not inside:
        server.log("^Failed publickey for .* SHA256:.*: .*expired")


@pytest.mark.parametrize("line_options, terminal", [
    ("no-pty", False), ("restrict", False), ("restrict,pty", True), ("", True),
])
def test_terminal(start, keys, line_options, terminal):
    keys.allow(line_options)
    run = start().ssh("tty", more=["-tt"])
    assert ("PTY allocation request failed" not in run.stderr) == terminal


@pytest.mark.parametrize("line_options, forwards", [
    ("no-port-forwarding", False), ("restrict", False), ("restrict,port-forwarding", True),
    ('permitopen="127.0.0.1:1"', False), ('permitopen="*:*"', True), ("", True),
])
def test_forwarding(start, keys, line_options, forwards):
    keys.allow(line_options)
    server = start()
    run = server.ssh(more=["-W", f"127.0.0.1:{server.port}"], errors="replace")
    assert run.stdout.startswith("SSH-2.0-Sallyport_") == forwards


@pytest.mark.parametrize("line_options, forwards", [
    ("no-agent-forwarding", False), ("restrict", False), ("", True),
])
def test_agent_forwarding(start, keys, line_options, forwards):
    keys.allow(line_options)
    server = start()
    agent = subprocess.run(["ssh-agent", "-s"], text=True, check=True, capture_output=True).stdout
    path = re.search(r"SSH_AUTH_SOCK=([^;]+)", agent).group(1)
    pid = int(re.search(r"SSH_AGENT_PID=(\d+)", agent).group(1))
    try:
        run = server.ssh("echo ${SSH_AUTH_SOCK:-none}", more=["-A"],
                         env=dict(os.environ, SSH_AUTH_SOCK=path))
    finally:
        os.kill(pid, 15)
    assert (run.stdout != "none\n") == forwards


def test_environment_of_a_line(start, keys):
    keys.allow('environment="A=from the line",environment="B=2",environment="USER=other"')
    run = start().ssh("echo $A,$B")
    assert run.stdout == ",\n"
    run = start("PermitUserEnvironment=yes").ssh("echo $A,$B,$USER")
    assert run.stdout == "from the line,2,other\n"
    run = start("PermitUserEnvironment=B*,C", "SetEnv B=mine").ssh("echo $A,$B")
    assert run.stdout == ",mine\n"


def test_two_lines_for_one_key(start, keys):
    """The first that fits stands."""
    keys.allow('from="10.0.0.0/8"')
    keys.file.write_text(keys.file.read_text() + f'command="echo second" {keys.public()}\n')
    server = start()
    assert server.ssh("x").returncode == 255 or server.ssh("x").stdout == "second\n"


def test_several_files(serve, keys, tmp_path):
    other = tmp_path / "keys" / "more"
    other.write_text(f'command="echo more" {keys.public()}\n')
    server = serve(f"AuthorizedKeysFile=none {keys.file} {other}", "StrictModes=no")
    run = server.ssh("x", more=["-i", str(keys.key()), "-o", "IdentitiesOnly=yes"])
    assert run.stdout == "more\n"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can start it as root")
def test_root_with_forced_commands_only(start, keys):
    keys.allow()
    server = start("PermitRootLogin=forced-commands-only")
    assert server.ssh("true").returncode == 255
    server.log("ROOT LOGIN REFUSED")
    keys.allow('command="echo forced"')
    assert server.ssh("x").stdout == "forced\n"


# ---- certificates -------------------------------------------------------------------------------

@pytest.fixture
def trusted(keys):
    keys.key("ca")
    return f"TrustedUserCAKeys={keys.folder}/ca.pub"


def test_certificate_of_a_trusted_ca(start, keys, trusted):
    server = start(trusted)
    assert server.ssh("true").returncode == 255
    keys.certify(serial=42)
    assert server.ssh("echo in").stdout == "in\n"
    server.log(rf"^Accepted publickey for {USER} from 127.0.0.1 port \d+ ssh2: ED25519-CERT "
               r"SHA256:\S+ ID the id \(serial 42\) CA ED25519 SHA256:\S+$")


@pytest.mark.parametrize("words", [
    dict(ca="another-ca"), dict(principals="someone-else"), dict(principals=None),
    dict(principals=f"x{USER},{USER}x"),
])
def test_certificates_that_are_refused(start, keys, trusted, words):
    keys.certify(**words)
    assert start(trusted).ssh("true").returncode == 255


@pytest.mark.parametrize("words", [
    ["-V", "20200101:20200201"], ["-V", "20990101:20990201"], ["-h"],
    ["-O", "source-address=10.0.0.0/8"], ["-O", "critical:unknown@example.com=x"],
])
def test_certificates_that_are_not_good(start, keys, trusted, words):
    keys.certify(*words)
    assert start(trusted).ssh("true").returncode == 255


def test_certificate_with_a_command(start, keys, trusted):
    keys.certify("-O", 'force-command=echo "forced: $SSH_ORIGINAL_COMMAND"')
    assert start(trusted).ssh("original").stdout == "forced: original\n"


def test_certificate_without_extensions(start, keys, trusted):
    keys.certify("-O", "clear")
    server = start(trusted)
    assert "PTY allocation request failed" in server.ssh("tty", more=["-tt"]).stderr
    run = server.ssh(more=["-W", f"127.0.0.1:{server.port}"])
    assert run.returncode == 255
    assert server.ssh("echo in").stdout == "in\n"


@pytest.mark.parametrize("text, inside", [
    ("someone\ngroup-a\n", True),
    ("# group-a\n\n   \n", False),
    ("someone\n", False),
    (f"{USER}\n", False),
    ('from="127.0.0.0/8" group-a\n', True),
    ('from="10.0.0.0/8" group-a\n', False),
    ("no-such-option group-a\n", False),
    ("\t restrict,pty\tgroup-a  \t\r\n", True),
    ("group-a group-b\n", False),
])
def test_principals_file(start, keys, trusted, text, inside):
    folder = keys.folder / "principals"
    folder.mkdir()
    (folder / USER).write_text(text)
    keys.certify(principals="other,group-a")
    server = start(trusted, f"AuthorizedPrincipalsFile={folder}/%u")
    assert (server.ssh("true").returncode == 0) == inside


def test_principals_file_that_is_not_there(start, keys, trusted):
    keys.certify()
    server = start(trusted, f"AuthorizedPrincipalsFile={keys.folder}/nothing/%u")
    assert server.ssh("true").returncode == 255
    server.log("Certificate does not contain an authorized principal")


def test_options_of_a_principal(start, keys, trusted):
    path = keys.folder / "principals"
    path.write_text('command="echo principal: $SSH_ORIGINAL_COMMAND",no-pty group-a\n')
    keys.certify(principals="group-a")
    server = start(trusted, f"AuthorizedPrincipalsFile={path}")
    assert server.ssh("x").stdout == "principal: x\n"


def test_ca_in_authorized_keys(start, keys):
    keys.key("ca")
    server = start()
    keys.certify(principals="p")
    for line_options, inside in ((f'cert-authority,principals="p,q"', True),
                                 ('cert-authority,principals="q"', False),
                                 ("cert-authority", False), ("", False)):
        keys.allow(line_options, name="ca")
        assert (server.ssh("true").returncode == 0) == inside, line_options
    keys.certify()
    keys.allow('cert-authority,command="echo ca"', name="ca")
    assert server.ssh("x").stdout == "ca\n"


def test_principals_file_is_not_for_cas_of_authorized_keys(start, keys):
    keys.key("ca")
    keys.certify()
    keys.allow("cert-authority", name="ca")
    server = start(f"AuthorizedPrincipalsFile={keys.folder}/nothing")
    assert server.ssh("true").returncode == 0


def test_trusted_ca_file_that_is_not_there(start, keys):
    keys.certify()
    server = start("TrustedUserCAKeys=/nonexistent/ca")
    assert server.ssh("true").returncode == 255
    server.log("^TrustedUserCAKeys: /nonexistent/ca: No such file or directory$")


def test_ca_signature_algorithms(start, keys, trusted):
    keys.certify()
    server = start(trusted, "CASignatureAlgorithms=-ssh-ed25519")
    assert server.ssh("true").returncode == 255


def test_certificate_algorithms(start, keys, trusted):
    keys.certify()
    server = start(trusted, "PubkeyAcceptedAlgorithms=ssh-ed25519")
    assert server.ssh("true").returncode == 255
    keys.allow()
    assert server.ssh("true").returncode == 0


def test_accepted_algorithms_of_a_match_block(start, keys, tmp_path):
    path = tmp_path / "config"
    path.write_text(f"PubkeyAcceptedAlgorithms ssh-ed25519\nMatch user {USER}\n"
                    "PubkeyAcceptedAlgorithms rsa-sha2-512\n")
    keys.key("rsa", "rsa", "-b", "2048")
    keys.file.write_text(keys.public() + "\n" + keys.public("rsa") + "\n")
    server = start(arguments=["-f", path])
    assert server.ssh("true").returncode == 255
    assert server.ssh("true", name="rsa").returncode == 0
    more = ["-o", "PubkeyAcceptedAlgorithms=rsa-sha2-256"]
    assert server.ssh("true", name="rsa", more=more).returncode == 255


@pytest.mark.parametrize("which", ["user", "ca"])
def test_required_rsa_size(start, keys, which):
    keys.key("ca", "rsa", "-b", "2048") if which == "ca" else keys.key("ca")
    keys.key("id", *(["rsa", "-b", "2048"] if which == "user" else []))
    keys.certify()
    trusted = f"TrustedUserCAKeys={keys.folder}/ca.pub"
    assert start(trusted).ssh("true").returncode == 0
    assert start(trusted, "RequiredRSASize=3072").ssh("true").returncode == 255


# ---- programs that are asked --------------------------------------------------------------------

def commands(word, command, user=USER):
    return [f"{word}={command}", f"{word}User={user}"]


def test_keys_command(start, keys):
    answer = keys.folder / "answer"
    answer.write_text(f'command="echo by the command" {keys.public()}\n')
    server = start(*commands("AuthorizedKeysCommand", f"/usr/bin/cat '{answer}'"))
    assert server.ssh("x").stdout == "by the command\n"
    keys.allow()
    assert server.ssh("echo by the file").stdout == "by the file\n"


def test_keys_command_tokens(start, keys):
    server = start(*commands("AuthorizedKeysCommand",
                             'echo %t %k "%u,%U,%h,%f,%%"'.replace("echo", "/usr/bin/echo")))
    assert server.ssh("true").returncode == 0
    server = start(*commands("AuthorizedKeysCommand", "/usr/bin/echo %s %t %k"))
    assert server.ssh("true").returncode == 255
    server.log("nothing stands for %s")


@pytest.mark.parametrize("command, said", [
    ("/usr/bin/false", "AuthorizedKeysCommand /usr/bin/false: it failed"),
    ("/nonexistent", "Unsafe AuthorizedKeysCommand: /nonexistent: No such file"),
    ("/etc", "Unsafe AuthorizedKeysCommand: /etc: bad owner or modes"),
    ("SCRIPT", "Unsafe AuthorizedKeysCommand: "),
    ("/usr/bin/cat /dev/zero", "AuthorizedKeysCommand /usr/bin/cat: it writes too much"),
])
def test_keys_command_that_fails(start, keys, command, said):
    script = keys.folder / "script"
    script.write_text(f"#!/bin/sh\necho '{keys.public()}'\n")
    script.chmod(0o777)
    server = start(*commands("AuthorizedKeysCommand", command.replace("SCRIPT", str(script))))
    assert server.ssh("true").returncode == 255
    server.log("^" + re.escape(said))


def test_keys_command_of_another_user(start, keys):
    answer = keys.folder / "answer"
    answer.write_text(keys.public())
    server = start(*commands("AuthorizedKeysCommand", f"/usr/bin/cat {answer}", "someone-else"))
    assert server.ssh("true").returncode == 255
    server.log(f"^AuthorizedKeysCommandUser is someone-else: only {USER}, ")


@pytest.mark.parametrize("word", ["AuthorizedKeysCommand", "AuthorizedPrincipalsCommand"])
def test_commands_need_a_user(call, word):
    run = call("-t", "-o", f"{word}=/usr/bin/true")
    assert run.returncode == 255
    assert f"{word} set without {word}User" in run.stderr
    run = call("-t", "-o", f"{word}=true")
    assert run.returncode == 255
    assert "must be an absolute path" in run.stderr


def test_principals_command(start, keys, trusted):
    keys.certify(principals="group-a")
    server = start(trusted, *commands("AuthorizedPrincipalsCommand",
                                      "/usr/bin/echo command=\\\"echo principal\\\" group-a"))
    assert server.ssh("x").stdout == "principal\n"
    for command in ("/usr/bin/echo group-b", "/usr/bin/false", "/usr/bin/echo", "/nonexistent"):
        server = start(trusted, *commands("AuthorizedPrincipalsCommand", command))
        assert server.ssh("x").returncode == 255
    keys.certify()
    server = start(trusted, *commands("AuthorizedPrincipalsCommand", "/usr/bin/true"))
    assert server.ssh("x").returncode == 255


def test_principals_command_tokens(start, keys, trusted):
    keys.certify(principals="p,42:ssh-ed25519", serial=42)
    server = start(trusted, *commands("AuthorizedPrincipalsCommand",
                                      "/usr/bin/printf '%%s\\n' '%i' %F %K %f %k %t '%s:%T' %h"))
    assert server.ssh("true").returncode == 0


# ---- revoked keys -------------------------------------------------------------------------------

def test_revoked_keys(start, keys, trusted):
    revoked = keys.folder / "revoked"
    keys.allow()
    server = start(trusted, f"RevokedKeys={revoked}")

    assert server.ssh("true").returncode == 255
    server.log(rf"^No key can log in: RevokedKeys {revoked}: ")
    revoked.write_text("")
    assert server.ssh("true").returncode == 0
    revoked.write_text(keys.public() + "\n")
    assert server.ssh("true").returncode == 255
    keys.key("other")
    keygen("-k", "-f", revoked, keys.folder / "other.pub")
    assert server.ssh("true").returncode == 0
    keygen("-k", "-f", revoked, keys.folder / "id.pub")
    assert server.ssh("true").returncode == 255
    revoked.write_text("neither a list nor a key\n")
    assert server.ssh("true").returncode == 255


def test_revoked_certificates(start, keys, trusted):
    revoked = keys.folder / "revoked"
    keys.certify(serial=7)
    serials = keys.folder / "serials"
    server = start(trusted, f"RevokedKeys={revoked}")
    for text, inside in (("serial: 8\n", True), ("serial: 7\n", False), ("serial: 1-9\n", False),
                         ("id: the id\n", False), ("id: another\n", True)):
        serials.write_text(text)
        revoked.unlink(missing_ok=True)
        keygen("-k", "-f", revoked, "-s", keys.folder / "ca.pub", serials)
        assert (server.ssh("true").returncode == 0) == inside, text
    revoked.write_text(keys.public("ca") + "\n")
    assert server.ssh("true").returncode == 255


def test_revoked_keys_of_a_match_block(start, keys, tmp_path):
    keys.allow()
    revoked = keys.folder / "revoked"
    revoked.write_text(keys.public())
    path = tmp_path / "config"
    path.write_text(f"Match user somebody\nRevokedKeys /nonexistent\n"
                    f"Match localport PORT user {USER}\nRevokedKeys {revoked}\n".replace(
                        "localport PORT", "address 10.0.0.0/8"))
    assert start(arguments=["-f", path]).ssh("true").returncode == 0
    path.write_text(f"Match user {USER}\nRevokedKeys {revoked}\n")
    assert start(arguments=["-f", path]).ssh("true").returncode == 255


# ---- ~/.ssh -------------------------------------------------------------------------------------

@pytest.fixture
def home_environment():
    """~/.ssh/environment, where the user has none."""
    path = os.path.expanduser("~/.ssh/environment")
    if os.path.exists(path):
        pytest.skip("the user has an environment file")
    made = not os.path.isdir(os.path.dirname(path))
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)

    def write(text):
        with open(path, "w") as out:
            out.write(text)
    yield write
    os.unlink(path)
    if made:
        os.rmdir(os.path.dirname(path))


def test_environment_file(start, keys, home_environment):
    keys.allow('environment="FILE_A=line"')
    home_environment("# a comment\n\nFILE_A=file\n  FILE_B=two words \nno value\nFILE_C\n")
    assert start().ssh("echo $FILE_A,$FILE_B").stdout == ",\n"
    server = start("PermitUserEnvironment=yes", "SetEnv FILE_C=3")
    assert server.ssh("echo $FILE_A,$FILE_B,$FILE_C").stdout == "file,two words,3\n"
    server.log("^Bad line 5 in ")
    run = start("PermitUserEnvironment=FILE_B").ssh("echo $FILE_A,$FILE_B")
    assert run.stdout == ",two words\n"


# ---- several methods ----------------------------------------------------------------------------

@needs_sshpass
def test_a_password_besides_a_key_keeps_the_keys_limits(start, keys, password_file):
    """What was proven first still limits the session."""
    keys.allow('command="echo forced",no-pty')
    server = start("PasswordAuthentication=yes", f"PasswordFile={password_file}",
                   "PermitRootLogin=yes", "AuthenticationMethods=publickey,password")
    words = ["sshpass", "-p", "correct horse", "ssh", "-F", "none", "-p", str(server.port), "-o",
             "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o",
             "IdentitiesOnly=yes", "-o", "NumberOfPasswordPrompts=1", "-i", str(keys.key()),
             USER + "@127.0.0.1", "x"]
    run = subprocess.run(words, text=True, stdin=subprocess.DEVNULL, capture_output=True,
                         timeout=60)
    assert run.stdout == "forced\n"
