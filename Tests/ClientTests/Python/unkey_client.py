"""Runs Unkey's client for Python (PyPI: unkey.py), unmodified, against a Keyward.

UnkeyClientTests runs it with KEYWARD_URL, KEYWARD_ADMIN_KEY, and KEYWARD_LIMITED_KEY, an admin key with only the
permission verify. It exits with 0 if all checks pass.
"""

import asyncio
import os
import time

from unkey.py import Unkey, errors, models

URL = os.environ["KEYWARD_URL"]
NEVER = "00000000-0000-7000-8000-000000000000"


def raises(kind, call, *, status, detail="", location=None):
    try:
        call()
    except kind as error:
        assert error.status_code == status, error
        data = error.data
        assert data.error.status == status and data.error.title and data.error.type.startswith("urn:keyward:error:"), error
        assert detail in data.error.detail, error
        assert data.meta.request_id == error.headers["x-request-id"], error
        if location:
            assert [fault.location for fault in data.error.errors] == [location], error
        return
    raise AssertionError(f"no {kind.__name__}")


def main():
    unkey = Unkey(server_url=URL, root_key=os.environ["KEYWARD_ADMIN_KEY"])
    keys, apis = unkey.keys, unkey.apis

    # Create a key with all attributes that Keyward supports.
    expires = (int(time.time()) + 3600) * 1000
    made = keys.create_key(
        api_id="api_docs",
        prefix="sk_live",
        name="billing",
        external_id="acme",
        meta={"plan": "pro", "nothing": None, "limits": {"seats": 3}},
        permissions=["documents:read", "documents.write"],
        expires=expires,
    )
    key_id, secret = made.data.key_id, made.data.key
    assert made.meta.request_id and secret.startswith("sk_live_"), made

    # Verify it, with permissions that it has and lacks.
    verdict = keys.verify_key(key=secret, permissions="documents:read and (documents.write)", tags=["path=/docs"]).data
    assert verdict.valid and verdict.code == models.Code.VALID and verdict.key_id == key_id, verdict
    assert verdict.name == "billing" and verdict.enabled and verdict.expires == expires, verdict
    assert verdict.meta == {"plan": "pro", "nothing": None, "limits": {"seats": 3}}, verdict
    assert verdict.identity.external_id == "acme" and verdict.identity.id == "acme", verdict
    assert verdict.permissions == ["documents:read", "documents.write"], verdict
    missing = keys.verify_key(key=secret, permissions="documents:delete").data
    assert not missing.valid and missing.code == models.Code.INSUFFICIENT_PERMISSIONS, missing
    unknown = keys.verify_key(key="sk_live_nobody").data
    assert not unknown.valid and unknown.code == models.Code.NOT_FOUND and unknown.key_id is None, unknown
    later = asyncio.run(keys.verify_key_async(key=secret, credits={"cost": 0})).data
    assert later.valid, later

    # Show it by its id and by its secret.
    shown = keys.get_key(key_id=key_id).data
    assert shown.key_id == key_id and shown.start == "sk_live_" and shown.enabled, shown
    assert shown.expires == expires and abs(shown.created_at / 1000 - time.time()) < 60, shown
    assert shown.permissions == ["documents:read", "documents.write"] and shown.plaintext is None, shown
    assert keys.whoami(key=secret).data == shown

    # Change it: absent members stay, null clears, the metadata are replaced.
    keys.update_key(key_id=key_id, name="invoices", meta={"plan": "free"}, expires=None, enabled=False)
    changed = keys.get_key(key_id=key_id).data
    assert changed.name == "invoices" and changed.meta == {"plan": "free"} and changed.expires is None, changed
    assert not changed.enabled and changed.identity.external_id == "acme" and changed.updated_at > shown.updated_at, changed
    assert keys.verify_key(key=secret).data.code == models.Code.DISABLED
    keys.update_key(key_id=key_id, external_id=None, enabled=True, permissions=["a"])
    changed = keys.get_key(key_id=key_id).data
    assert changed.enabled and changed.identity is None and changed.permissions == ["a"], changed
    assert [p.slug for p in keys.add_permissions(key_id=key_id, permissions=["b", "a"]).data] == ["a", "b"]
    assert [p.name for p in keys.remove_permissions(key_id=key_id, permissions=["a"]).data] == ["b"]
    assert keys.set_permissions(key_id=key_id, permissions=[]).data == []

    # Limit it, and change its credits.
    limits = [{"name": "requests", "limit": 2, "duration": 60_000, "auto_apply": True}]
    refill = {"interval": "monthly", "amount": 10, "refill_day": 15}
    limited = keys.create_key(api_id="api_limits", credits={"remaining": 3, "refill": refill}, ratelimits=limits).data
    shown_limits = keys.get_key(key_id=limited.key_id).data
    assert shown_limits.credits.remaining == 3 and shown_limits.credits.refill.amount == 10, shown_limits
    assert shown_limits.credits.refill.interval == "monthly" and shown_limits.credits.refill.refill_day == 15, shown_limits
    assert [(r.name, r.limit, r.duration, r.auto_apply) for r in shown_limits.ratelimits] == [("requests", 2, 60_000, True)]
    for operation, value, left in [("set", 5, 5), ("increment", 2, 7), ("decrement", 3, 4), ("decrement", 9, 0), ("set", None, None)]:
        credits = keys.update_credits(key_id=limited.key_id, operation=operation, value=value).data
        assert credits.remaining == left, (operation, value, credits)
    assert keys.get_key(key_id=limited.key_id).data.credits is None
    verdicts = [keys.verify_key(key=limited.key).data for _ in range(3)]
    assert [verdict.code for verdict in verdicts] == [models.Code.VALID, models.Code.VALID, models.Code.RATE_LIMITED], verdicts
    keys.update_key(key_id=limited.key_id, ratelimits=[], credits={"remaining": 0})
    # An instance trusts the first request of a key whose credits it does not know.
    deadline = time.time() + 20
    while keys.verify_key(key=limited.key).data.code != models.Code.USAGE_EXCEEDED:
        assert time.time() < deadline, "the credits are used up"
        time.sleep(0.05)

    # List the keys of its apiId, page by page.
    others = {keys.create_key(api_id="api_docs", external_id=f"user_{number}").data.key_id for number in range(4)}
    keys.create_key(api_id="api_else")
    found, page = [], apis.list_keys(api_id="api_docs", limit=2)
    while page is not None:
        assert len(page.result.data) <= 2, page
        found += [key.key_id for key in page.result.data]
        assert page.result.pagination.has_more == (len(found) < 5), page
        page = page.next()
    assert len(found) == 5 and set(found) == others | {key_id}, found
    of_user = apis.list_keys(api_id="api_docs", external_id="user_1").result
    assert [key.identity.external_id for key in of_user.data] == ["user_1"] and not of_user.pagination.has_more, of_user
    assert of_user.data[0].name == "unnamed", of_user
    assert apis.list_keys(api_id="api_none").result.data == []

    # Rotate it: the previous secret stays valid for the requested time.
    rerolled = keys.reroll_key(key_id=key_id, expiration=60_000).data
    assert rerolled.key_id == key_id and rerolled.key != secret, "rerolled"
    assert keys.verify_key(key=secret).data.valid and keys.verify_key(key=rerolled.key).data.valid
    again = keys.reroll_key(key_id=key_id, expiration=0).data
    assert not keys.verify_key(key=rerolled.key).data.valid and keys.verify_key(key=again.key).data.valid

    # Delete it.
    keys.delete_key(key_id=key_id)
    assert keys.verify_key(key=again.key).data.code == models.Code.NOT_FOUND
    raises(errors.NotFoundErrorResponse, lambda: keys.get_key(key_id=key_id), status=404, detail=key_id)
    raises(errors.NotFoundErrorResponse, lambda: keys.whoami(key=again.key), status=404)
    assert key_id not in [key.key_id for key in apis.list_keys(api_id="api_docs").result.data]
    keys.delete_key(key_id=key_id, permanent=True)
    raises(errors.NotFoundErrorResponse, lambda: keys.delete_key(key_id=key_id), status=404)

    # Check errors, and operations that Keyward lacks.
    bad = errors.BadRequestErrorResponse
    for refused, location in [
        (lambda: keys.create_key(api_id="a", roles=["admin"]), "body.roles"),
        (lambda: keys.create_key(api_id="a", credits={"remaining": 2_000_000_000_000}), "body.credits"),
        (lambda: keys.create_key(api_id="a", ratelimits=[{"name": "per_minute", "limit": 1, "duration": 60_000}]), "body.ratelimits[0].name"),
        (lambda: keys.create_key(api_id="a", recoverable=True), "body.recoverable"),
        (lambda: keys.create_key(api_id="a", byte_length=64), "body.byteLength"),
        (lambda: keys.create_key(api_id="a", permissions=["with blank"]), "body.permissions"),
        (lambda: keys.create_key(api_id="a", expires=1000), "body.expires"),
        (lambda: keys.get_key(key_id=NEVER, decrypt=True), "body.decrypt"),
        (lambda: keys.verify_key(key="k", permissions="a OR b"), "body.permissions"),
        (lambda: keys.verify_key(key="k", credits={"cost": 2_000_000_000_000}), "body.credits"),
        (lambda: keys.verify_key(key="k", keyspaces=["ks_1"]), "body.keyspaces"),
        (lambda: keys.verify_key(key="k", ratelimits=[{"name": "a request"}]), "body.ratelimits[0].name"),
        (lambda: keys.reroll_key(key_id=NEVER, expiration=None), "body.expiration"),
        (lambda: apis.list_keys(api_id="a", cursor="x"), "body.cursor"),
    ]:
        raises(bad, refused, status=400, location=location)
    raises(errors.NotFoundErrorResponse, lambda: keys.update_key(key_id=NEVER, name="n"), status=404)
    try:
        apis.create_api(name="a")
        raise AssertionError("an API was made")
    except errors.UnkeyError as error:  # the client has no class for a 404 of this operation
        assert error.status_code == 404 and "Keyward has no APIs" in error.body, error
    raises(
        errors.NotFoundErrorResponse,
        lambda: unkey.ratelimit.limit(namespace="n", identifier="i", limit=1, duration=1000),
        status=404,
        detail="rate limits of keys alone",
    )
    nobody = Unkey(server_url=URL, root_key="unkey_nobody")
    raises(errors.UnauthorizedErrorResponse, lambda: nobody.keys.verify_key(key="k"), status=401)
    limited = Unkey(server_url=URL, root_key=os.environ["KEYWARD_LIMITED_KEY"])
    assert limited.keys.verify_key(key="k").data.code == models.Code.NOT_FOUND
    raises(errors.ForbiddenErrorResponse, lambda: limited.keys.create_key(api_id="a"), status=403, detail="keys:write")


main()
print("passed")
