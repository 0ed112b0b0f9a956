"""What is known of a sensor's bands besides their names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from collectors.sensors import QA_PIXEL_BAND, QUALITY_BANDS, SCL_BAND, SCORE_BAND

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Band:
    """A band.

    Attributes:
        name: Its name in the chip's file.
        meaning: What it shows.
        common_name: STAC's common name; None where there is none.
        centre_nm: Centre wavelength in nanometres; None where it differs from flight to flight.
        width_nm: Full width at half maximum in nanometres; None likewise.
        native_m: Size of the band's own pixels; None where it differs.
        measured: False for bands of classes or scores.
    """

    name: str
    meaning: str
    common_name: str | None = None
    centre_nm: float | None = None
    width_nm: float | None = None
    native_m: float | None = None
    measured: bool = True


@dataclass(frozen=True, slots=True)
class Platform:
    """Who flies a sensor, and what its numbers mean.

    Attributes:
        title: Name for people.
        instrument: STAC's `instruments`.
        provider: Who makes the images.
        provider_url: Their page.
        rights: What may be done with the images.
        rights_url: Where that is said; None where there is no one page.
        scale: What a number is multiplied by; None for plain brightness.
        unit: What it is then.
        bands: Known bands by name.
        offset: What is added to a number after it was multiplied.
    """

    title: str
    instrument: str | None
    provider: str
    provider_url: str
    rights: str
    rights_url: str | None
    scale: float | None
    unit: str
    bands: dict[str, Band]
    offset: float = 0


# Source: ESA, SentiWiki, Sentinel-2 MSI: wavelengths and widths of Sentinel-2A. Those of 2B and 2C
# differ by up to 17 nm (B12). Common names: STAC's EO extension 2.0.
_MSI: Final = (
    Band("B1", "coastal aerosol", "coastal", 442.7, 20, 60),
    Band("B2", "blue", "blue", 492.7, 65, 10),
    Band("B3", "green", "green", 559.8, 35, 10),
    Band("B4", "red", "red", 664.6, 30, 10),
    Band("B5", "red edge 1", "rededge071", 704.1, 14, 20),
    Band("B6", "red edge 2", "rededge075", 740.5, 14, 20),
    Band("B7", "red edge 3", "rededge078", 782.8, 19, 20),
    Band("B8", "near infrared", "nir", 832.8, 105, 10),
    Band("B8A", "narrow near infrared", "nir08", 864.7, 21, 20),
    Band("B9", "water vapour", "nir09", 945.1, 19, 60),
    Band("B10", "cirrus", "cirrus", 1373.5, 29, 60),
    Band("B11", "short-wave infrared 1", "swir16", 1613.7, 90, 20),
    Band("B12", "short-wave infrared 2", "swir22", 2202.4, 174, 20),
    Band(SCL_BAND, "scene classification, 0 to 11", native_m=20, measured=False),
    Band(SCORE_BAND, "Cloud Score+, whole percent, 100 is clear", native_m=10, measured=False),
)

_NAIP: Final = (
    Band("R", "red", "red"),
    Band("G", "green", "green"),
    Band("B", "blue", "blue"),
    Band("N", "near infrared", "nir"),
)

# Source: USGS, Landsat 8-9 Collection 2 Level 2 Science Product Guide (LSDS-1619), and the page of
# LANDSAT/LC08/C02/T1_L2 in Earth Engine's catalogue.
_OLI: Final = (
    Band("SR_B1", "coastal aerosol", "coastal", 443, 16, 30),
    Band("SR_B2", "blue", "blue", 482, 60, 30),
    Band("SR_B3", "green", "green", 562, 57, 30),
    Band("SR_B4", "red", "red", 655, 37, 30),
    Band("SR_B5", "near infrared", "nir08", 865, 28, 30),
    Band("SR_B6", "short-wave infrared 1", "swir16", 1609, 85, 30),
    Band("SR_B7", "short-wave infrared 2", "swir22", 2201, 187, 30),
    Band("ST_B10", "surface temperature (kelvin: × 0.00341802 + 149)", "lwir11", 10895, 590, 100,
         measured=False),
    Band(QA_PIXEL_BAND, "pixel quality, bits: 0 fill, 1 to 3 cloud, 4 shadow, 5 snow, 7 water",
         native_m=30, measured=False),
)  # fmt: skip

_KNOWN: Final = {
    "COPERNICUS/S2": Platform(
        title="Sentinel-2 MSI", instrument="msi",
        provider="European Space Agency, Copernicus programme",
        provider_url="https://sentinels.copernicus.eu/",
        rights="free, full and open access; say “contains modified Copernicus Sentinel data”",
        rights_url="https://sentinels.copernicus.eu/documents/247904/690755/Sentinel_Data_Legal_Notice",
        scale=0.0001, unit="reflectance", bands={band.name: band for band in _MSI},
    ),
    "USDA/NAIP": Platform(
        title="NAIP aerial imagery", instrument=None,
        provider="United States Department of Agriculture",
        provider_url="https://naip-usdaonline.hub.arcgis.com/",
        rights="public domain in the United States; credit the USDA",
        rights_url=None, scale=None, unit="brightness", bands={band.name: band for band in _NAIP},
    ),
    **dict.fromkeys(("LANDSAT/LC08/C02/T1_L2", "LANDSAT/LC09/C02/T1_L2"), Platform(
        title="Landsat 8 and 9 OLI", instrument="oli",
        provider="U.S. Geological Survey", provider_url="https://www.usgs.gov/landsat-missions",
        rights="public domain; say “courtesy of the U.S. Geological Survey”",
        rights_url="https://www.usgs.gov/centers/eros/data-citation",
        scale=0.0000275, offset=-0.2, unit="reflectance",
        bands={band.name: band for band in _OLI},
    )),
}  # fmt: skip


LANDSAT_TRUE_COLOUR: Final = ("SR_B4", "SR_B3", "SR_B2")

TRUE_COLOUR: Final = (("B4", "B3", "B2"), ("R", "G", "B"), LANDSAT_TRUE_COLOUR)
"""Red, green and blue, as bands of Sentinel-2, of NAIP and of Landsat 8 and 9."""


def platform_of(collection: str | Sequence[str]) -> Platform:
    """Returns what is known of an Earth Engine collection; of an unknown one, hardly anything.

    Several are of one make: the first speaks for them.
    """
    collection = collection if isinstance(collection, str) else collection[0]
    for prefix, platform in _KNOWN.items():
        if collection.startswith(prefix):
            return platform
    page = "https://developers.google.com/earth-engine/datasets/catalog/"
    return Platform(
        title=collection, instrument=None, provider="see Earth Engine's catalogue",
        provider_url=page + collection.replace("/", "_"),
        rights="see Earth Engine's catalogue", rights_url=None, scale=None, unit="number", bands={},
    )  # fmt: skip


def band_of(platform: Platform, name: str) -> Band:
    """Returns a band of a platform; one that is not known has its name alone."""
    return platform.bands.get(name, Band(name, name, measured=name not in QUALITY_BANDS))
