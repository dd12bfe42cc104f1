"""The page in a real Chromium: drawn, clicked, used by keyboard, and silent on the network."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from choreographer import Browser

from tests.storage.reporting.conftest import HOSTILE

BROWSER = shutil.which("chromium")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no chromium here"),
]

SPACE = {"key": " ", "code": "Space", "text": " ", "windowsVirtualKeyCode": 32}
TAB = {"key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9}


@dataclass
class Visit:
    """A reader in front of the open page."""

    tab: Any
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    async def listen(self) -> None:
        async def complain(event: dict[str, Any]) -> None:
            self.complaints.append(str(event["params"]))

        async def request(event: dict[str, Any]) -> None:
            self.requests.append(event["params"]["request"]["url"])

        for name in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"):
            self.tab.subscribe(name, complain)
        self.tab.subscribe("Network.requestWillBeSent", request)
        for domain in ("Runtime", "Log", "Network", "Page"):
            await self.tab.send_command(f"{domain}.enable")

    async def open(self, address: str) -> None:
        await self.tab.send_command("Page.navigate", params={"url": address})
        await self.until("[...document.querySelectorAll('.figure')].every(f => f.data)")

    async def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression."""
        answer = await self.tab.send_command(
            "Runtime.evaluate", params={"expression": expression, "returnByValue": True}
        )
        return answer["result"]["result"].get("value")

    async def until(self, condition: str) -> None:
        for _ in range(200):
            if await self.ask(f"document.readyState === 'complete' && {condition}"):
                return
            await asyncio.sleep(0.1)
        raise AssertionError(f"never came true: {condition}")

    async def click(self, element: str) -> None:
        """Press and release the mouse in the middle of an element."""
        await self.ask(f"{element}.scrollIntoView({{block: 'center'}})")
        x, y = await self.ask(
            f"(b => [b.x + b.width / 2, b.y + b.height / 2])({element}.getBoundingClientRect())"
        )
        for kind in ("mousePressed", "mouseReleased"):
            params = {"type": kind, "x": x, "y": y, "button": "left", "clickCount": 1}
            await self.tab.send_command("Input.dispatchMouseEvent", params=params)

    async def press(self, key: dict[str, Any]) -> None:
        for kind in ("keyDown", "keyUp"):
            await self.tab.send_command("Input.dispatchKeyEvent", params={"type": kind, **key})

    async def rows(self) -> dict[str, bool]:
        """Whether the rows of each loss can be seen."""
        pairs = await self.ask(
            "[...document.querySelectorAll('tr[data-row]')]"
            ".map(row => [row.dataset.row, row.getClientRects().length > 0])"
        )
        return {label: seen for label, seen in pairs if label in ("CE", HOSTILE)}

    async def drawn(self) -> set[tuple[float, str]]:
        """Opacity of the first figure's lines, and what pointing at them shows."""
        lines = "document.querySelector('.figure').data"
        pairs = await self.ask(f"{lines}.map(t => [t.opacity ?? 1, t.hoverinfo ?? 'all'])")
        return {tuple(pair) for pair in pairs}


@pytest.fixture
def visit(page: str, tmp_path: Path) -> Callable[[Callable[[Visit], Awaitable[None]], str], Visit]:
    """Open the page in a browser, let a reader use it, and say what was heard meanwhile."""
    path = tmp_path / "page.html"
    path.write_text(page, encoding="utf-8")

    async def go(use: Callable[[Visit], Awaitable[None]], anchor: str) -> Visit:
        async with Browser(path=BROWSER) as browser:
            visit = Visit(await browser.create_tab())
            await visit.listen()
            await visit.open(path.as_uri() + anchor)
            await use(visit)
            return visit

    def run(use: Callable[[Visit], Awaitable[None]], anchor: str = "") -> Visit:
        visit = asyncio.run(asyncio.wait_for(go(use, anchor), timeout=120))
        assert visit.complaints == []
        assert [
            url for url in visit.requests if not url.startswith(("file:", "data:", "blob:"))
        ] == []
        return visit

    return run


def test_every_figure_is_drawn_and_nothing_hostile_ran(visit) -> None:
    async def use(reader: Visit) -> None:
        assert await reader.ask("document.querySelectorAll('.main-svg').length") >= 3
        assert await reader.ask("document.title") == "sweep"
        assert await reader.ask("document.images.length") == 0

    visit(use)


def test_a_click_on_a_filter_hides_rows_and_lines_and_another_brings_them_back(visit) -> None:
    async def use(reader: Visit) -> None:
        box = "document.querySelector('#filter input[value=CE]')"
        assert await reader.rows() == {"CE": True, HOSTILE: True}
        before = await reader.drawn()
        assert (0, "skip") not in before
        await reader.click(box)
        assert await reader.rows() == {"CE": False, HOSTILE: True}
        assert await reader.ask("location.hash") == "#hide=CE"
        assert await reader.drawn() == before | {(0, "skip")}
        await reader.click(box)
        assert await reader.rows() == {"CE": True, HOSTILE: True}
        assert await reader.drawn() == before
        assert await reader.ask("location.hash") == ""

    visit(use)


def test_the_keyboard_reaches_and_works_the_filters(visit) -> None:
    async def use(reader: Visit) -> None:
        await reader.press(TAB)
        assert await reader.ask("document.activeElement.value") == "CE"
        await reader.press(TAB)
        await reader.press(SPACE)
        assert await reader.rows() == {"CE": True, HOSTILE: False}

    visit(use)


def test_an_address_carries_what_is_hidden(visit) -> None:
    async def use(reader: Visit) -> None:
        assert await reader.rows() == {"CE": False, HOSTILE: True}
        assert not await reader.ask("document.querySelector('#filter input[value=CE]').checked")

    visit(use, "#hide=CE")


def test_dark_and_light_are_followed_while_the_page_is_open(visit) -> None:
    async def use(reader: Visit) -> None:
        colours = []
        for mode in ("light", "dark"):
            media = [{"name": "prefers-color-scheme", "value": mode}]
            await reader.tab.send_command("Emulation.setEmulatedMedia", params={"features": media})
            ink = "document.querySelector('.figure').layout.font.color"
            await reader.until(f"{ink} !== {colours[-1:]}[0]" if colours else "true")
            colours.append(await reader.ask(ink))
        assert colours == ["#202020", "#e8e8e8"]

    visit(use)
