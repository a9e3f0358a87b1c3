"""Events for the open pages of the dashboard."""

from __future__ import annotations

from bulkup.dashboard.event_hub import EventHub
from bulkup.dashboard.event_stream import event_text


async def test_a_slow_page_gets_the_newest_event_of_each_name() -> None:
    hub = EventHub()
    with hub.subscribed() as page:
        for number in range(1000):
            hub.publish("progress", "one", number)
        hub.publish("progress", "two", 7)
        assert await page.take(0) == [("progress", 999), ("progress", 7)]
        assert await page.take(0) == []


async def test_events_go_to_all_open_pages_and_to_no_closed_one() -> None:
    hub = EventHub()
    with hub.subscribed() as one:
        with hub.subscribed() as other:
            hub.publish("journal", "a", 1)
            assert await other.take(1) == [("journal", 1)]
        hub.publish("journal", "a", 2)
        assert len(hub) == 1
        assert await other.take(0) == []
        assert await one.take(1) == [("journal", 2)]
    assert len(hub) == 0


async def test_closing_ends_all_streams_and_later_ones() -> None:
    hub = EventHub()
    with hub.subscribed() as page:
        hub.close()
        assert page.closed
    with hub.subscribed() as page:
        assert page.closed


def test_an_event_is_three_lines_whatever_its_text() -> None:
    assert event_text("journal", "a\n\nevent: x") == b'event: journal\ndata: "a\\n\\nevent: x"\n\n'
