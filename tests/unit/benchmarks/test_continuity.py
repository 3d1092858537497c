"""The account of a load: what is missing, repeated, dead or out of order is counted as such."""

from benchmarks.continuity import Account, render


def account(*sent: str) -> Account:
    made = Account("run")
    for number, record_id in enumerate(sent):
        made.send(record_id, float(number))
    return made


def test_an_answer_in_order_leaves_nothing_open() -> None:
    load = account("run/1/0", "run/1/1")

    load.receive("run/1/0", None, 3.0)
    load.receive("run/1/1", None, 5.0)

    assert load.missing == set()
    assert (load.repeated, load.out_of_order, load.dead_letters) == (0, 0, {})
    assert load.delays_s() == [3.0, 4.0]
    assert load.longest_silence_s() == 2.0


def test_what_did_not_come_is_missing() -> None:
    load = account("run/1/0", "run/2/0")

    load.receive("run/2/0", None, 1.0)

    assert load.missing == {"run/1/0"}
    assert "missing       1" in render(load, 10)


def test_a_second_answer_is_a_repeat_and_no_swap() -> None:
    load = account("run/1/0", "run/1/1")

    for record_id in ("run/1/0", "run/1/1", "run/1/0"):
        load.receive(record_id, None, 1.0)

    assert (load.repeated, load.out_of_order) == (1, 0)


def test_an_answer_before_its_predecessor_of_the_same_key_is_out_of_order() -> None:
    load = account("run/1/9", "run/1/10", "run/2/0")

    for record_id in ("run/1/10", "run/2/0", "run/1/9"):
        load.receive(record_id, None, 1.0)

    assert load.out_of_order == 1


def test_a_dead_letter_is_an_outcome_with_its_code() -> None:
    load = account("run/1/0")

    load.receive("run/1/0", "internal_error", 1.0)

    assert load.missing == set()
    assert "dead letters  1 internal_error" in render(load, 10)


def test_records_of_another_run_do_not_count() -> None:
    load = account("run/1/0")

    load.receive("other/1/0", None, 1.0)

    assert load.seen_at == {}
    assert load.repeated == 0
