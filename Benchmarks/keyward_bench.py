"""Shared code of the benchmark scripts: a PostgreSQL and instances of Keyward, which run until the script ends."""
import atexit
import glob
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
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
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


class Instance:
    """A `keyward serve` process. The first one starts a private PostgreSQL, which the others use."""

    def __init__(self, database=None, *arguments, environment=None, log=FOLDER + "/log"):
        env = {k: v for k, v in os.environ.items() if not k.startswith("KEYWARD")}
        env.update({"KEYWARD_ADMIN_KEY": ADMIN_KEY, "KEYWARD_LOG_LEVEL": "warning", "KEYWARD_FAILED_ATTEMPTS": "off",
                    **(environment or {})})
        if database:
            env["KEYWARD_DATABASE_URL"] = database
        self.process = subprocess.Popen(
            [KEYWARD, "serve", "--gateway", "127.0.0.1:0", "--control", "127.0.0.1:0", "--data-dir", FOLDER + "/data",
             *arguments],
            env=env, stdout=subprocess.PIPE, stderr=open(log, "a"), text=True)
        _running.append(self.process)
        self.log = log
        self.gateway = self._address("gateway")
        self.control = self._address("control")

    def _address(self, listener):
        for line in self.process.stdout:
            match = re.match(listener + r" listening on https?://(.+):(\d+)", line)
            if match:
                return match.group(1), int(match.group(2))
        with open(self.log) as log:
            raise SystemExit("Keyward did not start:\n" + log.read())

    def stop(self):
        stop(self.process)

    def admin(self, method, path="", body=None, connection=None):
        connection = connection or http.client.HTTPConnection(*self.control)
        connection.request(method, "/admin/api/v1/auth-keys" + path, body and json.dumps(body),
                           {"Authorization": "Bearer " + ADMIN_KEY})
        response = connection.getresponse()
        text = response.read()
        if response.status >= 300:
            raise SystemExit("%s %s: %d %s" % (method, path, response.status, text))
        return json.loads(text) if text else None


class Postgres:
    """A PostgreSQL with custom settings, for measurements that the private one of an instance does not support."""

    def __init__(self, settings):
        folder = FOLDER + "/postgres"
        self.log = FOLDER + "/postgres.log"
        self.database = "host=%s port=5432 dbname=postgres user=keyward" % FOLDER
        os.chmod(FOLDER, 0o777)
        # PostgreSQL refuses to run as root.
        account = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        subprocess.run(
            account + [postgres_program("initdb"), "-D", folder, "-U", "keyward", "-A", "trust", "-E", "UTF8",
                       "--locale=C", "--lc-ctype=C.UTF-8", "--no-sync"],
            check=True, stdout=subprocess.DEVNULL, cwd="/")
        options = {"listen_addresses": "", "unix_socket_directories": FOLDER, **settings}
        self.command = account + [postgres_program("postgres"), "-D", folder]
        for name, value in options.items():
            self.command += ["-c", "%s=%s" % (name, value)]
        self.start()

    def start(self):
        """Starts the server, and waits until it accepts connections."""
        self.process = start(*self.command, stderr=open(self.log, "a"), cwd="/")
        while subprocess.run([postgres_program("pg_isready"), "-q", "-d", self.database]).returncode:
            time.sleep(0.1)


def private_database(name="keyward"):
    """Returns the connection string of the private PostgreSQL of the first instance."""
    for folder, _, files in os.walk(FOLDER + "/data/postgres"):
        if "postmaster.pid" in files:
            with open(os.path.join(folder, "postmaster.pid")) as file:
                lines = file.read().split("\n")
            return "host=%s port=%s dbname=%s user=keyward" % (lines[4], lines[3], name)
    raise SystemExit("there is no private PostgreSQL")


def postgres_program(name):
    """Returns the path of a PostgreSQL program, of the newest installed version."""
    found = glob.glob("/usr/lib/postgresql/*/bin/" + name)
    return max(found, key=lambda path: int(re.search(r"/(\d+)/", path).group(1)), default=name)


def sql(database, *statements):
    command = [postgres_program("psql"), "-qX", "-v", "ON_ERROR_STOP=1", "-d", database]
    for statement in statements:
        command += ["-c", statement]
    subprocess.run(command, check=True)


def start(*command, port=None, **options):
    """Starts a process that is stopped when the script ends; waits until it listens on the port."""
    process = subprocess.Popen(command, **options)
    _running.append(process)
    if port:
        wait_for("127.0.0.1", port, process)
    return process


def stop(process):
    """Stops a process of `start` before the script ends."""
    process.terminate()
    process.wait(40)
    _running.remove(process)


def start_upstream():
    """Starts the upstream in Python; returns its port."""
    port = free_port()
    start(sys.executable, os.path.join(ROOT, "Benchmarks/peers/upstream.py"), str(port), port=port)
    return port


def certificate():
    """Creates a self-signed certificate and its key, and returns the paths of the two files."""
    chain, key = FOLDER + "/certificate.pem", FOLDER + "/key.pem"
    if not os.path.exists(chain):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
             "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-out", chain, "-keyout", key],
            check=True, stderr=subprocess.DEVNULL)
        os.chmod(key, 0o644)
    return chain, key


def missing(*programs):
    """Returns the programs that are not installed."""
    return [name for name in programs if not shutil.which(name)]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def tree(pid):
    """Returns the ids of a process and all its descendants."""
    pids = [pid]
    for task in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/children" % (pid, task)) as children:
            for child in children.read().split():
                pids += tree(int(child))
    return pids


def cpu_seconds(pid):
    """Returns the user and system time of a process tree."""
    ticks = 0
    for member in tree(pid):
        with open("/proc/%d/stat" % member) as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def resident_megabytes(pid):
    """Returns the resident memory of a process tree."""
    kilobytes = 0
    for member in tree(pid):
        with open("/proc/%d/status" % member) as status:
            kilobytes += int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1))
    return kilobytes / 1024


def wait_for(host, port, process=None, seconds=10):
    """Waits until a process listens on the port."""
    deadline = time.time() + seconds
    while time.time() < deadline and (process is None or process.poll() is None):
        try:
            socket.create_connection((host, port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit("nothing listens on %s:%d%s" % (host, port, ": " + " ".join(process.args) if process else ""))
