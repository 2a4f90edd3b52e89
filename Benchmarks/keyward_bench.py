"""What the benchmark scripts share: a PostgreSQL and instances of Keyward, started for the length of a run."""
import atexit
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
KEYWARD = os.environ.get("KEYWARD", os.path.join(ROOT, ".build/release/keyward"))
ADMIN_KEY = "benchmark-admin-key-0123456789abcdef0123"
FOLDER = tempfile.mkdtemp(prefix="keyward-benchmark-")
os.chmod(FOLDER, 0o755)
_running = []


def _stop():
    for process in reversed(_running):
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
    for process in reversed(_running):
        try:
            process.wait(40)
        except subprocess.TimeoutExpired:
            process.kill()
    shutil.rmtree(FOLDER, ignore_errors=True)


atexit.register(_stop)


class Instance:
    """A `keyward serve`. The first one brings a private PostgreSQL, which the others use."""

    def __init__(self, database=None, *arguments, environment=None):
        env = {k: v for k, v in os.environ.items() if not k.startswith("KEYWARD")}
        env.update(KEYWARD_ADMIN_KEY=ADMIN_KEY, KEYWARD_LOG_LEVEL="warning", **(environment or {}))
        if database:
            env["KEYWARD_DATABASE_URL"] = database
        self.process = subprocess.Popen(
            [KEYWARD, "serve", "--gateway", "127.0.0.1:0", "--control", "127.0.0.1:0", "--data-dir", FOLDER + "/data",
             *arguments],
            env=env, stdout=subprocess.PIPE, stderr=open(FOLDER + "/log", "a"), text=True)
        _running.append(self.process)
        self.gateway = self._address("gateway")
        self.control = self._address("control")

    def _address(self, listener):
        for line in self.process.stdout:
            match = re.match(listener + r" listening on http://(.+):(\d+)", line)
            if match:
                return match.group(1), int(match.group(2))
        with open(FOLDER + "/log") as log:
            raise SystemExit("Keyward did not start:\n" + log.read())

    def admin(self, method, path="", body=None, connection=None):
        connection = connection or http.client.HTTPConnection(*self.control)
        connection.request(method, "/admin/api/v1/auth-keys" + path, body and json.dumps(body),
                           {"Authorization": "Bearer " + ADMIN_KEY})
        response = connection.getresponse()
        text = response.read()
        if response.status >= 300:
            raise SystemExit("%s %s: %d %s" % (method, path, response.status, text))
        return json.loads(text) if text else None


def private_database():
    """The connection string of the private PostgreSQL of the first instance."""
    for folder, _, files in os.walk(FOLDER + "/data/postgres"):
        for name in files:
            if name == "postmaster.pid":
                lines = open(os.path.join(folder, name)).read().split("\n")
                return "host=%s port=%s dbname=keyward user=keyward" % (lines[4], lines[3])
    raise SystemExit("no private PostgreSQL")


def cpu_seconds(pid):
    with open("/proc/%d/stat" % pid) as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_for(url_host, url_port, seconds=10):
    deadline = time.time() + seconds
    while time.time() < deadline:
        try:
            http.client.HTTPConnection(url_host, url_port, timeout=1).connect()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit("nothing listens on %s:%d" % (url_host, url_port))
