"""Objects of long ago. MinIO takes the time of modification from whoever says that it replicates another store."""

from datetime import UTC, datetime, timedelta
from typing import Any

from millrace.adapters import object_store


def put_long_ago(bucket: str, key: str, content: bytes, *, days: int) -> None:
    """Put an object that was last modified so many days ago."""
    at = datetime.now(UTC) - timedelta(days=days)
    told = {"X-Minio-Source-Replication-Request": "true", "X-Minio-Source-Mtime": at.strftime("%Y-%m-%dT%H:%M:%SZ")}

    def say(params: dict[str, Any], **_: Any) -> None:
        params["headers"].update(told)

    events = object_store.client().meta.events
    events.register("before-call.s3.PutObject", say)
    try:
        object_store.put(bucket, key, content)
    finally:
        events.unregister("before-call.s3.PutObject", say)
    found = object_store.head(bucket, key)
    assert found is not None
    assert abs(found.last_modified - at) < timedelta(minutes=1), "the store does not take the time"
