"""Transactions that PostgreSQL ends, because several wait for each other, are run again; nothing else is."""

import pytest
from django.db import OperationalError, transaction

from bloop_site.lib.db import ATTEMPTS, survives_deadlock


class Ended(Exception):
    """What psycopg raises, as far as we look at it."""

    def __init__(self, sqlstate: str) -> None:
        super().__init__()
        self.sqlstate = sqlstate


def failing(*, times: int, sqlstate: str = "40P01") -> tuple[list[int], OperationalError]:
    error = OperationalError("ended")
    error.__cause__ = Ended(sqlstate)
    return [1] * times, error


def run(failures: list[int], error: OperationalError) -> str:
    @survives_deadlock
    def work(*, answer: str) -> str:
        if failures:
            failures.pop()
            raise error
        return answer

    return work(answer="done")


@pytest.mark.django_db(transaction=True)
def test_a_transaction_that_was_ended_is_run_again():
    failures, error = failing(times=ATTEMPTS - 1)

    assert run(failures, error) == "done"


@pytest.mark.django_db(transaction=True)
def test_but_not_for_ever():
    failures, error = failing(times=100)

    with pytest.raises(OperationalError):
        run(failures, error)

    assert len(failures) == 100 - ATTEMPTS


@pytest.mark.django_db(transaction=True)
def test_nor_for_another_reason():
    failures, error = failing(times=1, sqlstate="57014")

    with pytest.raises(OperationalError):
        run(failures, error)


@pytest.mark.django_db(transaction=True)
def test_nor_within_a_larger_one_which_is_lost_with_it():
    failures, error = failing(times=5)

    with pytest.raises(OperationalError), transaction.atomic():
        run(failures, error)

    assert len(failures) == 4
