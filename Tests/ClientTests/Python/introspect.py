"""Introspects keys as an OAuth client, with Authlib.

The environment has KEYWARD_CONTROL_URL, ADMIN_KEY, and KEYS, separated by spaces. Prints one JSON object.
"""

import asyncio
import json
import os

from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.integrations.requests_client import OAuth2Session

base = os.environ["KEYWARD_CONTROL_URL"]
keys = os.environ["KEYS"].split(" ")


def session(secret, method="client_secret_basic"):
    return OAuth2Session("any client", secret, token_endpoint_auth_method=method)


def seen(response):
    return {"status": response.status_code, "body": response.json(), "type": response.headers["Content-Type"]}


client = session(os.environ["ADMIN_KEY"])
metadata = client.get(base + "/.well-known/oauth-authorization-server", withhold_token=True).json()
# The host name of the issuer does not resolve here.
endpoint = metadata["introspection_endpoint"].replace(metadata["issuer"], base)


async def asynchronously():
    async with AsyncOAuth2Client("any client", os.environ["ADMIN_KEY"]) as client:
        return [seen(await client.introspect_token(endpoint, token=key)) for key in keys]


print(
    json.dumps(
        {
            "metadata": metadata,
            "requests": [seen(client.introspect_token(endpoint, token=key)) for key in keys],
            "httpx": asyncio.run(asynchronously()),
            "hinted": seen(client.introspect_token(endpoint, token=keys[0], token_type_hint="access_token")),
            "wrong": seen(session("x" * 40).introspect_token(endpoint, token=keys[0])),
            "posted": seen(session(os.environ["ADMIN_KEY"], "client_secret_post").introspect_token(endpoint, token=keys[0])),
        }
    )
)
