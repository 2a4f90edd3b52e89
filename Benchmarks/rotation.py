#!/usr/bin/env python3
"""Rotates a key repeatedly under load; no request may be refused.

Usage: rotation.py
Environment: SECONDS (30), CONNECTIONS (64), ROTATIONS (20).
wrk sends requests with the newest secret that its threads have read, which is up to a second old: the previous secret stays valid
for its grace period. Exits with 1 if a response was not 200, or if fewer than 5,000 requests per second were sent.
"""
import json
import os
import re
import subprocess
import time

import keyward_bench as bench

SECONDS = int(os.environ.get("SECONDS", "30"))
CONNECTIONS = os.environ.get("CONNECTIONS", "64")
ROTATIONS = int(os.environ.get("ROTATIONS", "20"))
LUA = """
local file, count, token = "%s", 0, nil
request = function()
  if count %% 500 == 0 then
    local f = io.open(file)
    token = f:read("*a")
    f:close()
  end
  count = count + 1
  return wrk.format("GET", "/", {["Authorization"] = "Bearer " .. token})
end
"""


def main():
    if bench.missing("wrk"):
        raise SystemExit("wrk is missing")
    instance = bench.Instance()
    key = instance.admin("POST", body={"name": "rotated"})
    newest, script = os.path.join(bench.FOLDER, "newest"), os.path.join(bench.FOLDER, "rotation.lua")

    def publish(token):
        with open(newest + ".new", "w") as file:
            file.write(token)
        os.rename(newest + ".new", newest)

    publish(key["value"])
    with open(script, "w") as file:
        file.write(LUA % newest)
    load = subprocess.Popen(
        ["wrk", "-t", "1", "-c", CONNECTIONS, "-d", "%ds" % SECONDS, "-s", script, "http://%s:%d" % instance.gateway],
        stdout=subprocess.PIPE, text=True)
    secrets = {key["value"]}
    for _ in range(ROTATIONS):
        time.sleep((SECONDS - 2) / ROTATIONS)
        rotated = instance.admin("POST", "/%s/rotate" % key["id"], {"grace_seconds": 60})
        secrets.add(rotated["value"])
        publish(rotated["value"])
    report = load.communicate()[0]
    requests = int(re.search(r"(\d+) requests in", report).group(1))
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", report).group(1))
    refused = int((re.search(r"Non-2xx or 3xx responses: (\d+)", report) or [0, 0])[1])
    errors = re.search(r"Socket errors: .*", report)
    shown = instance.admin("GET", "/" + key["id"])
    print("%d requests, %.0f per second, %d rotations to %d secrets, %d refused%s" % (
        requests, rate, ROTATIONS, len(secrets), refused, ", " + errors.group(0) if errors else ""))
    print("the key at the end: version %d, %s" % (shown["version"], json.dumps(shown.get("previous_secret"))))
    raise SystemExit(0 if refused == 0 and not errors and rate >= 5_000 and len(secrets) == ROTATIONS + 1 else 1)


main()
