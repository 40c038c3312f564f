"""Stand-ins for providers, and plug-ins asked by hand."""
import json
import pathlib
import subprocess
import urllib.request

from fixtures import ROOT

PLUGINS = ROOT / "build" / "sanitize" / "agent" / "plugin"
TEST = ROOT / "build" / "sanitize" / "agent" / "keyward-plugin-test"
POLICY = json.loads((ROOT / "packaging" / "ec2-policy.json").read_text())
KEY = {"access_key_id": "AKIDEXAMPLE", "secret_access_key": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}
ROOT_VOLUME, DATA, SPARE = "vol-0aaaaaaaaaaaaaaaa", "vol-0bbbbbbbbbbbbbbbb", "vol-0cccccccccccccccc"


class Cloud:
    """A server in Node, below the checkout, so that it finds npm's packages. The state is the server's; change() changes parts."""

    def __init__(self, script, folder, *args):
        self.folder = pathlib.Path(folder)
        self.process = subprocess.Popen(["node", str(ROOT / "tests" / "plugins" / script), str(self.folder), *args],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert line, "the stand-in did not start"
        self.port = json.loads(line)["port"]
        self.url = f"http://127.0.0.1:{self.port}"

    def change(self, **more):
        data = json.dumps(more).encode() if more else None
        with urllib.request.urlopen(urllib.request.Request(f"{self.url}/_test", data=data)) as r:
            return json.load(r)

    def log(self):
        """What was asked since the last time."""
        out = self.change()["log"]
        self.change(log=[])
        return out

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class Ec2(Cloud):
    def __init__(self, folder, *args):
        super().__init__("ec2_server.mjs", folder, *args)
        self.disks = {}
        for id in (ROOT_VOLUME, DATA, SPARE):
            self.disks[id] = self.folder / f"{id}.img"
            with open(self.disks[id], "wb") as f:
                f.truncate(64 << 20)
        free = {"zone": "eu-west-1a", "state": "available"}
        self.change(keys={KEY["access_key_id"]: {"secret": KEY["secret_access_key"], "policy": POLICY}},
                    volumes={ROOT_VOLUME: {"zone": "eu-west-1a", "state": "in-use", "attached_to": "i-0a1b2c3d4e5f60718", "device": "/dev/sda1"},
                             DATA: dict(free, file=str(self.disks[DATA])), SPARE: dict(free, file=str(self.disks[SPARE]))})
        self.settings = {"endpoint": self.url, "metadata": self.url, "links": str(self.folder / "by-id")}

    def volume(self, id, **more):
        volumes = self.change()["volumes"]
        volumes[id].update(more)
        self.change(volumes=volumes)


def ask(plugin, question, settings=None, credentials=None, **more):
    """The answer as a dict; an error answer has "error". Fails where the plug-in does not behave, or says a secret."""
    text = {"keyward": 1, "question": question, "settings": settings or {}, **more}
    if credentials is not None:
        text["credentials"] = credentials
    p = subprocess.run([str(PLUGINS / plugin)], input=json.dumps(text), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                       env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"}, cwd="/")
    assert p.returncode in (0, 1), p.stderr
    answer = json.loads(p.stdout)
    assert ("error" in answer) == (p.returncode == 1), p.stdout
    for name, value in (credentials or {}).items():
        if name not in ("access_key_id", "user", "organization"):
            assert value not in p.stdout + p.stderr, f"{name} is said"
    return answer
