"""The cases as pytest sees them. -k NAME chooses; the seed is printed with each failure."""

import pytest

import cases
from conftest import ABSENT
from lab import Absent, Failure, Skip
from registry import attempt


@pytest.mark.parametrize("name", list(cases.CASES))
def test_case(lab, name):
    try:
        attempt(lab, name)
    except Skip as reason:
        pytest.skip(str(reason))
    except Absent as reason:
        pytest.skip(ABSENT + str(reason))
    except Failure as reason:
        pytest.fail(str(reason), pytrace=False)
