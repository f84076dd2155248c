"""The table of the kernels' addresses: loaded models point into it, so there is one."""

from support.instruction_sets import printed_by

# All ask while the first waits for the machine code.
ASK_AT_ONCE = """
import threading
from numbatch.kernels.library import kernel_table
tables, start = [], threading.Barrier(8)
def ask():
    start.wait()
    tables.append(kernel_table())
threads = [threading.Thread(target=ask) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len({table.ctypes.data for table in tables}))
"""


def test_threads_that_ask_at_once_get_the_same_table() -> None:
    assert printed_by(ASK_AT_ONCE) == "1\n"
