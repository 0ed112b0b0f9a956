"""How fast photos are fetched, checked, resized and stored, beside img2dataset."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

import pytest
from PIL import Image

from tests.benchmarks.lines import report
from tests.filters.real_pictures import PHOTOGRAPHS, photograph

pytestmark = pytest.mark.benchmark

ROOT: Final = Path(__file__).resolve().parents[2]
THREADS: Final = 16
PHOTOS: Final = 1_280
ROUNDS: Final = 3

SIZES: Final = ((640, 427), (640, 480), (500, 375), (427, 640))
"""What `choose_size` takes of a photo of the usual shapes."""

PEER: Final = """
import sys
from img2dataset import download
if __name__ == "__main__":
    urls, folder, processes, threads, photos, filter = sys.argv[1:]
    download(
        url_list=urls, output_folder=folder, input_format="txt", output_format="webdataset",
        processes_count=int(processes), thread_count=int(threads) // int(processes),
        image_size=336, resize_mode="keep_ratio", resize_only_if_bigger=True,
        downscale_interpolation=filter,
        encode_format="jpg", encode_quality=90, extract_exif=False, compute_hash="sha256",
        number_sample_per_shard=-(-int(photos) // int(processes)), retries=0, timeout=20,
    )
"""
"""The shortest side brought to 336 px, JPEG quality 90, tar shards, SHA-256 of each file: as ours.
By Lanczos's filter, as ours, though OpenCV's takes 8 × 8 pixels however much smaller the picture
becomes; and by averages of areas, which is its default."""


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python of its own with img2dataset, from the package registry."""
    folder = tmp_path_factory.mktemp("img2dataset")
    uv = shutil.which("uv")
    python = folder / "venv" / "bin" / "python"
    if uv is None:
        make = [sys.executable, "-m", "venv"]
        install = [str(python), "-m", "pip", "install", "--quiet"]
    else:
        make = [uv, "venv", "--quiet", "--python", sys.executable]
        install = [uv, "pip", "install", "--quiet", "--python", str(python)]
    commands = [*make, str(folder / "venv")], [*install, "img2dataset"]
    for command in commands:
        subprocess.run(command, check=True, timeout=600)
    (folder / "peer.py").write_text(PEER)
    return python


def make_photos(folder: Path) -> list[tuple[str, int, int]]:
    """Writes photographs in the sizes that are usual; gives name, width and height of each."""
    made = []
    for picture in PHOTOGRAPHS:
        for width, height in SIZES:
            name = f"{len(made):03d}.jpg"
            resized = photograph(picture).resize((width, height), Image.Resampling.LANCZOS)
            resized.save(folder / name, "JPEG", quality=90)
            made.append((name, width, height))
    return made


def run_ours(folder: Path) -> tuple[float, float]:
    """Gives photos a second, and processor time for one, s."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.photo_run", str(folder / "list.json"),
         str(THREADS)],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    told: dict[str, Any] = json.loads(done.stdout)
    assert told["photos"] == told["requests"] == PHOTOS
    return PHOTOS / told["seconds"], told["cpu_seconds"] / PHOTOS


def run_peer(python: Path, folder: Path, processes: int, resampling: str) -> float:
    """Gives photos a second by its own clock, which begins when it is ready."""
    out = folder / "peer"
    shutil.rmtree(out, ignore_errors=True)
    subprocess.run(
        [str(python), str(python.parents[2] / "peer.py"), str(folder / "list.txt"), str(out),
         str(processes), str(THREADS), str(PHOTOS), resampling],
        check=True, capture_output=True,
        env=os.environ | {"NO_ALBUMENTATIONS_UPDATE": "1", "DO_NOT_TRACK": "1"},
    )  # fmt: skip
    stats = [json.loads(path.read_text()) for path in out.glob("*_stats.json")]
    assert sum(one["successes"] for one in stats) == PHOTOS
    began, ended = (min(one["start_time"] for one in stats), max(one["end_time"] for one in stats))
    return float(PHOTOS / (ended - began))


def test_photos_beside_img2dataset(peer: Path, tmp_path: Path) -> None:
    """The same list from the same host, with as many threads, in turns."""
    photos = make_photos(tmp_path)
    host = [sys.executable, "-m", "tests.benchmarks.file_host", str(tmp_path)]
    with subprocess.Popen(
        host, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        url = f"http://127.0.0.1:{int(server.stdout.readline())}"
        rows = [photos[number % len(photos)] for number in range(PHOTOS)]
        named = [(f"{url}/{name}", width, height) for name, width, height in rows]
        (tmp_path / "list.json").write_text("\n".join(json.dumps(row) for row in named))
        (tmp_path / "list.txt").write_text("\n".join(row[0] for row in named))
        ours, cpu = [], []
        peers: defaultdict[str, list[float]] = defaultdict(list)
        for _ in range(ROUNDS):
            rate, seconds = run_ours(tmp_path)
            ours.append(rate)
            cpu.append(seconds)
            for resampling in ("lanczos", "area"):
                for processes in (1, 2):
                    found = run_peer(peer, tmp_path, processes, resampling)
                    peers[f"{resampling}, {processes}"].append(found)
        server.stdin.close()
    rate = statistics.median(ours)
    theirs = {name: statistics.median(rates) for name, rates in peers.items()}
    report(
        "photos_vs_img2dataset_ratio", round(rate / theirs["lanczos, 1"], 2), "times its rate",
        ">= 1.5", peer="img2dataset, one process, the same number of threads, the same filter",
        ratios={name: round(rate / one, 2) for name, one in theirs.items()},
        photos_a_second=round(rate, 1),
        peer_photos_a_second={name: round(one, 1) for name, one in theirs.items()},
        cpu_seconds_per_photo=round(min(cpu), 5), threads=THREADS, photos=PHOTOS, rounds=ROUNDS,
        jpeg_quality=90, shortest_side_px=336,
    )  # fmt: skip
