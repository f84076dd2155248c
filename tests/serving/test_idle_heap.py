"""When the heap is trimmed: the server is idle, and there is something to give back."""

from dataclasses import dataclass

from numbatch.serving.idle_heap import IdleHeap, resident_bytes

MIB = 2**20


@dataclass
class Process:
    """A process as a test says it is."""

    idle: bool = True
    resident: int = 100 * MIB

    def __post_init__(self) -> None:
        self.heap = IdleHeap(lambda: self.idle, lambda: self.resident)

    def looks(self, count: int) -> list[bool]:
        return [self.heap.look() for _ in range(count)]

    def work(self, resident: int) -> None:
        self.idle = False
        assert not self.heap.look()
        self.idle, self.resident = True, resident


def test_an_idle_server_that_has_taken_nothing_is_let_be() -> None:
    assert not any(Process().looks(20))


def test_what_work_has_left_is_given_back_after_a_while_without_work() -> None:
    process = Process()
    process.looks(10)
    process.work(resident=250 * MIB)
    assert process.looks(4) == [False, False, False, True]
    process.resident = 102 * MIB
    assert not any(process.looks(400))


def test_what_comes_to_light_later_is_given_back_too() -> None:
    process = Process()
    process.looks(5)
    process.resident = 250 * MIB  # a message that was refused
    assert process.looks(3) == [False, False, True]


def test_what_is_in_use_after_all_is_let_be() -> None:
    process = Process()
    process.looks(10)
    process.work(resident=250 * MIB)
    assert sum(process.looks(256)) == 7
    assert not any(process.looks(400))
    process.work(resident=253 * MIB)
    assert not any(process.looks(400))


def test_a_busy_server_is_let_be() -> None:
    process = Process()
    process.looks(10)
    for _ in range(20):
        process.work(resident=250 * MIB)
        assert not any(process.looks(3))


def test_this_process_takes_some() -> None:
    assert resident_bytes() > 10 * MIB
