#!/usr/bin/env python3
"""Injects faults into PostgreSQL and instances, and counts violations: accepted revoked keys and refused valid keys.

Usage: faults.py crash [ROUNDS]      a backend is killed after rollbacks, while an instance is stopped (200 rounds)
       faults.py failover [ROUNDS]   a copy without the last seconds is promoted (20 rounds)
       faults.py pause [ROUNDS]      an instance is stopped (SIGSTOP) while keys are revoked (20 rounds)
       faults.py deleted [ROUNDS]    new keys are used while requests with deleted ones arrive once a second (50 rounds)
"""
import http.client
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import keyward_bench as bench


def status(instance, key):
    connection = http.client.HTTPConnection(*instance.gateway, timeout=10)
    connection.request("GET", "/", headers={"Authorization": "Bearer " + key})
    code = connection.getresponse().status
    connection.close()
    return code


def admin(instance, method, path="", body=None):
    """Sends an admin request, and repeats it while the database is unavailable."""
    deadline = time.monotonic() + 60
    while True:
        connection = http.client.HTTPConnection(*instance.control, timeout=30)
        connection.request(method, "/admin/api/v1/auth-keys" + path, body and bench.json.dumps(body),
                           {"Authorization": "Bearer " + bench.ADMIN_KEY})
        response = connection.getresponse()
        text = response.read()
        connection.close()
        if response.status < 300:
            return bench.json.loads(text) if text else None
        if response.status not in (500, 503) or time.monotonic() > deadline:
            raise SystemExit("%s %s: %d %s" % (method, path, response.status, text))
        time.sleep(0.05)


class Cluster:
    """A PostgreSQL server whose data folder can be copied and restored."""

    def __init__(self):
        self.folder = bench.FOLDER + "/cluster"
        os.chmod(bench.FOLDER, 0o777)
        self.account = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        self.run("initdb", "-D", self.folder, "-U", "keyward", "-A", "trust", "--no-sync")
        self.database = "host=%s dbname=postgres user=keyward" % bench.FOLDER
        self.options = "-k %s -c listen_addresses= -c fsync=off -c wal_writer_delay=10s -c max_connections=200" % bench.FOLDER
        self.start()

    def run(self, program, *arguments, check=True):
        return subprocess.run(self.account + [bench.postgres_program(program), *arguments], check=check, cwd="/",
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def start(self):
        self.run("pg_ctl", "-D", self.folder, "-w", "-o", self.options, "-l", bench.FOLDER + "/postgres.log", "start")

    def stop(self):
        self.run("pg_ctl", "-D", self.folder, "-m", "immediate", "stop", check=False)

    def copy(self, name):
        target = bench.FOLDER + "/" + name
        shutil.rmtree(target, ignore_errors=True)
        self.run("pg_basebackup", "-d", self.database, "-D", target, "-c", "fast", "-X", "stream", "--no-sync")
        return target

    def promote(self, copy):
        """Replaces the cluster with the copy, on a new timeline, without the later commits."""
        self.stop()
        shutil.rmtree(self.folder)
        subprocess.run(["cp", "-a", copy, self.folder], check=True)
        with open(self.folder + "/postgresql.auto.conf", "a") as file:
            file.write("restore_command = 'false'\nrecovery_target_action = 'promote'\n")
        subprocess.run(["cp", "-a", self.folder + "/PG_VERSION", self.folder + "/recovery.signal"], check=True)
        self.start()

    def sql(self, *statements):
        command = [bench.postgres_program("psql"), "-qXAt", "-d", self.database]
        for statement in statements:
            command += ["-c", statement]
        return subprocess.run(command, text=True, capture_output=True).stdout.strip()

    def number(self, statement):
        """Returns the result of a statement, once the server is available again."""
        while not (answer := self.sql(statement)).isdigit():
            time.sleep(0.02)
        return int(answer)

    def kill_backend(self):
        """Prepares a crash: returns a session, its process id to kill, and the highest transaction id before the crash.

        After the kill, PostgreSQL ends all sessions and recovers under the same postmaster.
        """
        sleeper = subprocess.Popen([bench.postgres_program("psql"), "-qX", "-d", self.database, "-c", "SELECT pg_sleep(60)"],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        pid = ""
        while not pid:
            pid = self.sql("SELECT pid FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)' LIMIT 1")
        # The seals of the trail are written first, so that the rollbacks come last before the crash.
        time.sleep(2.2)
        highest = self.sql(";".join(["BEGIN; SELECT pg_current_xact_id(); ROLLBACK"] * 40)).split("\n")[-1]
        # Instances read once more, so that their position follows ids that no commit has made durable.
        time.sleep(1.2)
        return sleeper, int(pid), int(highest)


def start(cluster):
    return [bench.Instance(cluster.database, log=bench.FOLDER + "/log%d" % number) for number in (1, 2)]


def crash(rounds):
    cluster = Cluster()
    first, second = start(cluster)
    violations = reused = 0
    for number in range(rounds):
        keys = [admin(first, "POST", body={"name": "%d-%d" % (number, i)}) for i in range(4)]
        for key in keys:
            if status(second, key["value"]) != 200:
                raise SystemExit("a key created on one instance was refused by another")
        sleeper, pid, highest = cluster.kill_backend()
        second.process.send_signal(signal.SIGSTOP)
        os.kill(pid, signal.SIGKILL)
        sleeper.wait()
        reused += cluster.number("SELECT pg_snapshot_xmax(pg_current_snapshot())") <= highest
        for key in keys[:3]:
            admin(first, "POST", "/%s/deactivate" % key["id"])
        cluster.sql(";".join(["BEGIN; SELECT pg_current_xact_id(); ROLLBACK"] * 80))
        second.process.send_signal(signal.SIGCONT)
        time.sleep(1.5)
        for key in keys[:3]:
            for instance in (first, second):
                violations += status(instance, key["value"]) != 401
        for instance in (first, second):
            violations += status(instance, keys[3]["value"]) != 200
    print("%d crashes, ids reused after %d of them: %d violations" % (rounds, reused, violations))


def failover(rounds):
    cluster = Cluster()
    instances = start(cluster)
    violations = lost = 0
    for number in range(rounds):
        names = ("revoked", "rotated", "deleted", "valid")
        keys = {name: admin(instances[0], "POST", body={"name": name}) for name in names}
        copy = cluster.copy("copy")
        for name in ("revoked", "deleted"):
            admin(instances[0], "POST", "/%s/deactivate" % keys[name]["id"])
        admin(instances[0], "DELETE", "/" + keys["deleted"]["id"])
        admin(instances[0], "POST", "/%s/rotate" % keys["rotated"]["id"], {"grace_seconds": 0})
        time.sleep(1.2)
        cluster.promote(copy)
        shutil.rmtree(copy)
        deadline = time.monotonic() + 12
        written = False
        while time.monotonic() < deadline and not (written and time.monotonic() > deadline - 8):
            for instance in instances:
                for name in names[:3]:
                    violations += status(instance, keys[name]["value"]) != 401
                violations += status(instance, keys["valid"]["value"]) != 200
            written = cluster.sql(
                "SELECT count(*) FROM auth_keys k LEFT JOIN auth_key_secrets s ON s.key_id = k.id WHERE k.id = '%s' AND "
                "deactivated_at IS NOT NULL OR k.id IN ('%s', '%s') AND s.expires_at <= now()"
                % tuple(keys[name]["id"] for name in ("revoked", "deleted", "rotated"))) == "3"
            time.sleep(0.02)
        lost += not written
    print("%d failovers with a lost tail: %d violations, %d times not written back" % (rounds, violations, lost))


def pause(rounds):
    cluster = Cluster()
    first, second = start(cluster)
    accepted = 0
    for number in range(rounds):
        keys = [admin(first, "POST", body={"name": "%d-%d" % (number, i)}) for i in range(20)]
        for key in keys:
            status(second, key["value"])
        second.process.send_signal(signal.SIGSTOP)
        for key in keys:
            admin(first, "POST", "/%s/deactivate" % key["id"])
        time.sleep(2.5)
        counts = []

        def hammer(key):
            connection = http.client.HTTPConnection(*second.gateway, timeout=10)
            count, end = 0, time.monotonic() + 1
            while time.monotonic() < end:
                connection.request("GET", "/", headers={"Authorization": "Bearer " + key})
                response = connection.getresponse()
                response.read()
                count += response.status == 200
            counts.append(count)

        threads = [threading.Thread(target=hammer, args=(key["value"],)) for key in keys]
        for thread in threads:
            thread.start()
        time.sleep(0.2)
        second.process.send_signal(signal.SIGCONT)
        for thread in threads:
            thread.join()
        accepted += sum(counts)
    print("%d stops of an instance for 2.5 s, with 20 keys revoked each time: %d requests accepted" % (rounds, accepted))


def deleted(rounds):
    cluster = Cluster()
    first, second = start(cluster)
    old = [admin(first, "POST", body={"name": "old %d" % i}) for i in range(3)]
    for key in old:
        admin(first, "POST", "/%s/deactivate" % key["id"])
        admin(first, "DELETE", "/" + key["id"])
    over = threading.Event()

    def use(key):
        while not over.wait(1):
            status(second, key["value"])

    threads = [threading.Thread(target=use, args=(key,)) for key in old]
    for thread in threads:
        thread.start()
    time.sleep(30)
    refused = 0
    for number in range(rounds):
        key = admin(first, "POST", body={"name": "new %d" % number})
        refused += status(second, key["value"]) != 200
        time.sleep(0.2)
    over.set()
    for thread in threads:
        thread.join()
    print("%d new keys used immediately on another instance, with 3 deleted ones in use: %d refused" % (rounds, refused))


what = {"crash": (crash, 200), "failover": (failover, 20), "pause": (pause, 20), "deleted": (deleted, 50)}
if len(sys.argv) < 2 or sys.argv[1] not in what:
    raise SystemExit(__doc__)
experiment, standard = what[sys.argv[1]]
experiment(int(sys.argv[2]) if len(sys.argv) > 2 else standard)
