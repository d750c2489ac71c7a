"""One driver for each SSH client, all with the same interface:

    result = client.run(server, "exit 3", auth=Key(path), input=b"...", ...)

`Result` holds the exit status, exit signal (where the client tells), standard output and error.
What a client has and has not is in its class's attributes; tests skip or expect by them."""

import dataclasses
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import threading

from servers import PATIENCE, built
from terminal import Prompter, Terminal, become_controlling

HERE = os.path.dirname(os.path.abspath(__file__))


@dataclasses.dataclass
class Nothing:  # method "none"
    pass


@dataclasses.dataclass
class Key:
    path: str


@dataclasses.dataclass
class Password:
    text: str
    new: str = None
    again: str = None  # a second new password


@dataclasses.dataclass
class Kbdint:
    responses: list


@dataclasses.dataclass
class Several:  # partial success: a key, then a password or responses
    key: str = None
    password: str = None
    responses: list = None


class Result:
    def __init__(self, code, out, err, prompts, report):
        self.code = code
        self.out_path = out
        self.err = err
        self.prompts = prompts
        self.report = report

    @property
    def out(self):
        with open(self.out_path, "rb") as file:
            return file.read()

    @property
    def sha256(self):
        return file_sha256(self.out_path)

    @property
    def text(self):
        return self.out.decode(errors="replace")

    def __repr__(self):
        return (
            f"<code {self.code} out {self.text[-2000:]!r} err {self.err[-4000:]!r}"
            f" prompts {self.prompts!r} report {self.report!r}>"
        )


def file_sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


class Client:
    name = ""
    # What it has. Algorithms are names that it takes part in; others are skipped.
    kex = ()
    host_keys = ()
    ciphers = ()
    macs = ()
    compression = False
    key_types = ("ed25519", "ecdsa256", "ecdsa384", "ecdsa521", "rsa")
    password_change = False
    exit_signal = True  # it lets us see the signal
    rekey = False  # can be told to after a number of bytes
    keepalive = False
    env = True
    subsystem = True
    terminal = True
    rsa_sha1_only = False
    codes = True  # its exit code tells of a refusal or a lost connection
    prompts_on_stderr = False
    asks_for_replies = True

    def __init__(self, directory, keys):
        self.home = str(directory)
        self.keys = keys

    def available(self):
        return True

    # -- what each client does its own way
    def arguments(self, server, command, user, auth, options):
        raise NotImplementedError

    def answers(self, auth):
        """What to type at its prompts, or None when it needs no terminal."""
        return None

    def environment(self):
        return {
            "HOME": self.home,
            "DISPLAY": "",
            "SSH_AUTH_SOCK": "",
            "PUTTYDIR": self.home + "/putty",
            # What the other libraries leak is not ours to find.
            "ASAN_OPTIONS": "detect_leaks=0",
        }

    def report(self, path):
        try:
            with open(path, encoding="utf-8") as file:
                # the tools in C may say a name several times: keep all
                def pairs(items):
                    found = {}
                    for name, value in items:
                        if name in ("prompt", "echo"):
                            found.setdefault(name + "s", []).append(value)
                        found[name] = value
                    return found

                return json.loads(file.read(), object_pairs_hook=pairs)
        except (OSError, ValueError):
            return {}

    def seen_signal(self, result):
        """The exit signal that the client saw, or None."""
        return result.report.get("signal")

    def start(self, server, command=None, *, user="user", auth=None, **options):
        """Starts the client with pipes and no terminal; returns the Popen object."""
        arguments = self.arguments(server, command, user, auth, options)
        return subprocess.Popen(
            arguments,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **self.environment()},
            start_new_session=True,
        )

    def run(self, server, command=None, *, user="user", auth=None, input=b"", input_path=None, **options):
        """Runs the client to its end."""
        directory = tempfile.mkdtemp(dir=self.home)
        report = os.path.join(directory, "report")
        out_path = os.path.join(directory, "out")
        err_path = os.path.join(directory, "err")
        options["report"] = report
        arguments = self.arguments(server, command, user, auth, options)
        answers = self.answers(auth)
        prompter = Prompter(answers) if answers is not None else None
        if input_path is None:
            input_path = os.path.join(directory, "in")
            with open(input_path, "wb") as file:
                file.write(input)
        with open(input_path, "rb") as stdin, open(out_path, "wb") as out, open(err_path, "wb") as err:
            process = subprocess.Popen(
                arguments,
                stdin=stdin,
                stdout=out,
                stderr=prompter.slave if prompter and self.prompts_on_stderr else err,
                env={**os.environ, **self.environment()},
                start_new_session=prompter is None,
                preexec_fn=become_controlling(prompter.slave) if prompter else None,
            )
        if prompter:
            prompter.start()
        try:
            code = process.wait(options.get("patience", 2 * PATIENCE))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            code = "timed out"
        prompts = ""
        if prompter:
            prompter.close()
            prompts = prompter.text
        with open(err_path, "rb") as file:
            error = file.read().decode(errors="replace")
        result = Result(code, out_path, error, prompts, self.report(report))
        assert code != "timed out", f"{self.name} hangs: {result!r}"
        return result

    def interact(self, server, *, user, auth, columns=80, rows=24, **options):
        """Starts an interactive session on a terminal of ours."""
        options["pty"] = True
        return Terminal(
            self.arguments(server, None, user, auth, options), self.environment(), columns, rows
        )


class OpenSSH(Client):
    name = "openssh"
    kex = (
        "sntrup761x25519-sha512@openssh.com"
        " curve25519-sha256 curve25519-sha256@libssh.org ecdh-sha2-nistp256 ecdh-sha2-nistp384"
        " ecdh-sha2-nistp521"
    ).split()
    host_keys = (
        "ssh-ed25519 ecdsa-sha2-nistp256 ecdsa-sha2-nistp384 ecdsa-sha2-nistp521 rsa-sha2-256"
        " rsa-sha2-512"
    ).split()
    ciphers = (
        "aes128-gcm@openssh.com aes256-gcm@openssh.com chacha20-poly1305@openssh.com aes128-ctr"
        " aes192-ctr aes256-ctr"
    ).split()
    macs = (
        "hmac-sha2-256 hmac-sha2-512 hmac-sha2-256-etm@openssh.com hmac-sha2-512-etm@openssh.com"
    ).split()
    compression = True
    password_change = True
    exit_signal = True
    rekey = True
    keepalive = True

    def options(self, server, user, auth, options):
        methods = {
            Nothing: "none",
            Key: "publickey",
            Password: "password",
            Kbdint: "keyboard-interactive",
            Several: "publickey,keyboard-interactive,password",
        }[type(auth)]
        arguments = ["ssh", "-F", "none", "-p", str(server.port), "-l", user]
        settings = {
            "StrictHostKeyChecking": "no",
            "UserKnownHostsFile": "/dev/null",
            "GlobalKnownHostsFile": "/dev/null",
            "PreferredAuthentications": methods,
            "IdentitiesOnly": "yes",
            "NumberOfPasswordPrompts": "3",
            "LogLevel": options.get("log_level", "DEBUG1"),
            "ConnectTimeout": "60",
        }
        key = getattr(auth, "path", None) or getattr(auth, "key", None)
        if key:
            arguments += ["-i", key]
        else:
            settings["IdentityFile"] = "none"
        for option, word in (
            ("kex", "KexAlgorithms"),
            ("host_key", "HostKeyAlgorithms"),
            ("cipher", "Ciphers"),
            ("mac", "MACs"),
            ("signatures", "PubkeyAcceptedAlgorithms"),
        ):
            if options.get(option):
                settings[word] = options[option]
        if options.get("compression") == "zlib@openssh.com":
            settings["Compression"] = "yes"
        if options.get("rekey_bytes"):
            settings["RekeyLimit"] = str(options["rekey_bytes"])
        if options.get("keepalive"):
            settings["ServerAliveInterval"] = str(options["keepalive"])
        if options.get("env"):
            settings["SetEnv"] = options["env"]
        for word, value in settings.items():
            arguments += ["-o", f"{word}={value}"]
        return arguments + options.get("more", [])

    def arguments(self, server, command, user, auth, options):
        arguments = self.options(server, user, auth, options)
        arguments += ["-tt"] if options.get("pty") else ["-T"]
        if options.get("subsystem"):
            return arguments + ["-s", "127.0.0.1", options["subsystem"]]
        return arguments + ["127.0.0.1"] + ([command] if command is not None else [])

    def answers(self, auth):
        if isinstance(auth, Password):
            if auth.new is None:
                return [auth.text] * 3
            again = [auth.text, auth.again, auth.again] if auth.again else []
            return [auth.text, auth.text, auth.new, auth.new] + again
        if isinstance(auth, Kbdint):
            return auth.responses
        if isinstance(auth, Several):
            return (auth.responses or []) + ([auth.password] if auth.password else [])
        return None

    def seen_signal(self, result):
        return "?" if "rtype exit-signal" in result.err else None


class Plink(Client):
    name = "plink"
    kex = (
        "sntrup761x25519-sha512@openssh.com"
        " curve25519-sha256 curve25519-sha256@libssh.org ecdh-sha2-nistp256 ecdh-sha2-nistp384"
        " ecdh-sha2-nistp521"
    ).split()
    host_keys = OpenSSH.host_keys
    ciphers = OpenSSH.ciphers
    macs = ("hmac-sha2-256", "hmac-sha2-256-etm@openssh.com")
    compression = True
    password_change = True
    rekey = True
    keepalive = True

    def session_file(self, options):
        lines = {"ProxyMethod": "0", "Protocol": "ssh", "TryAgent": "0"}
        if options.get("rekey_bytes"):
            lines["RekeyBytes"] = str(options["rekey_bytes"])
        if options.get("keepalive"):
            lines["PingIntervalSecs"] = str(options["keepalive"])
            lines["PingInterval"] = "0"
        if options.get("env"):
            name, value = options["env"].split("=", 1)
            lines["Environment"] = f"{name}={value}"
        directory = os.path.join(self.home, "putty", "sessions")
        os.makedirs(directory, exist_ok=True)
        name = f"s{threading.get_ident()}-{os.getpid()}-{len(os.listdir(directory))}"
        with open(os.path.join(directory, name), "w", encoding="utf-8") as file:
            for word, value in lines.items():
                file.write(f"{word}={value}\n")
        return name

    def arguments(self, server, command, user, auth, options):
        arguments = ["plink", "-load", self.session_file(options), "-ssh", "-v", "-P"]
        arguments += [str(server.port), "-l", user, "-noagent", "-no-antispoof"]
        arguments += ["-no-sanitise-stdout", "-no-sanitise-stderr"]
        for fingerprint in self.keys.host_fingerprints(server):
            arguments += ["-hostkey", fingerprint]
        key = getattr(auth, "path", None) or getattr(auth, "key", None)
        if key:
            arguments += ["-i", self.keys.ppk(key)]
        if self.answers(auth) is None and not options.get("pty"):
            arguments.append("-batch")
        if options.get("compression") == "zlib@openssh.com":
            arguments.append("-C")
        arguments.append("-t" if options.get("pty") else "-T")
        if options.get("subsystem"):
            return arguments + ["-s", "127.0.0.1", options["subsystem"]]
        return arguments + ["127.0.0.1"] + ([command] if command is not None else [])

    def answers(self, auth):
        if isinstance(auth, Password):
            if auth.new is None:
                return [auth.text] * 3
            again = [auth.text, auth.again, auth.again] if auth.again else []
            return [auth.text, auth.text, auth.new, auth.new] + again
        if isinstance(auth, Kbdint):
            return auth.responses
        if isinstance(auth, Several):
            return (auth.responses or []) + ([auth.password] if auth.password else [])
        return None

    def seen_signal(self, result):
        match = re.search(r'exited on (?:unrecognised )?signal "(?:SIG)?(\w+)"', result.err)
        return match and match.group(1)


class Dropbear(Client):
    name = "dbclient"
    kex = OpenSSH.kex[1:]
    host_keys = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521",
                 "rsa-sha2-256")
    ciphers = ("chacha20-poly1305@openssh.com", "aes128-ctr", "aes256-ctr")
    macs = ("hmac-sha2-256",)
    compression = True
    env = False
    exit_signal = False  # it knows exit-status only
    codes = False  # a refusal or a lost connection ends with status 0
    prompts_on_stderr = True  # those whose responses may be shown
    asks_for_replies = False  # it does not learn that a command was refused

    def arguments(self, server, command, user, auth, options):
        arguments = ["dbclient", "-y", "-y", "-p", str(server.port), "-l", user]
        key = getattr(auth, "path", None) or getattr(auth, "key", None)
        if key:
            arguments += ["-i", self.keys.dropbear(key)]
        if options.get("cipher"):
            arguments += ["-c", options["cipher"]]
        if options.get("mac"):
            arguments += ["-m", options["mac"]]
        if options.get("keepalive"):
            arguments += ["-K", str(options["keepalive"])]
        arguments.append("-t" if options.get("pty") else "-T")
        if options.get("subsystem"):
            return arguments + ["-s", "127.0.0.1", options["subsystem"]]
        return arguments + ["127.0.0.1"] + ([command] if command is not None else [])

    keepalive = True

    def answers(self, auth):
        if isinstance(auth, Password):
            return [auth.text] * 3
        if isinstance(auth, Kbdint):
            return auth.responses
        if isinstance(auth, Several):
            return (auth.responses or []) + ([auth.password] if auth.password else [])
        return None


class Tool(Client):
    """Clients that take the command line of tests/tools/client_options.h."""

    program = ()

    def arguments(self, server, command, user, auth, options):
        arguments = list(self.program) + ["--port", str(server.port), "--user", user]
        if isinstance(auth, Nothing):
            arguments.append("--none")
        key = getattr(auth, "path", None) or getattr(auth, "key", None)
        if key:
            arguments += ["--key", key]
        password = getattr(auth, "text", None) or getattr(auth, "password", None)
        if password is not None:
            arguments += ["--password", password]
        if getattr(auth, "new", None):
            arguments += ["--new-password", auth.new]
        for response in getattr(auth, "responses", None) or []:
            arguments += ["--kbdint", response]
        for option, flag in (
            ("kex", "--kex"),
            ("host_key", "--host-key"),
            ("cipher", "--cipher"),
            ("mac", "--mac"),
            ("compression", "--compression"),
            ("rekey_bytes", "--rekey-bytes"),
            ("env", "--env"),
            ("subsystem", "--subsystem"),
            ("keepalive", "--keepalive"),
            ("report", "--report"),
        ):
            if options.get(option):
                arguments += [flag, str(options[option])]
        if options.get("pty"):
            arguments.append("--pty")
        return arguments + ([command] if command is not None else [])


class AsyncSSH(Tool):
    name = "asyncssh"
    program = (sys.executable, os.path.join(HERE, "client_asyncssh.py"))
    kex = OpenSSH.kex[1:]
    host_keys = OpenSSH.host_keys
    ciphers = OpenSSH.ciphers
    macs = OpenSSH.macs
    compression = True
    password_change = True
    rekey = True
    keepalive = True


class Paramiko(Tool):
    name = "paramiko"
    program = (sys.executable, os.path.join(HERE, "client_paramiko.py"))
    kex = OpenSSH.kex[2:]
    host_keys = OpenSSH.host_keys
    ciphers = ("aes128-ctr", "aes192-ctr", "aes256-ctr")
    macs = OpenSSH.macs
    compression = True
    exit_signal = False  # its channel drops it
    rekey = True
    keepalive = True


class Libssh(Tool):
    name = "libssh"
    kex = OpenSSH.kex[1:]
    host_keys = OpenSSH.host_keys
    ciphers = OpenSSH.ciphers
    macs = OpenSSH.macs
    compression = True
    rekey = True

    @property
    def program(self):
        return (built("tools", "client_libssh"),)

    def available(self):
        return os.path.exists(self.program[0])


class Libssh2(Tool):
    name = "libssh2"
    kex = OpenSSH.kex[1:]
    host_keys = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521")
    ciphers = ("aes128-ctr", "aes192-ctr", "aes256-ctr")
    macs = ("hmac-sha2-256", "hmac-sha2-512")
    compression = True
    password_change = True
    key_types = ("ed25519", "ecdsa256", "ecdsa384", "ecdsa521")
    rsa_sha1_only = True  # 1.10 signs with ssh-rsa only
    keepalive = True

    @property
    def program(self):
        return (built("tools", "client_libssh2"),)

    def available(self):
        return os.path.exists(self.program[0])


ALL = (OpenSSH, Plink, Dropbear, AsyncSSH, Paramiko, Libssh, Libssh2)
