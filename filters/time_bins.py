"""Time bins: photos of one bin may share a chip."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date


def time_bin(day: date, bin_months: int) -> str:
    """Names the bin that holds a day.

    Bins are counted from January of year 0, so they do not depend on the data: quarters are the
    calendar's, and bins of three years are 2016-2018, 2019-2021, ….

    Args:
        day: A local date.
        bin_months: 1 or another divisor of 12, or a multiple of 12.

    Returns:
        `2020Q3` for quarters; `2020M07` for months; `2020M07-M12` for other parts of a year;
        `2020` for years; `2019-2021` for several years.
    """
    first = (day.year * 12 + day.month - 1) // bin_months * bin_months
    year, month = divmod(first, 12)
    if bin_months == 3:
        return f"{year}Q{month // 3 + 1}"
    if bin_months == 12:
        return f"{year}"
    if bin_months > 12:
        return f"{year}-{year + bin_months // 12 - 1}"
    if bin_months == 1:
        return f"{year}M{month + 1:02d}"
    return f"{year}M{month + 1:02d}-M{month + bin_months:02d}"
