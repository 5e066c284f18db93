"""What only the embedded store promises: one process for all clients, that lives through its own death."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client
from pathlib import Path

import numpy as np
import psutil
import pytest
from filelock import FileLock
from processes import finish, next_line, run, start

from labse_search.errors import CollectionDamaged, CollectionMissing, StoreUnavailable
from labse_search.files import write_private
from labse_search.records import CollectionSpec, Filter, Found, Segment, StoredSegment
from labse_search.similarity import Vectors, normalize
from labse_search.store.edge import wire
from labse_search.store.edge.client import EdgeStore
from labse_search.store.edge.disk import copy_tree
from labse_search.store.edge.engine import stops_when_opened

ROOT = Path(__file__).resolve().parent.parent
SPEC = CollectionSpec(dimension=256, fingerprint="a" * 64, model="labse-mini")
NAME = "documents"
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="signals and file modes of POSIX")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A store's folder; whatever process serves it at the end is ended."""
    folder = tmp_path / "store"
    yield folder
    if folder.exists():
        EdgeStore(folder).stop()


def open_store(folder: Path, idle_seconds: float = 60) -> EdgeStore:
    return EdgeStore.open(folder, idle_seconds=idle_seconds, scan_mb=0)  # so that few vectors are optimised, too


def segment(document: str, index: int, text: str = "the cat sat") -> StoredSegment:
    return StoredSegment(document, (f"{document}.txt",), (), "txt", 1.0, Segment(index, 0, len(text), text, "en", {}))


def vector_of(document: str, index: int, version: int = 0) -> Vectors:
    """The same segment always gets the same vector, so that what comes back can be told from what went in."""
    seed = [int.from_bytes(document.encode(), "little") % 2**63, index, version]
    return normalize(np.random.default_rng(seed).normal(size=SPEC.dimension))


def put(store: EdgeStore, document: str, count: int, version: int = 0) -> None:
    segments = [segment(document, i, f"version {version} of {document} line {i}") for i in range(count)]
    vectors = np.stack([vector_of(document, i, version) for i in range(count)])
    store.upsert(NAME, segments, vectors, fingerprint=SPEC.fingerprint)


def pid(folder: Path) -> int:
    known = wire.read_address(folder)
    assert known is not None
    return int(known["pid"])


def kill(folder: Path) -> None:
    victim = pid(folder)
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: not alive(victim))


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
        state = Path(f"/proc/{process}/stat")
        return not (state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z")
    except (ProcessLookupError, FileNotFoundError):  # it ends while it is looked at
        return False


def wait_until(true: Callable[[], bool], seconds: float = 200.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def client_process(folder: Path, code: str) -> subprocess.Popen[str]:
    """Another Python with `store` open on the folder."""
    head = "from pathlib import Path\nfrom labse_search.store.edge.client import EdgeStore\n"
    head += f"folder = Path({str(folder)!r})\n"
    head += "store = EdgeStore.open(folder, idle_seconds=60, scan_mb=0)\n"
    return start(sys.executable, "-c", head + code)


def test_two_client_processes_share_one_store(folder: Path) -> None:
    store = open_store(folder)
    store.create(NAME, SPEC)
    put(store, "mine", 3)
    other = client_process(
        folder,
        "from labse_search.records import Filter\n"
        f"print(store.count({NAME!r}))\n"
        f"store.delete({NAME!r}, Filter(indexes=(0,)))\n"
        "print(__import__('labse_search.store.edge.wire', fromlist=['x']).read_address(folder)['pid'])\n",
    )
    assert finish(other).stdout.split() == ["3", str(pid(folder))]
    assert store.count(NAME) == 2


def test_a_collection_put_aside_once_more_because_the_answer_was_lost_lies_where_it_was_put(folder: Path) -> None:
    """The store's process was killed between the move and its answer, and the client asks the next one."""
    store = open_store(folder)
    store.create(NAME, SPEC)
    first, second = (store._call("put_aside", collection=NAME, suffix="1").header["value"] for _ in range(2))
    assert first == second and Path(first).is_dir()
    with pytest.raises(CollectionMissing):
        store.put_aside(NAME)


def test_the_number_of_segments_is_told_at_rest_and_while_they_are_written(folder: Path) -> None:
    store = open_store(folder)
    store.create(NAME, SPEC)
    state = folder / wire.COLLECTIONS / NAME / "state.json"

    def at_rest() -> bool:
        return json.loads(state.read_text())["segments"] is not None

    put(store, "d", 3)
    assert store.info(NAME).segments == 3
    wait_until(at_rest)
    assert store.info(NAME).segments == 3
    put(store, "d", 5)
    assert store.info(NAME).segments == 5
    store.delete(NAME, Filter(indexes=(0, 1)))
    assert store.info(NAME).segments == 3
    wait_until(at_rest)
    assert store.info(NAME).segments == 3


def test_simultaneous_starters_give_one_process(folder: Path) -> None:
    code = "print(store._call('hello').header['value']['pid'])"
    others = [client_process(folder, code) for _ in range(4)]
    answers = {finish(other).stdout.strip() for other in others}
    assert answers == {str(pid(folder))}


def test_many_threads_share_one_client(folder: Path) -> None:
    store = open_store(folder)
    store.create(NAME, SPEC)
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for version in range(3):
                put(store, f"d{number}", 20, version)
                wanted = vector_of(f"d{number}", 7, version)
                [found] = store.search_meaning(NAME, wanted, 1, fingerprint=SPEC.fingerprint)
                assert (found.stored.document, found.stored.segment.index) == (f"d{number}", 7)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert store.count(NAME) == 120


def test_a_search_is_answered_while_others_write_and_optimize(folder: Path) -> None:
    store = open_store(folder)
    store.create(NAME, SPEC)
    put(store, "base", 1500)
    stop = threading.Event()
    answered = {"optimize": 0, "upsert": 0}
    phase = "optimize"

    def ask() -> None:
        while not stop.is_set():
            now = phase
            found = store.search_meaning(NAME, vector_of("base", 5), 1, fingerprint=SPEC.fingerprint)
            assert found[0].stored.segment.index == 5
            answered[now] += 1

    asker = threading.Thread(target=ask)
    asker.start()
    store.optimize(NAME)
    phase = "upsert"
    put(store, "more", 1500)
    stop.set()
    asker.join()
    assert min(answered.values()) > 2  # one may have begun before, one ended after
    assert store.count(NAME) == 3000


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot hold a process")
def test_a_pause_is_heard_while_the_index_is_built(folder: Path) -> None:
    store = open_store(folder)
    store.create(NAME, SPEC)
    put(store, "base", 50)
    os.kill(pid(folder), signal.SIGSTOP)  # it answers nothing, as when it builds an index for minutes
    try:
        store.optimize(NAME, stop=lambda: True)
    finally:
        os.kill(pid(folder), signal.SIGCONT)
    assert store.count(NAME) == 50


def test_what_is_written_while_optimizing_is_carried_over(folder: Path) -> None:
    store = open_store(folder)
    store.create(NAME, SPEC)
    put(store, "base", 2000)
    optimizing = threading.Thread(target=store.optimize, args=(NAME,))
    optimizing.start()
    wait_until(lambda: bool(psutil.Process(pid(folder)).children()))
    [indexing] = psutil.Process(pid(folder)).children()
    indexing.suspend()  # so that it surely is at it all the while
    put(store, "new", 150)
    put(store, "base", 300, version=1)
    store.delete(NAME, Filter(documents=("base",), indexes=tuple(range(1990, 2000))))
    store.rename(NAME, "new", ["renamed.txt"], ["there"])
    indexing.resume()
    optimizing.join()
    assert sorted(path.name for path in (folder / wire.COLLECTIONS / NAME).glob("shard-*")) == ["shard-2"]
    assert store.count(NAME) == 2000 - 10 + 150
    assert store.count(NAME, Filter(folders=("there",))) == 150
    points = [segment("base", i).point for i in range(0, 400, 50)]
    stored = store.vectors(NAME, points)
    for i, point in zip(range(0, 400, 50), points, strict=True):
        np.testing.assert_array_equal(stored[point], vector_of("base", i, version=1 if i < 300 else 0))
    assert store.search_words(NAME, "version 1 base line 299", 1)[0].stored.segment.index == 299


@POSIX
def test_a_killed_process_is_started_again_and_nothing_is_lost(folder: Path) -> None:
    store = open_store(folder)
    store.create(NAME, SPEC)
    for round_number in range(4):
        put(store, f"d{round_number}", 100)
        if round_number == 1:
            store.optimize(NAME)
        kill(folder)
        assert store.count(NAME) == 100 * (round_number + 1)
    store.delete(NAME, Filter(documents=("d0",)))
    kill(folder)
    assert store.facet(NAME, "document") == {"d1": 100, "d2": 100, "d3": 100}


@POSIX
def test_a_process_killed_in_mid_call_answers_the_call_after_all(folder: Path) -> None:
    store = open_store(folder)
    store.create(NAME, SPEC)
    writer = threading.Thread(target=put, args=(store, "big", 4000))
    writer.start()
    wait_until(lambda: store.count(NAME) > 0)
    kill(folder)
    writer.join()
    assert store.count(NAME) == 4000


@contextlib.contextmanager
def killer_of_starting_processes(folder: Path, most: int) -> Iterator[list[int]]:
    """Kills up to `most` store processes of the folder before they listen: none can while its lock is held here."""
    killed: list[int] = []

    def kill_each() -> None:
        with FileLock(folder / wire.PROCESS_LOCK):
            while len(killed) < most and not over.wait(0.01):
                for child in psutil.Process().children():
                    with contextlib.suppress(psutil.NoSuchProcess):
                        if child.pid not in killed and str(folder) in child.cmdline():
                            child.kill()
                            killed.append(child.pid)

    folder.mkdir(exist_ok=True)
    over = threading.Event()
    thread = threading.Thread(target=kill_each)
    thread.start()
    yield killed
    over.set()
    thread.join()


@POSIX
def test_a_process_killed_before_it_listens_is_started_again(folder: Path) -> None:
    with killer_of_starting_processes(folder, 2) as killed:
        store = open_store(folder)
        store.create(NAME, SPEC)
    assert len(killed) == 2
    assert store.count(NAME) == 0


@POSIX
def test_processes_that_are_all_killed_before_they_listen_are_a_clear_error(folder: Path) -> None:
    with killer_of_starting_processes(folder, 100) as killed, pytest.raises(StoreUnavailable, match="did not start"):
        open_store(folder).create(NAME, SPEC)
    assert len(killed) == 4


HOLD = """
import sys, qdrant_edge
shard = qdrant_edge.EdgeShard.load(sys.argv[1])
print("held", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def looking_whether_it_opens(shard: Path, found: list[int]) -> Iterator[Callable[[], psutil.Process]]:
    """`stops_when_opened` in a thread, its answer in `found` at the end. Yields what waits for its next child."""
    seen: set[int] = set()

    def child() -> psutil.Process:
        while True:
            for one in psutil.Process().children():
                with contextlib.suppress(psutil.NoSuchProcess):
                    if one.pid not in seen and str(shard) in one.cmdline() and HOLD not in one.cmdline():
                        seen.add(one.pid)
                        return one
            assert thread.is_alive(), f"no further child was started: {found}"
            time.sleep(0.005)

    thread = threading.Thread(target=lambda: found.append(stops_when_opened(shard)))
    thread.start()
    yield child
    thread.join()


@POSIX
def test_a_shard_whose_last_process_is_just_ending_is_not_called_damaged(folder: Path, fresh_folder: Path) -> None:
    """A killed process may leave a child that still has the shard open."""
    copy_tree(fresh_folder, folder)
    shard, found = _shard(folder / wire.COLLECTIONS / NAME), list[int]()
    with start(sys.executable, "-c", HOLD, shard, stdin=subprocess.PIPE) as holder:
        assert holder.stdin is not None and next_line(holder) == "held\n"
        with looking_whether_it_opens(shard, found) as child:
            looking = child()
            with contextlib.suppress(psutil.NoSuchProcess):  # gone: it did not wait
                while not any("qdrant_edge" in one.path for one in looking.memory_maps()):
                    time.sleep(0.005)
                time.sleep(0.5)  # it has tried once by now, if the machine is not very busy
            holder.stdin.close()
    assert found == [0]


@POSIX
def test_a_kill_while_a_shard_is_looked_at_does_not_call_it_damaged(folder: Path, fresh_folder: Path) -> None:
    copy_tree(fresh_folder, folder)
    shard, found = _shard(folder / wire.COLLECTIONS / NAME), list[int]()
    with looking_whether_it_opens(shard, found) as child:
        child().kill()
        child().kill()
    assert found == [0]


STEPS = 60


@POSIX
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_thirty_kills_at_random_points_lose_nothing_acknowledged(folder: Path) -> None:
    """A writer upserts, replaces, deletes and optimises; during every second step its store process is killed. After
    every fifth step the store must hold exactly the documents it should, each whole and in its last version."""
    store = open_store(folder)
    store.create(NAME, SPEC)
    steps, chance = random.Random(11), random.Random(7)
    killed: list[int] = []
    expected: dict[str, tuple[int, int]] = {}  # document → (segments, version)
    for number in range(STEPS):
        killer = threading.Timer(chance.uniform(0.0, 0.5), kill_now, args=(folder, killed))
        if number % 2:
            killer.start()
        random_step(store, steps, number, expected)
        if number % 2:
            killer.join()
        if number % 5 == 4:
            check_holds(store, expected)
    assert len(killed) == STEPS // 2


def kill_now(folder: Path, killed: list[int]) -> None:
    wait_until(lambda: (known := wire.read_address(folder)) is not None and alive(int(known["pid"])))
    victim = pid(folder)
    os.kill(victim, signal.SIGKILL)
    killed.append(victim)


def random_step(store: EdgeStore, steps: random.Random, number: int, expected: dict[str, tuple[int, int]]) -> None:
    document = f"d{steps.randrange(40)}"
    choice = steps.random()
    if choice < 0.6:
        count, old = steps.randrange(1, 200), expected.get(document, (0, 0))[0]
        until_done(lambda: put(store, document, count, number))
        if old > count:
            stale = Filter(documents=(document,), indexes=tuple(range(count, old)))
            until_done(lambda: store.delete(NAME, stale))
        expected[document] = (count, number)
    elif choice < 0.85:
        until_done(lambda: store.delete(NAME, Filter(documents=(document,))))
        expected.pop(document, None)
    else:
        until_done(lambda: store.optimize(NAME))


def until_done(call: Callable[[], None]) -> None:
    """A kill is survived inside the call; a process that cannot be started is reported, and the caller repeats it."""
    while True:
        try:
            return call()
        except CollectionDamaged:
            raise
        except StoreUnavailable:
            continue


def check_holds(store: EdgeStore, expected: dict[str, tuple[int, int]]) -> None:
    counts: dict[str, int] = {}
    segments: list[StoredSegment] = []

    def look() -> None:
        counts.clear()
        counts.update(store.facet(NAME, "document"))
        segments[:] = store.segments(NAME)

    until_done(look)
    assert counts == {document: count for document, (count, _) in expected.items()}
    texts = {(one.document, one.segment.index): one.segment.text for one in segments}
    for document, (count, version) in expected.items():
        for i in range(count):
            assert texts[document, i] == f"version {version} of {document} line {i}"


@POSIX
def test_sigterm_flushes_and_leaves_a_recorded_count(folder: Path) -> None:
    store = open_store(folder)
    store.create(NAME, SPEC)
    put(store, "a", 10)
    process = pid(folder)
    os.kill(process, signal.SIGTERM)
    wait_until(lambda: not alive(process))
    state = json.loads((folder / wire.COLLECTIONS / NAME / "state.json").read_text())
    assert state["segments"] == 10
    assert wire.read_address(folder) is None
    assert store.count(NAME) == 10


def test_a_call_that_meets_an_ending_process_is_answered_by_its_successor(folder: Path) -> None:
    store, other = open_store(folder), open_store(folder)
    store.create(NAME, SPEC)
    failures: list[BaseException] = []
    over = threading.Event()

    def ask() -> None:
        try:
            while not over.is_set():
                assert store.collections() == [NAME]
        except BaseException as error:
            failures.append(error)

    asker = threading.Thread(target=ask)
    asker.start()
    for _ in range(3):
        other.stop()
        other.collections()
    over.set()
    asker.join()
    assert not failures


def test_it_ends_by_itself_when_nobody_needs_it(folder: Path) -> None:
    store = open_store(folder, idle_seconds=0.5)
    process = pid(folder)
    store.close()
    wait_until(lambda: not alive(process))
    assert store.collections() == []


def test_it_ends_when_its_folder_is_gone(folder: Path) -> None:
    store = open_store(folder)
    process = pid(folder)
    known = wire.read_address(folder)
    assert known is not None
    folder.rename(folder.with_name("elsewhere"))
    wait_until(lambda: not alive(process))
    store.close()
    if os.name == "posix":
        assert not Path(known["address"]).parent.exists()  # hundreds of these would fill the temporary folder


def test_a_copy_of_the_folder_is_served_by_a_process_of_its_own(folder: Path, tmp_path: Path) -> None:
    """It was served by the original's, whose address and key it has: what was erased there was erased here."""
    store = open_store(folder)
    store.create(NAME, SPEC)
    put(store, "a", 3)
    before = pid(folder)
    shutil.copytree(folder, tmp_path / "copy")
    copied = open_store(tmp_path / "copy")
    try:
        copied.drop(NAME)
        assert copied.collections() == [] and pid(tmp_path / "copy") != before
    finally:
        copied.stop()
    assert alive(before) and pid(folder) == before
    assert store.count(NAME) == 3 and open_store(folder).count(NAME) == 3


@POSIX
def test_it_is_replaced_when_its_socket_was_removed(folder: Path) -> None:
    store = open_store(folder)
    store.create(NAME, SPEC)
    put(store, "a", 3)
    known = wire.read_address(folder)
    assert known is not None
    store.close()
    Path(known["address"]).unlink()
    assert open_store(folder).count(NAME) == 3
    assert pid(folder) != known["pid"]


def claim_version(folder: Path, **version: int) -> None:
    """As if the folder's process were of another version of the program, or of one that did not say."""
    known = wire.read_address(folder)
    assert known is not None
    known.pop("version", None)
    write_private(folder / wire.ADDRESS, json.dumps(known | version).encode())


def test_a_process_that_an_older_version_left_running_is_replaced(folder: Path) -> None:
    first = open_store(folder)
    first.create(NAME, SPEC)
    put(first, "a", 3)
    before = pid(folder)
    claim_version(folder)
    second = open_store(folder)
    assert pid(folder) != before
    assert second.info(NAME).segments == first.info(NAME).segments == 3


def test_a_process_of_a_newer_version_is_left_alone(folder: Path) -> None:
    store = open_store(folder)
    before = pid(folder)
    claim_version(folder, version=wire.VERSION + 1)
    with pytest.raises(StoreUnavailable, match=f"newer .* end process {before}"):
        open_store(folder)
    assert alive(before)
    claim_version(folder, version=wire.VERSION)
    assert store.collections() == []


def test_a_wrong_key_is_refused(folder: Path) -> None:
    open_store(folder)
    known = wire.read_address(folder)
    assert known is not None
    with pytest.raises((AuthenticationError, EOFError, ConnectionError)):
        Client(known["address"], family=wire.family(), authkey=b"guessed")
    (folder / wire.KEY).write_bytes(b"guessed")
    with pytest.raises(StoreUnavailable, match="refused the key"):
        EdgeStore.open(folder)
    os.kill(int(known["pid"]), signal.SIGTERM)
    wait_until(lambda: not alive(int(known["pid"])))


def test_a_client_that_says_nothing_blocks_nobody(folder: Path) -> None:
    store = open_store(folder)
    known = wire.read_address(folder)
    assert known is not None
    import socket

    if sys.platform == "win32":
        pytest.skip("a plain socket cannot reach a named pipe")
    silent = socket.socket(socket.AF_UNIX)
    silent.connect(known["address"])
    store.close()
    assert store.collections() == []
    silent.close()


@POSIX
def test_only_the_owner_can_reach_the_socket_and_the_key(folder: Path) -> None:
    open_store(folder)
    known = wire.read_address(folder)
    assert known is not None
    for path in (folder / wire.KEY, folder / wire.ADDRESS, folder / wire.LOG):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(Path(known["address"]).parent.stat().st_mode) == 0o700


def test_the_process_loads_none_of_the_heavy_packages() -> None:
    code = (
        "import sys, labse_search.store.edge.process, labse_search.store.edge\n"
        "heavy = {'torch', 'transformers', 'sentence_transformers', 'gradio', 'fastapi', 'qdrant_client', 'pandas'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    assert run(sys.executable, "-c", code).stdout.strip() == "[]"


# Damage. What is found when a collection is opened is named and leaves the other collections alone. The engine has no
# checksums: where it does open, either it repaired itself from its log or the ledger's digests have to tell.

DAMAGED_SEGMENTS = 1100  # enough that optimising makes an index


def _make_two_collections(folder: Path, *, optimized: bool) -> Path:
    store = open_store(folder)
    vectors = np.stack([vector_of("a", i) for i in range(DAMAGED_SEGMENTS)])
    for name, count in ((NAME, DAMAGED_SEGMENTS), ("other", 50)):
        store.create(name, SPEC)
        store.upsert(name, [segment("a", i) for i in range(count)], vectors[:count], fingerprint=SPEC.fingerprint)
    if optimized:
        store.optimize(NAME)
    store.stop()
    return folder


@pytest.fixture(scope="module")
def fresh_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _make_two_collections(tmp_path_factory.mktemp("fresh"), optimized=False)


@pytest.fixture(scope="module")
def optimized_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _make_two_collections(tmp_path_factory.mktemp("optimized"), optimized=True)


def _shard(collection: Path) -> Path:
    return collection / str(json.loads((collection / "state.json").read_text())["shard"])


def _damage_spec(collection: Path) -> None:
    (collection / "spec.json").write_text('{"format": 1')


def _damage_state(collection: Path) -> None:
    (collection / "state.json").write_bytes(b"\x00" * 40)


def _lose_shard(collection: Path) -> None:
    _shard(collection).rename(collection / "gone")


def _truncate_id_tracker(collection: Path) -> None:
    for path in _shard(collection).rglob("*id_tracker*"):
        os.truncate(path, path.stat().st_size // 2)


def _garble_id_tracker(collection: Path) -> None:
    for path in _shard(collection).rglob("*id_tracker.mappings"):
        path.write_bytes(np.random.default_rng(1).bytes(path.stat().st_size))


def _garble_segment_config(collection: Path) -> None:
    for path in _shard(collection).rglob("segment.json"):
        path.write_text("{")


def _remove_segments(collection: Path) -> None:
    for path in list((_shard(collection) / "segments").iterdir()):
        path.rename(collection / f"lost-{path.name}")


@pytest.mark.parametrize(
    ("template", "damage", "always_found"),
    [
        ("fresh", _damage_spec, True),
        ("fresh", _damage_state, True),
        ("fresh", _lose_shard, True),
        ("fresh", _garble_segment_config, True),
        ("fresh", _garble_id_tracker, False),
        ("fresh", _truncate_id_tracker, False),
        ("fresh", _remove_segments, False),
        ("optimized", _garble_id_tracker, True),
        ("optimized", _truncate_id_tracker, True),
        ("optimized", _remove_segments, True),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)).strip("_"),
)
def test_a_damaged_collection_is_named_or_whole_and_the_others_go_on(
    folder: Path, template: str, damage: Callable[[Path], None], always_found: bool, request: pytest.FixtureRequest
) -> None:
    copy_tree(request.getfixturevalue(f"{template}_folder"), folder)
    damage(folder / wire.COLLECTIONS / NAME)
    store = open_store(folder)
    found = 0
    for _ in range(2):
        try:
            assert store.count(NAME) == DAMAGED_SEGMENTS
        except CollectionDamaged as error:
            assert '"documents"' in str(error) and "check --repair" in str(error)
            found += 1
        assert store.count("other") == 50
    assert found == 2 or (found == 0 and not always_found)
    if not found:
        points = [segment("a", i).point for i in range(DAMAGED_SEGMENTS)]
        stored = store.vectors(NAME, points)
        for i, point in enumerate(points):
            np.testing.assert_array_equal(stored[point], vector_of("a", i))
    assert store.collections() == [NAME, "other"]
    store.drop(NAME)
    store.create(NAME, SPEC)
    assert store.count(NAME) == 0


def test_leftovers_of_a_killed_process_are_removed(folder: Path, fresh_folder: Path) -> None:
    copy_tree(fresh_folder, folder)
    collection = folder / wire.COLLECTIONS / NAME
    (collection / "shard-7").mkdir()
    (collection.parent / ".new-half-1-1").mkdir()
    (collection / "opening").touch()
    store = open_store(folder)
    assert store.count(NAME) == DAMAGED_SEGMENTS
    assert store.collections() == [NAME, "other"]
    assert sorted(path.name for path in collection.iterdir()) == ["shard-1", "spec.json", "state.json"]
    assert not (collection.parent / ".new-half-1-1").exists()


@POSIX
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_place_is_a_clear_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StoreUnavailable, match="cannot be used"):
        EdgeStore.open(tmp_path / "store")


def test_a_full_disk_stops_writing_before_the_engine_meets_it(folder: Path) -> None:
    store = open_store(folder)
    store.create(NAME, SPEC)
    put(store, "a", 10)
    store.stop()
    store = EdgeStore.open(folder, idle_seconds=60, reserve_mb=1 << 40, scan_mb=0)
    for write in (
        lambda: put(store, "b", 10),
        lambda: store.create("other", SPEC),
        lambda: store.optimize(NAME),
    ):
        with pytest.raises(StoreUnavailable, match="MB are free"):
            write()
    assert store.count(NAME) == 10
    assert store.search_words(NAME, "line 3", 1)[0].stored.segment.index == 3
    assert store.collections() == [NAME]
    store.drop(NAME)


def test_a_place_that_is_a_file_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("")
    with pytest.raises(StoreUnavailable, match="cannot be used"):
        EdgeStore.open(tmp_path / "store")


def test_few_new_vectors_are_searched_without_an_index(folder: Path) -> None:
    def state() -> dict[str, object]:
        found: dict[str, object] = json.loads((folder / "collections" / NAME / "state.json").read_text("utf-8"))
        return found

    store = EdgeStore.open(folder, idle_seconds=60)
    store.create(NAME, SPEC)
    put(store, "d", 300)
    store.optimize(NAME)
    assert state()["shard"] == "shard-1"  # as it was: no copy, no graph
    assert [one.stored.segment.index for one in nearest(store, "d", 7)][:1] == [7]
    store.stop()
    store = open_store(folder)  # its process indexes any number
    store.optimize(NAME)
    assert (state()["shard"], state()["indexed"]) == ("shard-2", 300)
    store.stop()
    store = EdgeStore.open(folder, idle_seconds=60)  # a few more are no reason to copy and index all of them again
    put(store, "e", 20)
    store.optimize(NAME)
    assert state()["shard"] == "shard-2"
    assert [one.stored.document for one in nearest(store, "e", 7)][:1] == ["e"]
    assert [one.stored.segment.index for one in nearest(store, "d", 7)][:1] == [7]


def nearest(store: EdgeStore, document: str, index: int) -> list[Found]:
    return store.search_meaning(NAME, vector_of(document, index), 5, fingerprint=SPEC.fingerprint)
