"""Keys, made once for each test process with ssh-keygen, in the formats that the clients want."""

import os
import subprocess
import threading


def run(*arguments):
    return subprocess.run(arguments, check=True, capture_output=True, text=True).stdout


KINDS = {
    "ed25519": ("ed25519", None),
    "ecdsa256": ("ecdsa", "256"),
    "ecdsa384": ("ecdsa", "384"),
    "ecdsa521": ("ecdsa", "521"),
    "rsa": ("rsa", "2048"),
}


class Keys:
    def __init__(self, directory):
        self.directory = str(directory)
        self.lock = threading.Lock()
        self.host_paths = {}

    def make(self, name, kind):
        path = os.path.join(self.directory, name)
        with self.lock:
            if not os.path.exists(path):
                kind, bits = KINDS[kind]
                run(
                    *["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", name, "-f", path],
                    *(["-b", bits] if bits else []),
                )
        return path

    def user(self, kind="ed25519"):
        return self.make("user_" + kind, kind)

    def stranger(self, kind="ed25519"):
        return self.make("stranger_" + kind, kind)

    def host(self, kind="ed25519"):
        return self.make("host_" + kind, kind)

    def all_hosts(self):
        return [self.host(kind) for kind in KINDS]

    def authorized(self):
        """A file that authorizes the user's keys of each kind."""
        path = os.path.join(self.directory, "authorized_keys")
        lines = []
        for kind in KINDS:
            with open(self.user(kind) + ".pub", encoding="utf-8") as file:
                lines.append(file.read())
        with self.lock:
            if not os.path.exists(path):
                with open(path + ".new", "w", encoding="utf-8") as file:
                    file.writelines(lines)
                os.chmod(path + ".new", 0o600)
                os.rename(path + ".new", path)
        return path

    def fingerprint(self, path):
        return run("ssh-keygen", "-l", "-E", "sha256", "-f", path).split()[1]

    def host_fingerprints(self, server):
        """Of all host keys that a server of ours may show."""
        paths = getattr(server, "host_key_paths", None) or self.all_hosts()
        return [self.fingerprint(path) for path in paths]

    def converted(self, path, suffix, *command):
        new = path + suffix
        with self.lock:
            if not os.path.exists(new):
                run(*[new if part == "OUT" else path if part == "IN" else part for part in command])
        return new

    def ppk(self, path):
        return self.converted(path, ".ppk", "puttygen", "IN", "-O", "private", "-o", "OUT")

    def dropbear(self, path):
        return self.converted(
            path, ".db", "dropbearconvert", "openssh", "dropbear", "IN", "OUT"
        )
