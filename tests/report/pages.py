"""What tests read of the report's pages."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from urllib.parse import unquote


def all_pages(front: Path) -> list[Path]:
    """report.html and the pages behind it."""
    return [front, *sorted((front.parent / "pages").glob("*.html"))]


def everything(front: Path) -> str:
    """The text of all pages, one after another."""
    return "\n".join(path.read_text() for path in all_pages(front))


def ids(path: Path) -> list[str]:
    """Every id of a page, in order."""
    return re.findall(r'\sid="([^"]+)"', path.read_text())


def broken_links(front: Path) -> list[str]:
    """Links and sources of all pages that lead nowhere: to a file that is not there, or an id that a page has not."""
    found = []
    for path in all_pages(front):
        body = path.read_text().split('<script id="index"')[0]
        for link in map(unescape, re.findall(r'(?:href|src)="([^"]+)"', body)):
            if link.startswith("data:"):
                continue
            file, _, anchor = link.partition("#")
            target = (path.parent / unquote(file)).resolve() if file else path
            if not target.is_file() or (anchor and unquote(anchor) not in ids(target)):
                found.append(f"{path.name}: {link}")
    return found
