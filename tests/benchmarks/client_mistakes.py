"""Mistakes written into the project's own clients, one at a time: what would be sent with each."""

from __future__ import annotations

from typing import Final, NamedTuple

EXPRESSION: Final = "collectors/earth_engine_expressions.py"
ENGINE: Final = "collectors/earth_engine.py"
SESSION: Final = "collectors/earth_engine_session.py"
REQUESTS: Final = "collectors/flickr_requests.py"
FLICKR: Final = "collectors/flickr.py"
ANSWERS: Final = "collectors/flickr_answers.py"
FILES: Final = "collectors/photo_files.py"


class Mistake(NamedTuple):
    """One replacement in the source, that stands there exactly once."""

    what: str
    file: str
    old: str
    new: str


MISTAKES: Final = (
    Mistake("latitude before longitude in the search box", REQUESTS,
            "(*low, *high))", "(*reversed([*low]), *reversed([*high])))"),
    Mistake("east and west swapped in the search box", REQUESTS,
            "(box.west, box.south))\n", "(box.east, box.south))\n"),
    Mistake("box rounded inwards", REQUESTS, "math.floor(edge * step)", "math.ceil(edge * step)"),
    Mistake("days of capture taken as half-open", REQUESTS,
            'f"{last_day} 23:59:59"', 'f"{last_day} 00:00:00"'),
    Mistake("upload window taken as half-open", REQUESTS,
            "math.ceil(self.uploaded_until.timestamp()) - 1",
            "math.ceil(self.uploaded_until.timestamp()) - 2"),
    Mistake("misspelt argument for the licences", REQUESTS, '"license": ",', '"licence": ",'),
    Mistake("licences joined by blanks", REQUESTS, '"license": ","', '"license": " "'),
    Mistake("extras without geo", REQUESTS, '"geo", "date_taken"', '"date_taken"'),
    Mistake("extras misspelt", REQUESTS, '"date_upload"', '"dateupload"'),
    Mistake("videos asked for as well", REQUESTS, '"media": "photos"', '"media": "all"'),
    Mistake("the box in another argument", REQUESTS, '"bbox": _bbox', '"box": _bbox'),
    Mistake("the wrong method", FLICKR, '"flickr.photos.search", ', '"flickr.photo.search", '),
    Mistake("the secret left out of the signature", FLICKR,
            "self._key, self._secret, format", 'self._key, "", format'),
    Mistake("JSONP instead of JSON", FLICKR,
            "client.do_flickr_call(method, **arguments)",
            'client.do_flickr_call(method, **(arguments | {"nojsoncallback": "0"}))'),
    Mistake("a failure with status 200 taken for an answer", ANSWERS,
            'if answer.get("stat") == "ok"', 'if answer.get("stat") != "none"'),
    Mistake("every page is the first", FLICKR, '{"page": str(page)}', '{"page": "1"}'),
    Mistake("redirects followed to the placeholder", FILES,
            "allow_redirects=False", "allow_redirects=True"),
    Mistake("swapped corners of the chip", EXPRESSION,
            "for i in range(1, 5)]", "for i in (2, 1, 4, 3)]"),
    Mistake("the chip's corners taken for degrees", EXPRESSION,
            "range(1, 5)], projection, False)", "range(1, 5)], None, False)"),
    Mistake("misspelt property of the cloud filter", EXPRESSION,
            "ee.Filter.lt(of.cloud_property,", "ee.Filter.lt(of.cloud_property.lower(),"),
    Mistake("cloud filter the wrong way round", EXPRESSION, "ee.Filter.lt(", "ee.Filter.gt("),
    Mistake("the last day of the window left out", EXPRESSION,
            "target + sensor.window_days + 1", "target + sensor.window_days"),
    Mistake("days counted from the instant and not the date", EXPRESSION,
            ".divide(_DAY_MS).floor()", ".divide(_DAY_MS)"),
    Mistake("limit before sort", EXPRESSION,
            '.sort("rank").limit(sensor.candidates + SPARE_ROWS)',
            '.limit(sensor.candidates + SPARE_ROWS).sort("rank")'),
    Mistake("scenes that touch the chip taken for those that hold it", EXPRESSION,
            'ee.Filter.contains(".geo", footprint, None, None,',
            'ee.Filter.intersects(".geo", footprint, None, None,'),
    Mistake("first() where there may be nothing", EXPRESSION,
            "return ee.FeatureCollection(nearest.map(as_row))",
            "return ee.FeatureCollection([as_row(nearest.first())])"),
    Mistake("the grid of a 60 m band", EXPRESSION,
            "scene.select([sensor.grid_band or sensor.bands[0]])",
            "scene.select([sensor.bands[0]])"),
    Mistake("the collection of another level", EXPRESSION,
            "ee.ImageCollection(sensor.collections[number])",
            'ee.ImageCollection(sensor.collections[number].replace("S2_SR_", "S2_"))'),
    Mistake("an upward grid", ENGINE, '"scaleY": -window', '"scaleY": window'),
    Mistake("an origin half a pixel off", ENGINE,
            '"translateX": window.west_m',
            '"translateX": window.west_m + window.pixel_width_m / 2'),
    Mistake("width and height swapped", ENGINE,
            '{"width": window.columns, "height": window.rows}',
            '{"width": window.rows, "height": window.columns + 1}'),
    Mistake("pixels in degrees", ENGINE, '"crsCode": crs', '"crsCode": "EPSG:4326"'),
    Mistake("a band that some scenes lack", ENGINE,
            "band for band in sensor.bands if band in scene.bands",
            "band for band in sensor.bands"),
    Mistake("misspelt quality band", ENGINE, "(*bands, *sensor.scene_quality_bands)",
            '(*bands, "SLC")'),
    Mistake("another key in the request for pixels", ENGINE, '"bandIds": ', '"bandIDs": '),
    Mistake("the first page of rows alone", ENGINE, "if not token:", "if True:"),
    Mistake("a workload tag with a capital", ENGINE, '"terrapair-pixels"', '"Terrapair-Pixels"'),
    Mistake("the client's own retries left on", SESSION,
            "state.max_retries = 0", "state.max_retries = 5"),
    Mistake("the client's own small pool of connections", SESSION,
            "pool_maxsize=POOL_SIZE", "pool_maxsize=2"),
    Mistake("no time limit", SESSION, "state.deadline_ms = deadline_s * 1000", "pass"),
)  # fmt: skip
