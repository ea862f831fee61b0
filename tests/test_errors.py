from __future__ import annotations

import errno
import os

import pytest

from lmcli import errors
from lmcli.errors import LmcliError, Stopped, did_you_mean, from_os_error

CODES = {
    "LmcliError": 1, "UsageError": 2, "InputError": 3, "ConfigError": 3, "ArtifactError": 4, "MachineError": 5,
    "BusyError": 6, "DivergedError": 7, "GateError": 8,
}  # fmt: skip


def test_exit_codes_never_change() -> None:
    found = {
        name: item.exit_code
        for name, item in vars(errors).items()
        if isinstance(item, type) and issubclass(item, LmcliError)
    }
    assert found == CODES


@pytest.mark.parametrize(("number", "code"), [(2, 130), (15, 143), (1, 129)])
def test_a_signal_is_128_and_its_number_and_no_exception_handler_swallows_it(number: int, code: int) -> None:
    assert Stopped(number).exit_code == code
    assert not issubclass(Stopped, Exception)


@pytest.mark.parametrize(
    ("number", "hint"),
    [
        (errno.ENOSPC, "free some space"),
        (errno.EDQUOT, "quota"),
        (errno.EACCES, "permissions"),
        (errno.EROFS, "read-only"),
        (errno.EIO, "check it"),
        (errno.EMFILE, "ulimit"),
    ],
)
def test_an_error_of_the_system_says_what_where_and_what_to_do(number: int, hint: str) -> None:
    found = from_os_error(OSError(number, os.strerror(number), "some/file"))
    assert found.exit_code == 5
    assert found.message == f"{os.strerror(number)} some/file"
    assert hint in str(found.hint)


def test_an_error_of_the_system_without_number_or_file_still_says_something() -> None:
    assert from_os_error(OSError("odd")).message == "odd"


@pytest.mark.parametrize(
    ("word", "expected"), [("trian", "did you mean train?"), ("train", "did you mean train?"), ("xyz", None)]
)
def test_did_you_mean(word: str, expected: str | None) -> None:
    assert did_you_mean(word, {"train": 1, "tokens": 2}) == expected
