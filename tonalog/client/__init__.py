"""A typed client of the HTTP API; it needs httpx and pydantic and nothing of the server (extra `client`).

```python
from tonalog.client import Client

with Client("http://127.0.0.1:8080", key) as client:
    for note in client.notes("ana", since=date(2026, 3, 1)):
        print(note.recorded_at, note.label, note.scores)
```
"""

from tonalog.client.asking import Client
from tonalog.client.errors import ApiError, CursorExpired, InvalidParameter, NotFound, TooManyRequests, Unavailable

__all__ = ["ApiError", "Client", "CursorExpired", "InvalidParameter", "NotFound", "TooManyRequests", "Unavailable"]
