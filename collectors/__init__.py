"""The outside world: Flickr, Earth Engine, storage, and what a photo and a chip are."""
