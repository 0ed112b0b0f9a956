"""One photo as the JSON row of a search, with the service's changing types.

Recorded answers give the same field now as a number, now as a text: `latitude` 43.119513 or
"57.133333", `accuracy` 16 or "16", `height_c` 600 or "600". Which of them a row has is drawn from
the photo, so that it is always the same.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from collectors.sandbox.chance import Draws, hash_keys
from collectors.sandbox.flickr_bodies import write_degrees

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Set as AbstractSet

    from collectors.sandbox.photo_records import Photo

    Either = Callable[..., float | str]

SERVER: Final = "65535"
# The one recorded video names server and farm 0, and its pictures lie on a third one.
VIDEO_SERVER: Final = "31337"
_FARM: Final = 66
# The name of a field to the ending of the file's name. There is no url_b: 1024 px is url_l.
_URL_SUFFIX: Final = {
    "url_sq": "s",
    "url_t": "t",
    "url_s": "m",
    "url_q": "q",
    "url_m": "",
    "url_n": "n",
    "url_w": "w",
    "url_z": "z",
    "url_c": "c",
    "url_l": "b",
    "url_h": "h",
    "url_k": "k",
    "url_o": "o",
}


def name_file(photo: Photo, suffix: str) -> str:
    """Gives the name of one of a photo's files.

    Args:
        photo: the photo.
        suffix: the ending that stands for the size; empty for 500 px.

    Returns:
        For example "49514337848_bbdbb5f761_b.jpg".
    """
    return f"{photo.photo_id}_{photo.secret_of(suffix)}{'_' if suffix else ''}{suffix}.jpg"


def server_of(photo: Photo) -> str:
    """Gives the server in the addresses of a photo's files; for videos the row names another."""
    return VIDEO_SERVER if photo.video else SERVER


def make_row(photo: Photo, extras: AbstractSet[str], base_url: str) -> dict[str, Any]:
    """Makes the row of a search.

    Args:
        photo: the photo.
        extras: the extra fields asked for; unknown ones give nothing, as on the service.
        base_url: scheme, host and port of the photo host.

    Returns:
        What the service writes as JSON.
    """
    draws = Draws("row", photo.photo_id)

    def either(value: float, write: Callable[[float], str] = str) -> float | str:
        return write(value) if draws.happens(0.5) else value

    row: dict[str, Any] = {
        "id": photo.photo_id,
        "owner": photo.owner,
        "secret": photo.secret,
        "server": "0" if photo.video else SERVER,
        "farm": 0 if photo.video else _FARM,
        "title": photo.title,
        "ispublic": 1,
        "isfriend": 0,
        "isfamily": 0,
    }
    row |= _geo(photo, either) if "geo" in extras else {}
    row |= _dates(photo, either) if "date_taken" in extras else {}
    # A third of the recorded rows have no alias.
    has_alias = hash_keys("alias", photo.owner) % 3 != 0
    nickname = f"user{photo.owner.partition('@')[0]}"
    plain: dict[str, Callable[[], dict[str, Any]]] = {
        "license": lambda: {"license": str(photo.licence)},
        "date_upload": lambda: {"dateupload": str(photo.uploaded)},
        "last_update": lambda: {"lastupdate": str(photo.uploaded + 3600)},
        "owner_name": lambda: {"ownername": nickname},
        # Of 14 of 100 recorded photos the name is not told at all.
        "realname": lambda: {} if hash_keys("name", photo.owner) % 7 == 0 else {"realname": ""},
        "path_alias": lambda: {"pathalias": nickname if has_alias else None},
        "icon_server": lambda: {"iconserver": SERVER, "iconfarm": _FARM},
        "tags": lambda: {"tags": photo.tags},
        "machine_tags": lambda: {"machine_tags": ""},
        "description": lambda: {"description": {"_content": photo.title and f"{photo.title}."}},
        "media": lambda: {
            "media": "video" if photo.video else "photo",
            "media_status": "ready",
        },
        "o_dims": lambda: {"o_width": str(photo.width), "o_height": str(photo.height)},
        "original_format": lambda: (
            {"originalsecret": photo.secret_of("o"), "originalformat": "jpg"}
            if photo.licence
            else {}
        ),
        "views": lambda: {"views": str(int(draws.uniform(0.0, 40.0) ** 2))},
        "content_type": lambda: {"content_type": str(photo.content)},
        "safety_level": lambda: {"safety_level": "0"},
        "count_views": lambda: {"count_views": str(int(draws.uniform(0.0, 40.0) ** 2))},
        "count_faves": lambda: {"count_faves": str(draws.integer(0, 9))},
        "count_comments": lambda: {"count_comments": str(draws.integer(0, 5))},
    }
    for name, make in plain.items():
        if name in extras:
            row |= make()
    for name, suffix in _URL_SUFFIX.items():
        size = photo.size(suffix) if name in extras else None
        if size is not None:
            short = name.removeprefix("url_")
            row[name] = f"{base_url}/photos/{server_of(photo)}/{name_file(photo, suffix)}"
            row[f"height_{short}"] = either(size[1])
            row[f"width_{short}"] = either(size[0])
    return row


def _geo(photo: Photo, either: Either) -> dict[str, Any]:
    """The fields of `geo`. `context` is 0 for every photo ever recorded."""
    place = hash_keys("place", round(photo.latitude, 1).hex(), round(photo.longitude, 1).hex())
    return {
        "latitude": either(photo.latitude, write_degrees),
        "longitude": either(photo.longitude, write_degrees),
        "accuracy": either(photo.accuracy),
        "context": 0,
        # Of the recorded rows most have a number of the place, and few its older name.
        "place_id": f"{place:016x}" if place % 18 == 0 else "",
        "woeid": str(2_000_000 + place % 6_000_000),
        "geo_is_public": int(photo.geo_public),
        "geo_is_contact": 0,
        "geo_is_friend": 0,
        "geo_is_family": 0,
    }


def _dates(photo: Photo, either: Either) -> dict[str, Any]:
    """The fields of `date_taken`; an unknown date is the time of upload, with a number for 0."""
    taken = datetime.fromtimestamp(photo.taken, tz=UTC).strftime("%Y-%m-%d %H:%M:%S")
    unknown = photo.taken_unknown
    return {
        "datetaken": taken,
        "datetakengranularity": 0 if unknown else either(photo.granularity),
        "datetakenunknown": "1" if unknown else str(either(0)),
    }
