import sys

import pytest
from tests.factories import act, pipeline, write

pytest_plugins = ["pytester"]

TEST = """
from manara.testing import output

def test_it(factory, tmp_path):
    assert factory.folder == tmp_path
    assert factory.run("main", stubs={"Copy": output(n=1)})["Copy"].output == {"n": 1}
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    write(pytester.path / "adf", "pipeline", "main", pipeline(act("Copy", "Unknown")))
    pytester.makepyfile(TEST)
    return pytester


def test_the_ini_file_names_the_factory(project: pytest.Pytester) -> None:
    project.makeini("[pytest]\nmanara_factory = adf")
    project.runpytest_inprocess().assert_outcomes(passed=1)


def test_the_option_names_the_factory(project: pytest.Pytester) -> None:
    project.runpytest_inprocess("--manara-factory", "adf").assert_outcomes(passed=1)


def test_the_folder_of_the_project_may_be_the_factory(project: pytest.Pytester) -> None:
    (project.path / "adf/pipeline").rename(project.path / "pipeline")
    project.runpytest_inprocess().assert_outcomes(passed=1)


def test_a_missing_factory_is_told_with_how_to_name_it(project: pytest.Pytester) -> None:
    result = project.runpytest_inprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*holds no factory*Name it with --manara-factory, or as manara_factory in the ini*"])


def test_those_who_do_not_use_it_pay_nothing(pytester: pytest.Pytester) -> None:
    heavy = ("anyio", "pydantic", "pyarrow", "duckdb", "sqlite3", "manara.runtime", "manara.plugin", "manara.resources")
    code = f"import sys, manara.testing.plugin; print([name for name in {heavy} if name in sys.modules])"
    assert pytester.run(sys.executable, "-c", code).outlines == ["[]"]
