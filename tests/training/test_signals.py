from __future__ import annotations

import os
import signal
import threading

import pytest

from lmcli.errors import Stopped
from lmcli.training.signals import ENDING, Interrupted, caught


@pytest.mark.parametrize("number", ENDING)
def test_the_first_signal_waits_until_it_is_asked_for(number: signal.Signals) -> None:
    with caught() as interrupts:
        interrupts.check()
        os.kill(os.getpid(), number)
        with pytest.raises(Interrupted) as interrupted:
            interrupts.check()
    assert interrupted.value.signal_number == number


def test_the_second_signal_aborts_at_once() -> None:
    with caught(), pytest.raises(Stopped) as stopped:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
    assert stopped.value.exit_code == 130


def test_what_goes_on_after_a_pause_is_told() -> None:
    told: list[str] = []
    with caught(on_resumed=lambda: told.append("resumed")) as interrupts:
        os.kill(os.getpid(), signal.SIGCONT)
        interrupts.check()
    assert told == ["resumed"]


def test_handlers_come_back_and_ignored_signals_stay_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with caught() as interrupts:
            os.kill(os.getpid(), signal.SIGHUP)
            interrupts.check()
            assert signal.getsignal(signal.SIGINT) == interrupts.receive
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_outside_the_main_thread_nothing_is_caught() -> None:
    seen: list[int | None] = []

    def work() -> None:
        with caught() as interrupts:
            seen.append(interrupts.pending)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [None]


def test_a_checkpoint_may_be_asked_for_any_number_of_times() -> None:
    with caught() as interrupts:
        assert not interrupts.take_save()
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGUSR1)
        assert interrupts.take_save()
        assert not interrupts.take_save()
        interrupts.check()
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL
