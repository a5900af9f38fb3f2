"""An API key for everything, and a ring that knows it."""

from millrace.domain.api_keys import SCOPES, ApiKey, hashed, written
from serving.key_ring import KeyRing

SECRET = "0f" * 32
KEY = ApiKey("0123456789ab", "tester", hashed(SECRET.encode()), frozenset(SCOPES), None, None)
BEARER = {"authorization": f"Bearer {written(KEY.id, SECRET)}"}


def ring_of(*keys: ApiKey) -> KeyRing:
    """A ring that knows some keys, or the one that may do everything."""
    ring = KeyRing(lambda: list(keys or (KEY,)))
    ring.look()
    return ring
