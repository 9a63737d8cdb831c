"""The Python environment that the tools live in: made once, mended when it is broken, whoever kills
its set-up or starts it twice. Packages are made here: no network is needed."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import time
import zipfile
from pathlib import Path

import pytest

PROGRAM = Path(__file__).resolve().parents[1] / "environment.py"


def digest(text: str) -> str:
    sha256 = hashlib.sha256(text.encode()).digest()
    return base64.urlsafe_b64encode(sha256).rstrip(b"=").decode()


def wheel(folder: Path, name: str, version: str, source: str) -> None:
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}/__init__.py": source,
        f"{name}-{version}.data/scripts/{name}-tool.py": "#!python\n",  # as clang-format has one
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{name} = {name}:main\n",
    }
    rows = (f"{path},sha256={digest(text)},{len(text)}\n" for path, text in files.items())
    record = "".join(rows) + f"{info}/RECORD,,\n"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(path, text)


class Place:
    """A folder for one environment, with wheels and requirements of its own."""

    def __init__(self, folder: Path) -> None:
        self.wheels = folder / "wheels"
        self.wheels.mkdir()
        self.environment = folder / "with blank" / "venv"
        self.requirements = folder / "requirements.txt"
        source = "def main():\n    print('sound')\n"
        wheel(self.wheels, "tiny", "1.0", source)
        wheel(self.wheels, "tiny", "2.0", source)
        wheel(self.wheels, "broken", "1.0", "import nowhere_to_be_found\n")
        self.want("tiny==1.0")

    def want(self, *lines: str) -> None:
        self.requirements.write_text("# pinned\n" + "\n".join(lines) + "\n")

    def command(self) -> list[str]:
        options = ["--", "--no-index", "--find-links", str(self.wheels)]
        paths = [str(self.environment), str(self.requirements)]
        return ["/usr/bin/python3", str(PROGRAM), *paths, *options]

    def make(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command(), capture_output=True, text=True, check=False)

    def python(self, code: str) -> str:
        python = self.environment / "bin" / "python"
        return subprocess.check_output([python, "-I", "-c", code], text=True).strip()

    def version(self) -> str:
        return self.python("import importlib.metadata as m; print(m.version('tiny'))")

    def file(self) -> Path:
        return Path(self.python("import tiny; print(tiny.__file__)"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Place:
    place = Place(tmp_path_factory.mktemp("made"))
    done = place.make()
    assert done.returncode == 0, done.stderr
    return place


@pytest.fixture
def place(tmp_path: Path, made: Place) -> Place:
    """A copy, which is quicker than another environment: to be broken."""
    place = Place(tmp_path)
    shutil.copytree(made.environment, place.environment, symlinks=True)
    return place


def test_a_second_call_finds_all_there_and_programs_run(made: Place) -> None:
    done = made.make()
    assert done.returncode == 0
    assert "all there" in done.stdout
    assert "Installing" not in done.stdout
    program = made.environment / "bin" / "tiny"  # it names the folder it lies in, not another
    assert subprocess.check_output([program], text=True) == "sound\n"
    assert "tiny==1.0" in (made.environment / "installed.txt").read_text()
    left = {path.name for path in made.environment.parent.iterdir()}
    assert left == {"venv", "venv.lock"}


def damage_file(place: Place) -> None:
    place.file().write_text("")


def remove_file(place: Place) -> None:
    place.file().unlink()


def remove_package(place: Place) -> None:
    python = place.environment / "bin" / "python"
    subprocess.run([python, "-m", "pip", "uninstall", "-q", "-y", "tiny"], check=True)


def lose_interpreter(place: Place) -> None:
    python = place.environment / "bin" / "python3"
    python.unlink()
    python.symlink_to("/usr/bin/python3.of-an-older-system")


def break_interpreter(place: Place) -> None:
    (place.environment / "pyvenv.cfg").unlink()
    python = place.environment / "bin" / "python"
    python.unlink()
    python.write_text("#!/bin/sh\necho 'libpython: cannot open' >&2; exit 127\n")
    python.chmod(0o755)


def want_newer(place: Place) -> None:
    place.want("tiny==2.0")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (damage_file, "is damaged"),
        (remove_file, "is missing"),
        (remove_package, "tiny is not installed"),
        (lose_interpreter, "interpreter does not start"),
        (break_interpreter, "libpython: cannot open"),
        (want_newer, "tiny is 1.0, expected 2.0"),
    ],
)
def test_what_is_broken_is_named_and_made_anew(place: Place, damage: object, said: str) -> None:
    assert callable(damage)
    damage(place)
    done = place.make()
    assert done.returncode == 0, done.stderr
    assert said in done.stdout
    assert place.version() == ("2.0" if damage is want_newer else "1.0")
    assert "all there" in place.make().stdout


def test_what_cannot_be_imported_is_not_believed(place: Place) -> None:
    place.want("tiny==1.0", "broken==1.0")
    done = place.make()
    assert done.returncode == 5
    assert "nowhere_to_be_found" in done.stderr
    assert place.version() == "1.0"  # the environment from before stays


def test_without_the_packages_the_environment_from_before_stays(place: Place) -> None:
    place.want("tiny==3.0")
    done = place.make()
    assert done.returncode == 5
    assert "Is there a network?" in done.stderr
    assert place.version() == "1.0"


def test_a_requirement_that_names_no_version_is_refused(place: Place) -> None:
    place.want("tiny>=1.0")
    done = place.make()
    assert done.returncode == 64
    assert "tiny>=1.0: expected name==version" in done.stderr


def test_two_at_once_build_once(tmp_path: Path) -> None:
    place = Place(tmp_path)
    both = [subprocess.Popen(place.command(), stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum("Installing" in output for output in outputs) == 1
    assert sum("all there" in output for output in outputs) == 1
    assert place.version() == "1.0"


@pytest.mark.parametrize("moment", ["bin", "lib/python*/site-packages/tiny"])
def test_one_that_is_killed_leaves_what_was_there(place: Place, moment: str) -> None:
    place.want("tiny==2.0")
    beside = place.environment.with_name("venv.new")
    process = subprocess.Popen(
        place.command(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while process.poll() is None and not list(beside.glob(moment)):
        time.sleep(0.001)
    process.kill()
    process.wait()
    # Either the old one or, where the kill came too late, the new one; never half of one.
    assert place.version() in ("1.0", "2.0")
    done = place.make()
    assert done.returncode == 0, done.stderr
    assert place.version() == "2.0"
    assert not beside.exists()
