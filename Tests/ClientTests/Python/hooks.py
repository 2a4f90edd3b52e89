"""Hooks for rules that the document cannot express: the encoding of lines, and checks that depend on the time."""

import datetime
import ipaddress
import json
import re
import time

import schemathesis
from schemathesis import GenerationMode

CENTURY = 36_525 * 86_400
SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3_600, "d": 86_400}


@schemathesis.serializer("application/x-ndjson")
def lines(context, value):
    return value if isinstance(value, (bytes, str)) else json.dumps(value)


@schemathesis.hook
def filter_case(context, case):
    """Skips requests that match the document but are refused for reasons that no schema can express."""
    if case.meta is None:
        return True
    bad_parts = [place.value for place, part in case.meta.components.items() if part.mode == GenerationMode.NEGATIVE]
    if case.meta.generation.mode == GenerationMode.NEGATIVE:
        # Any body is a sequence of lines, and the report lists their faults.
        return not (bad_parts == ["body"] and case.media_type == "application/x-ndjson")
    # A number for a quoted text, which schemathesis 4.32 considers valid.
    if not re.fullmatch(r'\*|"[0-9]+"', (case.headers or {}).get("If-Match", "*")):
        return False
    query, body = case.query or {}, case.body if isinstance(case.body, dict) else {}
    # A valid cursor comes from a list.
    if "cursor" in query or body.get("cursor") is not None:
        return False
    # Permission queries have a grammar.
    if isinstance(body.get("permissions"), str) and not re.fullmatch(r"[a-z]+:[a-z]+( AND [a-z]+:[a-z]+)*", body["permissions"]):
        return False
    if any(is_too_long(query.get(name)) for name in ("expiring_within", "unused_for")):
        return False
    # The expiry of a key is in the future, and after its start.
    expires, begins = moment(body.get("expires_at")), moment(body.get("not_before"))
    if expires and (expires <= datetime.datetime.now(datetime.timezone.utc) or begins and begins >= expires):
        return False
    # The expiry in Unkey's format, in milliseconds.
    if isinstance(body.get("expires"), (int, float)) and body["expires"] <= time.time() * 1_000:
        return False
    # The bits of a network after its prefix must be zero.
    if not all(map(is_network, body.get("allowed_cidrs") or [])):
        return False
    if "address" in query and not is_network(query["address"]):
        return False
    # The limits that a request names or defines have different names.
    questions = [body, *(part for part in body.get("requests") or [] if isinstance(part, dict))]
    if not all(map(have_different_names, questions)):
        return False
    limits = body.get("limits")
    if isinstance(limits, list) and not all(is_limit(limit) for limit in limits if isinstance(limit, dict)):
        return False
    # The day is that of a month, and only a refill that adds has a maximum.
    credits = body.get("credits") if isinstance(body.get("credits"), dict) else {}
    refill = credits.get("refill") or {}
    if "maximum" in refill and refill.get("mode") != "add" or "day" in refill and refill.get("every") != "month":
        return False
    # The same in Unkey's format.
    if refill.get("refillDay") is not None and refill.get("interval") != "monthly":
        return False
    if refill and "remaining" in credits and credits["remaining"] is None:
        return False
    # Only a key with credits can get more, and only `set` needs no value.
    if case.path.endswith("updateCredits") and body.get("operation") != "set":
        return False
    # The number of steps is limited, and depends on three parameters.
    if case.path.endswith("/requests/stats") and ("since" in query or "until" in query):
        return False
    metadata = json.dumps(body.get("metadata") or body.get("meta"), separators=(",", ":"))
    return "\\u0000" not in metadata and len(metadata) <= 4_096


def moment(text):
    try:
        return datetime.datetime.fromisoformat(text.upper().replace("Z", "+00:00"))
    except (AttributeError, ValueError):
        return None


def is_limit(limit):
    """Returns true unless the members of a limit exclude each other, or its period or a pattern is out of range."""
    if not all(re.fullmatch(r"(\*|[A-Z-]{1,32}) /[a-z0-9/]*(/\*\*)?", text) for text in limit.get("match") or []):
        return False
    if "concurrent" in limit:
        return not {"limit", "per", "burst"} & limit.keys()
    period = re.fullmatch(r"([0-9]+)(ms|s|m|h)", limit.get("per", ""))
    if not period:
        return "burst" not in limit
    return 1 <= int(period[1]) * SECONDS[period[2]] <= 3_600


def have_different_names(question):
    limits = question.get("limits") or question.get("ratelimits")
    # Unknown members, which some routes ignore, have any type.
    names = [limit.get("name") for limit in limits if isinstance(limit, dict)] if isinstance(limits, list) else []
    return len(set(names)) == len(names)


def is_network(text):
    try:
        return ipaddress.ip_network(text) is not None
    except ValueError:
        return False


def is_too_long(text):
    if text is None:
        return False
    digits = text.rstrip("dhms")
    return int(digits) * SECONDS[text[len(digits) :] or "s"] > CENTURY
