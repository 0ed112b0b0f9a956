"""Sentences about a dataset that stand in several of its descriptions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from flows.description.facts import Facts
    from flows.products.versions import Version

RECIPE_URL: Final = "https://arxiv.org/abs/2312.06960"
"""The recipe that the data are collected for."""

PRODUCTS: Final = {
    "photos": "Photos that are in the dataset, one row each.",
    "chips": "Satellite chips that were placed, one row each, with or without pixels.",
    "pairs": "Which photo lies in which chip, and where; at most one row per photo and sensor.",
    "rejects": "Every other photo that was seen, one row each, with the reason.",
}

SPATIAL_BIAS: Final = (
    "Photos are drawn evenly over boxes of 10 km and over years, as far as there are photos. Places"
    " where few people with cameras go, or where few of them use Flickr, have few or none: poorer"
    " countries, deserts, forests, private land, the sea. Inside a box, sights and roads prevail."
)

MUST_NOT: Final = (
    "To watch, find, follow or identify people, their homes, workplaces or vehicles.",
    "To train or test recognition of faces, bodies, gaits, voices or number plates.",
    "To join photos to other data about the people in them or those who took them.",
    "To infer where a person lives or was at a given time, from geotags, times and owners.",
    "To decide about people: policing, immigration, insurance, credit, housing, employment.",
    "To choose or strike targets.",
)

BIASES: Final = (
    (
        "Flickr's users are not the world's people: most come from richer countries, and tourists"
        " and people with good cameras take more than their share."
    ),
    (
        "Photos show what people find worth a photo: sights, weather, events, animals; hardly the"
        " ordinary places around them."
    ),
    "Only owners who chose an open licence and a public geotag are here.",
    (
        "The indoor filter is a network of its own biases; it drops some outdoor photos (close-ups,"
        " tents, arcades) and keeps some indoor ones (greenhouses, big windows)."
    ),
    "Chips are from clear days, so the clear season is seen more often than the wet one.",
)

LIMITS: Final = (
    (
        "A geotag is where the camera was, or where its owner put the pin; what the photo shows can"
        " lie kilometres away. `uncertainty_px` is a model of Flickr's accuracy levels, not a"
        " measurement."
    ),
    "A date is what the camera's clock said.",
    "A chip shows the ground on another day than the photo; `delta_days` says how many days apart.",
    (
        "A photo's licence is the one it had when it was collected. Owners may have changed it"
        " since, or deleted the photo."
    ),
    "Titles and tags are as their owners wrote them: in any language, true or not, or offensive.",
)

PEOPLE: Final = (
    "Photos may show people, among them children, who did not agree to be shown, faces, number"
    " plates, homes and gardens. Nothing was blurred. Owners' names, ids and words are in the"
    " tables. Places and times are exact, so that a row can say where somebody was."
)


def summary(version: Version, facts: Facts) -> str:
    """Returns what the dataset is, in two sentences."""
    pairs, photos = facts.rows["pairs"], facts.rows["photos"]
    sensors = [name for name, one in sorted(facts.sensors.items()) if one.kept]
    chips = sum(one.kept for one in facts.sensors.values())
    return (
        f"{pairs:,} pairs of a geotagged photo taken on the ground and a satellite or aerial chip"
        f" of the same place and about the same time ({version.name}: {photos:,} photos from"
        f" Flickr, {chips:,} chips with pixels from {' and '.join(sensors) or 'no sensor'}). For"
        " training vision-language models for Earth observation without captions."
    )


def sampling(version: Version) -> str:
    """Returns how photos were chosen."""
    rules = version.manifest["rules"]
    return (
        f"Equal-area cells of 99.8 km; in each at most {rules['quota_per_cell']} photos (scaled by"
        " the share of the cell that a region holds), drawn by a seeded hash from boxes of 10 km"
        f" and years; at most {100 * rules['owner_share']:g} % of a cell from one owner; at most"
        f" {rules['photos_per_chip']} photos in a chip. Chips are centred on photos."
    )


def keywords(sensors: list[str]) -> list[str]:
    """Returns words to find the dataset by."""
    return ["earth observation", "remote sensing", "vision-language", "ground photos",
            "satellite imagery", "geotagged", "flickr", *sensors]  # fmt: skip


def responsible_ai(version: Version, facts: Facts) -> dict[str, Any]:
    """Returns the terms of Croissant's extension for responsible AI."""
    rules = version.manifest["rules"]
    found: dict[str, Any] = {
        "rai:dataCollection": "Photos by Flickr's search, in seeded boxes and years, with public"
        " geotags and licences that let adapted copies be passed on. Chips from Earth Engine: of"
        " the scenes within the window of dates and under the cloud limits, the nearest in date, or"
        " the newest where the sensor's scene_rule says so.",
        "rai:dataCollectionType": ["Web API", "Satellite and aerial imagery"],
        "rai:dataCollectionMissingData": "Every photo that was seen is a row: kept, rejected by a"
        " rule, or failed. A photo without a pair states the reason for each sensor; so does a chip"
        " without pixels.",
        "rai:dataCollectionRawData": "Flickr's JPEG of at most 1024 px; stored scenes of Earth"
        " Engine.",
        "rai:dataPreprocessingProtocol": [
            (
                f"Photos: shortest side {rules['photo_shortest_side_px']} px, EXIF's turn applied,"
                " no other metadata kept."
            ),
            (
                "Chips: the scene's own pixels, not resampled, or averaged by area where the"
                " sensor's `area_average` says so."
            ),
            (
                f"Indoor photos dropped at a probability of {rules['indoor_threshold']:g}, by a"
                " ResNet18 for Places365; pictures uploaded twice kept once."
            ),
        ],
        "rai:machineAnnotationTools": ["ResNet18 for Places365: the column indoor_probability"],
        "rai:dataUseCases": [
            (
                "Training and testing models that match satellite images with ground photos or,"
                " through an image-text model, with text."
            ),
            *(f"NOT: {one}" for one in MUST_NOT),
        ],
        "rai:dataBiases": [SPATIAL_BIAS, *BIASES],
        "rai:dataLimitations": list(LIMITS),
        "rai:personalSensitiveInformation": [PEOPLE],
        "rai:dataSocialImpact": "Models that describe any place from above in words can serve"
        " conservation, planning and aid, and surveillance as well; see what this must not be used"
        " for.",
        "rai:dataReleaseMaintenancePlan": "A version is never changed, with one exception: a"
        " photo whose owner asks is taken out, and the versions that had it are marked as revoked.",
    }
    if facts.taken is not None:
        found["rai:dataCollectionTimeFrame"] = [
            f"{moment:%Y-%m-%dT%H:%M:%S}" for moment in facts.taken
        ]
    return found
