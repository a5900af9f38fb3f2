"""A replica goes on with the keys that it knew last, also when it was started anew while the database is away."""

import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from millrace.domain.api_keys import ApiKey
from serving.key_ring import KeyRing
from tests.serving.a_key import KEY, SECRET
from tests.serving.world import away

OTHER = ApiKey("00000000000b", "other", b"\x01" * 32, frozenset({"read"}), datetime(2027, 1, 1, tzinfo=UTC), 2.5)


class Database:
    """What a ring looks at; tests change it between two looks."""

    def __init__(self, *keys: ApiKey) -> None:
        self.keys, self.is_away = list(keys), False

    def __call__(self) -> list[ApiKey]:
        if self.is_away:
            raise away("Postgres")
        return list(self.keys)


def looked(database: Database, cache: Path | None = None) -> KeyRing:
    ring = KeyRing(database, cache)
    ring.look()
    return ring


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "serving" / "keys.json"


def gone(*keys: ApiKey) -> Database:
    database = Database(*keys)
    database.is_away = True
    return database


def test_keys_come_and_go_with_the_looks() -> None:
    database = Database(KEY)
    ring = looked(database)
    assert ring.keys == {KEY.id: KEY}
    database.keys = [OTHER]
    ring.look()
    assert ring.keys == {OTHER.id: OTHER}


def test_the_last_known_keys_go_on_while_the_database_is_away() -> None:
    database = Database(KEY)
    ring = looked(database)
    database.is_away = True
    ring.look()
    assert ring.keys == {KEY.id: KEY}
    assert "Postgres" in str(ring.trouble)
    database.is_away = False
    ring.look()
    assert ring.trouble is None


def test_a_replica_that_never_knew_a_key_knows_none(cache: Path) -> None:
    ring = looked(gone(KEY), cache)
    assert ring.keys is None
    assert ring.trouble


def test_a_replica_that_starts_without_a_database_reads_what_it_knew(cache: Path) -> None:
    looked(Database(KEY, OTHER), cache)
    assert looked(gone(), cache).keys == {KEY.id: KEY, OTHER.id: OTHER}


def test_a_key_that_was_revoked_before_the_database_went_is_not_read(cache: Path) -> None:
    database = Database(KEY, OTHER)
    ring = looked(database, cache)
    database.keys = [OTHER]
    ring.look()
    assert looked(gone(), cache).keys == {OTHER.id: OTHER}


def test_that_there_is_no_key_is_known_too(cache: Path) -> None:
    looked(Database(KEY), cache)
    looked(Database(), cache)
    assert looked(gone(), cache).keys == {}


def test_the_kept_file_is_private_and_holds_no_secret(cache: Path) -> None:
    looked(Database(KEY), cache)
    assert stat.S_IMODE(cache.stat().st_mode) == 0o600
    assert SECRET not in cache.read_text()
    assert [path.name for path in cache.parent.iterdir()] == [cache.name]


def test_a_file_that_others_may_write_is_not_believed(cache: Path) -> None:
    looked(Database(KEY), cache)
    cache.chmod(0o620)
    assert looked(gone(), cache).keys is None


def test_a_link_to_another_file_is_not_followed(cache: Path, tmp_path: Path) -> None:
    looked(Database(KEY), tmp_path / "real.json")
    cache.parent.mkdir()
    cache.symlink_to(tmp_path / "real.json")
    assert looked(gone(), cache).keys is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"keys": [{}]}', '{"keys": [1]}', '{"looked_at": 1}', "\xff"])
def test_a_damaged_file_is_no_file(cache: Path, content: str) -> None:
    looked(Database(KEY), cache)
    cache.write_text(content, encoding="latin-1")
    assert looked(gone(), cache).keys is None
    assert looked(Database(KEY), cache).keys == {KEY.id: KEY}
    assert looked(gone(), cache).keys == {KEY.id: KEY}


def test_a_folder_that_cannot_be_written_stops_nobody_and_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / "serving").write_text("a file where the folder should be")
    cache = tmp_path / "serving" / "keys.json"
    ring = looked(Database(KEY), cache)
    assert ring.keys == {KEY.id: KEY}
    (tmp_path / "serving").unlink()
    ring.look()
    assert looked(gone(), cache).keys == {KEY.id: KEY}
