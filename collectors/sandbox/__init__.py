"""Flickr and Earth Engine on loopback: a seeded, made-up world behind the real interfaces."""

from __future__ import annotations

from collectors.sandbox.process import Sandbox, SandboxError

__all__ = ["Sandbox", "SandboxError"]
