"""What a version says of itself: card, datasheet, Croissant, STAC, statistics, attributions."""
