"""Where threads open files: devices of other machines, and devices that turn out to be slow."""

from __future__ import annotations

from bulkup.pipeline.files.slow_devices import OpenOptions, SlowDevices

LOCAL, REMOTE = 1, 2
OPTIONS = OpenOptions(slow=0.001, stalled=0.05, in_a_row=3, pause=1.0, longest_pause=4.0)


def devices() -> SlowDevices:
    slow = SlowDevices(lambda device: device == REMOTE, OPTIONS)
    assert not slow.by_threads(LOCAL, 0.0)
    return slow


def test_a_device_of_another_machine_is_never_opened_by_the_event_loop() -> None:
    assert devices().by_threads(REMOTE, 1e9)


def test_some_slow_opens_in_a_row_move_a_device_to_threads() -> None:
    """A few that are slow for another reason do not."""
    slow = devices()
    for seconds in (0.005, 0.005, 0.0001) * 5:
        slow.opened(LOCAL, seconds, 0.0)
        assert not slow.by_threads(LOCAL, 0.0)
    for _ in range(3):
        slow.opened(LOCAL, 0.005, 0.0)
    assert slow.by_threads(LOCAL, 0.9)


def test_one_open_that_stalls_the_run_moves_its_device_at_once() -> None:
    slow = devices()
    slow.opened(LOCAL, 0.06, 0.0)
    assert slow.by_threads(LOCAL, 0.0)
    assert not slow.by_threads(3, 0.0)


def test_the_event_loop_tries_again_after_pauses_that_grow() -> None:
    """While the device stays slow, one open shows it."""
    slow, now, pauses = devices(), 0.0, []
    slow.opened(LOCAL, 0.06, now)
    for _ in range(4):
        begun = now
        while slow.by_threads(LOCAL, now):
            now += 0.5
        pauses.append(now - begun)
        slow.opened(LOCAL, 0.002, now)
    assert pauses == [1.0, 2.0, 4.0, 4.0]


def test_a_device_that_is_fast_again_moves_back() -> None:
    slow = devices()
    slow.opened(LOCAL, 0.06, 0.0)
    assert not slow.by_threads(LOCAL, 1.0)
    slow.opened(LOCAL, 0.0001, 1.0)
    for _ in range(2):
        slow.opened(LOCAL, 0.005, 1.0)
        assert not slow.by_threads(LOCAL, 1.0)
    slow.opened(LOCAL, 0.06, 1.0)
    assert not slow.by_threads(LOCAL, 2.0)  # the first pause again
