"""The licences of the photo service, as `flickr.photos.licenses.getInfo` lists them."""

from __future__ import annotations

from typing import Any, Final

_ALL_RIGHTS_RESERVED: Final = (
    "https://www.flickrhelp.com/hc/en-us/articles/"
    "10710266545556-Using-Flickr-images-shared-by-other-members"
)
_CREATIVE_COMMONS: Final = "https://creativecommons.org"

# Number, name and address of each licence in the order of the service, as of June 2025.
LICENCES: Final = (
    (0, "All Rights Reserved", _ALL_RIGHTS_RESERVED),
    (4, "CC BY 2.0", f"{_CREATIVE_COMMONS}/licenses/by/2.0/"),
    (6, "CC BY-ND 2.0", f"{_CREATIVE_COMMONS}/licenses/by-nd/2.0/"),
    (3, "CC BY-NC-ND 2.0", f"{_CREATIVE_COMMONS}/licenses/by-nc-nd/2.0/"),
    (2, "CC BY-NC 2.0", f"{_CREATIVE_COMMONS}/licenses/by-nc/2.0/"),
    (1, "CC BY-NC-SA 2.0", f"{_CREATIVE_COMMONS}/licenses/by-nc-sa/2.0/"),
    (5, "CC BY-SA 2.0", f"{_CREATIVE_COMMONS}/licenses/by-sa/2.0/"),
    (7, "No known copyright restrictions", "https://www.flickr.com/commons/usage/"),
    (8, "United States Government Work", "https://www.usa.gov/government-copyright"),
    (9, "Public Domain Dedication (CC0)", f"{_CREATIVE_COMMONS}/publicdomain/zero/1.0/"),
    (10, "Public Domain Mark", f"{_CREATIVE_COMMONS}/publicdomain/mark/1.0/"),
    (11, "CC BY 4.0", f"{_CREATIVE_COMMONS}/licenses/by/4.0/"),
    (12, "CC BY-SA 4.0", f"{_CREATIVE_COMMONS}/licenses/by-sa/4.0/"),
    (13, "CC BY-ND 4.0", f"{_CREATIVE_COMMONS}/licenses/by-nd/4.0/"),
    (14, "CC BY-NC 4.0", f"{_CREATIVE_COMMONS}/licenses/by-nc/4.0/"),
    (15, "CC BY-NC-SA 4.0", f"{_CREATIVE_COMMONS}/licenses/by-nc-sa/4.0/"),
    (16, "CC BY-NC-ND 4.0", f"{_CREATIVE_COMMONS}/licenses/by-nc-nd/4.0/"),
)  # fmt: skip


def list_licences() -> dict[str, Any]:
    """Gives the content of the answer, numbers as texts."""
    return {
        "licenses": {
            "license": [
                {"id": str(number), "name": name, "url": url} for number, name, url in LICENCES
            ]
        }
    }
