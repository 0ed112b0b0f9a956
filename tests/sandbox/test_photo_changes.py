"""Photos become gone, private or relicensed on demand, and everything says so alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from collectors.sandbox.flickr_arguments import RefusalError
from collectors.sandbox.flickr_info import tell_of_photo
from collectors.sandbox.people import People, PhotoQuery
from collectors.sandbox.photo_changes import PhotoChanges, parse_changes

if TYPE_CHECKING:
    from collectors.sandbox.photo_records import Photo


@pytest.fixture(scope="module")
def people() -> People:
    """A world; each test says what became of its photos."""
    return People(0)


def some(people: People, **more: Any) -> list[Photo]:
    """Finds photos that are still there, of a box."""
    _, found = people.search(PhotoQuery(-122.5, 37.5, -122.0, 38.0, **more), 0, 200)
    return [one for one in found if not one.removed]


def test_a_photo_is_told_of_as_the_service_does(people: People) -> None:
    """Its licence as a text, and that everyone may see it."""
    people.changes = PhotoChanges()
    photo = some(people)[0]
    told = tell_of_photo(people, {"photo_id": photo.photo_id})["photo"]
    assert (told["id"], told["license"]) == (photo.photo_id, str(photo.licence))
    assert told["visibility"]["ispublic"] == 1
    assert told["owner"]["nsid"] == photo.owner


@pytest.mark.parametrize(
    ("photo_id", "said"),
    [("x", 'Photo "x" not found (invalid ID)'), ("1", 'Photo "1" not found (invalid ID)'),
     ("99999999999", "Photo not found"), ("", 'Photo "" not found (invalid ID)')],
)  # fmt: skip
def test_what_is_no_photo_is_not_found(people: People, photo_id: str, said: str) -> None:
    """Code 1, with the service's own words."""
    with pytest.raises(RefusalError) as caught:
        tell_of_photo(people, {"photo_id": photo_id})
    assert (caught.value.code, caught.value.message) == (1, said)


def test_gone_and_private_photos_are_told_apart_and_found_by_nobody(people: People) -> None:
    """Codes 1 and 2; no search lists them; undone, they are there again."""
    people.changes = PhotoChanges()
    gone, private, *others = some(people)
    people.changes = PhotoChanges(frozenset({gone.photo_id}), frozenset({private.photo_id}))
    for photo, code in ((gone, 1), (private, 2)):
        with pytest.raises(RefusalError) as caught:
            tell_of_photo(people, {"photo_id": photo.photo_id})
        assert caught.value.code == code
    found = {one.photo_id for one in some(people)}
    assert found >= {one.photo_id for one in others[:100]}
    assert found.isdisjoint({gone.photo_id, private.photo_id})
    people.changes = PhotoChanges()
    assert gone in some(people)


def test_another_licence_holds_in_searches_and_rows(people: People) -> None:
    """The old one no longer finds it, the new one does."""
    people.changes = PhotoChanges()
    photo = some(people, licences=frozenset({4}))[0]
    people.changes = PhotoChanges(licences={photo.photo_id: 0})
    assert tell_of_photo(people, {"photo_id": photo.photo_id})["photo"]["license"] == "0"
    assert photo.photo_id not in {one.photo_id for one in some(people, licences=frozenset({4}))}
    _, found = people.search(
        PhotoQuery(-122.5, 37.5, -122.0, 38.0, licences=frozenset({0}), owner=photo.owner), 0, 4000
    )
    assert photo.photo_id in {one.photo_id for one in found}


@pytest.mark.parametrize("document", [[], {"lost": []}, {"licences": {"1": 17}}])
def test_changes_that_make_no_sense_are_refused(document: Any) -> None:
    """A misspelt name would change nothing, in silence."""
    with pytest.raises(ValueError, match=r"changes are|a licence is"):
        parse_changes(document)
