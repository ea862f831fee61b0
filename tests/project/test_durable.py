from __future__ import annotations

import errno
import os
import resource
import sys
import warnings
from pathlib import Path

import pytest

from lmcli.project import durable
from tests.faults import FAULTS, KILL, Trial, for_each_fault
from tests.power_loss import for_each_power_loss

OLD, NEW = b"old" * 1000, b"new" * 2000


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    (tmp_path / "snapshot").mkdir()
    (tmp_path / "snapshot" / "file").write_bytes(OLD)
    return tmp_path / "snapshot"


def overwrite(root: Path) -> None:
    durable.write(root / "file", NEW)


def test_write_leaves_the_old_or_the_whole_new_content_after_every_fault(snapshot: Path) -> None:
    def check(root: Path, trial: Trial) -> None:
        assert trial.failed
        assert (root / "file").read_bytes() in (OLD, NEW)
        if trial.fault != KILL:
            assert [path.name for path in root.iterdir()] == ["file"]

    operations = 4  # create, fsync, replace, fsync of the directory
    assert for_each_fault(snapshot, overwrite, check) == operations * len(FAULTS)


def test_write_survives_power_loss(snapshot: Path) -> None:
    last = b""

    def check(root: Path, moment: str) -> None:
        nonlocal last
        last = (root / "file").read_bytes()
        assert last in (OLD, NEW)

    assert for_each_power_loss(snapshot, overwrite, check) >= 10
    assert last == NEW


@pytest.mark.parametrize("careless", ["no fsync of the file", "no fsync of the directory"])
def test_the_power_loss_model_notices_a_missing_fsync(snapshot: Path, careless: str) -> None:
    def action(root: Path) -> None:
        if careless == "no fsync of the file":
            (root / "new").write_bytes(NEW)
            durable.replace(root / "new", root / "file")
        else:
            with durable.create(root / "new") as file:
                file.write(NEW)
            (root / "new").replace(root / "file")
            durable.unlink(root / "nothing")

    seen = set()
    for_each_power_loss(snapshot, action, lambda root, moment: seen.add((moment, (root / "file").read_bytes())))
    at_the_end = {content for moment, content in seen if "the end" in moment}
    assert at_the_end != {NEW}


def test_text_is_written_as_utf8(tmp_path: Path) -> None:
    durable.write(tmp_path / "file", "é€😀\n")
    assert (tmp_path / "file").read_bytes() == "é€😀\n".encode()


def test_create_refuses_a_name_that_is_taken(snapshot: Path) -> None:
    with pytest.raises(FileExistsError), durable.create(snapshot / "file"):
        pass
    assert (snapshot / "file").read_bytes() == OLD


def test_append_adds_lines_and_a_full_disk_cuts_none(tmp_path: Path) -> None:
    log = tmp_path / "log"
    durable.append(log, b"one\n", sync=True)
    durable.append(log, b"two\n", sync=False)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20, hard))  # the kernel takes the first 12 bytes of the next line
    try:
        with pytest.raises(OSError) as caught:
            durable.append(log, b"three" * 10 + b"\n", sync=False)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.errno == errno.EFBIG
    assert log.read_bytes() == b"one\ntwo\n"


def test_mkdir_makes_parents_and_their_names_survive_power_loss(snapshot: Path) -> None:
    def action(root: Path) -> None:
        durable.mkdir(root / "a" / "b")
        durable.mkdir(root / "a" / "b")

    ends = []
    for_each_power_loss(
        snapshot, action, lambda root, moment: ends.append("the end" not in moment or (root / "a" / "b").is_dir())
    )
    assert all(ends)


def test_remove_tree_and_unlink_accept_what_is_gone(tmp_path: Path) -> None:
    (tmp_path / "tree" / "below").mkdir(parents=True)
    (tmp_path / "tree" / "below" / "file").write_text("x")
    for _ in range(2):
        durable.remove_tree(tmp_path / "tree")
        durable.unlink(tmp_path / "file")
    assert not list(tmp_path.iterdir())


def test_a_tree_that_is_half_removed_has_lost_its_name(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    for name in "abc":
        (tmp_path / "tree" / name).write_text(name)

    removals = 0

    def die_at_the_second_file(event: str, arguments: object) -> None:
        nonlocal removals
        removals += event == "os.remove"
        if removals == 2:
            os._exit(1)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # a test runner may have threads
        child = os.fork()
    if child == 0:
        sys.addaudithook(die_at_the_second_file)
        durable.remove_tree(tmp_path / "tree")
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(durable.TEMPORARY)
    assert len(list(left.iterdir())) == 2


def test_temporary_names_lie_beside_the_target_and_differ(tmp_path: Path) -> None:
    names = {durable.temporary_name(tmp_path / "file") for _ in range(20)}
    assert len(names) == 20
    assert {name.parent for name in names} == {tmp_path}
    assert all(name.name.startswith(durable.TEMPORARY) for name in names)
