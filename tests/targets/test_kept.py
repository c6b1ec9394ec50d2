from dataclasses import dataclass

from costmodel.targets.kept import KEEP, kept


@dataclass(frozen=True)
class Net:
    name: str
    size: int


def test_a_result_is_made_once_a_subject_and_choices() -> None:
    made: list[tuple[Net, int, str]] = []

    @kept
    def make(net: Net, factor: int, style: str = "a") -> list[int]:
        made.append((net, factor, style))
        return [net.size * factor]

    one = Net("n", 3)
    assert make(one, 2) is make(one, 2)
    assert make(one, 5) == [15]
    assert make(one, 2, style="b") == [6]
    assert len(made) == 3


def test_equal_subjects_are_told_apart_and_never_mixed_up() -> None:
    @kept
    def size(net: Net) -> list[int]:
        return [net.size]

    first, twin = Net("n", 3), Net("n", 3)
    assert size(first) is not size(twin)
    # identities are reused once an object is gone: a kept result must not outlive its subject
    assert all(size(Net("n", i)) == [i] for i in range(10 * KEEP))
