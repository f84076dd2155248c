"""Where the messages of the Open Inference Protocol are known: not where everybody's are.

Every client of the protocol brings stubs of its own for the same names. Protobuf lets a name be declared once in its
default pool, so a process could not have numbatch and such a client; in a pool of their own ours clash with none.
"""

from google.protobuf.descriptor_pool import DescriptorPool

POOL = DescriptorPool()
