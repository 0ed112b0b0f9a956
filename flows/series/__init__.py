"""Series: many dates and several sensors over one footprint, at places of a published version."""
