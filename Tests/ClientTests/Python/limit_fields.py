"""Parses lists of Structured Fields (RFC 9651), with http_sfv.

The environment has FIELDS, values separated by line feeds. Prints a JSON array with an array of the members of each
value: the item, its type and its parameters.
"""

import json
import os

import http_sfv

parsed = []
for value in os.environ["FIELDS"].split("\n"):
    fields = http_sfv.List()
    fields.parse(value.encode())
    parsed.append([[item.value, type(item.value).__name__, dict(item.params)] for item in fields])
print(json.dumps(parsed))
