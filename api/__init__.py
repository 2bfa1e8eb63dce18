"""The HTTP API that app backends read: notes, days and changes of one tenant, under the tenant's key."""
