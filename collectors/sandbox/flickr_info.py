"""One photo as `flickr.photos.getInfo` tells of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from collectors.sandbox.flickr_arguments import RefusalError
from collectors.sandbox.flickr_bodies import write_degrees
from collectors.sandbox.flickr_rows import SERVER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from collectors.sandbox.people import People
    from collectors.sandbox.photo_records import Photo


def tell_of_photo(people: People, arguments: Mapping[str, str]) -> dict[str, Any]:
    """Answers a call.

    Args:
        people: the photos.
        arguments: the call's arguments as they came.

    Raises:
        RefusalError: code 1 for a photo that is not there, or is there no more; 2 for one that is
            private. The service says so to everyone but the owner (recorded).
    """
    photo_id = arguments.get("photo_id", "")
    photo = people.find(photo_id)
    if photo is None and not (photo_id.isascii() and photo_id.isdigit() and len(photo_id) > 1):
        raise RefusalError(1, f'Photo "{photo_id}" not found (invalid ID)')
    if photo is None or photo.removed or photo_id in people.changes.gone:
        raise RefusalError(1, "Photo not found")
    if photo_id in people.changes.private:
        raise RefusalError(2, "Photo is private")
    return {"photo": _info(photo)}


def _info(photo: Photo) -> dict[str, Any]:
    nickname = f"user{photo.owner.partition('@')[0]}"
    taken = datetime.fromtimestamp(photo.taken, tz=UTC).strftime("%Y-%m-%d %H:%M:%S")
    page = f"https://www.flickr.com/photos/{photo.owner}/{photo.photo_id}/"
    info: dict[str, Any] = {
        "id": photo.photo_id,
        "secret": photo.secret,
        "server": SERVER,
        "farm": 66,
        "dateuploaded": str(photo.uploaded),
        "isfavorite": 0,
        "license": str(photo.licence),
        "safety_level": "0",
        "rotation": 0,
        "owner": {
            "nsid": photo.owner, "username": nickname, "realname": "", "location": "",
            "iconserver": SERVER, "iconfarm": 66, "path_alias": None,
        },
        "title": {"_content": photo.title},
        "description": {"_content": ""},
        "visibility": {"ispublic": 1, "isfriend": 0, "isfamily": 0},
        "dates": {
            "posted": str(photo.uploaded), "taken": taken,
            "takengranularity": photo.granularity, "takenunknown": str(int(photo.taken_unknown)),
            "lastupdate": str(photo.uploaded + 3600),
        },
        "views": "0",
        "comments": {"_content": "0"},
        "tags": {"tag": [{"raw": one, "_content": one} for one in photo.tags.split()]},
        "urls": {"url": [{"type": "photopage", "_content": page}]},
        "media": "video" if photo.video else "photo",
    }  # fmt: skip
    if photo.geo_public:
        info["location"] = {
            "latitude": write_degrees(photo.latitude), "longitude": write_degrees(photo.longitude),
            "accuracy": str(photo.accuracy), "context": "0",
        }  # fmt: skip
    return info
