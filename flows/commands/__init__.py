"""The commands of `terrapair`, a module for each group; heavy libraries are imported inside."""
