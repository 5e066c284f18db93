"""The rest stands in pyproject.toml: this only puts the example documents beside the package, into the wheel."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithExamples(build_py):
    """Also copies the folder `examples`, so that an installed page can offer them."""

    def run(self) -> None:
        """As build_py's; not in an editable installation, which finds the folder where it is."""
        super().run()
        if not self.editable_mode:
            shutil.copytree("examples", Path(self.build_lib) / "labse_search" / "examples", dirs_exist_ok=True)


setup(cmdclass={"build_py": BuildWithExamples})
