"""What clients sent and runs gave back is shown and does nothing, on a real socket."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from acuse.entrypoints.ops import words
from tests.integration.watched import added, ended, plain, watched

if TYPE_CHECKING:
    import httpx

    from tests.contract.backend import Backend

SCRIPT = "</pre></bdi></script><script>alert(1)</script><img src=x onerror='alert(2)'>{{ 7*7 }}{% x %}\"'`&lt;&#60;"
TURNED = "invoice\u202egnp.exe\u2066\u200b\u2028\x1b[31m\x7f\x85\ufeff\u00ad\U000e0041"


class Marks(HTMLParser):
    """The elements of a page, and their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def marks(response: httpx.Response) -> Marks:
    found = Marks()
    found.feed(response.text)
    found.close()
    return found


def test_marks_of_others_are_text_on_every_page(backend: Backend) -> None:
    failed = ended(backend, added(backend, note=SCRIPT, **{SCRIPT: SCRIPT}), detail=SCRIPT)
    finished = ended(backend, added(backend, action="delay"), result={SCRIPT: [SCRIPT]})
    with watched(backend) as (client, _):
        pages = {
            path: client.get(path)
            for path in ("/", "/requests", *(f"/requests/{one.id}" for one in (failed, finished)))
        }

    for path, page in pages.items():
        found = marks(page)
        assert page.status_code == 200
        assert found.elements.count("script") == 1, path
        assert "img" not in found.elements, path
        assert not {name for name in found.attributes if name.startswith("on")}, path
        assert "alert(1)" in found.text, path
        assert "{{ 7*7 }}" in found.text, path


def test_marks_in_an_address_are_text(backend: Backend) -> None:
    with watched(backend) as (client, _):
        for query in ({"status": SCRIPT}, {"action": SCRIPT}, {"since": SCRIPT}, {"id": SCRIPT}, {"after": SCRIPT}):
            page = client.get("/requests", params=query)
            assert page.status_code == (200 if "action" in query else 400)
            assert marks(page).elements.count("script") == 1
            assert "img" not in marks(page).elements


def test_what_is_not_seen_or_turns_text_about_is_shown_as_an_escape(backend: Backend) -> None:
    failed = ended(backend, added(backend, note=TURNED, **{TURNED: 1}), detail=TURNED)
    finished = ended(backend, added(backend), result=TURNED)
    with watched(backend) as (client, _):
        for path in ("/", "/requests", f"/requests/{failed.id}", f"/requests/{finished.id}"):
            page = client.get(path)

            assert not set(TURNED) & set(page.text) - set("invoicegnp.exe[31m"), path
            assert (
                "invoice\\u202egnp.exe\\u2066\\u200b\\u2028\\u001b[31m\\u007f\\u0085\\ufeff\\u00ad\\udb40\\udc41"
                in page.text
            )


def test_letters_that_run_from_right_to_left_turn_nothing_else_about(backend: Backend) -> None:
    failed = ended(backend, added(backend), detail="\u05e9\u05dc\u05d5\u05dd")
    with watched(backend) as (client, _):
        for path in ("/", "/requests", f"/requests/{failed.id}"):
            assert client.get(path).text.count("\u05e9\u05dc\u05d5\u05dd</bdi>") == 1, path


def test_half_a_character_in_an_error_breaks_no_page() -> None:
    assert words.text("\ud800 x").text == "\\ud800 x"


@pytest.mark.parametrize("size", [words.MOST_SHOWN - 100, 200_000])
def test_what_is_long_is_cut_and_the_page_says_how_to_see_it_all(backend: Backend, size: int) -> None:
    failed = ended(backend, added(backend, note="x" * size), detail="y" * size)
    finished = ended(backend, added(backend, note="x" * size), result="z" * size)
    is_cut = size > words.MOST_SHOWN
    with watched(backend) as (client, _):
        pages = [client.get(f"/requests/{one.id}") for one in (failed, finished)]

    assert plain(pages[0]).count(f"acuse show {failed.id} prints all.") == (2 if is_cut else 0)
    assert plain(pages[1]).count(f"acuse show {finished.id} prints all.") == (2 if is_cut else 0)
    if is_cut:
        assert f"Cut: it has {len(failed.body):,} bytes." in plain(pages[0])
        assert f"Cut: it has {size:,} bytes." in plain(pages[0])
        assert f"Cut: it has {size + 2:,} bytes." in plain(pages[1])
    for page in pages:
        assert len(page.content) < 3 * words.MOST_SHOWN + 10_000


def test_a_list_of_large_requests_is_a_small_page_and_what_is_cut_says_so(backend: Backend) -> None:
    for _ in range(30):
        ended(backend, added(backend, note="x" * 100_000), detail="y" * 100_000)
    with watched(backend) as (client, _):
        for path in ("/", "/requests"):
            page = client.get(path)
            assert len(page.content) < 60_000
            assert f"raised {'y' * (words.MOST_REMARKED - 1)}\N{HORIZONTAL ELLIPSIS} " in plain(page)


def test_deep_and_wide_json_is_shown_as_it_is(backend: Backend) -> None:
    deep: object = []
    for _ in range(25):
        deep = [deep, deep] if len(str(deep)) < 5_000 else [deep]
    sent = added(backend, deep=deep, wide=list(range(3_000)))
    with watched(backend) as (client, _):
        page = client.get(f"/requests/{sent.id}")

    assert page.status_code == 200
    assert f"Cut: it has {len(sent.body):,} bytes." in plain(page)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (b'{"a":[1,2],"b":"\\u202e\\n"}', '{\n  "a": [\n    1,\n    2\n  ],\n  "b": "\\u202e\\n"\n}'),
        ('"é \U0001f600"'.encode(), '"é \U0001f600"'),
        (b"not json", "not json"),
        (b"\xff\xfe{}", "{}"),
    ],
)
def test_json_is_spread_over_lines_and_what_is_none_is_shown_too(value: bytes, shown: str) -> None:
    assert words.json(value) == words.Shown(text=shown)


def test_json_that_is_nested_too_deeply_is_shown_too() -> None:
    assert words.json(b"[" * 5_000 + b"]" * 5_000).text.startswith("[")


def test_beyond_a_bound_json_is_not_spread_over_lines() -> None:
    value = b"[" + b"1," * words.MOST_FORMATTED + b"1]"
    found = words.json(value)

    assert found.text == value[: words.MOST_SHOWN].decode()
    assert found.of == len(value)
