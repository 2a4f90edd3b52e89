"""Creates, lists, updates and deactivates a key with a client that openapi-python-client generated."""

import os
import sys
from uuid import UUID

sys.path.insert(0, os.environ["CLIENT"])

from keyward_client import AuthenticatedClient  # noqa: E402
from keyward_client.api.auth_keys import (  # noqa: E402
    create_auth_key,
    deactivate_auth_key,
    get_auth_key,
    list_auth_keys,
    update_auth_key,
)
from keyward_client.models import KeyMembers, LabelChanges, Labels, Metadata, NewAuthKey  # noqa: E402

client = AuthenticatedClient(
    base_url=os.environ["KEYWARD_CONTROL_URL"], token=os.environ["KEYWARD_ADMIN_KEY"], raise_on_unexpected_status=True
)
with client:
    made = create_auth_key.sync(
        client=client,
        body=NewAuthKey.from_dict(
            {"name": "generated", "scopes": ["documents:read"], "labels": {"env": "test"}, "metadata": {"a": [1, None]}}
        ),
    )
    assert made.value.startswith("kw_"), made
    assert isinstance(made.labels, Labels) and isinstance(made.metadata, Metadata), made
    assert made.labels.to_dict() == {"env": "test"} and made.metadata.to_dict() == {"a": [1, None]}, made

    listed = list_auth_keys.sync(client=client)
    assert [key.id for key in listed] == [made.id] and listed[0].name == "generated", listed

    changes = LabelChanges.from_dict({"env": None, "team": "x"})
    changed = update_auth_key.sync(made.id, client=client, body=KeyMembers(name="renamed", labels=changes))
    assert changed.name == "renamed" and changed.labels.to_dict() == {"team": "x"} and changed.version == 2, changed

    deactivate_auth_key.sync_detailed(made.id, client=client)
    gone = get_auth_key.sync(made.id, client=client)
    assert gone.active is False and gone.deactivated_at is not None, gone
print("passed")
